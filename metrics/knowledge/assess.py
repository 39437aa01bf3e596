"""The judging panel: the first judge gets the claims of all chains in one call, the next those it left, and so on.

Extractors, retrievers and judges may be third-party code or remote services. A failure of theirs becomes the error of
the claims it concerns, never a verdict on them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from ..abilities import can, copies
from ..errors import THIRD_PARTY, said
from ..trace import Step, Trace
from .base import ClaimExtractor, HasFloor, Judge, ReadsTraces, Retriever
from .checks import check_floor, claim_problem, passages_problem, plain, problem, verdict_problem
from .types import NO_JUDGE, UNRESOLVED, Claim, ExtractionFailed, Passage, Verdict

log = logging.getLogger(__name__)

EXTRACTION = "extraction"
# Stands for a claim that a judge was not asked about: it needs evidence, and there is none.
_NOTHING_FOUND = Verdict(Claim("", 0, 0, 0, ""), "insufficient", NO_JUDGE)


def assess(
    traces: Sequence[Trace],
    steps_per_trace: Sequence[Sequence[Step]],
    *,
    extractors: Sequence[ClaimExtractor],
    judges: Sequence[Judge],
    retriever: Retriever | None = None,
    whose: Callable[[object], str] = lambda _: "",
) -> list[list[list[Verdict]]]:
    """The verdicts on the claims of each step of each trace, claims in reading order.

    Judges are asked in the order given; each sees the claims of its kinds that those before it left. Evidence is
    retrieved once, for all traces together, and only for claims that a judge which needs evidence will see. Passages
    that score below the retriever's `floor`, where it has one, are no evidence. A claim without evidence is not shown
    to judges that need some: it goes on to the others, and where none of them decides it, it is insufficient.

    A claim that no judge took has a verdict without label (one of kind `UNRESOLVED` is offered to none). So does one
    whose judge or retriever raised or gave it what is no verdict or no passages (another type, a label or probability
    that there is not), with the reason in `error`. A step whose claims could not be extracted has one such verdict, on
    a claim of kind "extraction"; where the extractor itself failed, every step has.

    Args:
        whose: " of DISTRIBUTION" for a third party's part, for its errors; "" for our own. Code that is not ours is
            given copies, so that it changes nothing that others are given.
    """
    if len(traces) != len(steps_per_trace):
        raise ValueError(f"{len(traces)} traces, but steps for {len(steps_per_trace)}")
    asked, verdicts = _extract(traces, steps_per_trace, extractors, whose)
    evidence = _Evidence(traces, retriever, whose)
    open_claims = list(range(len(asked)))
    passed: dict[int, Verdict] = {}
    without_evidence: dict[int, Verdict] = {}
    for judge in judges:
        takes = [i for i in open_claims if _takes(judge, asked[i][1])]
        if takes:
            for i, verdict in zip(takes, _judge(judge, takes, asked, evidence, traces, whose(judge)), strict=True):
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
        if claim.kind == UNRESOLVED:
            error = claim.note or "what it speaks of is not known"
        passed[i] = Verdict(claim, None, NO_JUDGE, error=error)
    for i, (trace, claim) in enumerate(asked):
        verdicts[trace][claim.step].append(passed[i])
    for of_trace in verdicts:
        for of_step in of_trace:
            of_step.sort(key=lambda verdict: (verdict.claim.start, verdict.claim.end))
    return verdicts


def _extract(
    traces: Sequence[Trace],
    steps_per_trace: Sequence[Sequence[Step]],
    extractors: Sequence[ClaimExtractor],
    whose: Callable[[object], str],
) -> tuple[list[tuple[int, Claim]], list[list[list[Verdict]]]]:
    """All claims with the index of their trace, and per step the verdicts that stand before any judge is asked."""
    claims: list[tuple[int, Claim]] = []
    verdicts: list[list[list[Verdict]]] = [[[] for _ in steps] for steps in steps_per_trace]
    for extractor in extractors:
        for trace, of_trace in enumerate(_claims(extractor, traces, steps_per_trace, whose(extractor))):
            for claim in of_trace:
                if isinstance(claim, ExtractionFailed):
                    step = steps_per_trace[trace][claim.step]
                    whole = Claim(step.text, claim.step, step.start, step.end, EXTRACTION)
                    verdicts[trace][claim.step].append(Verdict(whole, None, extractor.name, error=claim.reason))
                else:
                    claims.append((trace, claim))
    return claims, verdicts


def _claims(
    extractor: ClaimExtractor,
    traces: Sequence[Trace],
    steps_per_trace: Sequence[Sequence[Step]],
    whose: str,
) -> list[list[Claim | ExtractionFailed]]:
    """What an extractor found, checked; what is no claim costs its step, or its chain where it names no step."""
    who = f"claim extractor {extractor.name!r}{whose}"
    try:
        given = copies(extractor.extract, traces, steps_per_trace)
        found = _lists(extractor.extract(*given), len(traces), "a list of claims for each", "traces")
    except THIRD_PARTY as error:  # whatever the extractor's own code raises: it is named in every step's verdict
        reason = _failed(who, whose, error)
        return [[ExtractionFailed(index, reason) for index in range(len(steps))] for steps in steps_per_trace]
    out: list[list[Claim | ExtractionFailed]] = []
    problems: list[str] = []
    for of_trace, trace, steps in zip(found, traces, steps_per_trace, strict=True):
        checked: dict[int, list[Claim | ExtractionFailed]] = {index: [] for index in range(len(steps))}
        failed: dict[int, str] = {}
        for claim in of_trace if isinstance(of_trace, list) else [of_trace]:
            wrong = problem(claim_problem, claim, len(steps), len(trace.response))
            if wrong is None:
                checked[claim.step].append(plain(claim))
                continue
            problems.append(wrong)
            step = claim.step if isinstance(claim, Claim | ExtractionFailed) else None
            for index in [step] if isinstance(step, int) and step in checked else checked:
                failed.setdefault(index, f"{who} {wrong}")
        for index, reason in failed.items():
            checked[index] = [ExtractionFailed(index, reason)]
        out.append([claim for of_step in checked.values() for claim in of_step])
    _tell(who, problems, "claims", sum(map(len, out)))
    return out


class _Evidence:
    """Retrieves passages when a judge first needs them, and keeps them for the judges behind it."""

    def __init__(self, traces: Sequence[Trace], retriever: Retriever | None, whose: Callable[[object], str]) -> None:
        self._traces = traces
        self._retriever = retriever
        self._whose = "" if retriever is None else whose(retriever)
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
        who = f"retriever {self._retriever.name!r}{self._whose}"
        claims, traces = [claim for _, claim in asked], [self._traces[trace] for trace, _ in asked]
        try:
            found = self._retriever.retrieve(*copies(self._retriever.retrieve, claims, traces))
            found = _lists(found, len(asked), "a list of passages for each", "claims")
            floor = check_floor(self._retriever.floor) if can(self._retriever, HasFloor) else None
        except THIRD_PARTY as error:  # whatever the retriever raises: it is named in the verdict of each of its claims
            return [_failed(who, self._whose, error)] * len(asked)
        out: list[Sequence[Passage] | str] = []
        problems: list[str] = []
        for passages in found:
            if wrong := problem(passages_problem, passages):
                problems.append(wrong)
                out.append(f"{who} {wrong}")
            else:
                out.append([plain(p) for p in passages if floor is None or p.score is None or p.score >= floor])
        _tell(who, problems, "lists of passages", len(found))
        return out


def _judge(
    judge: Judge,
    takes: Sequence[int],
    asked: Sequence[tuple[int, Claim]],
    evidence: _Evidence,
    traces: Sequence[Trace],
    whose: str,
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
        who = f"judge {judge.name!r}{whose}"
        given: list[Sequence[object]] = [claims, list(shown.values())]
        if _reads_traces(judge):
            given.append([traces[asked[i][0]] for i in shown])
        try:
            found = _lists(
                judge.judge(*copies(judge.judge, *given)), len(claims), "a verdict or None for each", "claims"
            )
        except THIRD_PARTY as error:  # whatever the judge raises: an outage is no verdict
            reason = _failed(who, whose, error)
            found = [Verdict(claim, None, judge.name, error=reason) for claim in claims]
        problems: list[str] = []
        for i, claim, verdict in zip(shown, claims, found, strict=True):
            if not (wrong := problem(verdict_problem, verdict, claim)):
                out[i] = verdict if verdict is None else plain(verdict)
            else:
                problems.append(wrong)
                out[i] = Verdict(claim, None, judge.name, evidence=tuple(shown[i]), error=f"{who} {wrong}")
        _tell(who, problems, "verdicts", len(claims))
    return [out[i] for i in takes]


def _takes(judge: Judge, claim: Claim) -> bool:
    """Whether a judge is asked about claims of this kind; about one that speaks of who knows what none is."""
    return claim.kind != UNRESOLVED and (judge.kinds is None or claim.kind in judge.kinds)


def _reads_traces(judge: Judge) -> bool:
    return can(judge, ReadsTraces) and bool(judge.needs_traces)


def _lists(found: object, n: int, what: str, of: str) -> list[Any]:
    """What a part gave for `n` things, as lists of our own. Raises TypeError where it is not one for each."""
    if not isinstance(found, Sequence) or isinstance(found, str) or len(found) != n:
        raise TypeError(f"expected {what} of {n} {of}, got {found!r:.80}")
    return [list(one) if isinstance(one, Sequence) and not isinstance(one, str) else one for one in found]


def _tell(who: str, problems: Sequence[str], what: str, of: int) -> None:
    if problems:
        log.warning("%s failed for %d of %d %s; the first time it %s", who, len(problems), of, what, problems[0])


def _failed(who: str, whose: str, error: BaseException) -> str:
    log.warning("%s failed: %s", who, said(error), exc_info=log.isEnabledFor(logging.DEBUG))
    return f"{who} failed: {said(error)}" if whose else said(error)
