"""Connects an lm-eval task to a `Gauge`: turns responses into traces, and scores into records, columns and a log."""

from __future__ import annotations

import contextlib
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...metrics import ChainScore, ScorerError, Trace
from ...metrics.columns import shows_evidence, shows_regrown, shows_reliance, table_columns
from ...metrics.conclusion import Conclusion
from ...metrics.errors import Missing
from ...metrics.judge_measures.lines import judge_lines
from ...metrics.knowledge.policy import POLICIES
from ...metrics.models.in_memory import SELF
from ...metrics.reliance.claims import claim_in, claim_lines, regrown_lines
from ...metrics.score import ARITHMETIC_ONLY, arithmetic_only
from .aggregate import nan_mean, nan_stderr, total
from .documents import given_passages, gold_and_choices, question_text, render
from .gauge_cache import close_gauges, gauge_for, gauge_of_model
from .model_under_test import model_under_test
from .options import Options
from .records import ReasoningRecord, record, unscored
from .regrowing import Prompt, RunningModel, model_that_continues

if TYPE_CHECKING:
    from lm_eval.api.task import Task

# A child of lm-eval's logger, so that our messages appear in lm-eval's output and follow its level.
log = logging.getLogger("lm_eval.stepgauge")

UNSCORED = "n_unscored"
_SHOWN_REASONS = 3
_NO_GOLD = "no_gold"


@dataclass(frozen=True)
class Request:
    """The responses to one prompt, one per repeat, with its document and a name for messages.

    Attributes:
        prompt: as lm-eval gave it to the model; None where that is no text, or not known.
    """

    id: str
    doc: Mapping[str, Any]
    responses: Sequence[Any]
    prompt: Prompt | None = None


