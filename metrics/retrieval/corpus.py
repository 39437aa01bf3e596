"""An indexed corpus on disk, opened for searching."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from ..knowledge.types import Passage
from . import manifest, words
from .bm25_index import Bm25Index
from .dense_index import DenseIndex
from .encoders import DenseOptions
from .errors import CorpusError
from .store import TextStore


class Corpus:
    """A corpus made by `build_corpus`. Only the manifest is read into memory.

    Raises:
        CorpusError: the folder is missing, incomplete, damaged, or of another version; says what to do.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self.manifest = manifest.read(self.folder)
        try:
            self._store = TextStore(self.folder)
        except (OSError, ValueError) as error:
            raise self._damaged(error) from error
        if len(self._store) != self.manifest["counts"]["chunks"]:
            raise self._damaged(f"{len(self._store)} chunks, expected {self.manifest['counts']['chunks']}")

    def __len__(self) -> int:
        """The number of chunks."""
        return len(self._store)

    @functools.cached_property
    def digest(self) -> str:
        """Of the content of all its files, as the manifest has it: another edition has another one."""
        content = {name: about["sha256"] for name, about in sorted(self.manifest["files"].items())}
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def floor(self, of: Literal["evidence", "similarity"]) -> float | None:
        """From which score on a passage of this corpus is evidence, see `floors`; None: it is not known."""
        found = self.manifest["floors"].get(of)
        return None if found is None else float(found["value"])

    def bm25(self) -> Bm25Index:
        built = self.manifest["bm25"]["words"]
        if built != words.NAME:
            raise CorpusError(
                f"corpus {str(self.folder)!r}: indexed with {built!r}, this stepgauge searches with {words.NAME!r}; "
                "build it again with `stepgauge corpus build`"
            )
        try:
            return Bm25Index(self.folder, len(self))
        except CorpusError:
            raise
        except (OSError, ValueError) as error:
            raise self._damaged(error) from error

    def dense_options(self) -> DenseOptions:
        """The options the dense index was built with. Raises CorpusError if there is no dense index."""
        if self.manifest["dense"] is None:
            raise CorpusError(
                f"corpus {str(self.folder)!r}: it has no dense index; build it with "
                "`stepgauge corpus build SOURCE DEST --dense MODEL`"
            )
        try:
            return DenseOptions.from_manifest(self.manifest["dense"])
        except (KeyError, TypeError) as error:
            raise self._damaged(error) from error

    def dense(self, *, nprobe: int | None = None) -> DenseIndex:
        self.dense_options()
        try:
            return DenseIndex(self.folder, len(self), self.manifest["dense"]["dimension"], nprobe=nprobe)
        except CorpusError:
            raise
        except (OSError, ValueError, KeyError) as error:
            raise self._damaged(error) from error

    def passages(self, found: Sequence[tuple[int, float]]) -> list[Passage]:
        """Chunks by number, with the scores given."""
        out = []
        for number, score in found:
            chunk_id, title, text = self._store[number]
            out.append(Passage(chunk_id, text, title, score))
        return out

    def whole(self, numbers: Sequence[int]) -> list[Passage]:
        """Chunks by number, without scores."""
        return [Passage(chunk_id, text, title) for chunk_id, title, text in (self._store[one] for one in numbers)]

    def ids(self) -> Iterator[str]:
        """The ids of all chunks in order, read from disk."""
        return (chunk_id for chunk_id, _, _ in self._store)

    def _damaged(self, why: object) -> CorpusError:
        reason = f"{type(why).__name__}: {why}" if isinstance(why, Exception) else why
        return CorpusError(
            f"corpus {str(self.folder)!r}: damaged ({reason}); `stepgauge corpus check` names the files, "
            "`stepgauge corpus build` builds it again"
        )
