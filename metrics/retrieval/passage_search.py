"""BM25 within the passages of one question: a contract or a filing that is too long for a judge to read whole."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..knowledge.types import Passage
from .bm25_index import K1, B
from .chunks import OVERLAP, WORDS, chunk, chunk_id
from .errors import require
from .words import words


class PassageSearch:
    """Ranks passages for queries; longer ones than a chunk are cut first. The index is made by the first search.

    Raises CorpusError where `bm25s` is missing.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._chunks = [piece for passage in passages for piece in _cut(passage)]
        self._whole = list(passages)
        self._index: Any = None

    def best(self, query: str, k: int) -> list[Passage]:
        """The `k` best chunks with their scores, ties in their order; all passages as they are where there are no more
        chunks than that."""
        if len(self._chunks) <= k:
            return list(self._whole)
        asked = [word for word in words(query) if word in self._vocabulary()]
        scores = np.asarray(self._index.get_scores(asked)) if asked else np.zeros(len(self._chunks))
        order = np.argsort(-scores, kind="stable")[:k]
        return [replace(self._chunks[number], score=float(scores[number])) for number in order]

    def _vocabulary(self) -> dict[str, int]:
        if self._index is None:
            require("bm25s", "bm25s", "the retriever 'given' with k")
            import bm25s

            logging.getLogger("bm25s").setLevel(logging.WARNING)  # importing it sets its logger to DEBUG
            self._index = bm25s.BM25(k1=K1, b=B, method="lucene", backend="numpy")
            own = [list(words(f"{passage.title}\n{passage.text}")) for passage in self._chunks]
            self._index.index(own, show_progress=False)
        return self._index.vocab_dict


def _cut(passage: Passage) -> list[Passage]:
    parts = list(chunk(passage.text, WORDS, OVERLAP))
    if len(parts) < 2:
        return [passage]
    return [
        replace(passage, id=chunk_id(passage.id, number, only=False), text=part) for number, part in enumerate(parts, 1)
    ]
