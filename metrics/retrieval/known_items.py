"""How well a corpus is searched: known items, that is sentences of its own passages with words dropped.

A sentence of a drawn passage loses a third of its words and is searched for. Its passage should be found; and where it
is found it should reach the floor, which sentences on other fields should not (`floors`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Found:
    """What became of the known items with one retriever.

    Attributes:
        retriever: its name.
        items: how many were searched for.
        recall: the share whose passage is among the best `PASSAGES`.
        mrr: mean of 1 / the rank of their passage, 0 beyond rank `DEPTH`.
        floor: from which score on a passage is evidence; None: all are.
        lost: of the passages found among the best `PASSAGES` the share that the floor takes away.
        kept: of foreign sentences the share for which some passage reaches the floor.
    """

    retriever: str
    items: int
    recall: float
    mrr: float
    floor: float | None
    lost: float
    kept: float


def known_items(corpus: Corpus, count: int = ITEMS, seed: int = 0) -> list[tuple[int, str]]:
    """Up to `count` chunks, each with one of its sentences that a third of the words are missing from."""
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
            out.append((number, " ".join(said[i] for i in left)))
        if len(out) == count:
            break
    return out


def measure(corpus: Corpus, *, count: int = ITEMS, device: str | None = None) -> list[Found]:
    """Known items searched for by `bm25` and, where the corpus has vectors, by `dense`.

    Raises CorpusError where no passage holds a sentence to search for, or the query encoder cannot be loaded.
    """
    items = known_items(corpus, count)
    if not items:
        raise CorpusError(f"corpus {str(corpus.folder)!r}: no passage holds a sentence to search for")
    index = corpus.bm25()

    def by_words(queries: Sequence[str]) -> list[Ranking]:
        out = []
        for query, found in zip(queries, index.search(queries, DEPTH), strict=True):
            chunks = [chunk for chunk, _ in found]
            out.append(list(zip(chunks, index.evidence(query, chunks), strict=True)))
        return out

    found = [_measure("bm25", items, by_words, corpus.floor("evidence"))]
    if corpus.manifest["dense"] is not None:
        vectors, encoder = corpus.dense(), SentenceEncoder(corpus.dense_options().for_queries, device=device)
        found.append(
            _measure(
                "dense",
                items,
                lambda queries: vectors.search(encoder.queries(queries), DEPTH),
                corpus.floor("similarity"),
            )
        )
    return found


def _measure(
    name: str, items: Sequence[tuple[int, str]], search: Callable[[Sequence[str]], list[Ranking]], floor: float | None
) -> Found:
    rankings = search([query for _, query in items])
    ranks = [
        next((rank for rank, (chunk, _) in enumerate(ranking, 1) if chunk == own), None)
        for (own, _), ranking in zip(items, rankings, strict=True)
    ]
    best = [ranking[rank - 1][1] for rank, ranking in zip(ranks, rankings, strict=True) if rank and rank <= PASSAGES]
    far = search([sentence for _, sentence in foreign_sentences()])

    def reaches(score: float) -> bool:
        return floor is None or score >= floor

    return Found(
        retriever=name,
        items=len(items),
        recall=len(best) / len(items),
        mrr=sum(1 / rank for rank in ranks if rank) / len(items),
        floor=floor,
        lost=sum(not reaches(score) for score in best) / len(best) if best else float("nan"),
        kept=sum(any(reaches(score) for _, score in ranking[:PASSAGES]) for ranking in far) / len(far),
    )
