"""The claim extractor `citations`: what a step quotes, and which provisions it cites.

Claims of kind "quotation" are quoted words with what they are attributed to (“hearsay means a statement …” — Rule
801(c)); claims of kind "citation" are cited provisions, and with `cases` cited American cases. Their query is what a
retriever looks up: the cited provision, else the quoted words.

No claims are: quotations of fewer than `min_words` words, which are mostly terms and scare quotes; quotations and
citations that stand in the question or its options and not in the passages that came with it, since they say nothing
about the evidence; a citation that the step has made before; final-answer steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ...trace import Step, Trace
from ..base import ClaimExtractor, Surroundings
from ..law.cases import check_cases, find_cases
from ..law.citations import CITATION, find_citations
from ..law.quotations import QUOTATION, Quotation, find_quotations, written
from ..law.words import Text, as_text, contains, pieces_of
from ..types import Claim, ExtractionFailed

NAME = "citations"
MIN_WORDS = 4
# What is read of the question, from its end, and of each passage.
_READ = 400_000


def make(around: Surroundings, *, min_words: int = MIN_WORDS, cases: bool = False) -> ClaimExtractor:
    """The extractor.

    Args:
        min_words: quotations with fewer words are no claims.
        cases: also claim citations of American cases, which eyecite reads (the extra `law`).

    Raises:
        ValueError: an option that is out of range, or eyecite is wanted and not installed.
    """
    del around
    if isinstance(min_words, bool) or not isinstance(min_words, int) or min_words < 1:
        raise ValueError(f"claim extractor {NAME!r}, min_words {min_words!r}: expected a whole number, 1 or more")
    if cases:
        check_cases()
    return ClaimExtractor(NAME, partial(_extract_all, min_words=min_words, cases=bool(cases)))


def _extract_all(
    traces: Sequence[Trace], steps: Sequence[Sequence[Step]], *, min_words: int, cases: bool
) -> list[list[Claim | ExtractionFailed]]:
    return [_extract(trace, own, min_words, cases) for trace, own in zip(traces, steps, strict=True)]


def _extract(trace: Trace, steps: Sequence[Step], min_words: int, cases: bool) -> list[Claim | ExtractionFailed]:
    told = _Told(trace)
    out: list[Claim | ExtractionFailed] = []
    for index, step in enumerate(steps):
        if step.kind == "final_answer":
            continue
        for found in find_quotations(step.text):
            if _is_claim(found, min_words, told):
                start, end = step.start + found.start, step.start + found.end
                cited = find_citations(found.attribution)
                query = f"{found.attribution}: {found.text}" if cited else found.text
                out.append(Claim(written(found), index, start, end, QUOTATION, query))
        made: set[str] = set()
        cited_here = [(one.start, one.end, one.key, one.lead, one.tail) for one in find_citations(step.text)]
        cases_here = [(*found, "", "") for found in find_cases(step.text)] if cases else []
        for start, end, key, lead, tail in [*cited_here, *cases_here]:
            if key not in made and not told.cites(key):
                made.add(key)
                text = " ".join((lead + step.text[start:end] + tail).split())
                query = text if find_citations(text) else key
                out.append(Claim(text, index, step.start + start, step.start + end, CITATION, query))
    return out


def _is_claim(quotation: Quotation, min_words: int, told: _Told) -> bool:
    pieces = pieces_of(quotation.text)
    if sum(len(piece.words) for piece in pieces) < min_words:
        return False
    return (quotation.said and bool(find_citations(quotation.attribution))) or not told.says(pieces)


class _Told:
    """What the prompt says and the passages do not."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._asked: list[Text] | None = None
        self._given: list[Text] = []
        self._cited: set[str] | None = None

    def says(self, pieces: Sequence) -> bool:
        if self._asked is None:
            self._asked = [as_text(text[-_READ:]) for text in (self._trace.question, *(self._trace.choices or ()))]
            self._given = [as_text(text[:_READ]) for text in _passage_texts(self._trace)]
        inside = any(contains(text, pieces) for text in self._asked)
        return inside and not any(contains(text, pieces) for text in self._given)

    def cites(self, key: str) -> bool:
        if self._cited is None:
            given = {one.key for text in _passage_texts(self._trace) for one in find_citations(text[:_READ])}
            asked = {one.key for one in find_citations(self._trace.question[-_READ:])}
            self._cited = asked - given
        return key in self._cited


def _passage_texts(trace: Trace) -> list[str]:
    """The texts of the passages given with the question, with ids and titles; what is no passage is left out."""
    given = trace.meta.get("passages")
    out = []
    for entry in given if isinstance(given, list | tuple) else ():
        parts = [entry] if isinstance(entry, str) else list(entry.values()) if isinstance(entry, dict) else []
        out.append("\n".join(part for part in parts if isinstance(part, str)))
    return out
