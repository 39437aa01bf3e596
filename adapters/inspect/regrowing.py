"""For the option `regrow`: the model that is being evaluated goes on with responses of its own.

Its provider must take a beginning of the model's turn and go on with it. Each such call is made in the task of its own
sample, so that Inspect's transcript, usage, limits, cache, connections and retries work as for any other. A model of
the provider `hf`, which would begin a turn anew, is in memory: there it is asked for what follows the same prompt.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from inspect_ai.event import Event, ModelEvent
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.solver import TaskState

from ...metrics import ScorerError, Trace
from ...metrics.errors import said
from ...metrics.likelihood import Unscored
from ...metrics.reliance.regrowing import Beginning, Continuation
from ...metrics.servers.secrets import masker
from .model_under_test import model_under_test
from .sample_calls import FOR_INSPECT, SampleCalls
from .traces import Reading, model_answer

IN_MEMORY = "hf"
# Providers that go on with an assistant's message that stands last; the others begin a turn of their own behind it.
CONTINUING = ("anthropic", "mockllm", "sagemaker", "sglang", "vllm")
_DEFAULT_LIMIT = 2048  # new tokens, where neither run nor provider has a limit
_LEAST = 16  # new tokens: what the beginning took is estimated
_BATCH = 16
_MAX_ERROR = 300

T = TypeVar("T")


@dataclass(frozen=True)
class Conversation:
    """What the model under test was asked before it wrote the response.

    Attributes:
        prompt: the text and the limit of new tokens of a model in memory; None for others.
        tokens: how many its response has, if that is known.
    """

    model: Model
    messages: Sequence[ChatMessage]
    config: GenerateConfig
    options: Sequence[str]
    tokens: int | None
    prompt: str | None = None

    @property
    def limit(self) -> int:
        """New tokens at most, of the whole response."""
        return self.config.max_tokens or self.model.api.max_tokens() or _DEFAULT_LIMIT


def check_continues() -> None:
    """Raises ScorerError where the model under test is of a provider that does not go on with a model's own turn."""
    model = get_model()
    if _provider(model) not in (IN_MEMORY, *CONTINUING):
        raise ScorerError(
            f"regrow: the model under test is {model!s}, whose provider does not go on with the beginning of a model's "
            f"own turn; those that do: {', '.join(sorted((IN_MEMORY, *CONTINUING)))}"
        )


def conversation_of(
    state: TaskState, reading: Reading, events: Callable[[], Iterable[Event]]
) -> Conversation | Unscored:
    """What came before a sample's response; or why the model cannot go on with it.

    Raises:
        ScorerError: see `check_continues`.
    """
    check_continues()
    if len(reading.turns) > 1:
        return Unscored(
            f"the chain is {len(reading.turns)} assistant turns: between them stands what the model asked for"
        )
    if reading.source.startswith("reasoning content"):
        return Unscored("its steps stand in reasoning content, which no provider takes the beginning of")
    if state.tools:
        return Unscored("the model had tools at hand, which are not offered to it again")
    written = [i for i, message in enumerate(state.messages) if isinstance(message, ChatMessageAssistant)]
    own = [i for i in written if state.messages[i].text == reading.trace.response]
    if not own:
        return Unscored("a solver has changed what the model wrote")
    messages = state.messages[: own[-1]]
    model, event = get_model(), _written(state, events())
    config = model.config if event is None else event.config
    usage = state.output.usage
    found = Conversation(
        model, messages, config, reading.trace.choices or (), usage.output_tokens if usage is not None else None
    )
    if _provider(model) != IN_MEMORY:
        return found
    told = [ChatMessageSystem(content=config.system_message)] if config.system_message else []
    api: Any = model.api
    return replace(found, prompt=api.hf_chat([*told, *messages], []))  # as the provider writes it out


@dataclass(frozen=True)
class _Seat:
    conversation: Conversation | Unscored
    calls: SampleCalls


class RunningModel:
    """The model under test; `continued` is called in a worker thread and finds, by trace, the samples in `attend`."""

    def __init__(self) -> None:
        self._seats: dict[int, _Seat] = {}

    async def attend(self, trace: Trace, conversation: Conversation | Unscored, work: Callable[[], Awaitable[T]]) -> T:
        """`await work()`, which has this very trace gone on with in another thread. Raises what `work` or a limit
        raises."""
        calls = SampleCalls()
        self._seats[id(trace)] = _Seat(conversation, calls)
        try:
            return await calls.serve_while(work)
        finally:
            del self._seats[id(trace)]

    def continued(self, beginnings: Sequence[Beginning]) -> list[Continuation | Unscored]:
        """See `Continuations`."""
        pending: list[Future[Continuation | Unscored] | Unscored] = []
        here: list[tuple[int, Conversation, Beginning]] = []
        for i, beginning in enumerate(beginnings):
            seat = self._seats.get(id(beginning.trace))
            if seat is None:
                pending.append(Unscored("no sample of Inspect's is waiting for this chain"))
            elif isinstance(seat.conversation, Unscored):
                pending.append(seat.conversation)
            elif seat.conversation.prompt is not None:
                here.append((i, seat.conversation, beginning))
                pending.append(Unscored("not asked"))
            else:
                pending.append(seat.calls.submit(partial(_ask, seat.conversation, beginning)))
        out = [one if isinstance(one, Unscored) else _outcome(one) for one in pending]
        for (i, *_), found in zip(here, _in_memory([one[1:] for one in here]), strict=True):
            out[i] = found
        return out


