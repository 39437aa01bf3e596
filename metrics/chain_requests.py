"""Makes the likelihood requests of one chain, and turns their answers into `Likelihoods`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from .chain import Control, ControlLikelihoods, Likelihoods
from .likelihood import Request, SpanScore, Unscored
from .probability import log_sum_exp
from .templates import REFERENCE, PromptTemplate, RenderChat
from .trace import Step, Trace


@dataclass
class ChainRequests:
    """Distinct requests of one chain; the index lists say which of them each number comes from.

    Attributes:
        answer: t+1 lists of indices, the accepted answers after each prefix.
        choices: (t+1) x options indices, or None.
        without_final: like `answer`, over the chain without its final-answer steps.
        whole: like `answer`, for the published code's figure, or None.
        controls: each with the indices of its whole, its before-answer and its before-own-answer texts, or why they
            are not asked for.
    """

    requests: list[Request] = field(default_factory=list)
    answer: list[list[int]] = field(default_factory=list)
    choices: list[list[int]] | None = None
    without_final: list[list[int]] = field(default_factory=list)
    whole: list[list[int]] | None = None
    controls: list[tuple[Control, list[list[int] | Unscored]]] = field(default_factory=list)
    _index: dict[Request, int] = field(default_factory=dict)

    def add(self, request: Request) -> int:
        """Index of `request`, the same for equal ones: shared prefixes and the gold option are scored once."""
        if request not in self._index:
            self._index[request] = len(self.requests)
            self.requests.append(request)
        return self._index[request]


def chain_requests(
    trace: Trace,
    steps: Sequence[Step],
    template: PromptTemplate,
    render_chat: RenderChat,
    *,
    reference: bool,
    controls: Sequence[Control] = (),
    too_long: Callable[[Request], str | None] = lambda _: None,
) -> ChainRequests:
    """Everything the scoring LM is asked about one chain. The trace must have an answer.

    A control that is `too_long` for the scorer's context is left out: it must not cost the chain its own numbers.
    """
    golds = trace.distinct_answers
    texts = [step.text for step in steps]
    kept = [step.text for step in steps if step.kind != "final_answer"]
    out = ChainRequests()

    def ask(prefix: Sequence[str], answers: Sequence[str]) -> list[int]:
        return [out.add(template.render(trace.question, prefix, answer, render_chat)) for answer in answers]

    out.answer = [ask(texts[:i], golds) for i in range(len(texts) + 1)]
    out.without_final = [ask(kept[:i], golds) for i in range(len(kept) + 1)]
    if trace.choices is not None:
        options = [option.strip() for option in trace.choices]
        out.choices = [ask(texts[:i], options) for i in range(len(texts) + 1)]
    if reference:
        out.whole = [
            [out.add(Request(REFERENCE.render(trace.question, texts[:i], gold, render_chat).text, 0)) for gold in golds]
            for i in range(len(texts) + 1)
        ]

    def ask_control(texts: Sequence[str] | Unscored) -> list[int] | Unscored:
        if isinstance(texts, Unscored):
            return texts
        requests = [template.render(trace.question, texts, gold, render_chat) for gold in golds]
        reason = next(filter(None, map(too_long, requests)), None)
        return [out.add(request) for request in requests] if reason is None else Unscored(reason)

    out.controls = [
        (control, [ask_control(part) for part in (control.whole, control.before_answer, control.before_own_answer)])
        for control in controls
    ]
    return out


def collect(asked: ChainRequests, scores: Sequence[SpanScore]) -> Likelihoods | Unscored:
    """Sort the backend's answers back into what chain metrics read.

    An LM that overflows gives nan, of which shares would be 0: the chain is unscored, or the control alone.
    """

    def together(indices: Sequence[int]) -> SpanScore:
        """Answers of which any one will do, as one."""
        found = [scores[i] for i in indices]
        likeliest = max(found, key=lambda one: (one.log_likelihood, -one.n_tokens))
        return SpanScore(
            log_sum_exp([one.log_likelihood for one in found]),
            likeliest.n_tokens,
            max(one.n_context_tokens for one in found),
        )

    def no_number(indices: Iterable[int]) -> Unscored | None:
        odd = next((found for i in indices if not math.isfinite(found := scores[i].log_likelihood)), None)
        return None if odd is None else Unscored(f"the scoring LM gave a log-likelihood of {odd}")

    def value(indices: Sequence[int] | Unscored) -> float | Unscored:
        if isinstance(indices, Unscored):
            return indices
        return no_number(indices) or together(indices).log_likelihood

    own = chain.from_iterable((*asked.answer, *asked.without_final, *(asked.choices or ()), *(asked.whole or ())))
    if (problem := no_number(own)) is not None:
        return problem
    answer = [together(row) for row in asked.answer]
    without_final = [together(row) for row in asked.without_final]
    whole = None if asked.whole is None else [together(row) for row in asked.whole]
    return Likelihoods(
        answer=[one.log_likelihood for one in answer],
        n_answer_tokens=[one.n_tokens for one in answer],
        n_context_tokens=[one.n_context_tokens for one in answer],
        choices=None if asked.choices is None else [[scores[i].log_likelihood for i in row] for row in asked.choices],
        n_choice_tokens=None if asked.choices is None else [[scores[i].n_tokens for i in row] for row in asked.choices],
        without_final=[one.log_likelihood for one in without_final],
        n_answer_tokens_without_final=[one.n_tokens for one in without_final],
        whole=None if whole is None else [(one.log_likelihood, one.n_tokens) for one in whole],
        controls={control.name: ControlLikelihoods(control, *map(value, parts)) for control, parts in asked.controls},
    )
