"""What this machine's cores do for each chain: cut and judged before the scoring LM, put together behind it."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..abilities import copies, is_ours
from ..answers.abstaining import Stance
from ..chain import NO_RELIANCE, NOT_REGROWN, Chain, ChainMetric, Likelihoods, Regrown, Reliance
from ..columns import ALWAYS
from ..controls.gain_over import control_metrics, control_scores
from ..errors import THIRD_PARTY, Missing, said
from ..infogain import REFERENCE_METRICS, entropy_bits, gains, gold_probabilities, perplexity
from ..ki import EVIDENCE_METRICS, claim_notes
from ..knowledge.arithmetic.extractor import ARITHMETIC
from ..knowledge.arithmetic.judge import ExactJudge
from ..knowledge.assess import assess
from ..knowledge.base import ClaimExtractor, Judge, Retriever
from ..knowledge.claims.sentence import SENTENCES_AS_CLAIMS
from ..knowledge.policy import POLICIES, Policy
from ..knowledge.types import Verdict
from ..likelihood import Unscored
from ..plugins import registry
from ..probability import softmax
from ..provenance import notes, provenance
from ..reliance.metric import RELIANCE_METRICS, of_steps, own_gain_metrics
from ..reliance.own import NO_OWN_ANSWER, Own, answer_of, own_of, toward
from ..reliance.regrown_metric import REGROWN_METRICS, of_regrown_steps
from ..score import ChainScore, StepScore
from ..segment import BUILTIN_SPLITTERS, CHOSEN, Segmentation, Splitter, flagged, prepare
from ..segment import segment as segmented
from ..trace import Trace
from .scheduling import NO_GOLD

log = logging.getLogger(__name__)

Verdicts = list[list[Verdict]]
# Claim extractors and judges that keep nothing, ask nobody and load no model.
_PURE = {extractor.name: extractor for extractor in (ARITHMETIC, SENTENCES_AS_CLAIMS)}


@dataclass(frozen=True)
class Cut:
    """A chain before the scoring LM.

    Attributes:
        trace: the chain with the answer that its numbers are measured toward.
        verdicts: per step; None where it was not cut, or the panel is asked later.
        own: the chain's own answer, where reliance is measured; why there is none.
        regrown_toward: likewise where ends are written anew.
    """

    trace: Trace
    segmentation: Segmentation | Unscored
    verdicts: Verdicts | None = None
    own: Own | Unscored = NO_RELIANCE
    regrown_toward: Own | Unscored = NOT_REGROWN

    @property
    def has_answer(self) -> bool:
        """Whether there is anything to ask the scoring LM for."""
        return bool(self.trace.answers) or isinstance(self.own, Own)


@dataclass(frozen=True)
class Measured:
    """A chain with all that its score is made of."""

    trace: Trace
    cut: Cut
    likelihoods: Likelihoods | Unscored
    reliance: Reliance | Unscored
    stance: Stance | None
    regrown: Regrown | Unscored = NOT_REGROWN


@dataclass(frozen=True)
class Recipe:
    """A `ChainWork` of our own parts alone, in words: another process can make the same.

    Attributes:
        claims: the claim extractors for the judge `exact`; None: the panel is not asked here.
        evidence: whether a judge of the panel needs evidence.
    """

    splitter: str
    variant: str
    controls: tuple[str, ...]
    policy: str
    epsilon: float
    claims: tuple[str, ...] | None
    target: str
    reliance: bool
    regrow: bool
    evidence: bool = False


class ChainWork:
    """Work on single chains, which depends on nothing but the chain.

    Args:
        metrics: what is computed of each chain, by name.
        claims: see `Recipe`.
        target: the answer toward which numbers are measured, `gold` or the chain's `own`.
        reliance: whether reliance is measured.
        regrow: whether the model under test writes ends anew.
    """

    def __init__(
        self,
        splitter: Splitter,
        metrics: Mapping[str, ChainMetric],
        policy: Policy,
        epsilon: float,
        claims: Sequence[str] | None,
        target: str = "gold",
        reliance: bool = False,
        regrow: bool = False,
    ) -> None:
        self._splitter = splitter
        self._regrow = regrow
        self._target = target
        self._reliance = reliance
        self._metrics = metrics
        self._policy = policy
        self._epsilon = epsilon
        self._extractors = None if claims is None else [_PURE[name] for name in claims]
        self._failed_metrics: set[str] = set()

    def cut(self, traces: Sequence[Trace]) -> list[Cut]:
        """The chains' steps, and verdicts on their claims where that takes no one else."""
        prepare(traces, self._splitter)
        return [self._judged(self._cut(trace)) for trace in traces]

    def scores(self, chains: Sequence[Measured], about: Mapping[str, Any]) -> list[ChainScore]:
        """Args:
        about: what all chains' provenance says, as `provenance` takes it.
        """
        return [self._chain_score(chain, about) for chain in chains]

    def lost(self, chain: Measured, reason: str, about: Mapping[str, Any]) -> ChainScore:
        """The score of a chain that cannot be worked on."""
        why = Unscored(reason)
        nothing = replace(chain, cut=Cut(chain.trace, why), likelihoods=why, reliance=why, regrown=why)
        (score,) = self.scores([nothing], about)
        return score

    def _cut(self, trace: Trace) -> Cut:
        if self._target == "gold":
            found = self.segment(trace)
        else:
            found = self.segment(toward(trace, None))
            steps = () if isinstance(found, Unscored) else found.steps
            trace = toward(trace, answer_of(trace, steps))
            if isinstance(found, Segmentation) and trace.answers:
                found = replace(found, steps=flagged(found.steps, trace))
        if not (self._reliance or self._regrow):
            return Cut(trace, found)
        own = found if isinstance(found, Unscored) else own_of(trace, found.steps)
        return Cut(
            trace,
            found,
            own=own if self._reliance else NO_RELIANCE,
            regrown_toward=own if self._regrow else NOT_REGROWN,
        )

    def _judged(self, cut: Cut) -> Cut:
        if self._extractors is None or isinstance(cut.segmentation, Unscored):
            return cut
        steps = cut.segmentation.steps
        (verdicts,) = assess([cut.trace], [steps], extractors=self._extractors, judges=[ExactJudge()])
        return replace(cut, verdicts=verdicts)

    def segment(self, trace: Trace) -> Segmentation | Unscored:
        """The chain's steps, or why there are none."""
        try:
            return segmented([trace], self._splitter)[0]
        except ValueError as error:  # a third-party splitter's failure costs its chain, not the run
            whose = registry().whose("splitters", self._splitter.name)
            reason = f"{error} (the splitter is{whose})" if whose else str(error)
            log.warning("%s", reason)
            return Unscored(reason)

    def _chain_score(self, measured: Measured, about: Mapping[str, Any]) -> ChainScore:
        trace, segmentation = measured.trace, measured.cut.segmentation
        found = measured.likelihoods
        if self._target == "own" and found == NO_GOLD:
            found = NO_OWN_ANSWER
        chain = Chain(
            trace=measured.cut.trace,
            steps=() if isinstance(segmentation, Unscored) else segmentation.steps,
            likelihoods=None if isinstance(found, Unscored) else found,
            no_likelihoods=found.reason if isinstance(found, Unscored) else "",
            verdicts=measured.cut.verdicts,
            epsilon=self._epsilon,
            policy=self._policy,
            stance=measured.stance,
            reliance=measured.reliance,
            regrown=measured.regrown,
        )
        if isinstance(segmentation, Unscored):  # 0 steps would be a number
            metrics = dict.fromkeys(self._metrics, math.nan)
            missing = dict.fromkeys(self._metrics, segmentation.reason)
        else:
            metrics, missing = self._compute_metrics(chain)
        if self._target == "own":
            missing = {name: NO_OWN_ANSWER.reason if why == NO_GOLD.reason else why for name, why in missing.items()}
        likelihoods = chain.likelihoods
        cut_by = None if isinstance(segmentation, Unscored) else segmentation.splitter
        return ChainScore(
            id=trace.id,
            trace_hash=trace.hash,
            steps=_step_scores(chain),
            log_likelihoods=list(likelihoods.answer) if likelihoods else [],
            n_answer_tokens=likelihoods.n_answer_tokens[-1] if likelihoods else None,
            metrics=metrics,
            missing=missing,
            notes=[
                *notes(trace),
                *(() if isinstance(segmentation, Unscored) else segmentation.notes),
                *claim_notes(chain.verdicts or ()),
            ],
            provenance=provenance(trace=measured.cut.trace, splitter=cut_by, **about),
            controls=control_scores(likelihoods) if likelihoods else {},
            answer_tokens=list(likelihoods.n_answer_tokens) if likelihoods else [],
            **self._own(chain),
        )

    def _own(self, chain: Chain) -> dict[str, Any]:
        if isinstance(chain.reliance, Reliance):
            levels = [one.log_likelihood for one in chain.reliance.after]
            return {"own_answer": chain.reliance.answer, "own_log_likelihoods": levels}
        if isinstance(chain.regrown, Regrown):
            return {"own_answer": chain.regrown.answer}
        return {"own_answer": next(iter(chain.trace.answers), None)} if self._target == "own" else {}

    def _compute_metrics(self, chain: Chain) -> tuple[dict[str, float], dict[str, str]]:
        metrics: dict[str, float] = {}
        missing: dict[str, str] = {}
        for name, metric in self._metrics.items():
            metrics[name] = math.nan
            try:
                value = _number(metric.compute(*copies(metric.compute, chain)))
            except Missing as error:
                missing[name] = error.reason
            except THIRD_PARTY as error:  # a plugin's metric may raise anything: counted and named, never a number
                missing[name] = f"{_whose(name)} failed: {said(error)}"
                if name not in self._failed_metrics:
                    self._failed_metrics.add(name)
                    log.exception("chain metric %r failed", name)
            else:
                if math.isfinite(value):
                    metrics[name] = value
                else:
                    missing[name] = f"{_whose(name)} gave {value}"
        return metrics, missing


