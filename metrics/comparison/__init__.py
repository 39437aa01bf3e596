"""Compares two models' scored chains, paired by question, with intervals, tests and a verdict."""

from .compare import NotComparable, Settings, compare_runs
from .record import Record, Run, question_hash
from .results import Comparison, Row, TaskComparison, Verdict
from .series import Series, series_of

__all__ = [
    "Comparison",
    "NotComparable",
    "Record",
    "Row",
    "Run",
    "Series",
    "Settings",
    "TaskComparison",
    "Verdict",
    "compare_runs",
    "question_hash",
    "series_of",
]
