"""The upper part of the page (conclusions, runs, comparisons) as plain values for the template."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...metrics.columns import unit_of
from ...metrics.comparison.record import Record, Run
from ...metrics.comparison.results import Comparison, Row, TaskComparison
from ...metrics.conclusion import Conclusion
from ...metrics.judge_measures.lines import judge_lines
from ...metrics.printable import clean
from ...metrics.reliance.claims import claim_in, claim_lines, regrown_lines
from ...metrics.score import ARITHMETIC_ONLY, arithmetic_only
from . import numbers
from .aggregates import by_question, mean_of
from .glossary import ACCURACY, in_plain_words, plain_name
from .question_rows import KeyOf, accuracy, contradicted, leaks, metric, unscored
from .sanitize import clip, one_line

_NAME, _TEXT = 120, 1000
_OPEN = 4  # number of tasks shown unfolded
_DECIMALS = 2  # for means in the table of runs
_SYMBOLS = {
    "trap": "⚠",
    "decorative": "⚠",
    "gain": "▲",
    "up": "▲",
    "regression": "▼",
    "down": "▼",
    "no change": "=",
    "underpowered": "?",
}
_ARROWS = {
    "up": "↑ up",
    "down": "↓ down",
    "not significant": "≈ no significant change",
    "not measured": "– not measured",
}
_MEANINGS = {
    "trap": "More answers are right, but the reasoning before them got worse.",
    "decorative": "As many answers are right, but they hang less on the steps before them.",
    "gain": "Accuracy or reasoning got better, and neither got worse.",
    "regression": "Accuracy or reasoning got worse.",
    "down": "Fewer answers are right. Of the reasoning nothing is known.",
    "up": "More answers are right. Of the reasoning nothing is known.",
    "no change": "Neither accuracy nor reasoning changed by as much as matters.",
    "underpowered": "These runs do not decide it.",
}
_KEY_ROWS = ("infogain_nats_before_own_answer", "ki")  # shown beside the verdict, after accuracy and what decided
_FEW = 5  # numbers beside a verdict
_LEFT_OUT = ("leak_share",)  # a mean of ratios, which may exceed 100 % of a gain: the gain before the answer tells it
_PROVENANCE = (
    "scorer",
    "revision",
    "dtype",
    "engine",
    "quantization",
    "template",
    "splitter",
    "variant",
    "policy",
    "epsilon",
    "claims",
    "judges",
    "retriever",
    "versions",
)


def comparison_view(comparison: Comparison, number: int, shown: Mapping[str, str]) -> dict[str, Any]:
    """One comparison for the template, overall first.

    Args:
        shown: the runs' names on the page, by their own.
    """
    alpha = float(comparison.settings.get("alpha", 0.05))
    group = "subject" if comparison.settings.get("by") == "subject" else "task"
    parts = [*([comparison.overall] if comparison.overall else []), *comparison.tasks]
    paired = ", ".join(f"{n:,} by {clean(how)}" for how, n in comparison.paired_by.items())
    facts = [
        ("Accuracy", one_line(comparison.accuracy_name or "none in these runs", _NAME)),
        ("Scoring LM", one_line(comparison.scorer, _NAME)),
        ("Questions paired", paired or "none"),
    ]
    settings = [(one_line(key, 60), one_line(_plain(given), 200)) for key, given in comparison.settings.items()]
    views = [_part(part, f"comparison-{number}-{i}", group, alpha, i < _OPEN) for i, part in enumerate(parts)]
    labels = {row.label: row.measure for part in parts for row in part.rows}
    return {
        "id": f"comparison-{number}",
        "base": shown[comparison.base],
        "tuned": shown[comparison.tuned],
        "facts": facts,
        "notes": [in_plain_words(clip(note, _TEXT), labels) for note in comparison.notes],
        "settings": settings,
        "alpha": f"{alpha:g}",
        "group": group,
        "parts": views,
        "headline": _headline(views[0]) if views else None,
    }


def _headline(part: Mapping[str, Any]) -> dict[str, Any]:
    """What stands first on the page: the verdict of all tasks together in words, and its few numbers."""
    rows = [row for group in part["groups"] for row in group["rows"] if row["n"] != "0"]
    first = [row for row in rows if row["measure"] == ACCURACY]
    moved = [row for row in rows if row["decides"] and row["tone"]]
    key = [row for name in _KEY_ROWS for row in rows if row["measure"] == name]
    few = list({row["measure"]: row for row in (*first, *moved, *key)}.values())[:_FEW]
    return {**part, "meaning": _MEANINGS.get(part["verdict"], ""), "rows": few}


def headings(names: Sequence[str], runs: Sequence[Run]) -> list[tuple[str, str, str]]:
    """(number, heading, small print) for the columns of these numbers."""
    equations = arithmetic_only(record.score for run in runs for record in run.records)
    small = {"ki": ARITHMETIC_ONLY if equations else "", "n_steps": ""}
    units = {name: "" if unit_of(name) == "share" else unit_of(name) for name in names}
    return [(name, one_line(plain_name(name), _NAME), small.get(name, units[name])) for name in names]


# How sentences are judged, too, where equations alone have given no Knowledge Index.
SWITCH_ON = """stepgauge score RUN --out DIR --set 'claims=["arithmetic", "sentence"]' \\
  --set 'judges=["exact", {"name": "nli", "model": "MoritzLaurer/DeBERTa-v3-large-mnli-fever-anli-ling-wanli"}]' \\
  --set retriever=bm25 --set corpus=FOLDER"""


def without_knowledge(runs: Sequence[Run], shown: Sequence[str]) -> list[str]:
    """The names of the runs of which no chain has a Knowledge Index."""
    ki = metric("ki")
    return [
        name
        for run, name in zip(runs, shown, strict=True)
        if not any(math.isfinite(ki(record)) for record in run.records)
    ]


def run_view(
    run: Run,
    name: str,
    accuracy_name: str | None,
    columns: Sequence[str],
    key_of: KeyOf,
    places: Mapping[int, int],
) -> dict[str, Any]:
    """One run's means over questions, counts and provenance for the template.

    Args:
        columns: names of the numbers whose means are shown beside accuracy.
        places: the number of the question on the page, from 1, by the `id()` of its records.
    """
    records = run.records
    about = [record.score.provenance for record in records]
    claims = [*claim_lines(map(claim_in, about)), *regrown_lines(about)]
    judges = judge_lines(record.score for record in records)
    said, misled = _conclusion(records, accuracy_name, key_of)
    questions = {key_of(record) for record in records}

    def mean(number: Callable[[Record], float], unit: str = "") -> dict[str, str]:
        values = [value for _, value in by_question(run, number, key_of).values()]
        shown = numbers.value(mean_of(values).mean, unit, _DECIMALS) if values else numbers.DASH
        return {"value": shown, "n": f"{len(values):,}"}

    return {
        "name": name,
        "whole_name": one_line(run.name, _NAME),
        "contradicted": sum(map(contradicted, records)),
        "source": one_line(run.source, 300),
        "notes": [clip(note, _TEXT) for note in (*run.notes, *claims, *judges)],
        "chains": f"{len(records):,}",
        "questions": f"{len(questions):,}",
        "means": [
            mean(accuracy(accuracy_name), "share" if _is_share(records, accuracy_name) else ""),
            *(mean(metric(column), unit_of(column)) for column in columns),
        ],
        "counts": [f"{sum(is_so(record) for record in records):,}" for is_so in (contradicted, leaks, unscored)],
        "missing": _missing(records, columns),
        "provenance": _provenance(records),
        "conclusion": [clip(sentence, _TEXT) for sentence in said],
        "misled": places[id(misled)] if misled else None,
    }


def _conclusion(records: Sequence[Record], accuracy_name: str | None, key_of: KeyOf) -> tuple[list[str], Record | None]:
    """The sentences, and the chain whose contradicted step they point out."""
    conclusion, right, misled = Conclusion(), accuracy(accuracy_name), None
    for record in records:
        before = conclusion.misled
        conclusion.add(record.score, question=str(key_of(record)), accuracy=right(record))
        if conclusion.misled is not before:
            misled = record
    return conclusion.sentences(), misled


def _part(part: TaskComparison, part_id: str, group: str, alpha: float, unfolded: bool) -> dict[str, Any]:
    verdict = part.verdict
    labels = {row.label: row.measure for row in part.rows}
    rows = [row for row in part.rows if row.role == "deciding" or (row.n and row.measure not in _LEFT_OUT)]
    groups = [
        {"title": title, "rows": [_row(row, alpha) for row in rows if row.role == role]}
        for role, title in (
            ("deciding", "Deciding, tested and corrected together"),
            ("exploratory", "Exploratory (not tested, intervals uncorrected)"),
            ("confounder", "What else differs between the runs (confounders, not tested)"),
        )
    ]
    missing = [
        (one_line(_row_name(row), _NAME), clip(reason, 300), f"{n:,}")
        for row in rows
        for reason, n in row.missing.items()
    ]
    return {
        "id": part_id,
        "title": f"All {group}s together" if part.task is None else one_line(part.task, _NAME) or "(no task)",
        "verdict": verdict.name,
        "symbol": _SYMBOLS.get(verdict.name, ""),
        "kind": verdict.name.replace(" ", "-"),
        "why": in_plain_words(clip(verdict.why, _TEXT), labels),
        "accuracy": _ARROWS.get(verdict.accuracy, verdict.accuracy),
        "reasoning": _ARROWS.get(verdict.reasoning, verdict.reasoning),
        "needed": f"{verdict.needed:,}" if verdict.needed and f"{verdict.needed:,}" not in verdict.why else "",
        "pairs": f"{part.n_pairs:,}",
        "alone": [
            f"{n:,} only in the {which} run" for n, which in ((part.only_base, "base"), (part.only_tuned, "tuned")) if n
        ],
        "notes": [in_plain_words(clip(note, _TEXT), labels) for note in part.notes],
        "groups": [group for group in groups if group["rows"]],
        "missing": missing,
        "clusters": any(row["clusters"] for group in groups for row in group["rows"]),
        "unfolded": unfolded,
    }


def _row_name(row: Row) -> str:
    """The row's plain name; that of a measure without one is its label."""
    name = plain_name(row.measure)
    return row.label if name == row.measure else name