def metrics_of(
    variant: str,
    controls: Sequence[str],
    reliance: bool,
    regrow: bool,
    always: Mapping[str, ChainMetric],
    *,
    evidence: bool = False,
) -> dict[str, ChainMetric]:
    """Every number that is computed of a chain, by name.

    evidence: whether a judge needs evidence.
    """
    more = [
        *(EVIDENCE_METRICS if evidence else ()),
        *(REFERENCE_METRICS if variant == "reference" else ()),
        *control_metrics(controls),
    ]
    more += [*RELIANCE_METRICS, *own_gain_metrics(controls)] if reliance else []
    more += REGROWN_METRICS if regrow else ()
    return {**always, **{metric.name: metric for metric in more}}


def pure_claims(
    extractors: Sequence[ClaimExtractor], judges: Sequence[Judge], retriever: Retriever | None
) -> tuple[str, ...] | None:
    """The names of the claim extractors where a panel depends on the chain alone; None where it may ask somebody."""
    ours = all(any(one is pure for pure in _PURE.values()) for one in extractors)
    alone = [type(judge) for judge in judges] == [ExactJudge] and retriever is None
    return tuple(one.name for one in extractors) if ours and alone else None


def recipe_of(
    splitter: Splitter,
    variant: str,
    controls: Sequence[str],
    metrics: Mapping[str, ChainMetric],
    policy: str,
    epsilon: float,
    claims: Sequence[str] | None,
    target: str,
    reliance: bool,
    regrow: bool,
    *,
    evidence: bool = False,
) -> Recipe | None:
    """None where a part is not ours: another process might not have it, or not the same."""
    same = _splitters().get(splitter.name) is splitter and all(is_ours(one.compute) for one in metrics.values())
    known = list(metrics) == list(metrics_of(variant, controls, reliance, regrow, _ours(), evidence=evidence))
    if not same or not known:
        return None
    pure = None if claims is None else tuple(claims)
    return Recipe(splitter.name, variant, tuple(controls), policy, epsilon, pure, target, reliance, regrow, evidence)


