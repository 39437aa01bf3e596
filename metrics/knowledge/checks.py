"""Whether what a claim extractor, a retriever or a judge gave is what it must be: they may be anybody's code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeVar, get_args

from ..errors import THIRD_PARTY, said
from ..numbers import is_finite
from .types import NO_JUDGE, Claim, ExtractionFailed, Label, Passage, Verdict

LABELS = get_args(Label)
Ours = TypeVar("Ours", Claim | ExtractionFailed, Passage, Verdict, Claim)


def problem(check: Callable[..., str | None], given: object, *about: object) -> str | None:
    """What a check finds wrong; looking at a third party's object runs its code, which may raise anything."""
    try:
        return check(given, *about)
    except THIRD_PARTY as error:
        return f"gave a {type(given).__name__} that cannot be read: {said(error)}"


def claim_problem(claim: object, n_steps: int, n_characters: int) -> str | None:
    """What is wrong with a claim of a response of `n_characters` in `n_steps` steps; None: nothing."""
    if not isinstance(claim, Claim | ExtractionFailed):
        return f"gave {claim!r:.80}, expected a Claim or ExtractionFailed"
    if not _whole(claim.step) or not 0 <= claim.step < n_steps:
        return f"gave a claim of step {claim.step!r:.20}, but the chain has {n_steps} steps"
    if isinstance(claim, ExtractionFailed):
        return _not_text("a failure", reason=claim.reason)
    if not (_whole(claim.start) and _whole(claim.end) and 0 <= claim.start <= claim.end <= n_characters):
        return f"gave a claim from {claim.start!r:.20} to {claim.end!r:.20}, expected two places in the response"
    query = "" if claim.query is None else claim.query
    texts = {"text": claim.text, "kind": claim.kind, "query": query, "standalone": claim.standalone, "note": claim.note}
    return _not_text("a claim", **texts)


def plain(given: Ours) -> Ours:
    """A checked claim, passage or verdict as ours: what a subclass adds to it could not be written to a file."""
    own: Any = next(kind for kind in (Claim, ExtractionFailed, Passage, Verdict) if isinstance(given, kind))
    values = {field.name: getattr(given, field.name) for field in fields(own)}
    if isinstance(given, Verdict):
        label = None if given.label is None else LABELS[LABELS.index(given.label)]
        values |= {"claim": plain(given.claim), "evidence": tuple(map(plain, given.evidence)), "label": label}
    return own(**values)


def passages_problem(passages: object) -> str | None:
    """What is wrong with the passages for one claim; None: nothing."""
    if not isinstance(passages, Sequence) or isinstance(passages, str):
        return f"gave {passages!r:.80}, expected a list of Passage"
    for passage in passages:
        if not isinstance(passage, Passage):
            return f"gave {passage!r:.80}, expected a Passage"
        if found := _not_text("a passage", id=passage.id, text=passage.text, title=passage.title):
            return found
        if not (passage.score is None or is_finite(passage.score)):
            return f"gave a passage whose score is {passage.score!r:.80}, expected a number or None"
    return None


def check_floor(floor: float | None) -> float | None:
    """A retriever's floor. Raises TypeError where it is no number."""
    if floor is not None and not _number(floor):
        raise TypeError(f"its floor is {floor!r:.80}, expected a number or None")
    return floor


def verdict_problem(verdict: object, claim: Claim) -> str | None:
    """What is wrong with a judge's verdict on a claim; None: nothing, as with a judge that passes (None)."""
    if verdict is None:
        return None
    if not isinstance(verdict, Verdict):
        return f"gave {verdict!r:.80}, expected a Verdict or None"
    if verdict.claim != claim:
        return f"was asked about {claim.text!r:.60}, and gave a verdict on {getattr(verdict.claim, 'text', None)!r:.60}"
    if not (verdict.label is None or verdict.label in LABELS):
        return f"gave the label {verdict.label!r:.80}, expected {', '.join(LABELS)} or None"
    if not (verdict.probability is None or (is_finite(verdict.probability) and 0 <= verdict.probability <= 1)):
        return f"gave the probability {verdict.probability!r:.80}, expected a number from 0 to 1 or None"
    if (verdict.label is None) != (verdict.error is not None):
        return f"gave a verdict with the label {verdict.label!r} and the error {verdict.error!r:.80}"
    if verdict.judge == NO_JUDGE:
        return f"gave a verdict in the name of {NO_JUDGE!r}, which stands for no judge"
    error = "" if verdict.error is None else verdict.error
    if found := _not_text("a verdict", judge=verdict.judge, reason=verdict.reason, error=error):
        return found
    return passages_problem(verdict.evidence)


def _not_text(what: str, **values: object) -> str | None:
    for name, value in values.items():
        if not isinstance(value, str):
            return f"gave {what} whose {name} is {value!r:.80}, expected text"
    return None


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
