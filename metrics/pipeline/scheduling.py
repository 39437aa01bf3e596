"""From chains to log-likelihoods: chains are written out as requests, a window of them at a time, for the backend.

The caller decides how many chains come together; this module how many of them are held as texts at once; the backend
which texts share a forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from ..chain import Likelihoods, Reliance
from ..chain_requests import ChainRequests, chain_requests, collect, writer_of
from ..controls.other_chains import ForeignSteps
from ..controls.texts import controls_of, make_controls
from ..errors import Missing
from ..likelihood import LikelihoodBackend, Request, Result, Unscored
from ..reliance.corruption import corruptions_of
from ..reliance.own import Own, toward
from ..reliance.requests import RelianceRequests, collect_reliance, reliance_requests
from ..templates import PromptTemplate
from ..trace import Step, Trace
from ..writing import Writer

# Chains sorted by length together: enough to fill even batches.
WINDOW = 256
# Of a call's first window: where the scoring LM computes elsewhere, it waits for it.
FIRST_WINDOW = 64
# Requests held together, at about a kilobyte each on their way to a log-likelihood. A chain with more has a window to
# itself; long chains gain nothing from others beside them.
WINDOW_REQUESTS = 100_000
# Requests of one chain, and characters that are scored with them, each of which takes as much as a tenth of a request.
_MOST_REQUESTS = 1_000_000
_CHARACTERS_A_REQUEST = 10


@dataclass(frozen=True)
class Asked:
    """What is asked of the scoring LM about every chain.

    Attributes:
        reference: the likelihoods that `variant="reference"` needs, too.
        controls: names of the controls to measure.
    """

    template: PromptTemplate
    reference: bool
    controls: Sequence[str]


NO_GOLD = Unscored("no gold answer")


@dataclass(frozen=True)
class Questions:
    """What the scoring LM is asked about one chain.

    Attributes:
        requests: all of it, that of the gold answer first.
        gold: which of them tell of the gold answer; why none does.
        n_gold: how many of them do.
        own: which of them tell of the chain's own answer; why none does.
    """

    requests: Sequence[Request]
    gold: ChainRequests | Unscored
    n_gold: int
    own: RelianceRequests | Unscored


# What is known of the gold answer and of the chain's own, or why it is not.
Found = tuple[Likelihoods | Unscored, Reliance | Unscored]


def written_out(
    trace: Trace,
    steps: Sequence[Step],
    own: Own | Unscored,
    backend: LikelihoodBackend,
    asked: Asked,
    foreign: ForeignSteps | None,
) -> Questions:
    """What the scoring LM is asked about a chain, or why it is not.

    Args:
        own: the chain's own answer, where reliance is measured.
        foreign: steps of other chains, for the control that needs them, and for reliance.
    """
    requests = ChainRequests()
    gold: ChainRequests | Unscored = NO_GOLD
    writer = writer_of(trace, asked.template, backend.render_chat, () if isinstance(own, Unscored) else [own.answer])
    try:
        if trace.answers:
            gold = _requests(trace, steps, writer, backend, asked, foreign)
            requests = requests if isinstance(gold, Unscored) else gold
    except Missing as error:  # a third party's backend failed to write this one out
        gold = Unscored(error.reason)
    n_gold = len(requests.requests)
    try:
        about = own if isinstance(own, Unscored) else _own(requests, writer, trace, steps, own, backend, asked, foreign)
    except Missing as error:
        about = Unscored(error.reason)
    kept = n_gold if isinstance(about, Unscored) else len(requests.requests)
    return Questions(requests.requests[:kept], gold, n_gold, about)


def measured(written: Sequence[Questions], backend: LikelihoodBackend, bar: tqdm) -> list[Found]:
    """What is known of each chain of a window. The bar counts chains.

    A chain that cannot be scored with all that reliance asks is tried again without it.
    """
    results = _results([one.requests for one in written], backend, bar)
    more = [i for i, one in enumerate(written) if 0 < one.n_gold < len(one.requests)]
    again = [i for i in more if isinstance(results[i], Unscored)]
    alone = _results([written[i].requests[: written[i].n_gold] for i in again], backend, None)
    of_gold = {**dict(enumerate(results)), **dict(zip(again, alone, strict=True))}
    return [(_of_gold(one, of_gold[i]), _of_own(one, results[i])) for i, one in enumerate(written)]


def _results(groups: Sequence[Sequence[Request]], backend: LikelihoodBackend, bar: tqdm | None) -> list[Result | None]:
    """The backend's, None for a group of nothing."""
    asked = [group for group in groups if group]
    if bar is not None:
        _advance(bar, len(groups) - len(asked))
    results = iter(backend.score(asked, lambda n: None if bar is None else _advance(bar, n)) if asked else ())
    return [next(results) if group else None for group in groups]


def _of_gold(asked: Questions, result: Result | None) -> Likelihoods | Unscored:
    if isinstance(asked.gold, Unscored):
        return asked.gold
    assert result is not None
    return result if isinstance(result, Unscored) else collect(asked.gold, result)


def _of_own(asked: Questions, result: Result | None) -> Reliance | Unscored:
    if isinstance(asked.own, Unscored):
        return asked.own
    assert result is not None
    return result if isinstance(result, Unscored) else collect_reliance(asked.own, result)


def _own(
    requests: ChainRequests,
    writer: Writer,
    trace: Trace,
    steps: Sequence[Step],
    own: Own,
    backend: LikelihoodBackend,
    asked: Asked,
    foreign: ForeignSteps | None,
) -> RelianceRequests | Unscored:
    texts = [step.text for step in steps]
    if reason := backend.too_long(writer.render(texts, own.answer)):
        return Unscored(reason)
    itself = toward(trace, own.answer)
    return reliance_requests(
        requests,
        writer,
        own,
        texts,
        corruptions_of(trace, texts, own.answer, foreign),
        options=trace.choices,
        controls=controls_of(asked.controls, itself, texts, (own.before, own.before), foreign),
        too_long=backend.too_long,
    )


def _requests(
    trace: Trace,
    steps: Sequence[Step],
    writer: Writer,
    backend: LikelihoodBackend,
    asked: Asked,
    foreign: ForeignSteps | None,
) -> ChainRequests | Unscored:
    # The whole chain goes first: one far beyond the context would otherwise be written out with every answer.
    texts = [step.text for step in steps]
    golds = trace.distinct_answers
    whole = writer.render(texts, max(golds, key=len))
    if reason := backend.too_long(whole):
        return Unscored(reason)
    answers = {*golds, *(option.strip() for option in trace.choices or ())}
    scored = sum(map(len, answers)) + (len(golds) * whole.length if asked.reference else 0)
    if (len(steps) + 1) * (len(answers) + scored / _CHARACTERS_A_REQUEST) > _MOST_REQUESTS:
        return Unscored(
            f"{len(steps) + 1:,} prefixes, after each of which {scored:,} characters are scored in {len(answers):,} "
            "answers, are too many for one chain"
        )
    return chain_requests(
        trace,
        steps,
        asked.template,
        backend.render_chat,
        reference=asked.reference,
        controls=make_controls(asked.controls, trace, steps, foreign),
        too_long=backend.too_long,
        writer=writer,
    )


def _advance(bar: tqdm, chains: int) -> None:
    bar.update(chains)
