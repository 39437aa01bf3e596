"""The dense index: passage vectors in a memory-mapped FAISS index.

Vectors are appended to a file batch by batch, copied from the corpus that is there where it has one of the same text,
else encoded. An interrupted build resumes after the last complete vector in that file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from .bm25_index import word_hash
from .encoders import DenseOptions, Encoder
from .errors import CorpusError, require
from .store import TextStore

log = logging.getLogger(__name__)

INDEX = "dense.faiss"
_VECTORS, _SHAPE = "vectors.f32.tmp", "vectors.json.tmp"
# Passages encoded between two writes: enough to sort by length into even batches, few enough to redo after a crash.
WINDOW = 1024
_BLOCK = 1 << 16
# Kept vectors are compared with the encoder's for so many of the longest passages and as many of all; those nearer than
# this share of their length are the same.
_PROBES, _NEAR = 8, 1e-3
# Vectors an index's cells are trained on; FAISS asks for at least 39 per cell.
_PER_CELL, _TRAINING = 64, 1 << 18


def check_index(factory: str) -> None:
    """Raises CorpusError if FAISS is missing or does not know the factory string."""
    require("faiss", "faiss-cpu", "a dense index")
    import faiss

    try:
        faiss.index_factory(64, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise CorpusError(f"FAISS factory string {factory!r}: {error!s:.300}") from None


def exact_vectors(folder: Path, n_chunks: int, dimension: int) -> Any:
    """A FAISS index that gives back the vectors in the folder to the last bit; None if its kind does not keep them."""
    import faiss

    index = _open(folder, n_chunks, dimension)
    # Not what is derived from them, such as an index that drops duplicates.
    if type(index) not in (faiss.IndexFlat, faiss.IndexFlatIP, faiss.IndexIVFFlat, faiss.IndexHNSWFlat):
        return None
    if isinstance(index, faiss.IndexIVFFlat):
        index.make_direct_map()
    return index


class KeptVectors:
    """The vectors of passages that are encoded already, found by the text they were made of.

    Args:
        store: the passages.
        index: their vectors, from `exact_vectors`.
        with_titles: whether titles are part of what is encoded.
    """

    def __init__(self, store: TextStore, index: Any, *, with_titles: bool) -> None:
        self._store = store
        self._index = index
        self._with_titles = with_titles
        hashes = np.fromiter((self._hash(row) for row in store), dtype=np.uint64, count=len(store))
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    def find(self, store: TextStore) -> np.ndarray:
        """For each chunk of another store the number of one with the same text, -1 where there is none."""
        out = np.full(len(store), -1, dtype=np.int64)
        for number, row in enumerate(store):
            at = int(np.searchsorted(self._hashes, np.uint64(self._hash(row))))
            # Two texts may have the same hash, so the texts decide.
            if at < len(self._order) and self._text(self._store[own := int(self._order[at])]) == self._text(row):
                out[number] = own
        return out

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """The vectors of chunks by number."""
        return self._index.reconstruct_batch(np.ascontiguousarray(numbers))

    def _text(self, row: tuple[str, str, str]) -> tuple[str, str]:
        return row[1] if self._with_titles else "", row[2]

    def _hash(self, row: tuple[str, str, str]) -> int:
        return word_hash("\0".join(self._text(row)))


def build(
    folder: Path,
    store: TextStore,
    options: DenseOptions,
    encoder: Callable[[], Encoder],
    *,
    kept: Callable[[], KeptVectors | None] = lambda: None,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Encode what of `store` has no vector in `kept`, and index all vectors into `folder`.

    Returns the dimension, and how many vectors were kept. Raises CorpusError for a vector that is not finite, naming
    the chunk.
    """
    hidden = None if progress is None else not progress
    shape = _encode(folder, store, encoder, kept, hidden)
    vectors = np.memmap(folder / _VECTORS, dtype="<f4", mode="r", shape=(len(store), shape["dimension"]))
    _index(folder / INDEX, vectors, options.index, hidden)
    del vectors
    for name in (_VECTORS, _SHAPE):
        (folder / name).unlink()
    return shape


