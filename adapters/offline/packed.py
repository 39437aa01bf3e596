"""The form of a row in `scores.jsonl`: what `ChainScore.to_dict` gives, in half the room.

Steps stand as columns, numbers with seven digits (float32 has no more), reasons once with the numbers that lack, and
nothing is said twice: a step's text is cut from the response, and of equal provenances in a window of rows the first
has it whole and the others name it. docs/finished-runs.md describes each field.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ...metrics.score import RELIANCE_OF_STEPS
from ..scored import FieldError

_TEXT = "text"
# What a step has that says nothing, and is left out where it holds for all steps of a chain.
_USUAL = {"kind": "reasoning", "states_answer": False, **dict.fromkeys(("log_likelihood", "gain", "ppl_gain"))}
_USUAL |= dict.fromkeys(("n_tokens", "gold_probability", "entropy_bits"))
_USUAL_VERDICT = {"label": None, "probability": None, "evidence": [], "reason": "", "error": None}
_USUAL_CLAIM = {"query": None}
_OF_ROW = ("format", "id", "trace_hash")
_MOST = 2_000_000  # steps of a row; more were never written


_LOST = "how this chain was scored is not known: the row that says so is damaged"


class Packer:
    """Packs the rows of one window."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def pack(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Args: row: with `score` as `ChainScore.to_dict` gives it, which is not changed."""
        score = row["score"]
        provenance = _seven_digits(score["provenance"])  # as it will be read: a reader takes the digest of that
        name = _digest(provenance)
        missing: dict[str, list[str]] = {}
        for metric, reason in score["missing"].items():
            missing.setdefault(reason, []).append(metric)
        packed = {
            **{field: value for field, value in score.items() if field not in _OF_ROW},
            "steps": _columns(score["steps"], row["response"]),
            "metrics": {metric: value for metric, value in score["metrics"].items() if metric not in score["missing"]},
            "missing": missing,
            "provenance": name if name in self._seen else provenance,
        }
        self._seen.add(name)
        return {**row, "score": _seven_digits(packed)}


class Unpacker:
    """Gives rows the form they had before they were packed. Rows of earlier versions stay as they are: they have it."""

    def __init__(self) -> None:
        self._provenances: dict[str, Any] = {}
        self._last: Any = None

    def unpack(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Raises FieldError where a field does not hold what `pack` writes."""
        score = row.get("score")
        if not isinstance(score, Mapping):
            return dict(row)
        provenance = score.get("provenance")
        packed = isinstance(score.get("steps"), Mapping)
        if isinstance(provenance, Mapping):
            if provenance != self._last:
                self._last = provenance
            provenance = self._last  # held once: rows of earlier versions each have it whole
            if packed:
                self._provenances[_digest(provenance)] = provenance
        elif isinstance(provenance, str):
            if provenance not in self._provenances:  # the row that has it is damaged: this one's numbers are not
                score = {**score, "notes": [*_list(score, "notes"), _LOST]}
            provenance = self._provenances.get(provenance, {})
        if not packed:
            return {**row, "score": {**score, "provenance": provenance}}
        metrics, missing = _with_missing(score)
        return {
            **row,
            "score": {
                **{field: row.get(field) for field in _OF_ROW},
                **score,
                "steps": _steps(score["steps"], row.get("response")),
                "metrics": metrics,
                "missing": missing,
                "provenance": provenance,
            },
        }


def _list(score: Mapping[str, Any], name: str) -> list[Any]:
    given = score.get(name)
    return given if isinstance(given, list) else []


def _digest(provenance: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(provenance, sort_keys=True).encode()).hexdigest()[:12]


def _columns(steps: list[dict[str, Any]], response: str) -> dict[str, Any]:
    out: dict[str, Any] = {"start": [step["start"] for step in steps], "end": [step["end"] for step in steps]}
    if any(response[step["start"] : step["end"]] != step[_TEXT] for step in steps):
        out[_TEXT] = [step[_TEXT] for step in steps]
    for name, usual in _USUAL.items():
        column = [step[name] for step in steps]
        if any(value != usual for value in column):
            out[name] = column
    for name in RELIANCE_OF_STEPS:
        if any(name in step for step in steps):
            out[name] = [step.get(name) for step in steps]
    if verdicts := {str(i): [*map(_short, step["verdicts"])] for i, step in enumerate(steps) if step["verdicts"]}:
        out["verdicts"] = verdicts
    return out


def _short(verdict: Mapping[str, Any]) -> dict[str, Any]:
    claim = _without(verdict["claim"], _USUAL_CLAIM)
    return {**_without(verdict, _USUAL_VERDICT), "claim": claim}


def _without(given: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in usual or value != usual[name]}


def _long(verdict: Any) -> Any:
    """What is no verdict stays as it is, for whoever restores the score to say so."""
    if not isinstance(verdict, Mapping) or not isinstance(verdict.get("claim"), Mapping):
        return verdict
    return {**_USUAL_VERDICT, **verdict, "claim": {**_USUAL_CLAIM, **verdict["claim"]}}


def _steps(columns: Mapping[str, Any], response: Any) -> list[dict[str, Any]]:
    starts, ends = (columns.get(name) for name in ("start", "end"))
    if not isinstance(starts, list) or not isinstance(ends, list) or not len(starts) == len(ends) <= _MOST:
        raise FieldError("field 'score.steps': 'start' and 'end' are no lists of one length")
    names = [_TEXT, *_USUAL, *(name for name in RELIANCE_OF_STEPS if name in columns)]
    given = {name: columns[name] for name in names if name in columns}
    if wrong := next((name for name, one in given.items() if not isinstance(one, list) or len(one) != len(starts)), ""):
        raise FieldError(f"field 'score.steps': {wrong!r} is no list of {len(starts)}, as 'start' is")
    verdicts = columns.get("verdicts", {})
    if not isinstance(verdicts, Mapping) or not all(isinstance(one, list) for one in verdicts.values()):
        raise FieldError(f"field 'score.steps': 'verdicts' is {verdicts!r:.80}, expected them by step")
    if _TEXT not in given:
        given[_TEXT] = [_cut(response, start, end) for start, end in zip(starts, ends, strict=True)]
    return [
        {
            "start": start,
            "end": end,
            **{name: given[name][i] if name in given else _USUAL[name] for name in names},
            "verdicts": [*map(_long, verdicts.get(str(i), []))],
        }
        for i, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def _cut(response: Any, start: Any, end: Any) -> str:
    if not isinstance(response, str) or not isinstance(start, int) or not isinstance(end, int):
        raise FieldError(f"field 'score.steps': no text from {start!r:.20} to {end!r:.20} in the response")
    return response[start:end]


def _with_missing(score: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    metrics, missing = score.get("metrics"), score.get("missing")
    if not isinstance(metrics, Mapping) or not isinstance(missing, Mapping):
        raise FieldError("field 'score': no objects 'metrics' and 'missing' in it")
    reasons: dict[str, str] = {}
    for reason, names in missing.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FieldError(f"field 'score.missing': {names!r:.80}, expected names of metrics")
        reasons.update(dict.fromkeys(names, reason))
    return {**metrics, **dict.fromkeys(reasons)}, reasons


def _seven_digits(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {key: _seven_digits(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_seven_digits(inner) for inner in value]
    return value
