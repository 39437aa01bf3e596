"""From which evidence on a passage counts, for one corpus: what claims of other fields do not reach there.

Scores mean something else in every corpus and for every encoder. So each corpus is asked for the evidence for sentences
of chains in other fields (`foreign.tsv`, written for this), which it does not hold; few of them reach the floor.
The field that the corpus is closest to is left out: for a corpus of law, sentences on law are not foreign.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from .bm25_index import Bm25Index
from .dense_index import DenseIndex
from .encoders import Encoder
from .general_words import subject_of

# Part of a corpus's key: other sentences or shares build it again.
NAME = "floors-2"
# The share of foreign sentences that may reach a floor. Real chains have longer sentences than these, which reach it up
# to four times as often (benchmarks/knowledge/RESULTS.md, which says how it was chosen).
KEPT = 0.02
# Of its best passages for a claim the best decides, as for a judge that reads so many.
PASSAGES = 5
# In a corpus of a few passages foreign sentences share no word with any; this much is wanted all the same, as one
# word has that is seen once in 12,000 words.
LEAST_EVIDENCE = 2.0


@dataclass(frozen=True)
class Floor:
    """From which score on a passage is evidence.

    Attributes:
        value: the least score.
        left_out: the field whose sentences were not counted as foreign.
        sentences: how many were.
    """

    value: float
    left_out: str
    sentences: int


@functools.cache
def foreign_sentences() -> tuple[tuple[str, str], ...]:
    """Field and sentence of each."""
    text = (files(__name__.rpartition(".")[0]) / "foreign.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    return tuple((field, sentence) for field, sentence in rows)


def calibrate(best: Callable[[Sequence[str]], Sequence[float]], least: float | None = None) -> Floor:
    """The floor of a corpus and a retriever.

    Args:
        best: for each sentence the score of the best passage that the retriever finds for it.
        least: the floor is at least this.
    """
    rows = foreign_sentences()
    scores = np.asarray(best([sentence for _, sentence in rows]), dtype=np.float64)
    of_field = np.asarray([field for field, _ in rows])
    closest = max(dict.fromkeys(of_field.tolist()), key=lambda field: float(scores[of_field == field].mean()))
    far = np.sort(scores[of_field != closest])
    # The least value that no more than the share reaches: just above the one that is reached by more.
    value = float(np.nextafter(far[len(far) - 1 - int(KEPT * len(far))], np.inf))
    return Floor(value if least is None else max(value, least), closest, len(far))


def says_enough(claim: str) -> bool:
    """Whether a passage that holds all words of a claim that say a subject could be evidence for it."""
    return 2 * float(subject_of(claim)[1].sum()) >= LEAST_EVIDENCE  # 1 + share² is 2 there


def of_evidence(index: Bm25Index) -> dict[str, Any]:
    """The floor of `Bm25Index.evidence`, for the manifest."""

    def best(sentences: Sequence[str]) -> list[float]:
        found = index.search(sentences, PASSAGES)
        return [
            max(index.evidence(sentence, [chunk for chunk, _ in of_sentence]), default=0.0)
            for sentence, of_sentence in zip(sentences, found, strict=True)
        ]

    return asdict(calibrate(best, LEAST_EVIDENCE))


def of_similarity(index: DenseIndex, encoder: Encoder) -> dict[str, Any]:
    """The floor of the similarity of vectors, for the manifest."""

    def best(sentences: Sequence[str]) -> list[float]:
        return [found[0][1] for found in index.search(encoder.queries(sentences), 1)]

    return asdict(calibrate(best))
