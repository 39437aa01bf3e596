"""The dense index: passage vectors in a memory-mapped FAISS index.

Vectors are appended to a file batch by batch. An interrupted build resumes after the last complete vector in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from .encoders import DenseOptions, Encoder
from .errors import CorpusError, require
from .store import TextStore

INDEX = "dense.faiss"
_VECTORS, _SHAPE = "vectors.f32.tmp", "vectors.json.tmp"
# Passages encoded between two writes: enough to sort by length into even batches, few enough to redo after a crash.
WINDOW = 1024
_BLOCK = 1 << 16
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


def build(
    folder: Path,
    store: TextStore,
    options: DenseOptions,
    encoder: Callable[[], Encoder],
    *,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Encode `store` and index the vectors into `folder`; returns figures for the manifest.

    Raises CorpusError for a vector that is not finite, naming the chunk.
    """
    hidden = None if progress is None else not progress
    dimension = _encode(folder, store, encoder, hidden)
    vectors = np.memmap(folder / _VECTORS, dtype="<f4", mode="r", shape=(len(store), dimension))
    _index(folder / INDEX, vectors, options.index, hidden)
    del vectors
    for name in (_VECTORS, _SHAPE):
        (folder / name).unlink()
    return {"dimension": dimension}


def _encode(folder: Path, store: TextStore, encoder: Callable[[], Encoder], hidden: bool | None) -> int:
    """Append the vectors that are not on disk yet; returns their dimension."""
    path, shape = folder / _VECTORS, folder / _SHAPE
    done = dimension = 0
    if path.is_file() and shape.is_file():
        try:
            dimension = int(json.loads(shape.read_text())["dimension"])
            done = path.stat().st_size // (4 * dimension)
        except (ValueError, KeyError, TypeError, ZeroDivisionError):
            done = dimension = 0  # the build was stopped while writing this line: start over
    with path.open("r+b" if done else "wb") as file:
        file.seek(4 * dimension * done)
        file.truncate()
        if done == len(store):
            return dimension
        model = encoder()
        with tqdm(total=len(store), initial=done, desc="encoding", unit="chunk", disable=hidden) as bar:
            for start in range(done, len(store), WINDOW):
                rows = list(store.rows(start, min(start + WINDOW, len(store))))
                vectors = model.passages([title for _, title, _ in rows], [text for _, _, text in rows])
                finite = np.isfinite(vectors).all(axis=1)
                if not finite.all():
                    bad = rows[int(np.argmin(finite))][0]
                    raise CorpusError(f"the encoder gave a vector that is not finite for chunk {bad!r}")
                if not dimension:
                    dimension = vectors.shape[1]
                    shape.write_text(json.dumps({"dimension": dimension}))
                elif vectors.shape[1] != dimension:
                    raise CorpusError(f"the encoder gave {vectors.shape[1]} dimensions, but {dimension} before")
                file.write(vectors.astype("<f4", copy=False).tobytes())
                file.flush()
                bar.update(len(rows))
    return dimension


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


class DenseIndex:
    """Searches what `build` wrote.

    Args:
        nprobe: cells to visit in an index that has cells ("IVF…"); None: the index's own setting.

    Raises CorpusError if FAISS is missing, ValueError if the file is damaged or holds other vectors.
    """

    def __init__(self, folder: Path, n_chunks: int, dimension: int, *, nprobe: int | None = None) -> None:
        require("faiss", "faiss-cpu", "a dense index")
        import faiss

        try:
            self._index = faiss.read_index(str(folder / INDEX), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise ValueError(f"{INDEX} cannot be read ({error!s:.200})") from error
        if (self._index.ntotal, self._index.d) != (n_chunks, dimension):
            raise ValueError(
                f"{INDEX} holds {self._index.ntotal} vectors of {self._index.d}, expected {n_chunks} of {dimension}"
            )
        self._has_map = False  # from a chunk to its place in an index with cells
        if nprobe is not None:
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