def _encode(
    folder: Path,
    store: TextStore,
    encoder: Callable[[], Encoder],
    kept: Callable[[], KeptVectors | None],
    hidden: bool | None,
) -> dict[str, int]:
    """Append the vectors that are not on disk yet; returns their dimension and how many of all were kept."""
    path = folder / _VECTORS
    shape, done = _on_disk(folder)
    with path.open("r+b" if done else "wb") as file:
        file.seek(4 * shape.get("dimension", 0) * done)
        file.truncate()
        if done == len(store):
            return shape
        held = kept() if shape.get("kept") != 0 else None
        origin = np.full(len(store), -1, dtype=np.int64) if held is None else held.find(store)
        model = encoder()
        if held is not None and not _fits(model, store, held, origin):
            log.warning("the encoder gives other vectors than the corpus that is there holds; all passages are encoded")
            held, shape, done = None, {}, 0
            origin[:] = -1
            file.seek(0)
            file.truncate()
        shape.setdefault("kept", int((origin >= 0).sum()))
        with tqdm(total=len(store), initial=done, desc="encoding", unit="chunk", disable=hidden) as bar:
            for start in range(done, len(store), WINDOW):
                rows = list(store.rows(start, min(start + WINDOW, len(store))))
                vectors = _vectors(model, rows, held, origin[start : start + len(rows)])
                if "dimension" not in shape:
                    shape["dimension"] = vectors.shape[1]
                    (folder / _SHAPE).write_text(json.dumps(shape))
                elif vectors.shape[1] != shape["dimension"]:
                    raise CorpusError(
                        f"the encoder gave {vectors.shape[1]} dimensions, but {shape['dimension']} before"
                    )
                file.write(vectors.astype("<f4", copy=False).tobytes())
                file.flush()
                bar.update(len(rows))
    return shape


def _on_disk(folder: Path) -> tuple[dict[str, int], int]:
    """What an interrupted build noted of its vectors, and how many of them are complete."""
    try:
        noted = json.loads((folder / _SHAPE).read_text())
        shape = {name: int(noted[name]) for name in ("dimension", "kept")}
        return shape, (folder / _VECTORS).stat().st_size // (4 * shape["dimension"])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return {}, 0  # there is none, or it was stopped while writing this line


def _fits(model: Encoder, store: TextStore, held: KeptVectors, origin: np.ndarray) -> bool:
    """Whether the encoder gives the kept vectors for a few passages, the longest among them.

    The weights behind a model's name may have changed.
    """
    numbers = np.flatnonzero(origin >= 0)
    if not len(numbers):
        return True
    even = numbers[np.linspace(0, len(numbers) - 1, _PROBES).astype(np.int64)]
    longest = numbers[np.argsort(store.sizes(numbers))[-_PROBES:]]
    chosen = np.unique(np.concatenate([even, longest]))
    given, before = _encoded(model, [store[int(one)] for one in chosen]), held.take(origin[chosen])
    if given.shape != before.shape:
        return False
    # The last digits depend on device and batch.
    return bool((np.linalg.norm(given - before, axis=1) <= _NEAR * np.linalg.norm(before, axis=1)).all())


def _vectors(
    model: Encoder, rows: Sequence[tuple[str, str, str]], held: KeptVectors | None, origin: np.ndarray
) -> np.ndarray:
    """The vectors of chunks: what is held of them at `origin`, where that is not -1, else from the encoder."""
    new = origin < 0
    if held is None or new.all():
        return _encoded(model, rows)
    if not new.any():
        return held.take(origin)
    given = _encoded(model, [row for row, is_new in zip(rows, new, strict=True) if is_new])
    out = np.empty((len(rows), given.shape[1]), dtype=np.float32)
    out[new], out[~new] = given, held.take(origin[~new])
    return out


