"""The three parts of the knowledge core that plugins bring: claim extractors, retrievers, judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..likelihood import LikelihoodBackend
from ..trace import Step, Trace
from .types import Claim, ExtractionFailed, Label, Passage, Verdict


@dataclass(frozen=True)
class Surroundings:
    """What a gauge offers to the parts that are made for it.

    Attributes:
        likelihoods: gives the gauge's likelihood backend, loading it on the first call; raises ScorerError.
        corpus: folder of an indexed corpus (`stepgauge corpus build`), or None.
        scorer: the name of the backend's scoring LM, or None where there is none.
        progress: whether slow parts show a progress bar; None: on a terminal only.
    """

    likelihoods: Callable[[], LikelihoodBackend]
    corpus: str | None = None
    scorer: str | None = None
    progress: bool | None = None


def _nothing_to_free() -> None:
    return None


def _nothing_to_say() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class ClaimExtractor:
    """Finds what steps assert.

    Attributes:
        extract: `extract(traces, steps)` returns, per trace, the claims of its steps in reading order, and an
            `ExtractionFailed` in place of the claims of a step that could not be read. What it raises is the failure of
            every step.
        close: frees what the extractor holds.
        describe: see `Describes`.
    """

    name: str
    extract: Callable[[Sequence[Trace], Sequence[Sequence[Step]]], Sequence[Sequence[Claim | ExtractionFailed]]]
    close: Callable[[], None] = _nothing_to_free
    describe: Callable[[], Mapping[str, Any]] = _nothing_to_say


class Extracts(Protocol):
    """What makes any object a claim extractor; see `ClaimExtractor`."""

    name: str

    def extract(
        self, traces: Sequence[Trace], steps: Sequence[Sequence[Step]]
    ) -> Sequence[Sequence[Claim | ExtractionFailed]]: ...


class Retriever(Protocol):
    """Finds evidence. `claims[i]` belongs to `traces[i]`; returns a list of passages per claim, best first.

    What a retriever may have besides: `HasFloor`, `Frees`.
    """

    name: str

    def retrieve(self, claims: Sequence[Claim], traces: Sequence[Trace]) -> list[list[Passage]]: ...


class Judge(Protocol):
    """Decides claims, in batches.

    Attributes:
        name: stands in every verdict.
        kinds: the claim kinds it can decide; None: every kind.
        needs_evidence: whether passages must be retrieved for it first.

    What a judge may have besides: `ReadsTraces`, `SaysLabels`, `Computes`, `Frees`.
    """

    name: str
    kinds: frozenset[str] | None
    needs_evidence: bool

    def judge(self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]]) -> list[Verdict | None]:
        """One verdict per claim; None passes the claim on to the next judge of the panel."""
        ...


class ReadsTraces(Protocol):
    """A judge that, where `needs_traces` is true, is shown the trace of each claim."""

    needs_traces: bool

    def judge(
        self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]], traces: Sequence[Trace]
    ) -> list[Verdict | None]:
        """See `Judge`; `traces[i]` is the trace of `claims[i]`."""
        ...


class HasFloor(Protocol):
    """A retriever whose passages that score below `floor` are no evidence; None: all are."""

    floor: float | None


class Frees(Protocol):
    """A part that holds something: a model, connections, files."""

    def close(self) -> None:
        """Free it. A part that a gauge made by its name is closed with the gauge."""
        ...


class Describes(Protocol):
    """A part that says what its findings depend on beside its options, for a result's provenance."""

    def describe(self) -> Mapping[str, Any]:
        """JSON: a corpus's digest, a prompt's hash, the model that a server reports."""
        ...


class SaysLabels(Protocol):
    """A judge that says which labels it can give; the others give all three."""

    name: str
    labels: frozenset[Label]


class Computes(Protocol):
    """A judge that, where `computes` is true, calculates or looks up to the letter, and estimates nothing.

    Tables do not say of it that it was not measured.
    """

    name: str
    computes: bool


# What a part of each kind must meet, then what it may meet.
EXTRACTOR = (Extracts, Describes, Frees)
RETRIEVER = (Retriever, HasFloor, Describes, Frees)
JUDGE = (Judge, ReadsTraces, SaysLabels, Computes, Describes, Frees)
