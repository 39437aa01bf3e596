"""Passages on disk: a file of UTF-8 text and a file of offsets, both memory-mapped, so that passages take no memory.

`texts.utf8` holds id, title and text of each chunk one after the other; `offsets.i64` holds 3 n + 1 little-endian
int64: where each of those strings begins, and where the last one ends.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType

import numpy as np

from .errors import CorpusError

TEXTS = "texts.utf8"
OFFSETS = "offsets.i64"
_FLUSH = 1 << 16


class Numbers:
    """Appends numbers to a file of raw little-endian values; a context manager that closes it."""

    def __init__(self, path: Path, dtype: str) -> None:
        self._file = path.open("wb")
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._held = array(self._dtype.char)

    def add(self, *values: int) -> None:
        self.extend(values)

    def extend(self, values: Iterable[int]) -> None:
        """Append an iterable of numbers."""
        self._held.extend(values)
        if len(self._held) >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        # Not `tofile`, which does not say why it could not write.
        self._file.write(np.asarray(self._held).astype(self._dtype, copy=False).tobytes())
        del self._held[:]

    def __enter__(self) -> Numbers:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._file.close()


class StoreWriter:
    """Writes a store's two files into a folder; a context manager that closes them."""

    def __init__(self, folder: Path) -> None:
        self._texts = (folder / TEXTS).open("wb")
        self._offsets = Numbers(folder / OFFSETS, "i8")
        self._position = 0
        self._offsets.add(0)

    def add(self, chunk_id: str, title: str, text: str) -> None:
        for part in (chunk_id, title, text):
            data = part.encode("utf-8", "replace")
            self._texts.write(data)
            self._position += len(data)
            self._offsets.add(self._position)

    def copy(self, store: TextStore, start: int, stop: int) -> None:
        """Append chunks of another store, from `start` up to but not including `stop`, byte by byte."""
        for data, ends in store.blocks(start, stop):
            self._texts.write(data)
            self._offsets.extend((ends + self._position).tolist())
            self._position += len(data)

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._offsets.__exit__(kind, error, tb)
        self._texts.close()


class TextStore:
    """The chunks in a folder, by number. Raises CorpusError if its two files do not fit together."""

    def __init__(self, folder: Path) -> None:
        # Plain views of the maps: a slice of a memmap takes several times as long to make.
        self._offsets = np.asarray(np.memmap(folder / OFFSETS, dtype="<i8", mode="r"))
        self._texts = np.asarray(np.memmap(folder / TEXTS, dtype=np.uint8, mode="r"))
        if len(self._offsets) % 3 != 1 or int(self._offsets[-1]) != len(self._texts):
            raise CorpusError(f"{folder}: {OFFSETS} and {TEXTS} do not fit together; build the corpus again")

    def __len__(self) -> int:
        return len(self._offsets) // 3

    def __getitem__(self, number: int) -> tuple[str, str, str]:
        """Id, title and text of a chunk."""
        if not 0 <= number < len(self):
            raise IndexError(f"chunk {number} of {len(self)}")
        return self._parts(self._offsets[3 * number : 3 * number + 4].tolist())

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        return self.rows(0, len(self))

    def rows(self, start: int, stop: int) -> Iterator[tuple[str, str, str]]:
        """Chunks from `start` up to but not including `stop`."""
        for low in range(start, stop, _FLUSH):
            high = min(low + _FLUSH, stop)
            offsets = self._offsets[3 * low : 3 * high + 1].tolist()
            for i in range(0, 3 * (high - low), 3):
                yield self._parts(offsets[i : i + 4])

    def blocks(self, start: int, stop: int) -> Iterator[tuple[bytes, np.ndarray]]:
        """Bytes of chunks, and where each of their strings ends in them, some chunks at a time."""
        for low in range(start, stop, _FLUSH):
            at = self._offsets[3 * low : 3 * min(low + _FLUSH, stop) + 1]
            yield self._texts[at[0] : at[-1]].tobytes(), at[1:] - at[0]

    def sizes(self, numbers: np.ndarray) -> np.ndarray:
        """The bytes of the chunks with these numbers."""
        return self._offsets[3 * numbers + 3] - self._offsets[3 * numbers]

    def _parts(self, at: list[int]) -> tuple[str, str, str]:
        data = self._texts[at[0] : at[3]].tobytes()
        cuts = [position - at[0] for position in at]
        first, second, third = (data[a:b].decode("utf-8", "replace") for a, b in pairwise(cuts))
        return first, second, third
