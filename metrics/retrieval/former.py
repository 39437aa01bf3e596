"""The corpus that a build replaces, and what the new one takes over of it: chunks and vectors that would be the same.

For each file of its source a corpus holds, in `files.jsonl`, digests and how many of its documents, chunks and ids come
from it, in the order in which they stand in the store and in `ids.u64`. So the chunks of a file that is as it was are
copied, whatever became of the others.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import manifest
from .dense_index import INDEX, KeptVectors, exact_vectors
from .encoders import DenseOptions
from .errors import CorpusError
from .readers import Known
from .store import OFFSETS, TEXTS, TextStore

log = logging.getLogger(__name__)

FILES, IDS = "files.jsonl", "ids.u64"
# Other versions of these may find other text in the same bytes, or give other vectors of the same text.
READERS = ("Python", "stepgauge", "pypdf", "python-docx", "beautifulsoup4", "charset-normalizer")
_ENCODERS = ("sentence-transformers", "transformers")
VERSIONS = (*READERS, *_ENCODERS)
# Options of the dense index that decide the passages' vectors.
_OF_VECTORS = ("model", "pooling", "similarity", "title")
_ALL = "all passages are encoded"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of a source, and how much of the corpus comes from it.

    Attributes:
        file: its path.
        sha256: of its bytes.
        text: digest of its text, see `readers.ReadFile`.
        left_out: whether nothing comes from it.
        documents, empty, chunks: as the manifest counts them.
        ids: how many ids its documents take.
    """

    file: str
    sha256: str
    text: str | None
    left_out: bool
    documents: int = 0
    empty: int = 0
    chunks: int = 0
    ids: int = 0

    def line(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__}) + "\n"


@dataclass(frozen=True, slots=True)
class Held:
    """A file's record, and the numbers of its first chunk and id."""

    record: FileRecord
    first_chunk: int
    first_id: int

    @property
    def known(self) -> Known:
        return Known(self.record.text, not self.record.left_out)


class Former:
    """A complete corpus whose texts and vectors are byte for byte as they were built; open it with `open_former`.

    Args:
        content: its manifest.
        versions: of what builds the new one.
    """

    def __init__(self, folder: Path, content: Mapping[str, Any], versions: Mapping[str, Any]) -> None:
        self.folder = folder
        self._versions = versions
        self.store = TextStore(folder)
        self._manifest = content

    def files(self, digests: Mapping[str, str], options: Mapping[str, Any]) -> dict[str, Held]:
        """The files whose chunks stay what they are: of the same name and bytes, read and cut in the same way."""
        had = self._manifest.get("options", {})
        same = {**had, "dense": None} == {**options, "dense": None} and self._same(READERS)
        if not same or FILES not in self._manifest["files"]:
            return {}
        return {
            held.record.file: held
            for held in self._records()
            if held.record.sha256 == digests.get(held.record.file)
            # What could not be read may be readable now: a library may have been installed.
            and not (held.record.left_out and held.record.text is None)
        }

    @functools.cached_property
    def ids(self) -> np.ndarray:
        """The hashes of all ids that its documents take."""
        return np.memmap(self.folder / IDS, dtype="<u8", mode="r")

    def vectors(self, options: DenseOptions) -> KeptVectors | None:
        """Its vectors, if the same encoder made them and the index holds them as they were made."""
        had = self._manifest["dense"]
        if had is None or any(had[name] != getattr(options, name) for name in _OF_VECTORS):
            return None
        if not self._same(_ENCODERS):
            log.warning("%s: made with other versions of %s; %s", self.folder, " or ".join(_ENCODERS), _ALL)
            return None
        if (index := exact_vectors(self.folder, len(self.store), had["dimension"])) is None:
            log.warning("%s: its index %r does not hold vectors as they were made; %s", self.folder, had["index"], _ALL)
            return None
        return KeptVectors(self.store, index, with_titles=options.title != "none")

    def _same(self, names: tuple[str, ...]) -> bool:
        had = self._manifest.get("versions", {})
        return all(name in had and had[name] == self._versions[name] for name in names)

    def _records(self) -> Iterator[Held]:
        chunk = own_id = 0
        with (self.folder / FILES).open(encoding="utf-8") as lines:
            for line in lines:
                record = FileRecord(**json.loads(line))
                yield Held(record, chunk, own_id)
                chunk, own_id = chunk + record.chunks, own_id + record.ids


def open_former(folder: Path, versions: Mapping[str, Any]) -> Former | None:
    """The corpus in the folder; None, with a line in the log, where it is not as it was built."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    try:
        content = manifest.read(folder)
        if damaged := manifest.damaged_files(folder, (FILES, IDS, TEXTS, OFFSETS, INDEX)):
            raise CorpusError(f"corpus {str(folder)!r}: not as it was built: {', '.join(damaged)}")
        return Former(folder, content, versions)
    except (OSError, ValueError) as error:
        log.warning("all is built anew, since what is there cannot be used: %s", error)
        return None
