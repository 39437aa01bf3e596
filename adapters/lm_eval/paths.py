"""Where the installed package keeps its lm-eval tasks and its sample data. Imports no framework."""

from __future__ import annotations

from pathlib import Path

from ... import tasks

_TASKS = Path(tasks.__path__[0])

# Task YAMLs refer to these with `!function`, since lm-eval may run in any working directory.
ARITHMETIC = str(_TASKS / "samples" / "arithmetic.jsonl")
MEDICAL = str(_TASKS / "samples" / "medical.jsonl")
MEDICAL_CORPUS = str(_TASKS / "samples" / "corpus" / "medical.jsonl")


def include_path() -> str:
    """Folder of our lm-eval task YAMLs, for `lm-eval run --include_path` and `TaskManager(include_path=...)`."""
    return str(_TASKS / "lm_eval")
