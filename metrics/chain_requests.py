"""Makes the likelihood requests of one chain, and turns their answers into `Likelihoods`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, takewhile

from .chain import Control, ControlLikelihoods, Likelihoods
from .likelihood import Request, SpanScore, Unscored
from .probability import log_sum_exp
from .templates import REFERENCE, PromptTemplate, RenderChat
from .trace import Step, Trace
from .writing import Writer


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
    _known: dict[Request, int] = field(default_factory=dict)

    def add(self, request: Request) -> int:
        """Index of `request`, the same for equal ones: shared prefixes and the gold option are scored once."""
        if request not in self._known:
            self._known[request] = len(self.requests)
            self.requests.append(request)
        return self._known[request]


def writer_of(trace: Trace, template: PromptTemplate, render_chat: RenderChat, also: Sequence[str] = ()) -> Writer:
    """Writes what is asked about one chain.

    Args:
        also: answers that will be asked for besides the gold ones and the options.
    """
    options = [option.strip() for option in trace.choices or ()]
    answers = tuple(dict.fromkeys([*trace.distinct_answers, *options, *also]))
    return Writer(template, trace.question, answers, render_chat)


def chain_requests(
    trace: Trace,
    steps: Sequence[Step],
    template: PromptTemplate,
    render_chat: RenderChat,
    *,
    reference: bool,
    controls: Sequence[Control] = (),
    too_long: Callable[[Request], str | None] = lambda _: None,
    writer: Writer | None = None,
) -> ChainRequests:
    """Everything the scoring LM is asked about one chain's gold answer. The trace must have one.

    A control that is `too_long` for the scorer's context is left out: it must not cost the chain its own numbers.

    Args:
        writer: where more is asked than this, the one that writes it all (`writer_of`).
    """
    golds = trace.distinct_answers
    options = [option.strip() for option in trace.choices or ()]
    texts = [step.text for step in steps]
    kept = [step.text for step in steps if step.kind != "final_answer"]
    writer = writer or writer_of(trace, template, render_chat)
    out = ChainRequests()
    add = out.add
    own = writer.chain(texts)
    prefixes = range(len(texts) + 1)
    out.answer = [[add(own.request(i, gold)) for gold in golds] for i in prefixes]
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(texts, kept, strict=False)))
    out.without_final = out.answer[: same + 1]
    if len(kept) > same:
        others = writer.chain(kept)
        out.without_final += [[add(others.request(i, gold)) for gold in golds] for i in range(same + 1, len(kept) + 1)]
    if trace.choices is not None:
        out.choices = [[add(own.request(i, option)) for option in options] for i in prefixes]
    if reference:
        published = Writer(REFERENCE, trace.question, golds, render_chat).chain(texts)
        out.whole = [[add(replace(published.request(i, gold), start=0)) for gold in golds] for i in prefixes]

    def ask_control(texts: Sequence[str] | Unscored) -> list[int] | Unscored:
        if isinstance(texts, Unscored):
            return texts
        written = writer.chain(texts)
        requests = [written.request(len(texts), gold) for gold in golds]
        reason = next(filter(None, map(too_long, requests)), None)
        return [add(request) for request in requests] if reason is None else Unscored(reason)

    out.controls = [
        (control, [ask_control(part) for part in (control.whole, control.before_answer, control.before_own_answer)])
        for control in controls
    ]
    return out


def collect(asked: ChainRequests, results: Sequence[SpanScore | Unscored]) -> Likelihoods | Unscored:
    """Sort the backend's answers back into what chain metrics read.

    A request that is unscored leaves the chain unscored, or the control alone: shares of the others would mislead.
    """
    scores = {i: found for i, found in enumerate(results) if not isinstance(found, Unscored)}

    def together(indices: Sequence[int]) -> SpanScore:
        """Answers of which any one will do, as one."""
        found = [scores[i] for i in indices]
        likeliest = max(found, key=lambda one: (one.log_likelihood, -one.n_tokens))
        return SpanScore(
            log_sum_exp([one.log_likelihood for one in found]),
            likeliest.n_tokens,
            max(one.n_context_tokens for one in found),
        )

    def unscored(indices: Iterable[int]) -> Unscored | None:
        return next((found for i in indices if isinstance(found := results[i], Unscored)), None)

    def value(indices: Sequence[int] | Unscored) -> float | Unscored:
        if isinstance(indices, Unscored):
            return indices
        return unscored(indices) or together(indices).log_likelihood

    own = chain.from_iterable((*asked.answer, *asked.without_final, *(asked.choices or ()), *(asked.whole or ())))
    if (problem := unscored(own)) is not None:
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