def _row(row: Row, alpha: float) -> dict[str, Any]:
    tone = ""
    if row.p_holm < alpha and row.higher_is_better is not None and row.difference:
        tone = "better" if (row.difference > 0) == row.higher_is_better else "worse"
    decimals = numbers.places(row.base, row.tuned)
    return {
        "measure": row.measure,
        "decides": row.role == "deciding",
        "label": one_line(_row_name(row), _NAME),
        "unit": "" if row.unit in ("share", row.label) else one_line(row.unit, 30),
        "n": f"{row.n:,}",
        "clusters": f"{row.n_clusters:,}" if row.n_clusters != row.n else "",
        "base": numbers.value(row.base, row.unit, decimals),
        "tuned": numbers.value(row.tuned, row.unit, decimals),
        "difference": numbers.difference(row.difference, row.unit, decimals),
        "relative": numbers.relative(row.relative),
        "interval": numbers.interval(row.low, row.high, row.unit, decimals),
        "p": numbers.p_value(row.p),
        "holm": numbers.p_value(row.p_holm),
        "tone": tone,
    }


def _is_share(records: Sequence[Record], name: str | None) -> bool:
    values = [accuracy(name)(record) for record in records]
    return all(0 <= value <= 1 for value in values if math.isfinite(value))


def _missing(records: Sequence[Record], columns: Sequence[str]) -> list[tuple[str, str, str]]:
    """(plain name, reason, chains) for missing numbers in the table, most frequent first."""
    reasons: Counter[tuple[str, str]] = Counter()
    for record in records:
        for name in columns:
            if name in record.score.missing:
                reasons[name, clip(record.score.missing[name], 300)] += 1
    return [(one_line(plain_name(name), _NAME), reason, f"{n:,}") for (name, reason), n in reasons.most_common(12)]


def _provenance(records: Sequence[Record]) -> list[tuple[str, str]]:
    """The provenance of the scores; if an entry has several values, all are listed with their counts."""
    out = []
    for name in _PROVENANCE:
        values = Counter(_plain(record.score.provenance.get(name)) for record in records)
        values.pop("", None)
        if len(values) == 1:
            out.append((name, one_line(next(iter(values)), 300)))
        elif values:
            shown = "; ".join(f"{one_line(value, 120)} ({n:,} chains)" for value, n in values.most_common(4))
            out.append((name, f"{shown}; …" if len(values) > 4 else shown))
    return out


def _plain(given: Any) -> str:
    """A setting formatted for display."""
    if given is None:
        return ""
    if isinstance(given, list | tuple):
        return ", ".join(_plain(item) for item in given)
    if isinstance(given, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in given.items())
    return given if isinstance(given, str) else json.dumps(given, default=str)
