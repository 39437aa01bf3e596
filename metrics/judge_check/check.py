"""Measures one judge on labelled claims or steps."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from tqdm import tqdm

from ..judge_measures.measure import Estimate, Measure
from ..knowledge.assess import assess
from ..knowledge.base import ClaimExtractor, Judge, Retriever
from ..knowledge.types import Verdict
from ..trace import Trace
from ..versions import package_version
from .items import Labelled, Said, said_of
from .movement import moved
from .statistics import RESAMPLES, Scored, auroc_and_brier, called, fitted_threshold, halves, kappa, share
from .timed import TimedJudge

_TOGETHER = 32  # items that are judged in one call
MOVED = 20  # claims whose text is changed


@dataclass(frozen=True)
class Judged:
    """A judge's results on all steps of all items, in order.

    Attributes:
        right, truth, groups: the labels and documents of the steps.
        said: the judge's results.
        verdicts: those on single claims, with their documents.
        traces: the chain of each of these.
        seconds, cpu, claims: time spent in the judge, and the claims it was shown.
        spent: what a server says it took, in all: calls, tokens; `cached`: claims that no call was made for.
    """

    judge: Judge
    right: Sequence[bool]
    truth: Sequence[str]
    groups: Sequence[str]
    said: Sequence[Said]
    verdicts: Sequence[tuple[Verdict, str]]
    traces: Sequence[Trace]
    seconds: float
    cpu: float
    claims: int
    spent: Mapping[str, float]

    def scored(self) -> Scored:
        """The steps with a score."""
        kept = [i for i, one in enumerate(self.said) if one.score is not None]
        scores = np.array([self.said[i].score for i in kept], dtype=float).clip(0, 1)
        return Scored(scores, np.array([self.right[i] for i in kept], dtype=bool), [self.groups[i] for i in kept])

    def decided(self) -> list[tuple[bool, bool, str]]:
        """Truth, the judge's word and the document of each step that it calls right or wrong."""
        return [
            (right, said.right, group)
            for right, said, group in zip(self.right, self.said, self.groups, strict=True)
            if said.right is not None
        ]


def judged(
    judge: Judge,
    items: Sequence[Labelled],
    extractors: Sequence[ClaimExtractor],
    retriever: Retriever | None,
    progress: bool | None = False,
) -> Judged:
    """Run a judge through the panel, as in a gauge, over labelled items.

    Args:
        progress: whether a bar is shown; None: on a terminal only.
    """
    timed: Any = TimedJudge(judge)
    before = _spent(judge)
    found: list[list[list[Verdict]]] = []
    with tqdm(
        total=len(items), desc=judge.name, unit="item", disable=None if progress is None else not progress
    ) as bar:
        for start in range(0, len(items), _TOGETHER):
            part = items[start : start + _TOGETHER]
            found += assess(
                [item.trace for item in part],
                [item.steps for item in part],
                extractors=extractors,
                judges=[timed],
                retriever=retriever,
            )
            bar.update(len(part))
    after = _spent(judge)
    steps = [(item.group, verdicts) for item, of_chain in zip(items, found, strict=True) for verdicts in of_chain]
    return Judged(
        judge,
        [one for item in items for one in item.right],
        [one for item in items for one in item.labels],
        [group for group, _ in steps],
        [said_of(verdicts) for _, verdicts in steps],
        [(verdict, group) for group, verdicts in steps for verdict in verdicts],
        [item.trace for item, of_chain in zip(items, found, strict=True) for of_step in of_chain for _ in of_step],
        timed.clock.wall,
        timed.clock.cpu,
        timed.claims,
        {name: after[name] - before.get(name, 0) for name in after},
    )


def measure(
    found: Judged,
    on: str,
    *,
    about: Mapping[str, Any] | None = None,
    data: str = "",
    move: int = MOVED,
    resamples: int = RESAMPLES,
) -> Measure:
    """What a judge's results come to.

    Args:
        about: what the judge's verdicts depend on, for the record.
        data: the digest of the set that the items were drawn from, for the record.
        move: how many claims' texts are changed to see whether the verdict stays; 0: none.
    """
    scored, missing = found.scored(), {}
    auroc, brier = auroc_and_brier(scored, resamples)
    if math.isnan(auroc.value):
        missing["auroc"] = _why_no_auroc(found, scored)
    first = halves(scored.documents) if len(scored.right) else np.zeros(0, dtype=bool)
    threshold = fitted_threshold(scored.where(first)) if len(scored.right) else math.nan
    tested = scored.where(~first)
    fitted: dict[str, Estimate] = {}
    if not len(scored.right):
        pass  # as AUROC
    elif math.isnan(threshold):
        missing["threshold"] = "the half to fit it on has one kind of claims, or one score"
    else:
        fitted = called(tested.right, tested.scores >= threshold, tested.documents)
    decided = found.decided()
    names = [group for *_, group in decided]
    as_set = {
        "decided": share([one.right is not None for one in found.said], [True] * len(found.said), found.groups),
        **called(np.array([one for one, *_ in decided]), np.array([said for _, said, _ in decided]), names),
    }
    return Measure(
        judge=found.judge.name,
        on=on,
        claims=len(found.right),
        right=sum(found.right),
        unscored=len(found.right) - len(scored.right),
        documents=len(set(found.groups)),
        auroc=auroc,
        threshold=threshold,
        fitted=fitted,
        as_set=as_set,
        brier=brier,
        moved=_moved(found, move),
        said=_confusion(found),
        cost=_cost(found, missing),
        missing=missing,
        made={
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "stepgauge": package_version("stepgauge"),
            **({"about": dict(about)} if about else {}),
            **({"data": data} if data else {}),
        },
    )


