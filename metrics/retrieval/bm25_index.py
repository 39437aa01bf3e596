"""The BM25 index: built block by block with NumPy, in the layout that `bm25s` scores from memory-mapped arrays.

`bm25s` itself builds from Python lists of token ids, tens of bytes per token, and sorts all postings at once. Here the
tokens are written to a file, and the postings are counted and filled in block by block, so that memory holds only the
vocabulary, one block, and whatever the system caches of the files.

The variant is Lucene's (Kamphuis et al., ECIR 2020): for a query word t in chunk d,
log(1 + (N - df + 0.5) / (df + 0.5)) · tf / (tf + k1 · (1 - b + b · |d| / mean |d|)), summed over the query's words.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from .errors import CorpusError, require
from .general_words import subject_of
from .store import Numbers, TextStore
from .words import words

K1, B = 1.5, 0.75
VOCABULARY = "bm25.vocabulary.npy"
DATA, INDICES, INDPTR = "bm25.data.npy", "bm25.indices.npy", "bm25.indptr.npy"
_TOKENS, _LENGTHS = "tokens.i32.tmp", "lengths.i32.tmp"
# Tokens per sorted block; sorting one takes about 100 MB.
BLOCK_TOKENS = 2_000_000


def word_hash(word: str) -> int:
    """64-bit hash of a word; the vocabulary stores these instead of strings."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def build(folder: Path, store: TextStore, *, progress: bool | None = None, block_tokens: int = BLOCK_TOKENS) -> dict:
    """Index titles and texts of `store` into `folder`; returns figures for the manifest.

    Raises CorpusError where no chunk holds a word.
    """
    hidden = None if progress is None else not progress
    hashes = _tokenize(folder, store, hidden)
    if not len(hashes):
        raise CorpusError("no chunk holds a word to index")
    vocabulary, rank = np.unique(hashes, return_inverse=True)
    np.save(folder / VOCABULARY, vocabulary)
    tokens = np.memmap(folder / _TOKENS, dtype="<i4", mode="r")
    lengths = np.fromfile(folder / _LENGTHS, dtype="<i4")
    mean_length = float(lengths.mean(dtype=np.float64))
    # The length normalisation of each chunk's scores; a chunk without words has no postings.
    norms = K1 * (1 - B + B * lengths / mean_length)

    frequency = np.zeros(len(vocabulary), dtype=np.int64)
    blocks = list(_blocks(lengths, block_tokens))
    for block in tqdm(blocks, desc="counting words", unit="block", disable=hidden):
        token, _, _ = _postings(tokens, lengths, rank, block)
        frequency += np.bincount(token, minlength=len(frequency))
    ends = np.zeros(len(vocabulary) + 1, dtype=np.int64)
    np.cumsum(frequency, out=ends[1:])
    np.save(folder / INDPTR, ends)
    n_chunks, n_postings = len(lengths), int(ends[-1])
    idf = np.log1p((n_chunks - frequency + 0.5) / (frequency + 0.5))

    data = np.lib.format.open_memmap(folder / DATA, mode="w+", dtype=np.float32, shape=(n_postings,))
    indices = np.lib.format.open_memmap(folder / INDICES, mode="w+", dtype=np.int32, shape=(n_postings,))
    free = ends[:-1].copy()
    for block in tqdm(blocks, desc="writing postings", unit="block", disable=hidden):
        token, chunk, count = _postings(tokens, lengths, rank, block)
        of_token = np.bincount(token, minlength=len(free))
        before = np.cumsum(of_token) - of_token
        at = free[token] + np.arange(len(token)) - before[token]
        data[at] = idf[token] * count / (count + norms[chunk])
        indices[at] = chunk
        free += of_token
    data.flush()
    indices.flush()
    del tokens, data, indices
    for name in (_TOKENS, _LENGTHS):
        (folder / name).unlink()
    return {"k1": K1, "b": B, "n_words": len(vocabulary), "n_postings": n_postings, "mean_length": mean_length}


def _tokenize(folder: Path, store: TextStore, hidden: bool | None) -> np.ndarray:
    """Write every chunk's tokens and token count to files; returns the hash of each token's word, uint64."""
    numbers: dict[str, int] = {}
    with Numbers(folder / _TOKENS, "i4") as tokens, Numbers(folder / _LENGTHS, "i4") as lengths:
        for _, title, text in tqdm(store, total=len(store), desc="reading words", unit="chunk", disable=hidden):
            own = [numbers.setdefault(word, len(numbers)) for word in words(f"{title}\n{text}")]
            tokens.extend(own)
            lengths.add(len(own))
    return np.fromiter((word_hash(word) for word in numbers), dtype=np.uint64, count=len(numbers))


def _blocks(lengths: np.ndarray, block_tokens: int) -> Iterator[tuple[int, int, int, int]]:
    """Consecutive chunks with about `block_tokens` tokens in total: first and last chunk, first and last token."""
    ends = np.cumsum(lengths, dtype=np.int64)
    chunk = token = 0
    while chunk < len(lengths):
        stop = max(int(np.searchsorted(ends, token + block_tokens, side="right")), chunk + 1)
        yield chunk, stop, token, int(ends[stop - 1])
        chunk, token = stop, int(ends[stop - 1])


