"""A gauge's claim extractors, judges and retriever: made from what the user names, freed and made again on demand."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from ..abilities import can, check_part
from ..names import lookup, unknown_name
from ..trace import Step, Trace
from .assess import assess
from .base import EXTRACTOR, JUDGE, RETRIEVER, ClaimExtractor, Frees, Judge, Retriever, Surroundings
from .types import Verdict

# A claim extractor, retriever or judge: its name, or {"name": …, option: value}.
Part: TypeAlias = str | Mapping[str, Any]
Made = TypeVar("Made")


class Known(Protocol):
    """What is registered, by name; `plugins.Registry` is one."""

    @property
    def extractors(self) -> Mapping[str, Callable[..., ClaimExtractor]]: ...
    @property
    def judges(self) -> Mapping[str, Callable[..., Judge]]: ...
    @property
    def retrievers(self) -> Mapping[str, Callable[..., Retriever]]: ...


@dataclass
class _Made:
    extractors: list[ClaimExtractor]
    judges: list[Judge]
    retriever: Retriever | None


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
        made = self._current()
        return assess(traces, steps, extractors=made.extractors, judges=made.judges, retriever=made.retriever)

    def describe(self) -> dict[str, Any]:
        """The parts' names, for a result's provenance."""
        made = self._current()
        return {
            "claims": [extractor.name for extractor in made.extractors],
            "judges": [judge.name for judge in made.judges],
            "retriever": None if made.retriever is None else made.retriever.name,
        }

    def close(self) -> None:
        """Free what the parts made here hold."""
        made, self._made = self._made, None
        if made is None:
            return
        claims, judges, retriever = self._given
        pairs = [*zip(claims, made.extractors, strict=True), *zip(judges, made.judges, strict=True)]
        for given, part in [*pairs, (retriever, made.retriever)]:
            if isinstance(given, str | Mapping) and can(part, Frees):
                part.close()

    def _current(self) -> _Made:
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> _Made:
        known = self._known
        claims, judges, retriever = self._given
        return _Made(
            [self._part("claim extractor", known.extractors, part, EXTRACTOR) for part in claims],
            [self._part("judge", known.judges, part, JUDGE) for part in judges],
            None if retriever is None else self._part("retriever", known.retrievers, retriever, RETRIEVER),
        )

    def _part(
        self, kind: str, factories: Mapping[str, Callable[..., Made]], part: Any, declared: tuple[type, ...]
    ) -> Made:
        """The part itself where it is ready-made, else one built from its name and options."""
        if not isinstance(part, str | Mapping):
            who = f"{kind} {part!r:.80}: expected a name, options with a 'name', or an object that is one"
            check_part(who, part, *declared)
            if not isinstance(part.name, str):
                raise ValueError(f"{who}: its name is {part.name!r:.80}")
            return part
        options = {} if isinstance(part, str) else dict(part)
        name = part if isinstance(part, str) else options.pop("name", None)
        if not isinstance(name, str):
            raise ValueError(f"{kind} {part!r}: expected a name, or options with a 'name'")
        factory = lookup(kind, factories, name)
        allowed = [key for key, p in inspect.signature(factory).parameters.items() if p.kind == p.KEYWORD_ONLY]
        for option in options:
            if option not in allowed:
                raise ValueError(f"{kind} {name!r}: {unknown_name('option', option, allowed)}")
        made = factory(self._around, **options)
        check_part(f"{kind} {name!r}", made, *declared)
        return made