def agreement(all_found: Sequence[Judged]) -> list[tuple[str, str, int, Estimate]]:
    """Each pair of judges: how many steps both call right or wrong, and Cohen's kappa over these."""
    out = []
    for one, other in itertools.combinations(all_found, 2):
        both = [
            (a.right, b.right, group)
            for a, b, group in zip(one.said, other.said, one.groups, strict=True)
            if a.right is not None and b.right is not None
        ]
        found = kappa([a for a, *_ in both], [b for _, b, _ in both], [group for *_, group in both])
        out.append((one.judge.name, other.judge.name, len(both), found))
    return out


def check(
    judge: Judge,
    items: Sequence[Labelled],
    on: str,
    extractors: Sequence[ClaimExtractor],
    retriever: Retriever | None,
    *,
    about: Callable[[], Mapping[str, Any]] = dict,
    data: str = "",
    move: int = MOVED,
    resamples: int = RESAMPLES,
    progress: bool | None = False,
) -> tuple[Measure, Judged]:
    """Judge and measure; `about` is asked once the judge has judged, when a server has said what it runs."""
    found = judged(judge, items, extractors, retriever, progress)
    return measure(found, on, about=about(), data=data, move=move, resamples=resamples), found


def _moved(found: Judged, move: int) -> dict[str, Estimate]:
    """The first claims with verdicts on evidence, one a document before a second of any."""
    if move <= 0:
        return {}
    usable = [
        (verdict, group, trace)
        for (verdict, group), trace in zip(found.verdicts, found.traces, strict=True)
        if verdict.label is not None and verdict.evidence and verdict.claim.query is not None
    ]
    turn: Counter[str] = Counter()
    order = []
    for place, (_, group, _) in enumerate(usable):
        order.append((turn[group], place))
        turn[group] += 1
    chosen = [usable[place] for _, place in sorted(order)[:move]]
    verdicts = [verdict for verdict, _, _ in chosen]
    evidence, groups = [verdict.evidence for verdict in verdicts], [group for _, group, _ in chosen]
    return moved(found.judge, verdicts, groups, evidence, [trace for _, _, trace in chosen])


def _confusion(found: Judged) -> dict[str, dict[str, int]]:
    table: dict[str, Counter[str]] = {}
    for truth, said in zip(found.truth, found.said, strict=True):
        table.setdefault(truth, Counter())[said.label] += 1
    return {truth: dict(sorted(counts.items())) for truth, counts in sorted(table.items())}


def _cost(found: Judged, missing: dict[str, str]) -> dict[str, float]:
    """A claim that the cache or an equal claim answered cost nothing: calls and tokens are those of the others."""
    if not found.claims:
        return {}
    spent = dict(found.spent)
    cached = round(spent.pop("cached", 0))
    asked = found.claims - cached
    cost = {"claims": float(found.claims)}
    if cached:
        missing["cost in seconds"] = f"{cached:,} of {found.claims:,} claims took no call of their own (cache)"
    else:
        cost |= {"seconds": found.seconds / found.claims, "cpu_seconds": found.cpu / found.claims}
    return cost | ({name: value / asked for name, value in spent.items()} if asked > 0 else {})


def _spent(judge: Judge) -> dict[str, float]:
    """Calls, tokens and claims from the cache so far, of judges that ask a server (`chat.batch.Totals`); else empty."""
    totals = getattr(judge, "totals", None)
    calls = getattr(totals, "calls", None)
    if not isinstance(calls, int):
        return {}
    tokens = [getattr(totals, name, 0) for name in ("prompt_tokens", "completion_tokens")]
    cached = getattr(totals, "cached", 0)
    return {"calls": float(calls), "tokens": float(sum(tokens)), "cached": float(cached)}


def _why_no_auroc(found: Judged, scored: Scored) -> str:
    if not len(scored.right):
        errors = Counter(verdict.error for verdict, _ in found.verdicts if verdict.error)
        most = f"; most often: {errors.most_common(1)[0][0]}" if errors else ""
        return f"no claim has a score{most}"
    return f"all {len(scored.right)} claims with a score are {'right' if scored.right.all() else 'wrong'}"
