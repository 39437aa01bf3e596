"""A gauge's claim extractors, judges and retriever: made from what the user names, freed and made again on demand."""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from ..abilities import call_factory, can, check_part
from ..addresses import without_login
from ..errors import THIRD_PARTY, said
from ..names import lookup, unknown_name
from ..trace import Step, Trace
from .assess import assess
from .base import (
    EXTRACTOR,
    JUDGE,
    RETRIEVER,
    ClaimExtractor,
    Computes,
    Describes,
    Frees,
    Judge,
    Retriever,
    SaysLabels,
    Surroundings,
)
from .policy import Policy
from .types import NO_JUDGE, Verdict

log = logging.getLogger(__name__)

# A claim extractor, retriever or judge: its name, or {"name": …, option: value}.
Part: TypeAlias = str | Mapping[str, Any]
Made = TypeVar("Made")

_KINDS = {"extractors": "claim extractor", "judges": "judge", "retrievers": "retriever"}
# Options that say how a part works and not what it finds; a provenance with them would tell equal runs apart.
_HANDLING = (
    *("timeout", "max_retries", "backoff", "concurrency", "cache", "prompt_price", "completion_price", "api_key_env"),
    *("device", "batch_size"),
)


_AGAIN = " #"  # between the name of two parts and a number
# What an address may hold that is no address: a name and a password, a key.
_IN_ADDRESS = re.compile(r"(?<=//)[^/@\s]+(?=@)|(?<=[?&])[^\s#]+")


class Known(Protocol):
    """What is registered, by name; `plugins.Registry` is one."""

    @property
    def extractors(self) -> Mapping[str, Callable[..., ClaimExtractor]]: ...
    @property
    def judges(self) -> Mapping[str, Callable[..., Judge]]: ...
    @property
    def retrievers(self) -> Mapping[str, Callable[..., Retriever]]: ...
    def whose(self, kind: str, name: str) -> str: ...


@dataclass
class _Made:
    extractors: list[ClaimExtractor]
    judges: list[Judge]
    retriever: Retriever | None
    whose: dict[int, str]
    """" of DISTRIBUTION" for a third party's part, by the part's id."""
    options: dict[int, dict[str, Any]]
    """What parts made by name were made with, without what does not shape a verdict."""