def _encoded(model: Encoder, rows: Sequence[tuple[str, str, str]]) -> np.ndarray:
    vectors = model.passages([title for _, title, _ in rows], [text for _, _, text in rows])
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        bad = rows[int(np.argmin(finite))][0]
        raise CorpusError(f"the encoder gave a vector that is not finite for chunk {bad!r}")
    return vectors


def _index(path: Path, vectors: np.ndarray, factory: str, hidden: bool | None) -> None:
    import faiss

    index = faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    try:
        if not index.is_trained:
            cells = faiss.try_extract_index_ivf(index)
            wanted = min(len(vectors), _PER_CELL * cells.nlist if cells is not None else _TRAINING)
            chosen = np.random.default_rng(0).choice(len(vectors), wanted, replace=False)
            index.train(np.ascontiguousarray(vectors[np.sort(chosen)]))
        for start in tqdm(range(0, len(vectors), _BLOCK), desc="indexing vectors", unit="block", disable=hidden):
            index.add(np.ascontiguousarray(vectors[start : start + _BLOCK]))
    except RuntimeError as error:
        raise CorpusError(f"FAISS index {factory!r} over {len(vectors)} vectors: {error!s:.300}") from error
    faiss.write_index(index, str(path))


def _open(folder: Path, n_chunks: int, dimension: int) -> Any:
    require("faiss", "faiss-cpu", "a dense index")
    import faiss

    try:
        index = faiss.read_index(str(folder / INDEX), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise ValueError(f"{INDEX} cannot be read ({error!s:.200})") from error
    if (index.ntotal, index.d) != (n_chunks, dimension):
        raise ValueError(f"{INDEX} holds {index.ntotal} vectors of {index.d}, expected {n_chunks} of {dimension}")
    return index


class DenseIndex:
    """Searches what `build` wrote.

    Args:
        nprobe: cells to visit in an index that has cells ("IVF…"); None: the index's own setting.

    Raises CorpusError if FAISS is missing, ValueError if the file is damaged or holds other vectors.
    """

    def __init__(self, folder: Path, n_chunks: int, dimension: int, *, nprobe: int | None = None) -> None:
        self._index = _open(folder, n_chunks, dimension)
        self._has_map = False  # from a chunk to its place in an index with cells
        if nprobe is not None:
            import faiss

            cells = faiss.try_extract_index_ivf(self._index)
            if cells is None:
                raise CorpusError(f"nprobe={nprobe}: this dense index has no cells (it was built without 'IVF')")
            cells.nprobe = nprobe

    def search(self, vectors: np.ndarray, k: int) -> list[list[tuple[int, float]]]:
        """For each query vector the `k` chunks with the highest inner product, best first."""
        if vectors.shape[1] != self._index.d:
            raise CorpusError(
                f"the query encoder gives {vectors.shape[1]} dimensions, the passages have {self._index.d}; "
                "it must be the one the corpus was built for"
            )
        scores, found = self._index.search(vectors, min(k, self._index.ntotal))
        return [
            [(int(i), float(score)) for i, score in zip(own, of_own, strict=True) if i >= 0]
            for own, of_own in zip(found, scores, strict=True)
        ]

    def similarities(self, vector: np.ndarray, chunks: Sequence[int]) -> list[float]:
        """The inner products of one query vector with the vectors of the chunks, as the index holds them."""
        import faiss

        if not self._has_map and (cells := faiss.try_extract_index_ivf(self._index)) is not None:
            cells.make_direct_map()
        self._has_map = True
        return [float(self._index.reconstruct(int(chunk)) @ vector) for chunk in chunks]


def fuse(rankings: Sequence[Sequence[int]], constant: float) -> list[tuple[int, float]]:
    """Reciprocal-rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009).

    An item's score is the sum over rankings of 1 / (constant + its rank there), ranks from 1. Best first; ties are
    broken by item number.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + 1 / (constant + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
