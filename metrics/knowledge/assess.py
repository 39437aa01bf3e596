"""The judging panel: the first judge gets the claims of all chains in one call, the next those it left, and so on.

Extractors, retrievers and judges may be third-party code or remote services. A failure of theirs becomes the error of
the claims it concerns, never a verdict on them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..abilities import can
from ..trace import Step, Trace
from .base import ClaimExtractor, HasFloor, Judge, ReadsTraces, Retriever
from .types import Claim, ExtractionFailed, Passage, Verdict

log = logging.getLogger(__name__)

EXTRACTION = "extraction"
NO_JUDGE = "none"
# Stands for a claim that a judge was not asked about: it needs evidence, and there is none.
_NOTHING_FOUND = Verdict(Claim("", 0, 0, 0, ""), "insufficient", NO_JUDGE)


def assess(
    traces: Sequence[Trace],
    steps_per_trace: Sequence[Sequence[Step]],
    *,
    extractors: Sequence[ClaimExtractor],
    judges: Sequence[Judge],
    retriever: Retriever | None = None,
) -> list[list[list[Verdict]]]:
    """The verdicts on the claims of each step of each trace, claims in reading order.

    Judges are asked in the order given; each sees the claims of its kinds that those before it left. Evidence is
    retrieved once, for all traces together, and only for claims that a judge which needs evidence will see. Passages
    that score below the retriever's `floor`, where it has one, are no evidence. A claim without evidence is not shown
    to judges that need some: it goes on to the others, and where none of them decides it, it is insufficient.

    A claim that no judge took has a verdict without label, and so does a claim whose judge or retriever raised or
    returned something of another type or length, with the reason in `error`. A step whose claims could not be extracted
    has one such verdict, on a claim of kind "extraction"; where the extractor itself failed, every step has.
    """
    if len(traces) != len(steps_per_trace):
        raise ValueError(f"{len(traces)} traces, but steps for {len(steps_per_trace)}")
    asked, verdicts = _extract(traces, steps_per_trace, extractors)
    evidence = _Evidence(traces, retriever)
    open_claims = list(range(len(asked)))
    passed: dict[int, Verdict] = {}
    without_evidence: dict[int, Verdict] = {}
    for judge in judges:
        takes = [i for i in open_claims if judge.kinds is None or asked[i][1].kind in judge.kinds]
        if takes:
            for i, verdict in zip(takes, _judge(judge, takes, asked, evidence, traces), strict=True):
                if verdict is _NOTHING_FOUND:
                    reason = "no evidence above the retriever's floor"
                    without_evidence.setdefault(i, Verdict(asked[i][1], "insufficient", judge.name, reason=reason))
                elif verdict is not None:
                    passed[i] = verdict
            open_claims = [i for i in open_claims if i not in passed]
    for i in open_claims:
        if i in without_evidence:
            passed[i] = without_evidence[i]
            continue
        claim = asked[i][1]
        names = ", ".join(judge.name for judge in judges) or "none"
        error = f"no judge takes this claim of kind {claim.kind!r} (judges asked: {names})"
        passed[i] = Verdict(claim, None, NO_JUDGE, error=error)
    for i, (trace, claim) in enumerate(asked):
        verdicts[trace][claim.step].append(passed[i])
    for of_trace in verdicts:
        for of_step in of_trace:
            of_step.sort(key=lambda verdict: (verdict.claim.start, verdict.claim.end))
    return verdicts


def _extract(
    traces: Sequence[Trace], steps_per_trace: Sequence[Sequence[Step]], extractors: Sequence[ClaimExtractor]
) -> tuple[list[tuple[int, Claim]], list[list[list[Verdict]]]]:
    """All claims with the index of their trace, and per step the verdicts that stand before any judge is asked."""
    claims: list[tuple[int, Claim]] = []
    verdicts: list[list[list[Verdict]]] = [[[] for _ in steps] for steps in steps_per_trace]
    for extractor in extractors:
        try:
            found = extractor.extract(traces, steps_per_trace)
            _check_claims(found, steps_per_trace)
        except Exception as error:  # whatever the extractor's own code raises: it is named in every step's verdict
            reason = _failed(f"claim extractor {extractor.name!r}", error)
            found = [[ExtractionFailed(index, reason) for index in range(len(steps))] for steps in steps_per_trace]
        for trace, of_trace in enumerate(found):
            for claim in of_trace:
                if isinstance(claim, ExtractionFailed):
                    step = steps_per_trace[trace][claim.step]
                    whole = Claim(step.text, claim.step, step.start, step.end, EXTRACTION)
                    verdicts[trace][claim.step].append(Verdict(whole, None, extractor.name, error=claim.reason))
                else:
                    claims.append((trace, claim))
    return claims, verdicts


def _check_claims(found: object, steps_per_trace: Sequence[Sequence[Step]]) -> None:
    if not isinstance(found, Sequence) or len(found) != len(steps_per_trace):
        raise TypeError(f"expected a list of claims for each of {len(steps_per_trace)} traces, got {found!r:.80}")
    for of_trace, steps in zip(found, steps_per_trace, strict=True):
        for claim in of_trace:
            if not isinstance(claim, Claim | ExtractionFailed):
                raise TypeError(f"expected a Claim or ExtractionFailed, got {claim!r:.80}")
            if not 0 <= claim.step < len(steps):
                raise ValueError(f"a claim of step {claim.step}, but the chain has {len(steps)} steps")


class _Evidence:
    """Retrieves passages when a judge first needs them, and keeps them for the judges behind it."""

    def __init__(self, traces: Sequence[Trace], retriever: Retriever | None) -> None:
        self._traces = traces
        self._retriever = retriever
        self._known: dict[int, Sequence[Passage] | str] = {}

    def of(self, indices: Sequence[int], asked: Sequence[tuple[int, Claim]]) -> list[Sequence[Passage] | str]:
        """Passages per claim, or the reason why there are none."""
        missing = [i for i in indices if i not in self._known]
        if missing:
            self._known.update(zip(missing, self._retrieve([asked[i] for i in missing]), strict=True))
        return [self._known[i] for i in indices]

    def _retrieve(self, asked: Sequence[tuple[int, Claim]]) -> Sequence[Sequence[Passage] | str]:
        if self._retriever is None:
            return ["the judge needs evidence, but no retriever was given"] * len(asked)
        try:
            found = self._retriever.retrieve([claim for _, claim in asked], [self._traces[t] for t, _ in asked])
            if not isinstance(found, Sequence) or len(found) != len(asked):
                raise TypeError(f"expected a list of passages for each of {len(asked)} claims, got {found!r:.80}")
            for passages in found:
                if not isinstance(passages, Sequence) or not all(isinstance(p, Passage) for p in passages):
                    raise TypeError(f"expected a list of Passage, got {passages!r:.80}")
            if (floor := _floor(self._retriever)) is not None:
                found = [[p for p in passages if p.score is None or p.score >= floor] for passages in found]
        except Exception as error:  # whatever the retriever raises: it is named in the verdict of each of its claims
            return [_failed(f"retriever {self._retriever.name!r}", error)] * len(asked)
        return found


def _floor(retriever: Retriever) -> float | None:
    return retriever.floor if can(retriever, HasFloor) else None


def _judge(
    judge: Judge,
    takes: Sequence[int],
    asked: Sequence[tuple[int, Claim]],
    evidence: _Evidence,
    traces: Sequence[Trace],
) -> list[Verdict | None]:
    """Per claim the judge's verdict, None where it passed, `_NOTHING_FOUND` where it could not be asked."""
    out: dict[int, Verdict | None] = {}
    shown: dict[int, Sequence[Passage]] = dict.fromkeys(takes, ())
    if judge.needs_evidence:
        for i, passages in zip(takes, evidence.of(takes, asked), strict=True):
            if isinstance(passages, str):
                out[i] = Verdict(asked[i][1], None, judge.name, error=passages)
                del shown[i]
            elif not passages:
                out[i] = _NOTHING_FOUND
                del shown[i]
            else:
                shown[i] = passages
    if shown:
        claims = [asked[i][1] for i in shown]
        try:
            if (reader := _reader(judge)) is not None:
                verdicts = reader.judge(claims, list(shown.values()), [traces[asked[i][0]] for i in shown])
            else:
                verdicts = judge.judge(claims, list(shown.values()))
            if not isinstance(verdicts, Sequence) or len(verdicts) != len(claims):
                raise TypeError(f"expected a verdict or None for each of {len(claims)} claims, got {verdicts!r:.80}")
            for claim, verdict in zip(claims, verdicts, strict=True):
                if not (verdict is None or isinstance(verdict, Verdict)):
                    raise TypeError(f"expected a Verdict or None, got {verdict!r:.80}")
                if verdict is not None and verdict.claim != claim:
                    raise ValueError(f"expected a verdict on {claim.text!r:.60}, got one on {verdict.claim.text!r:.60}")
        except Exception as error:  # whatever the judge raises: an outage is no verdict
            reason = _failed(f"judge {judge.name!r}", error)
            verdicts = [Verdict(claim, None, judge.name, error=reason) for claim in claims]
        out.update(zip(shown, verdicts, strict=True))
    return [out[i] for i in takes]


def _reader(judge: Judge) -> ReadsTraces | None:
    """The judge, where it asks for the traces."""
    return judge if can(judge, ReadsTraces) and judge.needs_traces else None


def _failed(who: str, error: Exception) -> str:
    reason = f"{type(error).__name__}: {error}"
    log.warning("%s failed: %s", who, reason, exc_info=log.isEnabledFor(logging.DEBUG))
    return reason
