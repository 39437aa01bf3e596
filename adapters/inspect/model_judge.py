"""The judge `model`: asks an Inspect model, by default the one in the role `grader`, whether passages support a claim.

Each claim is one call, made in the task of its own sample, so that Inspect's transcript, usage, limits, cache,
connections and retries work as for any other grader. A call that fails leaves its claim unlabelled, with the error.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from inspect_ai.model import (
    CachePolicy,
    ChatMessage,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    ResponseSchema,
    get_model,
    model_roles,
)
from inspect_ai.util import JSONSchema

from ...metrics import Trace
from ...metrics.knowledge.base import Judge
from ...metrics.knowledge.chat.claim_message import MAX_MESSAGE_CHARACTERS, claim_message
from ...metrics.knowledge.chat.context import CONTEXT_CHARACTERS, Contexts, check_context
from ...metrics.knowledge.chat.injection import LEFT_OUT, ONLY_ORDERS, without_orders
from ...metrics.knowledge.chat.prompts import Prompt, read_prompt
from ...metrics.knowledge.chat.reply import SCHEMA, BadReply, Finding, read_verdict
from ...metrics.knowledge.components import Part
from ...metrics.knowledge.types import Claim, Passage, Verdict
from ...metrics.names import unknown_name
from ...metrics.plugins import registry
from ...metrics.servers.secrets import masker
from .options import OptionError
from .sample_calls import FOR_INSPECT, SampleCalls

log = logging.getLogger(__name__)

NAME = "model"
KINDS = frozenset({"sentence"})
STRUCTURED = ("auto", "always", "never")
_SELF = " (model under test)"
_MAX_ERROR = 300

T = TypeVar("T")


@dataclass(frozen=True)
class Totals:
    """What one judge has done since it was made. Tokens are in the log, with those of every other model.

    Attributes:
        claims: claims it was asked about.
        calls: calls made, those that Inspect answered from its cache included; its retries count once.
        failed: claims left without a label.
    """

    claims: int = 0
    calls: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Grader:
    """The model that judges one sample's claims, and the judge's name in its verdicts."""

    model: Model
    name: str


@dataclass(frozen=True)
class _Seat:
    grader: Grader
    calls: SampleCalls


class ModelJudge:
    """Judges claims of kind "sentence"; its name is "model:" and the model.

    `judge` is called in a worker thread and finds, by trace, the samples that wait for it in `attend`.
    """

    kinds: frozenset[str] | None = KINDS
    needs_evidence = True
    needs_traces = True

    def __init__(
        self,
        *,
        role: str,
        required: bool,
        model: str | None,
        prompt: Prompt,
        cache: bool | CachePolicy | None,
        structured: str,
        context_characters: int = CONTEXT_CHARACTERS,
    ) -> None:
        self.name = f"{NAME}:{model}" if model else f"{NAME}:role {role}"  # where it is not known which model that is
        self._role = role
        self._required = required
        self._model = model
        self._prompt = prompt
        self._cache: dict[str, Any] = {} if cache is None else {"cache": cache}
        self._structured = structured
        self._context = context_characters
        self._takes_no_schema: set[str] = set()
        self._judges_itself: set[str] = set()
        self._seats: dict[int, _Seat] = {}
        self._lock = threading.Lock()
        self._totals = Totals()

    @property
    def totals(self) -> Totals:
        """The totals so far."""
        with self._lock:
            return self._totals

    def describe(self) -> dict[str, str]:
        """The prompt's digest; the model is in the verdicts' and the judge's name."""
        return {"prompt_sha256": self._prompt.digest()}

    def grader(self, tested: str | None) -> Grader:
        """The model for the sample whose task calls this. As for Inspect's own graders, a role that is not bound to a
        model falls back to the model being evaluated; the verdicts' judge then says so.

        Args:
            tested: name of the model under test.

        Raises:
            PrerequisiteError: a required role is not bound, or there is no such model.
        """
        model = self._resolve()
        name = f"{NAME}:{model}"
        if str(model) != tested:
            return Grader(model, name)
        with self._lock:
            first = name not in self._judges_itself
            self._judges_itself.add(name)
        if first:
            log.warning(
                "judge %s: the model under test judges its own claims; bind another one with --model-role %s=…",
                name,
                self._role,
            )
        return Grader(model, name + _SELF)

    async def attend(self, trace: Trace, grader: Grader, work: Callable[[], Awaitable[T]]) -> T:
        """`await work()`, which has this very trace judged in another thread. Raises what `work` or a limit raises."""
        calls = SampleCalls()
        self._seats[id(trace)] = _Seat(grader, calls)
        try:
            return await calls.serve_while(work)
        finally:
            del self._seats[id(trace)]

    def judge(
        self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]], traces: Sequence[Trace]
    ) -> list[Verdict | None]:
        """See `Judge`. Claims of one sample with the same text, passages and context share one call."""
        asked: dict[tuple[int, str], Future[Finding]] = {}
        pending: list[Future[Finding] | str | None] = []
        seats = [self._seats.get(id(trace)) for trace in traces]
        contexts = Contexts(self._context)
        for claim, passages, trace, seat in zip(claims, evidence, traces, seats, strict=True):
            message = claim_message(claim, passages, contexts.of(claim, trace))
            if not passages:
                pending.append(None)
            elif not without_orders(claim.text)[0]:
                pending.append(ONLY_ORDERS)
            elif seat is None:
                pending.append("not asked: no sample of Inspect's is waiting for this chain")
            elif len(message) > MAX_MESSAGE_CHARACTERS:
                pending.append(f"not asked: a prompt of {len(message)} characters, more than {MAX_MESSAGE_CHARACTERS}")
            else:
                key = (id(seat), message)
                if key not in asked:
                    asked[key] = seat.calls.submit(partial(self._ask, seat.grader, message))
                pending.append(asked[key])
        verdicts = [
            self._verdict(claim, passages, seat, outcome)
            for claim, passages, seat, outcome in zip(claims, evidence, seats, pending, strict=True)
        ]
        errors = Counter(verdict.error for verdict in verdicts if verdict.error)
        self._count(claims=len(claims), failed=errors.total())
        totals = self.totals
        log.info(
            "judge %s so far: %d claims, %d failed; %d calls", self.name, totals.claims, totals.failed, totals.calls
        )
        if errors:
            error, n = errors.most_common(1)[0]
            log.warning("judge %s: %d of %d claims failed; %d× %s", self.name, errors.total(), len(claims), n, error)
        return list(verdicts)

    def _verdict(
        self, claim: Claim, passages: Sequence[Passage], seat: _Seat | None, outcome: Future[Finding] | str | None
    ) -> Verdict:
        name = seat.grader.name if seat else self.name
        if outcome is None:
            return Verdict(claim, "insufficient", name, reason="no evidence was found")
        shown = tuple(passages)
        if isinstance(outcome, str):
            return Verdict(claim, None, name, evidence=shown, error=outcome)
        try:
            finding = outcome.result()
        except Exception as error:  # whatever a provider raises: an outage is no verdict
            return Verdict(claim, None, name, evidence=shown, error=_told(error))
        reason = f"{finding.reason}; {LEFT_OUT}" if without_orders(claim.text)[1] else finding.reason
        return Verdict(claim, finding.label, name, probability=finding.probability, evidence=shown, reason=reason)

    def _resolve(self) -> Model:
        if self._model is None:
            bound = model_roles().get(self._role)
            if isinstance(bound, list) and len(bound) > 1:
                names = ", ".join(str(model) for model in bound)
                raise OptionError(
                    f"judge {NAME!r}: the role {self._role!r} is bound to {len(bound)} models ({names}), "
                    f"but this judge asks one; bind one to a role of its own, and name that in the option 'role'"
                )
            return get_model(role=self._role, required=self._required)
        try:
            return get_model(self._model)
        except ValueError as error:
            raise OptionError(f"judge {NAME!r}, option model {self._model!r}: {error}") from error

    async def _ask(self, grader: Grader, message: str) -> Finding:
        """One verdict; runs in the sample's task. Raises BadReply, and what is for Inspect to act upon."""
        masked = masker(getattr(grader.model.api, "api_key", None))  # a provider's words may hold it
        try:
            return await self._verdict_on(grader, message, masked)
        except FOR_INSPECT:
            raise
        except Exception as error:  # whatever the provider raises
            raise BadReply(masked(_told(error))) from error

    async def _verdict_on(self, grader: Grader, message: str, masked: Callable[[str], str]) -> Finding:
        messages = [ChatMessageSystem(content=self._prompt.text), ChatMessageUser(content=message)]
        return read_verdict(masked(_text(await self._generate(grader, messages))))

    async def _generate(self, grader: Grader, messages: list[ChatMessage]) -> ModelOutput:
        if self._structured == "never" or grader.name in self._takes_no_schema:
            return await self._call(grader, messages, GenerateConfig())
        schema = ResponseSchema(name="verdict", json_schema=JSONSchema.model_validate(SCHEMA), strict=True)
        try:
            return await self._call(grader, messages, GenerateConfig(response_schema=schema))
        except FOR_INSPECT:
            raise
        except Exception as error:  # raised again below unless it is a refusal of the schema
            if self._structured == "always" or _status(error) not in (400, 422):
                raise
            try:
                output = await self._call(grader, messages, GenerateConfig())
            except FOR_INSPECT:
                raise
            except Exception:
                raise error from None  # the format was not what it minded
        if grader.name not in self._takes_no_schema:
            self._takes_no_schema.add(grader.name)
            log.warning("judge %s: the model takes no JSON schema; its replies are read as text", grader.name)
        return output

    async def _call(self, grader: Grader, messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        self._count(calls=1)
        return await grader.model.generate(messages, config=config, **self._cache)

    def _count(self, **more: int) -> None:
        with self._lock:
            totals = self._totals
            self._totals = replace(totals, **{name: getattr(totals, name) + n for name, n in more.items()})


def _text(output: ModelOutput) -> str:
    """The reply's text. Raises BadReply saying what came instead."""
    if output.error:
        raise BadReply(f"the model reported an error: {_one_line(output.error)}")
    if not output.empty and output.stop_reason in ("max_tokens", "model_length"):
        raise BadReply(f"the reply is incomplete: the grader's token limit was reached ({output.stop_reason})")
    if not output.empty and output.stop_reason == "content_filter":
        raise BadReply(f"the model refused, or its provider did: {_one_line(output.completion)!r}")
    if output.empty or not output.completion.strip():
        raise BadReply("the reply is empty")
    return output.completion


def _told(error: Exception) -> str:
    if isinstance(error, BadReply):
        return str(error)
    # Inspect's own wrapper repeats the whole request; the provider's message is what tells.
    message = getattr(error, "provider_message", None) or str(error)
    return f"{type(error).__name__}: {_one_line(str(message))}"


def _one_line(text: str) -> str:
    return " ".join(text[: 4 * _MAX_ERROR].split())[:_MAX_ERROR]


def _status(error: BaseException) -> int | None:
    """The HTTP status that a provider's error carries, under one of the names in use."""
    for name in ("status_code", "code"):
        if isinstance(status := getattr(error, name, None), int):
            return status
    return None


def make(
    *,
    role: str = "grader",
    required: bool = False,
    model: str | None = None,
    prompt: str = "default",
    cache: bool | str | None = None,
    structured: str = "auto",
    context_characters: int = CONTEXT_CHARACTERS,
) -> ModelJudge:
    """Make the judge `model`.

    Args:
        role: the model role that judges. One that is not bound falls back to the model being evaluated.
        required: end the run instead.
        model: an Inspect model's name ("openai/gpt-4o"), which takes precedence over the role.
        prompt: "default", or a .txt file with a system prompt of your own (see `prompts/openai_default.txt`).
        cache: Inspect's cache of replies: True keeps them for a week, a text such as "12h" as long as it says, False
            not at all; None is as the run says. Epochs share replies, since the judge is not what is tested.
        structured: "auto" asks for a JSON schema, and for plain JSON once the provider has refused that (HTTP 400 or
            422); "always", "never". Providers that know no schemas ignore it.
        context_characters: how much of the question and of the steps before a claim is shown with it, half each, from
            their ends; 0: nothing.

    Raises:
        ValueError: an option that is wrong.
    """
    for name, value, example in (("role", role, "grader"), ("model", model, "openai/gpt-4o")):
        if not (isinstance(value, str) and value.strip()) and not (name == "model" and value is None):
            raise _wrong(name, value, f"expected a name, such as {example!r}")
    if not isinstance(required, bool):
        raise _wrong("required", required, "expected true or false")
    if structured not in STRUCTURED:
        raise _wrong("structured", structured, f"expected {', '.join(STRUCTURED)}")
    check_context(f"judge {NAME!r}", context_characters)
    read = read_prompt("openai", prompt, ())
    if not read.text:
        raise _wrong("prompt", prompt, "expected the text of a system prompt, without turns")
    return ModelJudge(
        role=role,
        required=required,
        model=model,
        prompt=read,
        cache=_policy(cache),
        structured=structured,
        context_characters=context_characters,
    )


def _policy(cache: object) -> bool | CachePolicy | None:
    if cache is None or cache is False:
        return cache
    policy = CachePolicy() if cache is True else None
    if isinstance(cache, str) and cache:
        policy = CachePolicy.from_string(cache)
    if policy is None:
        raise _wrong("cache", cache, "expected true, false, or how long replies are kept, such as '12h' or '4W'")
    return policy.model_copy(update={"per_epoch": False})


def _wrong(name: str, value: object, what: str) -> ValueError:
    return ValueError(f"judge {NAME!r}, option {name} {value!r:.80}: {what}")


def make_judges(judges: Sequence[Part | Judge]) -> list[Part | Judge | ModelJudge]:
    """`judges` with the judge `model`, which the core does not know, made.

    Raises:
        ValueError: an unknown judge, or a wrong option of this one.
    """
    out: list[Part | Judge | ModelJudge] = []
    for part in judges:
        options = dict(part) if isinstance(part, Mapping) else {}
        name = options.pop("name", None) if isinstance(part, Mapping) else part
        if isinstance(name, str) and name != NAME and name not in (known := registry().judges):
            raise ValueError(unknown_name("judge", name, [*known, NAME]))
        if name != NAME:
            out.append(part)
            continue
        allowed = inspect.signature(make).parameters
        for option in options:
            if option not in allowed:
                raise ValueError(f"judge {NAME!r}: {unknown_name('option', option, allowed)}")
        out.append(make(**options))
    return out
