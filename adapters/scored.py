"""Recognises and restores our scores in rows of `stepgauge score`, lm-eval samples files and Inspect logs.

Every reader of scored runs (`show`, `compare`, `report`, `steps_df`) uses this module.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..metrics import ChainScore, FormatError, StepgaugeError
from ..metrics.score import RELIANCE_NUMBERS

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample


# What `stepgauge score` writes its rows into; the second with `--gzip`.
SCORES = "scores.jsonl"
SCORES_FILES = (SCORES, f"{SCORES}.gz")


def scores_in(folder: Path) -> Path | None:
    """The file of a folder's scored rows, if it has one."""
    return next((folder / name for name in SCORES_FILES if (folder / name).is_file()), None)


class FieldError(StepgaugeError, ValueError):
    """A field does not hold what stepgauge writes; the message names it."""


def is_row(row: Mapping[str, Any]) -> bool:
    """Whether `stepgauge score` wrote this row."""
    return {"score", "question_hash"} <= set(row)


def is_chain(data: Any) -> bool:
    """Whether `data` is a `ChainScore` as a dict."""
    return isinstance(data, Mapping) and {"trace_hash", "steps"} <= set(data)


def of_row(row: Mapping[str, Any]) -> ChainScore:
    """The score in a row of `stepgauge score` whose format was already checked. Raises as `restore` does."""
    if "score" not in row:
        raise FieldError(absent(row, "score"))
    return restore(row["score"], "score")


def of_lm_eval(row: Mapping[str, Any]) -> list[ChainScore]:
    """The scores of all responses to a document, from the row of the filter `reasoning`. Raises as `restore` does."""
    records = row.get("filtered_resps")
    if not isinstance(records, list):
        raise FieldError(f"field 'filtered_resps': expected a list, got {records!r:.80}")
    out: list[ChainScore] = []
    for text in records:
        try:
            content = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise FieldError(f"field 'filtered_resps': expected scores as JSON, got {text!r:.80}") from error
        chains = content.get("chains") if isinstance(content, Mapping) else None
        if not isinstance(chains, list):
            raise FieldError(f"field 'filtered_resps': no list 'chains' in {text!r:.80}")
        try:
            out += [restore(chain, "score") for chain in chains]
        except (FieldError, FormatError) as error:
            raise type(error)(f"field 'filtered_resps': {error}") from error
    return out


def of_sample(log: EvalLog, sample: EvalSample) -> Iterator[tuple[str, ChainScore]]:
    """Our scores of one Inspect sample, with their names in the log.

    Raises:
        FieldError, FormatError: a score marked as ours cannot be read; names log, sample, epoch and score.
    """
    for name, score in (sample.scores or {}).items():
        if is_chain(score.metadata):
            try:
                yield name, restore(score.metadata, "metadata")
            except (FieldError, FormatError) as error:
                where = f"{log.location or log.eval.task}, sample {sample.id!r}, epoch {sample.epoch}, score {name!r}"
                raise type(error)(f"{where}: not a chain score: {error}") from error


def restore(data: Any, field: str) -> ChainScore:
    """A score from its dict. Raises FieldError, which names `field`, or FormatError if it is of a later format."""
    if not isinstance(data, Mapping):
        raise FieldError(f"field {field!r}: expected an object, got {data!r:.80}")
    try:
        score = ChainScore.from_dict(data)
    except FormatError:
        raise
    except KeyError as error:
        raise FieldError(f"field {field!r}: no {error.args[0]!r} in it") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise FieldError(f"field {field!r}: not a chain's score ({error})") from error
    for name, value in score.metrics.items():
        if type(value) is not float and (
            isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST
        ):
            raise FieldError(f"field '{field}.metrics.{name}': expected a number or null, got {value!r:.80}")
    if (misfit := _misfit(score)) is not None:
        raise FieldError(f"field {field!r}: {misfit}")
    return score


_LARGEST = 1.8e308  # of numbers that fit into a float; nan passes
_MAYBE_TEXT, _MAYBE_WHOLE = (str, type(None)), (int, type(None))
_NUMBERS = ("log_likelihood", "gain", "ppl_gain", "gold_probability", "entropy_bits")
_SCORE = {"id": _MAYBE_TEXT, "trace_hash": str, "n_answer_tokens": _MAYBE_WHOLE, "missing": Mapping}
_SCORE |= {"notes": Sequence, "provenance": Mapping, "own_answer": _MAYBE_TEXT}
_STEP = {"text": str, "start": int, "end": int, "kind": str, "n_tokens": _MAYBE_WHOLE}
_STEP |= dict.fromkeys((*_NUMBERS, *RELIANCE_NUMBERS), (int, float))
_STEP |= {"corrupted": _MAYBE_TEXT}
_VERDICT = {"judge": str, "label": _MAYBE_TEXT, "probability": (int, float, type(None)), "reason": str}
_VERDICT |= {"error": _MAYBE_TEXT}
_PASSAGE = {"id": str, "title": str, "text": str}


def _misfit(score: ChainScore) -> str | None:
    """The first part of a score that is of another type than what we write; None where all are as they should be."""
    parts: list[tuple[str, Any, Mapping[str, Any]]] = [("the score", score, _SCORE)]
    for step in score.steps:
        parts.append(("a step", step, _STEP))
        for verdict in step.verdicts:
            parts += [("a verdict", verdict, _VERDICT), ("a claim", verdict.claim, {"text": str})]
            parts += [("a passage", passage, _PASSAGE) for passage in verdict.evidence]
    for what, part, types in parts:
        for name, expected in types.items():
            if not isinstance(value := getattr(part, name), expected):
                return f"{name!r} of {what} is {value!r:.80}"
    texts = [*score.notes, *score.missing.values()]
    if wrong := [value for value in texts if not isinstance(value, str)]:
        return f"a note or a reason is no text, but {wrong[0]!r:.80}"
    levels = [*score.log_likelihoods, *score.own_log_likelihoods]
    if wrong := [value for value in levels if not isinstance(value, int | float)]:
        return f"a log-likelihood is no number, but {wrong[0]!r:.80}"
    return None


def absent(row: Mapping[str, Any], name: str) -> str:
    """A message that the row lacks a field, listing the fields it has."""
    return f"no field {name!r}; the row has {', '.join(map(str, row))[:200]}"
