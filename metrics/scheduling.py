"""From chains to log-likelihoods: chains are written out as requests, a window of them at a time, for the backend.

The caller decides how many chains come together; this module how many of them are held as texts at once; the backend
which texts share a forward pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from .chain import Likelihoods
from .chain_requests import ChainRequests, chain_requests, collect
from .controls.other_chains import ForeignSteps
from .controls.texts import make_controls
from .errors import Missing
from .likelihood import LikelihoodBackend, Unscored
from .segment import Segmentation
from .templates import PromptTemplate
from .trace import Step, Trace

# Chains sorted by length together: enough to fill even batches.
_WINDOW = 256
# Requests held together, at about a kilobyte each on their way to a log-likelihood. A chain with more has a window to
# itself; long chains gain nothing from others beside them.
_WINDOW_REQUESTS = 100_000
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


def measure(
    traces: Sequence[Trace],
    segmentations: Sequence[Segmentation | Unscored],
    load: Callable[[], LikelihoodBackend],
    asked: Asked,
    foreign: ForeignSteps | None,
    progress: bool | None,
) -> list[Likelihoods | Unscored]:
    """The likelihoods of each chain, or why it has none.

    Args:
        load: gives the backend; called where there is a chain to score.
        foreign: steps of other chains, for the control that needs them.
        progress: whether a bar is shown; None: where standard error is a terminal.
    """
    out: list[Likelihoods | Unscored] = [Unscored("no gold answer")] * len(traces)
    scorable: list[tuple[int, Sequence[Step]]] = []
    for i, (trace, segmentation) in enumerate(zip(traces, segmentations, strict=True)):
        if isinstance(segmentation, Unscored):
            out[i] = segmentation
        elif trace.answers:
            scorable.append((i, segmentation.steps))
    hidden = None if progress is None else not progress
    with tqdm(total=len(scorable), desc="scoring", unit="chain", disable=hidden) as bar:
        todo = deque(scorable)
        while todo:
            backend = load()
            written: dict[int, ChainRequests] = {}
            held = 0
            while todo and len(written) < _WINDOW and held < _WINDOW_REQUESTS:
                i, steps = todo.popleft()
                try:
                    requests = _requests(traces[i], steps, backend, asked, foreign)
                except Missing as error:  # a third party's backend failed to write this one out
                    requests = Unscored(error.reason)
                if isinstance(requests, Unscored):
                    out[i] = requests
                    bar.update(1)
                else:
                    written[i] = requests
                    held += len(requests.requests)
            results = backend.score([one.requests for one in written.values()], lambda n: _advance(bar, n))
            for (i, requests), result in zip(written.items(), results, strict=True):
                out[i] = result if isinstance(result, Unscored) else collect(requests, result)
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
