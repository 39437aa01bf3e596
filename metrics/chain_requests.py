"""Makes the likelihood requests of one chain, and turns their answers into `Likelihoods`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from .chain import Control, ControlLikelihoods, Likelihoods
from .likelihood import Request, SpanScore, Unscored
from .templates import REFERENCE, PromptTemplate, RenderChat
from .trace import Step, Trace


@dataclass
class ChainRequests:
    """Distinct requests of one chain; the index lists say which of them each number comes from.

    Attributes:
        answer: t+1 indices, the gold answer after each prefix.
        choices: (t+1) x options indices, or None.
        without_final: indices over the chain without its final-answer steps.
        whole: t+1 indices for the published code's figure, or None.
        controls: each with the indices of its whole and its before-answer texts, or why they are not asked for.
    """

    requests: list[Request] = field(default_factory=list)
    answer: list[int] = field(default_factory=list)
    choices: list[list[int]] | None = None
    without_final: list[int] = field(default_factory=list)
    whole: list[int] | None = None
    controls: list[tuple[Control, int | Unscored, int | Unscored]] = field(default_factory=list)
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
    gold = trace.answers[0].strip()
    texts = [step.text for step in steps]
    kept = [step.text for step in steps if step.kind != "final_answer"]
    out = ChainRequests()

    def ask(prefix: Sequence[str], answer: str, template: PromptTemplate = template) -> int:
        return out.add(template.render(trace.question, prefix, answer, render_chat))

    out.answer = [ask(texts[:i], gold) for i in range(len(texts) + 1)]
    out.without_final = [ask(kept[:i], gold) for i in range(len(kept) + 1)]
    if trace.choices is not None:
        options = [option.strip() for option in trace.choices]
        out.choices = [[ask(texts[:i], option) for option in options] for i in range(len(texts) + 1)]
    if reference:
        whole = [REFERENCE.render(trace.question, texts[:i], gold, render_chat) for i in range(len(texts) + 1)]
        out.whole = [out.add(Request(request.text, 0)) for request in whole]

    def ask_control(texts: Sequence[str] | Unscored) -> int | Unscored:
        if isinstance(texts, Unscored):
            return texts
        request = template.render(trace.question, texts, gold, render_chat)
        reason = too_long(request)
        return out.add(request) if reason is None else Unscored(reason)

    out.controls = [(control, ask_control(control.whole), ask_control(control.before_answer)) for control in controls]
    return out


def collect(asked: ChainRequests, scores: Sequence[SpanScore]) -> Likelihoods | Unscored:
    """Sort the backend's answers back into what chain metrics read.

    An LM that overflows gives nan, of which shares would be 0: the chain is unscored, or the control alone.
    """

    def values(indices: Sequence[int]) -> list[float]:
        return [scores[i].log_likelihood for i in indices]

    def value(index: int | Unscored) -> float | Unscored:
        if isinstance(index, Unscored):
            return index
        found = scores[index].log_likelihood
        return found if math.isfinite(found) else Unscored(f"the scoring LM gave a log-likelihood of {found}")

    own = (asked.answer, asked.without_final, *(asked.choices or ()), asked.whole or ())
    for index in chain.from_iterable(own):
        if isinstance(found := value(index), Unscored):
            return found

    return Likelihoods(
        answer=values(asked.answer),
        n_answer_tokens=[scores[i].n_tokens for i in asked.answer],
        n_context_tokens=[scores[i].n_context_tokens for i in asked.answer],
        choices=[values(row) for row in asked.choices] if asked.choices is not None else None,
        without_final=values(asked.without_final),
        n_answer_tokens_without_final=[scores[i].n_tokens for i in asked.without_final],
        whole=[(scores[i].log_likelihood, scores[i].n_tokens) for i in asked.whole]
        if asked.whole is not None
        else None,
        controls={
            control.name: ControlLikelihoods(control, value(whole), value(before))
            for control, whole, before in asked.controls
        },
    )