class ChainScorer:
    """Scores the chains of one task.

    Attributes:
        columns: names of the reported metrics, in order.
    """

    def __init__(self, options: Options) -> None:
        """Raises ValueError for a value that `Gauge` refuses and for an unknown metric; loads no weights."""
        self.options = options
        try:
            self._gauge = gauge_for(options.gauge)
        except (ValueError, TypeError) as error:
            raise self._named(error) from error
        self._info = self._gauge.metric_info()
        self._has_scorer = options.gauge.get("scorer", "") is not None
        self.columns = self._columns()
        # This number decides whether a document counts as scored: InfoGain, or KI if there is no scoring LM.
        self._main = "infogain" if self._has_scorer else "ki"

    def _columns(self) -> list[str]:
        try:
            return table_columns(self._info, chosen=self.options.metrics, has_scorer=self._has_scorer)
        except ValueError as error:
            raise ValueError(f"task {self.options.task!r}, stepgauge option 'metrics': {error}") from error

    def _named(self, error: Exception) -> Exception:
        return type(error)(f"task {self.options.task!r}, stepgauge options: {error}")

    def preflight(self) -> None:
        """Raises ScorerError if the scoring LM cannot be found, or the model under test cannot do what `regrow` asks of
        it; called before hours of generation, not after.

        To be called by what an evaluation of lm-eval calls: `scorer: self` and `regrow` look there for the model under
        test.
        """
        try:
            if self.options.gauge.get("scorer") == SELF:
                self._gauge = gauge_of_model(self.options.gauge, model_under_test())
            if self._gauge.regrows:
                model_that_continues()
            self._gauge.preflight()
        except ScorerError as error:
            raise self._named(error) from error

    def check_overlap(self, requests: Iterable[Request], task: Task | None) -> None:
        """Raises OverlapError if the scoring LM was trained on some of the questions; needs no responses."""
        try:
            self._gauge.check_overlap(self._questions(requests, task))
        except ScorerError as error:
            raise self._named(error) from error

    def _questions(self, requests: Iterable[Request], task: Task | None) -> Iterator[Trace]:
        for request in requests:
            with contextlib.suppress(Missing):
                yield self._trace(request.doc, task, "", request.id)

    def check_templates(self, doc: Mapping[str, Any]) -> None:
        """Render the user's templates over one document, so that mistakes are reported before anything is generated."""
        for name, template in self.options.templates.items():
            try:
                render(template, doc)
            except ValueError as error:
                raise ValueError(f"task {self.options.task!r}, stepgauge option {name!r}: {error}") from error

    def score(self, requests: Sequence[Request], task: Task | None) -> list[ReasoningRecord]:
        """One record per request, all chains scored in one call of the core.

        Args:
            task: reads the documents for options without a template; None: there are only templates.
        """
        before = self._gauge.statistics()
        prepared = [self._prepare(request, task) for request in requests]
        prompts = {
            id(item): request.prompt
            for request, of_one in zip(requests, prepared, strict=True)
            for item in of_one
            if request.prompt is not None
        }
        traces = [item for of_one in prepared for item in of_one if isinstance(item, Trace)]
        results = iter(self._score(traces, prompts))
        scores = [[next(results) if isinstance(item, Trace) else item for item in of_one] for of_one in prepared]
        self._summarise([score for of_one in scores for score in of_one])
        self._conclude(requests, scores)
        if statistics := self._gauge.statistics():
            log.info("[%s] %s", self.options.task, statistics.since(before).summary())
        return [record(of_one) for of_one in scores]

    def numbers(self, records: Iterable[ReasoningRecord]) -> dict[str, float]:
        """What one document contributes. Always has every key, since lm-eval drops or fails on missing keys.

        `<metric>_stderr` passes the same number to the aggregation that computes the standard error: lm-eval computes
        none for aggregations other than its own, and displays what it finds under that name.
        """
        found = [one.numbers({*self.columns, self._main}) for one in records if one.chains]
        values = {name: nan_mean([numbers[name] for numbers in found]) for name in {*self.columns, self._main}}
        out: dict[str, float] = {}
        for name in self.columns:
            out[name] = out[f"{name}_stderr"] = values[name]
        out[UNSCORED] = int(math.isnan(values[self._main]))
        return out

    def aggregation(self) -> dict[str, Callable[..., Any]]:
        """How each key of `numbers` is aggregated over documents."""
        out: dict[str, Callable[..., Any]] = {}
        for name in self.columns:
            out[name] = nan_mean
            out[f"{name}_stderr"] = nan_stderr
        out[UNSCORED] = total
        return out

    def higher_is_better(self) -> dict[str, bool | None]:
        """The direction of each metric, shown as arrows in lm-eval's table."""
        return {name: self._info[name].higher_is_better for name in self.columns} | {UNSCORED: False}

    def _prepare(self, request: Request, task: Task | None) -> list[Trace | ChainScore]:
        """One entry per response: what to score, or why it cannot be."""
        out: list[Trace | ChainScore] = []
        for repeat, response in enumerate(request.responses):
            chain_id = request.id + (f"#{repeat}" if len(request.responses) > 1 else "")
            try:
                out.append(self._trace(request.doc, task, response, chain_id))
            except Missing as missing:
                out.append(unscored(self._info, missing.reason, chain_id))
        return out

    def _trace(self, doc: Mapping[str, Any], task: Task | None, response: Any, chain_id: str) -> Trace:
        if not isinstance(response, str):
            raise Missing(f"the model's response is {type(response).__name__}, not text")
        meta: dict[str, Any] = {"task": self.options.task}
        answer = choices = None
        try:
            answer, choices = gold_and_choices(task, doc, self.options.gold, self.options.choices)
        except Missing as missing:  # KI needs no gold answer, so the chain is scored all the same
            meta[_NO_GOLD] = missing.reason
        try:
            question = question_text(task, doc, self.options.question)
            if self.options.passages is not None:
                meta["passages"] = given_passages(doc, self.options.passages)
            return Trace(question, response, answer, choices, id=chain_id, meta=meta)
        except (ValueError, TypeError) as error:
            raise Missing(str(error)) from error

    def _score(self, traces: Sequence[Trace], prompts: Mapping[int, Prompt]) -> list[ChainScore]:
        if not traces:
            return []
        close_gauges(keep=self._gauge)
        try:
            itself = RunningModel(model_that_continues(), prompts) if self._gauge.regrows else None
            scores = self._gauge.score(traces, continuations=itself)
        # Generation may have taken hours: a failure here must not lose the accuracy. It becomes the reason of every
        # chain, and shows in the `n_unscored` row and in the log.
        except Exception as error:
            log.exception("[%s] no chain could be scored", self.options.task)
            reason = f"scoring failed: {type(error).__name__}: {error}"
            return [unscored(self._info, reason, trace.id) for trace in traces]
        return [_with_own_reason(score, trace) for score, trace in zip(scores, traces, strict=True)]

    def _summarise(self, chains: Sequence[ChainScore]) -> None:
        """Log one line: how many chains were scored, and how often which number is missing and why."""
        found = sum(not math.isnan(score.metrics.get(self._main, math.nan)) for score in chains)
        parts = [f"{self._main} of {found} of {len(chains)} chains"]
        alike: dict[str, list[str]] = {}
        for name in self.columns:
            reasons = Counter(score.missing[name] for score in chains if name in score.missing)
            if reasons:
                alike.setdefault(_in_words(reasons), []).append(name)
        parts += [f"{', '.join(names)} missing {words}" for words, names in alike.items()]
        if arithmetic_only(chains):
            parts.append(f"ki: {ARITHMETIC_ONLY}")
        if shows_evidence(self.columns):
            names = dict.fromkeys(str(score.provenance.get("policy")) for score in chains)
            parts += [f"ki: {POLICIES[name].in_words()}" for name in names if name in POLICIES]
        if "ki" in self.columns:
            parts += judge_lines(chains)
        if shows_reliance(self.columns):
            parts += claim_lines(claim_in(score.provenance) for score in chains)
        if shows_regrown(self.columns):
            parts += regrown_lines(score.provenance for score in chains)
        level = logging.INFO if found == len(chains) else logging.WARNING
        log.log(level, "[%s] %s", self.options.task, " | ".join(parts))

    def _conclude(self, requests: Sequence[Request], scores: Sequence[Sequence[ChainScore]]) -> None:
        """Log what the chains say. Which are right is not known yet: lm-eval's table says it."""
        conclusion = Conclusion()
        for request, of_one in zip(requests, scores, strict=True):
            for score in of_one:
                conclusion.add(score, question=request.id)
        if sentences := conclusion.sentences():
            log.info("[%s] %s", self.options.task, " ".join(sentences))


def _in_words(reasons: Counter[str]) -> str:
    shown = [f"{count} x {reason}" for reason, count in reasons.most_common(_SHOWN_REASONS)]
    if len(reasons) > len(shown):
        shown.append(f"and {len(reasons) - len(shown)} other reasons")
    return f"{reasons.total()}: {'; '.join(shown)}"


def _with_own_reason(score: ChainScore, trace: Trace) -> ChainScore:
    """Replace the core's reason for a missing gold answer with the adapter's, which knows why it is missing."""
    why = trace.meta.get(_NO_GOLD)
    if why is None:
        return score
    missing = {name: why if reason == "no gold answer" else reason for name, reason in score.missing.items()}
    return replace(score, missing=missing)
