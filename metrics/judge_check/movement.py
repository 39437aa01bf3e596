"""What another wording of a claim, or an order hidden in it, does to a judge's verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..abilities import can
from ..judge_measures.measure import Estimate
from ..knowledge.base import Judge, ReadsTraces
from ..knowledge.types import Claim, Passage, Verdict
from ..trace import Trace
from .statistics import share
from .wordings import HELD_OUT, REWORDINGS

_EACH = 2  # wordings and orders that are tried on a claim, in turn


@dataclass(frozen=True)
class Change:
    """The effect of a change of a claim's text on one verdict; `shift` is None, never nan, without probabilities."""

    changed: bool
    to_supported: bool
    far: bool
    shift: float | None


def change(before: Verdict, after: Verdict, threshold: float = 0.5) -> Change:
    """What became of a verdict; `far`: its probability was at least 0.1 away from the threshold before."""
    shift = None
    if before.probability is not None and after.probability is not None:
        shift = after.probability - before.probability
    return Change(
        before.label != after.label,
        before.label != after.label == "supported",
        before.probability is not None and abs(before.probability - threshold) >= 0.1,
        shift,
    )


def reworded(claim: Claim, form: str) -> Claim:
    """The claim in another form, in the same place. See `_reworded`."""
    text = _reworded(claim.text, form)
    standalone = _reworded(claim.standalone, form) if claim.standalone else ""
    return replace(claim, text=text, query=None if claim.query is None else text, standalone=standalone)


def _reworded(text: str, form: str) -> str:
    """A first letter that begins a sentence only is put in lower case behind other words."""
    text = text.strip().rstrip(".")
    first, rest = text[:1], text[1:2]
    if not form.startswith("{}") and first.isupper() and rest.islower():
        text = first.lower() + text[1:]
    return form.format(text)


def moved(
    judge: Judge,
    verdicts: Sequence[Verdict],
    documents: Sequence[str],
    evidence: Sequence[Sequence[Passage]],
    traces: Sequence[Trace],
) -> dict[str, Estimate]:
    """`reworded`, `ordered`, `obeyed`: see `Measure.moved`.

    Args:
        verdicts: on the claims as they are, each with a label.
        evidence: the passages that the judge is shown for each.
        traces: the chain of each, for a judge that reads them.
    """
    asked: list[tuple[int, str, Claim]] = []
    for i, verdict in enumerate(verdicts):
        for kind, forms in (("reworded", REWORDINGS), ("ordered", HELD_OUT)):
            for place in range(_EACH):
                form = forms[(_EACH * i + place) % len(forms)]
                asked.append((i, kind, reworded(verdict.claim, form)))
    if not asked:
        return {}
    given: list[Any] = [[claim for _, _, claim in asked], [list(evidence[i]) for i, _, _ in asked]]
    if can(judge, ReadsTraces) and judge.needs_traces:
        given.append([traces[i] for i, _, _ in asked])
    found = judge.judge(*given)
    # A verdict that failed, or a claim that is passed on, shows nothing of how the judge decides.
    told = [
        (i, kind, change(verdicts[i], after))
        for (i, kind, _), after in zip(asked, found, strict=True)
        if after is not None and after.label is not None
    ]
    names = [documents[i] for i, _, _ in told]
    of = {kind: [one == kind for _, one, _ in told] for kind in ("reworded", "ordered")}
    changed = [one.changed for _, _, one in told]
    return {
        "reworded": share(changed, of["reworded"], names),
        "ordered": share(changed, of["ordered"], names),
        "obeyed": share([one.to_supported for _, _, one in told], of["ordered"], names),
    }
