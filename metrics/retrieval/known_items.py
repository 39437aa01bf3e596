"""How well a corpus is searched: known items, that is claims of which it is known which passages they are about.

They are the user's own, or sentences of drawn passages with a third of their words dropped. Their passage should be
found; and where it is found it should reach the floor, which sentences on other fields should not (`floors`).
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .chunks import document_of
from .corpus import Corpus
from .encoders import SentenceEncoder
from .errors import CorpusError
from .floors import PASSAGES, foreign_sentences
from .words import says_subject, words

ITEMS = 300
DEPTH = 100
DROPPED = 1 / 3
_SENTENCE = re.compile(r"[^.!?\n]{20,400}[.!?]")
# A ranking of chunks, each with the score that the floor is about.
Ranking = list[tuple[int, float]]
# What is searched for, and the chunks that it is about.
KnownItem = tuple[str, frozenset[int]]
# The share of the passages found that a floor may take away to be proposed.
LOST = 0.05


@dataclass(frozen=True)
class Found:
    """What became of the known items with one retriever.

    Attributes:
        retriever: its name.
        items: how many were searched for.
        recall: the share with a passage of theirs among the best `PASSAGES`.
        mrr: mean of 1 / the rank of their first passage, 0 beyond rank `DEPTH`.
        floor: from which score on a passage is evidence; None: all are.
        lost: of the items with a passage among the best `PASSAGES` the share of which the floor takes it away.
        kept: of foreign sentences the share for which some passage reaches the floor.
        proposed: the highest floor that takes away at most `LOST` of them; nan where none was found.
        kept_by_proposed: the share of foreign sentences that reaches it.
        not_found: what was searched for without a passage of its own among the best `PASSAGES`.
        taken_away: that of which the floor takes them away.
    """

    retriever: str
    items: int
    recall: float
    mrr: float
    floor: float | None
    lost: float
    kept: float
    proposed: float
    kept_by_proposed: float
    not_found: tuple[str, ...]
    taken_away: tuple[str, ...]


def known_items(corpus: Corpus, count: int = ITEMS, seed: int = 0) -> list[KnownItem]:
    """Sentences that a third of the words are missing from, each of another chunk of up to `count`."""
    draw = random.Random(seed)
    out = []
    for number in draw.sample(range(len(corpus)), min(len(corpus), 4 * count)):
        (passage,) = corpus.passages([(number, 0.0)])
        sentences = [
            found for found in _SENTENCE.findall(passage.text) if sum(map(says_subject, words(found))) >= 4
        ]  # fewer are left without a subject once a third is dropped
        if sentences:
            said = draw.choice(sentences).split()
            left = sorted(draw.sample(range(len(said)), len(said) - round(DROPPED * len(said))))
            out.append((" ".join(said[i] for i in left), frozenset((number,))))
        if len(out) == count:
            break
    return out


def about(corpus: Corpus, claims: Sequence[tuple[str, Sequence[str], str]]) -> list[KnownItem]:
    """Claims with the chunks that they are about.

    Args:
        claims: each with ids of passages, or of documents or files, which stand for all their passages, and where it
            stands.

    Raises CorpusError, which says where, for an id that the corpus does not have.
    """
    wanted = {one for _, ids, _ in claims for one in ids}
    chunks: dict[str, set[int]] = {}
    for number, chunk_id in enumerate(corpus.ids()):
        # A section and a page are called after their file: guide.html#Dosage, report.pdf#page=3.
        for one in {chunk_id, document_of(chunk_id), chunk_id.partition("#")[0]} & wanted:
            chunks.setdefault(one, set()).add(number)
    for _, ids, where in claims:
        if absent := [one for one in ids if one not in chunks]:
            ids = ", ".join(map(repr, itertools.islice(corpus.ids(), 3)))
            raise CorpusError(
                f"{where}, field 'passage': corpus {str(corpus.folder)!r} has no passage {absent[0]!r}; "
                f"its passages are called {ids}{', …' if len(corpus) > 3 else ''}"
            )
    return [(claim, frozenset().union(*(chunks[one] for one in ids))) for claim, ids, _ in claims]


def measure(corpus: Corpus, items: Sequence[KnownItem], *, device: str | None = None) -> list[Found]:
    """Known items searched for by `bm25` and, where the corpus has vectors, by `dense`.

    Raises CorpusError where there is none (no passage holds a sentence to search for), or the query encoder cannot be
    loaded.
    """
    if not items:
        raise CorpusError(f"corpus {str(corpus.folder)!r}: no passage holds a sentence to search for")
    index = corpus.bm25()

    def by_words(queries: Sequence[str]) -> list[Ranking]:
        out = []
        for query, found in zip(queries, index.search(queries, DEPTH), strict=True):
            chunks = [chunk for chunk, _ in found]
            out.append(list(zip(chunks, index.evidence(query, chunks), strict=True)))
        return out

    found = [_measure("bm25", items, by_words, corpus.manifest["floors"]["evidence"])]
    if corpus.manifest["dense"] is not None:
        vectors, encoder = corpus.dense(), SentenceEncoder(corpus.dense_options().for_queries, device=device)
        found.append(
            _measure(
                "dense",
                items,
                lambda queries: vectors.search(encoder.queries(queries), DEPTH),
                corpus.manifest["floors"]["similarity"],
            )
        )
    return found


def _measure(
    name: str,
    items: Sequence[KnownItem],
    search: Callable[[Sequence[str]], list[Ranking]],
    floor: Mapping[str, Any] | None,
) -> Found:
    rankings = search([query for query, _ in items])
    ranks = [
        next((rank for rank, (chunk, _) in enumerate(ranking, 1) if chunk in own), None)
        for (_, own), ranking in zip(items, rankings, strict=True)
    ]
    # An item is lost when none of its passages among the best is left.
    of_item = {
        number: max(score for chunk, score in rankings[number][:PASSAGES] if chunk in items[number][1])
        for number, rank in enumerate(ranks)
        if rank and rank <= PASSAGES
    }
    best = list(of_item.values())
    left_out = None if floor is None else floor["left_out"]  # the corpus's own field is not foreign
    far = [
        max((score for _, score in ranking[:PASSAGES]), default=-math.inf)
        for ranking in search([sentence for field, sentence in foreign_sentences() if field != left_out])
    ]
    value = None if floor is None else float(floor["value"])
    least = -math.inf if value is None else value
    proposed = sorted(best)[int(LOST * len(best))] if best else math.nan
    return Found(
        retriever=name,
        items=len(items),
        recall=len(best) / len(items),
        mrr=sum(1 / rank for rank in ranks if rank) / len(items),
        floor=value,
        lost=sum(score < least for score in best) / len(best) if best else math.nan,
        kept=sum(score >= least for score in far) / len(far),
        proposed=proposed,
        kept_by_proposed=sum(score >= proposed for score in far) / len(far) if best else math.nan,
        not_found=tuple(query for number, (query, _) in enumerate(items) if number not in of_item),
        taken_away=tuple(items[number][0] for number, score in of_item.items() if score < least),
    )
