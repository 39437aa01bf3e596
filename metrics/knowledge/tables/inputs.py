"""Where the numbers of a calculation come from, and which of them is none of the given ones."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import Passage
from .agreement import agreement, equal_amounts
from .amounts import Amount, years
from .candidates import places_of
from .context import About
from .doubts import qualified
from .periods import periods
from .sentences import amounts_of
from .sources import Finding, Place, Source, quoted
from .words import stems

_OF_CHANGES = stems("percentage percent change difference increase decrease growth rate relative year over ratio by")


def inputs_of(values: Sequence[Amount], sources: Sequence[Source]) -> list[Passage | None]:
    """Where each number of a calculation stands in the sources; None: nowhere."""
    return [_anywhere(value, sources) for value in values]


def wrong_input(sentence: str, values: Sequence[Amount], missing: Amount, sources: Sequence[Source]) -> Finding | None:
    """The cell that a calculation should have taken its one unknown number from, where that is beyond doubt.

    The sentence names one row and years; all cells of these are numbers of the calculation, but one.
    """
    about = About(sentence, [missing], 0, sources)
    about.before = about.head = about.after = sentence
    about.periods = periods(sentence)
    about.years = frozenset(year for *_, year in years(sentence))
    places = places_of(about, sources)
    if not about.years or len({(p.source.passage.id, p.source.name, p.cell.row) for p in places}) != 1:
        return None
    known = {abs(value.value) for value in values}
    left = [place for place in places if abs(place.cell.value) not in known]
    if len(places) != len(about.years) or len(places) < 2 or len(left) != 1 or qualified(about, places[0], _OF_CHANGES):
        return None
    if not left[0].column.sure or agreement(about, left[0]):
        return None
    return Finding(
        "contradicted", f"{left[0].name} says {left[0].written}, not {missing.written}", (left[0].evidence(),)
    )


def _anywhere(value: Amount, sources: Sequence[Source]) -> Passage | None:
    """The cell or sentence that says a number, whatever it is of."""
    for source in sources:
        for cell in source.table.cells if source.table is not None else ():
            scaled = (cell.value, cell.value * (cell.scale or 1))
            if any(abs(value.value * value.scale) == abs(v) or abs(value.value) == abs(v) for v in scaled):
                return Place(source, source.table, cell).evidence() if source.table is not None else None
    for source in sources:
        for number, sentence in enumerate(source.sentences, 1):
            for one in amounts_of(sentence):
                if abs(one.value) == abs(value.value) or equal_amounts(value, one):
                    return quoted(source, number, sentence)
    return None
