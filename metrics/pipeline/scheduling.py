"""From chains to log-likelihoods: chains are written out as requests, a window of them at a time, for the backend.

The caller decides how many chains come together; this module how many of them are held as texts at once; the backend
which texts share a forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from ..chain import Likelihoods
from ..chain_requests import ChainRequests, chain_requests, collect
from ..controls.other_chains import ForeignSteps
from ..controls.texts import make_controls
from ..errors import Missing
from ..likelihood import LikelihoodBackend, Unscored
from ..templates import PromptTemplate
from ..trace import Step, Trace

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


def written_out(
    trace: Trace, steps: Sequence[Step], backend: LikelihoodBackend, asked: Asked, foreign: ForeignSteps | None
) -> ChainRequests | Unscored:
    """What the scoring LM is asked about a chain, or why it is not.

    Args:
        foreign: steps of other chains, for the control that needs them.
    """
    try:
        return _requests(trace, steps, backend, asked, foreign)
    except Missing as error:  # a third party's backend failed to write this one out
        return Unscored(error.reason)


def measured(
    written: Sequence[ChainRequests | Unscored], backend: LikelihoodBackend, bar: tqdm
) -> list[Likelihoods | Unscored]:
    """The likelihoods of each chain of a window, or why it has none. The bar counts chains."""
    out: list[Likelihoods | Unscored] = []
    asked = [one for one in written if isinstance(one, ChainRequests)]
    _advance(bar, len(written) - len(asked))
    results = iter(backend.score([one.requests for one in asked], lambda n: _advance(bar, n)))
    for one in written:
        result = one if isinstance(one, Unscored) else next(results)
        out.append(result if isinstance(result, Unscored) else collect(one, result))  # type: ignore[arg-type]
    return out


def _requests(
    trace: Trace, steps: Sequence[Step], backend: LikelihoodBackend, asked: Asked, foreign: ForeignSteps | None
) -> ChainRequests | Unscored:
    # The whole chain goes first: one far beyond the context would otherwise be written out with every answer.
    texts = [step.text for step in steps]
    golds = trace.distinct_answers
    whole = asked.template.render(trace.question, texts, max(golds, key=len), backend.render_chat)
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
    )


def _advance(bar: tqdm, chains: int) -> None:
    bar.update(chains)
