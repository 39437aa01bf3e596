"""The judge `quote`: looks quoted words and cited provisions up in the evidence, to the letter. No model, no guessing.

A quotation is

- supported where its words stand in the evidence: in the provision that it is attributed to, where it names one, else
  in any passage. What counts as the same words is said in `law/words.py`.
- contradicted where the evidence has nearly the same words, and the reason shows the difference; where the words stand
  elsewhere and not in the provision named; and where six or more words that the step attributes to its source by name
  ("the Agreement says …", "Rule 801(c) provides …") stand nowhere in it.
- insufficient, without evidence, everywhere else: words that are attributed to nothing and found nowhere may come from
  anywhere, and a provision that is not there cannot be compared.

A citation is supported where the evidence has the provision, contradicted where it has the provision around it, and
that has no such part, and insufficient, without evidence, where it has neither.

"Nowhere" needs all of a source: passages without a score were given or looked up whole, those with one are what a
search found, and silent about the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..base import Surroundings
from ..law.citations import CITATION, Citation, find_citations
from ..law.provisions import KnownProvisions, cut_provisions, is_provision
from ..law.quotations import QUOTATION, read_written
from ..law.words import Piece, Text, as_text, contains, difference, nearest, pieces_of
from ..types import Claim, Passage, Verdict

# A place is near where at most this share of the quoted words must be changed, left out or put in.
NEAR = 0.25
# Attributed to no source, a quotation must be longer and nearer to be taken for a wrong one of the evidence.
NEAR_UNATTRIBUTED = 0.15
LEAST_UNATTRIBUTED = 8
LEAST_ABSENT = 6
_SHOWN_PARTS = 12
_LABEL = re.compile(r"\((?:[a-z]|[A-Z]|[ivx]{2,5}|\d{1,3})\)")


class QuoteJudge:
    """Decides claims of the kinds "quotation" and "citation"; see above. Probabilities are 1 and 0."""

    name = "quote"
    kinds: frozenset[str] | None = frozenset({QUOTATION, CITATION})
    needs_evidence = True
    computes = True

    def __init__(self, around: Surroundings) -> None:
        del around

    def judge(self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]]) -> list[Verdict | None]:
        read: dict[tuple[tuple[str, str], ...], _Evidence] = {}
        out: list[Verdict | None] = []
        for claim, passages in zip(claims, evidence, strict=True):
            key = tuple((passage.id, passage.text) for passage in passages)
            judge = {QUOTATION: self._quotation, CITATION: self._citation}.get(claim.kind)
            if judge is None or not passages:
                out.append(None if judge is None else self._open(claim, "no evidence was found"))
                continue
            if key not in read:
                read[key] = _Evidence(passages)
            out.append(judge(claim, read[key]))
        return out

    def _citation(self, claim: Claim, evidence: _Evidence) -> Verdict:
        cited = find_citations(claim.text)
        if not cited:  # a case: its key is its id
            place = evidence.by_key.get((claim.query or claim.text).casefold())
            return self._supported(claim, place, "is there") if place else self._open(claim, "is not in the evidence")
        resolved = evidence.known.resolve(cited[0])
        if resolved.status == "found":
            return self._supported(claim, evidence.place(resolved.key), f"is there as {resolved.key}")
        if resolved.status == "ambiguous":
            return self._open(claim, "several acts in the evidence have this provision, and the step names none")
        if resolved.status == "unknown":
            return self._open(claim, f"{cited[0].key} is not in the evidence, nor is what it would be part of")
        place = evidence.place(resolved.key)
        if evidence.mentions(place, cited[0]):
            return self._open(claim, f"{resolved.key} speaks of it; whether it has that part cannot be told")
        parts = evidence.known.under(resolved.key)
        has = ", ".join(parts[:_SHOWN_PARTS]) + (", …" if len(parts) > _SHOWN_PARTS else "")
        reason = f"{resolved.key} has no such part" + (f"; it has {has}" if has else "")
        return Verdict(claim, "contradicted", self.name, 0.0, place.passages, reason)

    def _quotation(self, claim: Claim, evidence: _Evidence) -> Verdict:
        quoted, attribution = read_written(claim.text)
        pieces = pieces_of(quoted)
        if not pieces:
            return self._open(claim, "no words are quoted")
        cited = find_citations(attribution)
        named = ""
        if cited:
            resolved = evidence.known.resolve(cited[0])
            around = evidence.place(resolved.key) if resolved.key else None
            if resolved.status == "found" or (around and evidence.mentions(around, cited[0])):
                named = resolved.key
            elif around:
                return self._open(claim, f"{resolved.key} has no {cited[0].key} to compare it with")
        places = [evidence.place(named)] if named else evidence.whole
        if found := _holding(places, pieces) or (None if named else _holding(evidence.pairs, pieces)):
            found = _holding(evidence.parts(found), pieces) or found
            note = f"; where {attribution} is cannot be told" if cited and not named else ""
            return self._supported(claim, found, f"stands in {found.key}{note}")
        if named and (found := evidence.elsewhere(named, pieces)):
            passages = tuple(dict.fromkeys((*found.passages, *places[0].passages)))
            return Verdict(claim, "contradicted", self.name, 0.0, passages, f"stands in {found.key}, not in {named}")
        source = named or ("" if cited or not evidence.complete else attribution)
        return self._not_there(claim, pieces, places, source, evidence, bool(attribution))

    def _not_there(
        self,
        claim: Claim,
        pieces: Sequence[Piece],
        places: Sequence[_Place],
        source: str,
        evidence: _Evidence,
        attributed: bool,
    ) -> Verdict:
        """`source`: what the step names, where all of it is in `places`; else ""."""
        count = sum(len(piece.words) for piece in pieces)
        edits, place, shown = _nearest(places, pieces)
        if parts := evidence.parts(place):
            within = _nearest(parts, pieces)
            place = within[1] if within[0] <= edits else place
        share = NEAR if attributed else NEAR_UNATTRIBUTED
        if edits <= max(1, share * count) and (attributed or count >= LEAST_UNATTRIBUTED):
            reason = f"nearly stands in {place.key}: {shown}"
            return Verdict(claim, "contradicted", self.name, 0.0, place.passages, reason)
        if not source:
            return self._open(claim, "nothing like it stands in the evidence")
        if count < LEAST_ABSENT:
            return self._open(claim, f"not in {source}, but too short to be missed there")
        passages = tuple(passage for one in places[:3] for passage in one.passages)
        reason = f"stands nowhere in {source}, nor anything like it"
        return Verdict(claim, "contradicted", self.name, 0.0, passages, reason)

    def _supported(self, claim: Claim, place: _Place, reason: str) -> Verdict:
        return Verdict(claim, "supported", self.name, 1.0, place.passages, reason)

    def _open(self, claim: Claim, reason: str) -> Verdict:
        return Verdict(claim, "insufficient", self.name, reason=reason)


@dataclass(frozen=True)
class _Place:
    """A text to look in: a passage, two neighbours, or a provision cut out of one."""

    key: str
    raw: str
    passages: tuple[Passage, ...]

    @cached_property
    def text(self) -> Text:
        return as_text(self.raw)

    @cached_property
    def unnumbered(self) -> Text:
        """Without the labels of its parts and numbers in brackets behind words, which writers leave out: "five (5)"."""
        return as_text(_LABEL.sub(" ", self.raw))


class _Evidence:
    """The passages of a claim, as they are and cut into provisions."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        self.complete = all(passage.score is None for passage in passages)
        self.whole = [_Place(passage.id, passage.text, (passage,)) for passage in passages]

    @cached_property
    def pairs(self) -> list[_Place]:
        """Neighbours joined: a document may be cut within a sentence that is quoted."""
        return [
            _Place(f"{one.key} and {other.key}", f"{one.raw}\n{other.raw}", (*one.passages, *other.passages))
            for one, other in zip(self.whole, self.whole[1:], strict=False)
        ]

    @cached_property
    def by_key(self) -> dict[str, _Place]:
        out = {place.key.casefold(): place for place in self.whole}
        for key, raw, passage in self._cut:
            out[key.casefold()] = _Place(key, raw, (_part(passage, key, raw),))
        return out

    def parts(self, place: _Place) -> list[_Place]:
        """The provisions of a whole passage, shortest first; none of a provision."""
        if place not in self.whole:
            return []
        of_passage = [_Place(key, raw, (_part(p, key, raw),)) for key, raw, p in self._cut if p in place.passages]
        return sorted(of_passage, key=lambda part: len(part.raw))

    @cached_property
    def known(self) -> KnownProvisions:
        return KnownProvisions(key for key, _, _ in self._cut)

    def place(self, key: str) -> _Place:
        return self.by_key[key.casefold()]

    def mentions(self, place: _Place, cited: Citation) -> bool:
        """Whether a text says the number or label of a part of it that was not found there."""
        if cited.labels and cited.section in place.key:
            return any(f"({label})" in place.raw for label in cited.labels)
        spoken = re.compile(rf"(?:^|[\s§]){re.escape(cited.section)}(?![\w-]|\.\d)")
        return any(spoken.search(passage.text) for passage in self._passages)

    def elsewhere(self, named: str, pieces: Sequence[Piece]) -> _Place | None:
        """The shortest other provision or passage that holds the pieces."""
        inside = named.casefold()
        others = [place for key, place in self.by_key.items() if not key.startswith(inside)]
        return _holding(sorted(others, key=lambda place: len(place.raw)), pieces)

    @cached_property
    def _cut(self) -> list[tuple[str, str, Passage]]:
        each = [(p, cut_provisions(p.id, p.title, p.text)) for p in self._passages]
        out = [(one.key, one.text, passage) for passage, of_passage in each for one in of_passage]
        if self.complete and len(each) > 1 and not any(is_provision(p.id, p.title) for p in self._passages):
            # One document in several passages: its headings are numbered throughout.
            title = self._passages[0].title or self._passages[0].id
            whole = cut_provisions("", title, "\n".join(passage.text for passage in self._passages))
            if len(whole) > len(out):
                out = [(one.key, one.text, self._holder(one.text)) for one in whole]
        return out

    def _holder(self, text: str) -> Passage:
        """The passage in which a provision begins."""
        start = text[:60].partition("\n")[0]
        return next((passage for passage in self._passages if start in passage.text), self._passages[0])


