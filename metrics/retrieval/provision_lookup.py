"""Looks cited provisions up among the ids of a corpus that was built by provision."""

from __future__ import annotations

from ..knowledge.law.citations import find_citations
from ..knowledge.law.provisions import KnownProvisions
from ..knowledge.law.quotations import QUOTATION, read_written
from ..knowledge.types import Claim, Passage
from .corpus import Corpus


class ProvisionLookup:
    """Reads the ids of the whole corpus once; they are kept in memory, about 200 bytes each."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._numbers = {name.casefold(): number for number, name in enumerate(corpus.ids())}
        self._known = KnownProvisions(corpus.ids())

    def cited(self, claim: Claim) -> list[Passage] | None:
        """The provisions that a claim cites, each once; None where it cites none."""
        # Words that are quoted may cite something themselves; what counts is whom they are attributed to.
        text = read_written(claim.text)[1] if claim.kind == QUOTATION else claim.query or claim.text
        citations = find_citations(text)
        if not citations:
            number = self._numbers.get(text.casefold())  # a case, by its citation
            return None if number is None else self._passages([number])
        keys = [resolved.key for one in citations if (resolved := self._known.resolve(one)).key]
        return self._passages([self._numbers[key.casefold()] for key in dict.fromkeys(keys)])

    def _passages(self, numbers: list[int]) -> list[Passage]:
        return self._corpus.whole(numbers)
