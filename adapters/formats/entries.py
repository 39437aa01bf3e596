"""What a reader finds in a finished run's file: a chain to score, a row it cannot read, or a row without a chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...metrics import Trace
from ...metrics.comparison.record import question_hash

UNREADABLE_FILE = "the file cannot be read"
# Sums and squares of many such numbers are finite, too; what is beyond is no measure of anything.


class Unreadable(Exception):
    """A row that holds no chain, or a file that holds no row.

    Attributes:
        kind: the reason in a few fixed words, by which such rows are counted.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


@dataclass(frozen=True)
class Where:
    """A place in the input: the file as it was named, the row (from 1; 0: all of it), and which of the row's chains."""

    file: str
    row: int
    repeat: int = 0

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}" if self.row else self.file


@dataclass(frozen=True)
class Entry:
    """One chain with what its file says about it.

    Attributes:
        accuracy: the framework's own numbers for the row, by name.
        source: where in the row the chain stood, for the provenance; None where there is only one place.
        notes: things a reader of the score should know.
        no_gold: why there is no gold answer; None where there is one.
        truncated: whether a length limit cut the response off; None where the file does not say.
        accuracy_shared: why `accuracy` is of all responses to the question together and not of this one; None: it is
            of this one.
        read_answers: the answers that the framework's metrics saw, by the metric's name.
        should_abstain: whether the question should be left unanswered; None where the file does not say.
    """

    where: Where
    trace: Trace
    task: str | None = None
    model: str | None = None
    doc_id: str | int | None = None
    accuracy: Mapping[str, float] = field(default_factory=dict)
    subject: str | None = None
    source: str | None = None
    notes: tuple[str, ...] = ()
    no_gold: str | None = None
    truncated: bool | None = None
    accuracy_shared: str | None = None
    read_answers: Mapping[str, str] = field(default_factory=dict)
    should_abstain: bool | None = None

    @property
    def question_hash(self) -> str:
        """Hex digest of what is asked, options and all: pairs chains of different runs."""
        return question_hash(self.trace.question, self.trace.choices)


@dataclass(frozen=True)
class Skipped:
    """A row, or one of its chains, that cannot be read; `kind` is what it is counted under."""

    where: Where
    kind: str
    reason: str


@dataclass(frozen=True)
class Passed:
    """A row that is in order and brings no chain of its own; counted by reason."""

    reason: str


Item = Entry | Skipped | Passed


def text(row: Mapping[str, Any], name: str) -> str:
    """The row's text field of that name. Raises Unreadable."""
    if name not in row:
        raise Unreadable(f"no field {name!r}", f"the row has {', '.join(map(str, row))[:200]}")
    if not isinstance(row[name], str):
        raise Unreadable(f"field {name!r} is no text", f"got {row[name]!r:.80}")
    return row[name]


def identifier(value: object) -> str | int | None:
    """`value` as the name that a data set gives a document; None for anything but text and whole numbers."""
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


SHOULD_ABSTAIN = "should_abstain"


def should_abstain_in(*places: object) -> bool | None:
    """What the first of these mappings that has the field says: whether the question should be left unanswered.

    Raises Unreadable for what is neither true nor false (nor 1 nor 0, nor null).
    """
    for place in places:
        value = place.get(SHOULD_ABSTAIN) if isinstance(place, Mapping) else None
        if value is None:
            continue
        if value not in (True, False):
            raise Unreadable(f"field {SHOULD_ABSTAIN!r} is neither true nor false", f"got {value!r:.80}")
        return bool(value)
    return None


def subject_of(row: Mapping[str, Any]) -> str | None:
    """The subject that data sets give under several names."""
    for name in ("category", "subject", "subject_name", "subfield"):
        if isinstance(row.get(name), str) and row[name]:
            return row[name]
    return None