async def _ask(conversation: Conversation, beginning: Beginning) -> Continuation | Unscored:
    """One end; runs in the sample's task. Raises what is for Inspect to act upon."""
    given = beginning.text.rstrip()  # providers refuse white space at the end, or cut it off
    config = conversation.config.model_copy(
        update={
            "temperature": 0.0,
            "max_tokens": _left(conversation, beginning),
            **dict.fromkeys(("top_p", "top_k", "seed", "num_choices", "best_of", "logprobs", "top_logprobs")),
        }
    )
    masked = masker(getattr(conversation.model.api, "api_key", None))
    try:
        output = await conversation.model.generate(
            [*conversation.messages, ChatMessageAssistant(content=given)], config=config
        )
    except FOR_INSPECT:
        raise
    except Exception as error:  # whatever the provider raises
        told = getattr(error, "provider_message", None)
        return Unscored(f"the new end could not be written: {masked(_short(told or said(error)))}")
    return _read(conversation, beginning, given, output, masked)


def _read(
    conversation: Conversation, beginning: Beginning, given: str, output: ModelOutput, masked: Callable[[str], str]
) -> Continuation | Unscored:
    if output.error:
        return Unscored(f"the model reported an error: {masked(_short(output.error))}")
    if not output.empty and output.stop_reason == "content_filter":
        return Unscored(f"the model refused, or its provider did: {masked(_short(output.completion))!r}")
    text = output.completion.removeprefix(given)
    # Where the provider leaves out the line break behind the beginning, it stands there all the same.
    behind = text.lstrip() if beginning.text != given and text[:1].isspace() else text
    cut_off = not output.empty and output.stop_reason in ("max_tokens", "model_length")
    return _continuation(conversation, beginning, behind, cut_off=cut_off)


def _continuation(conversation: Conversation, beginning: Beginning, text: str, *, cut_off: bool) -> Continuation:
    return Continuation(text, cut_off, model_answer(beginning.text + text, None, conversation.options))


def _in_memory(asked: Sequence[tuple[Conversation, Beginning]]) -> list[Continuation | Unscored]:
    """Behind the prompt as the provider writes it out, on the weights that it holds; in this thread, in batches."""
    out: dict[int, Continuation | Unscored] = {}
    for model in {id(one.model): one.model for one, _ in asked}.values():
        mine = [i for i, (one, _) in enumerate(asked) if one.model is model]
        found = _of_model(model, [asked[i] for i in mine])
        out.update(zip(mine, found, strict=True))
    return [out[i] for i in range(len(asked))]


def _of_model(model: Model, asked: Sequence[tuple[Conversation, Beginning]]) -> list[Continuation | Unscored]:
    from ...metrics.engine.greedy import written_behind  # loads transformers, which other models do without

    lm, tokenizer = model_under_test(model).parts()
    how = getattr(model.api, "tokenizer_call_args", None) or {}  # as the provider encodes its prompts
    longest = getattr(lm.config, "max_position_embeddings", None) or math.inf
    until = list(dict.fromkeys(stop for one, _ in asked for stop in one.config.stop_seqs or ()))
    out: dict[int, Continuation | Unscored] = {}
    rows: dict[int, tuple[list[int], int]] = {}
    for i, (one, beginning) in enumerate(asked):
        ids = tokenizer(f"{one.prompt}{beginning.text}", **how)["input_ids"]
        used = len(tokenizer(beginning.text, add_special_tokens=False)["input_ids"])
        left = int(min(one.limit - used, longest - len(ids)))
        if left > 0:
            rows[i] = ids, left
        else:
            out[i] = Unscored(f"prompt and beginning leave no room for new tokens: the run's limit is {one.limit}")
    given = [ids for ids, _ in rows.values()]
    written = written_behind(lm, tokenizer, given, [left for _, left in rows.values()], batch_size=_BATCH, until=until)
    for i, found in zip(rows, written, strict=True):
        out[i] = _continuation(*asked[i], found.text, cut_off=found.truncated)
    return [out[i] for i in range(len(asked))]


def _left(conversation: Conversation, beginning: Beginning) -> int:
    """New tokens that the run's own limit leaves, by the beginning's share of the response."""
    tokens = conversation.tokens or 0
    used = round(tokens * len(beginning.text) / max(1, len(beginning.trace.response)))
    return max(_LEAST, conversation.limit - used)


def _outcome(future: Future[Continuation | Unscored]) -> Continuation | Unscored:
    try:
        return future.result()
    except Exception as error:  # the sample was stopped
        return Unscored(f"the new end could not be written: {said(error)}")


def _written(state: TaskState, events: Iterable[Event]) -> ModelEvent | None:
    """The event of the turn that is the sample's output, which knows the options that it was written with."""
    calls: list[Any] = [one for one in events if isinstance(one, ModelEvent) and not one.output.empty]
    message = None if state.output.empty else state.output.message.id
    return next((one for one in reversed(calls) if message is not None and one.output.message.id == message), None)


def _provider(model: Model) -> str:
    return str(model).partition("/")[0]


def _short(text: object) -> str:
    return " ".join(str(text)[: 4 * _MAX_ERROR].split())[:_MAX_ERROR]
