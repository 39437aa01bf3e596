"""Finds what the given tables and sentences say of a figure in a step.

A row is meant where the words of its label stand near the figure, a column where its year or its words do. A figure is
contradicted only where both are beyond doubt and the cell differs by more than rounding; what is not found is not
covered.
"""

from __future__ import annotations

from collections.abc import Sequence

from .agreement import agreement
from .amounts import Amount
from .candidates import places_of
from .context import About
from .doubts import doubt_about
from .owners import stranger
from .sentences import in_sentences
from .sources import MAX_SENTENCE, Finding, Source


def look_up(
    sentence: str, figures: Sequence[Amount], which: int, sources: Sequence[Source], before: Sequence[str] = ()
) -> Finding:
    """What `sources` say of the figure `figures[which]` of a sentence.

    Args:
        figures: the amounts in the sentence that are read off, in reading order.
        before: what is said before the sentence, the question first.
    """
    about = About(sentence[:MAX_SENTENCE], figures, which, sources, before)
    if found := _in_tables(about, sources):
        return found
    if found := in_sentences(about, sources):
        return found
    return Finding("insufficient", f"no cell or sentence given says what {about.figure.written} is")


def _in_tables(about: About, sources: Sequence[Source]) -> Finding | None:
    places = places_of(about, sources)
    if not places:
        return None
    figure = about.figure
    equal = [place for place in places if agreement(about, place) == "same"]
    if equal:
        place = next((place for place in equal if not stranger(about, place, strict=False)), equal[0])
        if whose := stranger(about, place, strict=False):
            return Finding("insufficient", f"{place.name} says {place.written}, but not of {whose!r}")
        return Finding("supported", f"{place.name} says {place.written}", (place.evidence(),))
    place = places[0]
    shown = f"{place.name} says {place.written}, not {figure.written}"
    if len({(p.source.passage.id, p.source.name, p.cell.row) for p in places}) > 1:
        return Finding("insufficient", f"{figure.written} may be of several rows, and is in none of them")
    if len(places) > 1:
        return Finding(
            "insufficient", f"{figure.written} may be of several cells of {place.row.label!r:.80}, and is none"
        )
    if doubt := doubt_about(about, place):
        return Finding("insufficient", f"{shown}; {doubt}")
    return Finding("contradicted", shown, (place.evidence(),))
