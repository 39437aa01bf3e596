"""Recognises and restores our scores in rows of `stepgauge score`, lm-eval samples files and Inspect logs.

Every reader of scored runs (`show`, `compare`, `report`, `steps_df`) uses this module.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..metrics import ChainScore, FormatError, StepgaugeError

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample


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
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FieldError(f"field '{field}.metrics.{name}': expected a number or null, got {value!r:.80}")
    return score


def absent(row: Mapping[str, Any], name: str) -> str:
    """A message that the row lacks a field, listing the fields it has."""
    return f"no field {name!r}; the row has {', '.join(map(str, row))[:200]}"