class KnowledgeParts:
    """Everything that a gauge judges knowledge with.

    All parts are made at once, so that a wrong option shows before anything is generated. `close` frees those that
    were made here; the next `assess` makes them again.

    Args:
        known: the registered parts.
        around: what is offered to the parts.
        claims, judges, retriever: names, mappings of a name and options, or ready-made objects.

    Raises:
        ValueError: a part that is not known, or an option of its that is wrong; names the nearest valid one.
    """

    def __init__(
        self,
        known: Known,
        around: Surroundings,
        claims: Sequence[Part | ClaimExtractor],
        judges: Sequence[Part | Judge],
        retriever: Part | Retriever | None,
    ) -> None:
        self._known = known
        self._around = around
        self._given = (claims, judges, retriever)
        self._made: _Made | None = self._make()

    def assess(self, traces: Sequence[Trace], steps: Sequence[Sequence[Step]]) -> list[list[list[Verdict]]]:
        """See `knowledge.assess`."""
        parts = self._current()
        return assess(
            traces,
            steps,
            extractors=parts.extractors,
            judges=parts.judges,
            retriever=parts.retriever,
            whose=lambda part: parts.whose.get(id(part), ""),
        )

    @property
    def needs_evidence(self) -> bool:
        """Whether any judge is shown passages."""
        return any(judge.needs_evidence for judge in self._current().judges)

    def panel(self) -> tuple[Sequence[ClaimExtractor], Sequence[Judge], Retriever | None]:
        """The parts themselves."""
        made = self._current()
        return made.extractors, made.judges, made.retriever

    def describe(self) -> dict[str, Any]:
        """For a result's provenance: the parts' names, and under `evidence` what their verdicts depend on.

        That is for each part its options, defaults included, and what it says of itself (`Describes`): the corpus's
        digest, the prompt's, the model that a server reports.
        """
        made = self._current()
        parts = [*made.extractors, *made.judges, *([made.retriever] if made.retriever else [])]
        evidence: dict[str, dict[str, Any]] = {}
        for part in parts:
            if about := {**made.options.get(id(part), {}), **_said_of_itself(part)}:
                same = sum(name.partition(_AGAIN)[0] == part.name for name in evidence)
                evidence[f"{part.name}{_AGAIN}{same + 1}" if same else part.name] = about
        return {
            "claims": [extractor.name for extractor in made.extractors],
            "judges": [judge.name for judge in made.judges],
            "retriever": None if made.retriever is None else made.retriever.name,
            "evidence": evidence,
        }

    def judges_described(self) -> list[tuple[str, dict[str, Any]]]:
        """Each judge's name, and what its verdicts depend on: as under `evidence` of `describe`."""
        made = self._current()
        return [(judge.name, {**made.options.get(id(judge), {}), **_said_of_itself(judge)}) for judge in made.judges]

    def warn_of_policy(self, policy: Policy) -> None:
        """Say of judges that cannot make any claim inconsistent: KI would be 1 wherever they alone judge."""
        for judge in self._current().judges:
            if can(judge, SaysLabels) and policy.unsupported != "inconsistent" and "contradicted" not in judge.labels:
                log.warning(
                    "policy %r: judge %r never says 'contradicted', so no claim that it judges can be inconsistent and "
                    "KI cannot fall below 1 by it; use the policy 'default'",
                    policy.name,
                    judge.name,
                )

    def close(self) -> None:
        """Free what the parts made here hold."""
        made, self._made = self._made, None
        if made is None:
            return
        claims, judges, retriever = self._given
        pairs = [*zip(claims, made.extractors, strict=True), *zip(judges, made.judges, strict=True)]
        for given, part in [*pairs, (retriever, made.retriever)]:
            if isinstance(given, str | Mapping) and can(part, Frees):
                try:
                    part.close()
                except THIRD_PARTY as error:  # what was found stands, and the others are closed
                    log.warning("%r%s could not be closed: %s", given, made.whose.get(id(part), ""), said(error))

    def _current(self) -> _Made:
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> _Made:
        known = self._known
        claims, judges, retriever = self._given
        made = _Made([], [], None, {}, {})
        made.extractors += [self._part(made, "extractors", known.extractors, part, EXTRACTOR) for part in claims]
        made.judges += [self._part(made, "judges", known.judges, part, JUDGE) for part in judges]
        if retriever is not None:
            made.retriever = self._part(made, "retrievers", known.retrievers, retriever, RETRIEVER)
        return made

    def _part(
        self,
        parts: _Made,
        registered: str,
        factories: Mapping[str, Callable[..., Made]],
        part: Any,
        declared: tuple[type, ...],
    ) -> Made:
        """The part itself where it is ready-made, else one built from its name and options."""
        kind = _KINDS[registered]
        if not isinstance(part, str | Mapping):
            who = (
                f"{kind} {without_login(part)!r:.80}: expected a name, options with a 'name', or an object that is one"
            )
            check_part(who, part, *declared)
            _check_values(who, part)
            return part
        options = {} if isinstance(part, str) else dict(part)
        name = part if isinstance(part, str) else options.pop("name", None)
        if not isinstance(name, str):
            raise ValueError(f"{kind} {without_login(part)!r}: expected a name, or options with a 'name'")
        factory = lookup(kind, factories, name)
        allowed = [key for key, p in inspect.signature(factory).parameters.items() if p.kind == p.KEYWORD_ONLY]
        for option in options:
            if option not in allowed:
                raise ValueError(f"{kind} {name!r}: {unknown_name('option', option, allowed)}")
        who = f"{kind} {name!r}{self._known.whose(registered, name)}"
        made = call_factory(who, factory, self._around, **options)
        check_part(who, made, *declared)
        _check_values(who, made)
        parts.whose[id(made)] = self._known.whose(registered, name)
        defaults = {key: inspect.signature(factory).parameters[key].default for key in allowed}
        shaping = {key: _as_json(value) for key, value in {**defaults, **options}.items() if key not in _HANDLING}
        parts.options[id(made)] = shaping
        return made


def _check_values(who: str, part: Any) -> None:
    """What stands in every verdict, and what decides which claims a judge is asked. Raises ValueError."""
    if not isinstance(part.name, str) or not part.name:
        raise ValueError(f"{who}: its name is {part.name!r:.80}, expected text")
    if part.name == NO_JUDGE:
        raise ValueError(f"{who}: its name is {NO_JUDGE!r}, which stands for no judge")
    kinds = getattr(part, "kinds", None)
    if kinds is not None and not (
        isinstance(kinds, Collection) and not isinstance(kinds, str) and all(isinstance(kind, str) for kind in kinds)
    ):
        raise ValueError(f"{who}: its kinds are {kinds!r:.80}, expected a set of texts or None")


def _said_of_itself(part: object) -> dict[str, Any]:
    try:
        about = part.describe() if can(part, Describes) else {}
        computes = {"computes": True} if can(part, Computes) and part.computes is True else {}
        return {**{str(key): _as_json(value) for key, value in about.items()}, **computes}
    except THIRD_PARTY as error:
        return {"not_described": said(error)}


def _as_json(value: object) -> Any:
    if isinstance(value, str) and "://" in value:
        return _IN_ADDRESS.sub("***", value)
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return repr(value)[:200]