def _postings(
    tokens: np.ndarray, lengths: np.ndarray, rank: np.ndarray, block: tuple[int, int, int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Word, chunk and count of each posting of a block, sorted by word, then by chunk."""
    first, last, start, stop = block
    n = last - first
    chunk = np.repeat(np.arange(n, dtype=np.int64), lengths[first:last])
    keys, counts = np.unique(rank[tokens[start:stop]].astype(np.int64) * n + chunk, return_counts=True)
    return keys // n, keys % n + first, counts


class Bm25Index:
    """Searches what `build` wrote; arrays stay on disk, memory-mapped.

    Raises CorpusError where `bm25s` is missing, OSError or ValueError where a file is damaged.
    """

    def __init__(self, folder: Path, n_chunks: int) -> None:
        require("bm25s", "bm25s", "BM25 retrieval")
        import bm25s

        # Importing it sets its logger to DEBUG.
        logging.getLogger("bm25s").setLevel(logging.WARNING)
        self._n_chunks = n_chunks
        self._vocabulary = np.load(folder / VOCABULARY, mmap_mode="r", allow_pickle=False)
        self._index = bm25s.BM25(k1=K1, b=B, method="lucene", backend="numpy")
        self._index.nonoccurrence_array = None
        self._index.load_scores(
            folder, data_name=DATA, indices_name=INDICES, indptr_name=INDPTR, num_docs=n_chunks, mmap=True
        )
        scores: dict[str, Any] = self._index.scores
        if len(scores["indptr"]) != len(self._vocabulary) + 1 or len(scores["data"]) != len(scores["indices"]):
            raise ValueError("the arrays of the BM25 index do not fit together")

    def search(self, queries: Sequence[str], k: int) -> list[list[tuple[int, float]]]:
        """For each query up to `k` chunks with their scores, best first, ties in corpus order.

        Chunks that share no word with the query are left out.
        """
        return [self._search(query, k) for query in queries]

    def overlap(self, query: str, chunks: Sequence[int]) -> list[float]:
        """For each chunk the share of the query's distinct words that occur in it, weighted by idf; 0 to 1.

        A word that occurs nowhere in the corpus gets the largest possible idf.
        """
        held, weights = self._held(list(dict.fromkeys(words(query))), chunks)
        total = float(weights.sum())
        # Summed as `total` is, so that the share of all words is 1.
        return ((held * weights).sum(axis=1) / total).tolist() if total else [0.0] * len(chunks)

    def evidence(self, query: str, chunks: Sequence[int]) -> list[float]:
        """For each chunk how much speaks for its being about what the query is about; 0 and more.

        Over the query's distinct words that say a subject, weighted by their rarity in English at large
        (`general_words`): amount · (1 + share²), where `amount` is the weight of those found in the chunk and `share`
        is that weight over the weight of all. The amount alone is low for short claims.
        """
        subject, weights = subject_of(query)
        total = float(weights.sum())
        if not total:
            return [0.0] * len(chunks)
        held, _ = self._held(subject, chunks)
        amount = held @ weights
        return (amount * (1 + (amount / total) ** 2)).tolist()

    def _held(self, of: Sequence[str], chunks: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Which of the words each chunk holds, as a matrix, and the words' idf."""
        at, weights, frequency = self._weigh(of)
        postings: dict[str, Any] = self._index.scores
        held = np.zeros((len(chunks), len(of)), dtype=bool)
        wanted = np.asarray(chunks, dtype=np.int64)
        for column in np.flatnonzero(frequency):
            start, stop = postings["indptr"][at[column]], postings["indptr"][at[column] + 1]
            of_word = postings["indices"][start:stop]  # ascending
            place = np.minimum(np.searchsorted(of_word, wanted), len(of_word) - 1)
            held[:, column] = of_word[place] == wanted
        return held, weights

    def _weigh(self, of: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each word its place in the vocabulary, its idf, and in how many chunks it is.

        A word that occurs nowhere in the corpus gets the largest possible idf.
        """
        at, known = self._numbers(of)
        ends: np.ndarray = self._index.scores["indptr"]
        frequency = np.where(known, ends[at + 1] - ends[at], 0)
        return at, np.log1p((self._n_chunks - frequency + 0.5) / (frequency + 0.5)), frequency

    def _search(self, query: str, k: int) -> list[tuple[int, float]]:
        at, known = self._numbers(words(query))
        if not known.any():
            return []
        return top(self._index.get_scores_from_ids(at[known].tolist()), k)

    def _numbers(self, of: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """For each word its insertion point in the vocabulary, and whether the word is really there."""
        hashes = np.fromiter((word_hash(word) for word in of), dtype=np.uint64)
        at = np.minimum(np.searchsorted(self._vocabulary, hashes), len(self._vocabulary) - 1)
        return at, self._vocabulary[at] == hashes


def top(scores: np.ndarray, k: int) -> list[tuple[int, float]]:
    """Index and value of the `k` largest scores above 0, ties in index order."""
    least = np.partition(scores, len(scores) - k)[len(scores) - k] if k < len(scores) else 0.0
    found = np.flatnonzero(scores >= least) if least > 0 else np.flatnonzero(scores > 0)
    order = found[np.lexsort((found, -scores[found]))][:k]
    return [(int(i), float(scores[i])) for i in order]