def _part(passage: Passage, key: str, text: str) -> Passage:
    """A provision of a passage as evidence, so that a reader is shown where in the document it is."""
    if key.casefold() == passage.id.casefold() or text.strip() == passage.text.strip():
        return passage
    return Passage(f"{passage.id}: {key}", text, passage.title, passage.score)


def _holding(places: Sequence[_Place], pieces: Sequence[Piece]) -> _Place | None:
    found = next((place for place in places if contains(place.text, pieces)), None)
    return found or next((place for place in places if contains(place.unnumbered, pieces)), None)


def _nearest(places: Sequence[_Place], pieces: Sequence[Piece]) -> tuple[int, _Place, str]:
    """The place that needs the fewest edits to hold the pieces, each wherever it is nearest; how many, and which."""
    numbers: dict[str, int] = {}
    words = [len(place.text.words) for place in places]
    ends = np.cumsum(words)
    joined = Text.of(place.text for place in places)
    total, votes, shown = 0, np.zeros(len(places), dtype=np.int64), []
    for piece in pieces:
        edits, first, last = nearest(joined, piece.words, numbers)
        total += edits
        at = min(int(np.searchsorted(ends, first, side="right")), len(places) - 1)
        votes[at] += len(piece.words)
        if edits:
            shown.append(difference(joined, first, last, piece.words))
    return total, places[int(votes.argmax())], "; ".join(shown[:3])