@functools.lru_cache(maxsize=8)
def work_of(recipe: Recipe) -> ChainWork:
    metrics = metrics_of(
        recipe.variant, recipe.controls, recipe.reliance, recipe.regrow, _ours(), evidence=recipe.evidence
    )
    policy, splitter = POLICIES[recipe.policy], _splitters()[recipe.splitter]
    return ChainWork(
        splitter, metrics, policy, recipe.epsilon, recipe.claims, recipe.target, recipe.reliance, recipe.regrow
    )


def _ours() -> dict[str, ChainMetric]:
    return {metric.name: metric for metric in ALWAYS}


def _splitters() -> dict[str, Splitter]:
    return {**CHOSEN, **BUILTIN_SPLITTERS}


def _number(value: Any) -> float:
    number = float(value)
    if isinstance(value, str | bytes | bytearray):  # "0.5" is what somebody forgot to convert, and not a number
        raise TypeError(f"expected a number, got {value!r:.80}")
    return number


def _whose(metric: str) -> str:
    """A metric that went wrong, with the distribution that is to be told."""
    return f"the metric{registry().whose('metrics', metric)}"


def _step_scores(chain: Chain) -> list[StepScore]:
    likelihoods = chain.likelihoods
    verdicts = chain.verdicts or [()] * len(chain.steps)
    scores = [
        StepScore(step.text, step.start, step.end, step.kind, step.states_answer, verdicts=tuple(judged))
        for step, judged in zip(chain.steps, verdicts, strict=True)
    ]
    if isinstance(chain.reliance, Reliance):
        scores = [replace(score, **own) for score, own in zip(scores, of_steps(chain.reliance), strict=True)]
    if isinstance(chain.regrown, Regrown):
        for k, found in of_regrown_steps(chain.regrown).items():
            scores[k] = replace(scores[k], **found)
    if likelihoods is None:
        return scores
    ppl = [perplexity(value, n) for value, n in zip(likelihoods.answer, likelihoods.n_answer_tokens, strict=True)]
    ppl = [value if math.isfinite(value) else math.nan for value in ppl]
    absent = [math.nan] * len(ppl)
    gold = gold_probabilities(chain) if likelihoods.choices is not None else absent
    entropy = [entropy_bits(softmax(row)) for row in likelihoods.choices] if likelihoods.choices is not None else absent
    return [
        replace(
            score,
            log_likelihood=likelihoods.answer[i + 1],
            gain=gain,
            ppl_gain=ppl[i] - ppl[i + 1],
            n_tokens=likelihoods.n_context_tokens[i + 1] - likelihoods.n_context_tokens[i],
            gold_probability=gold[i + 1],
            entropy_bits=entropy[i + 1],
        )
        for i, (score, gain) in enumerate(zip(scores, gains(likelihoods.answer), strict=True))
    ]


def cut_there(recipe: Recipe, traces: Sequence[Trace]) -> list[Cut]:
    """`ChainWork.cut` in another process."""
    return work_of(recipe).cut(traces)


def segment_there(recipe: Recipe, traces: Sequence[Trace]) -> list[Segmentation | Unscored]:
    """`ChainWork.segment` of each in another process."""
    return [work_of(recipe).segment(trace) for trace in traces]


def score_there(recipe: Recipe, about: Mapping[str, Any], chains: Sequence[Measured]) -> list[ChainScore]:
    """`ChainWork.scores` in another process."""
    return work_of(recipe).scores(chains, about)
