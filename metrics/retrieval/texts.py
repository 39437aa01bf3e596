"""The first stage of a build: documents are read, cut into chunks and written; chunks of unchanged files are copied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from tqdm import tqdm

from ..knowledge.law.provisions import cut_provisions, is_provision
from .bm25_index import word_hash
from .chunks import chunk, chunk_id
from .errors import CorpusError
from .former import FILES, IDS, FileRecord, Former, Held
from .readers import Document, Fields, ReadFile, Source, read, read_files
from .store import Numbers, StoreWriter

# Id, title and text of each chunk of a document.
Cut: TypeAlias = Callable[[Document], list[tuple[str, str, str]]]


def pieces_of(document: Document, *, words: int, overlap: int, by: str) -> list[tuple[str, str, str]]:
    """Id, title and text of each chunk of a document."""
    if by == "provision" and (found := cut_provisions(document.id, document.title, document.text)):
        return [(one.key, one.title, one.text) for one in found]
    parts = list(chunk(document.text, words, overlap))
    names = _names(document, len(parts))
    return [(name, document.title, part) for name, part in zip(names[-len(parts) :], parts, strict=False)]


def write_texts(
    work: Path,
    source: Source,
    digests: Mapping[str, str],
    fields: Fields,
    options: Mapping[str, Any],
    cut: Cut,
    former: Former | None,
    progress: bool | None,
) -> dict[str, Any]:
    """Chunk all documents into the work folder.

    Args:
        digests: of the source's files.
        options: all that decide what is read and how it is cut.
        former: the corpus that is replaced.

    Returns:
        Counts, the files left out with the reasons, and the counts of what was copied; None without `former`.
    """
    unparted = "by" in options  # a provision may begin on one page and end on the next
    held = {} if former is None else former.files(digests, options)
    left_out = list(source.left_out)
    counts = {"documents": 0, "empty": 0, "chunks": 0}
    kept = {"documents": 0, "chunks": 0}
    with ExitStack() as opened:
        store = opened.enter_context(StoreWriter(work))
        ids = opened.enter_context(Numbers(work / IDS, "u8"))
        records = opened.enter_context((work / FILES).open("w", encoding="utf-8"))
        hidden = None if progress is None else not progress
        bar = opened.enter_context(tqdm(desc="reading", unit="document", disable=hidden))
        known = {name: one.known for name, one in held.items()}
        for file in read_files(source, fields, known, unparted=unparted):
            record = FileRecord(file.name, digests[file.name], file.text, left_out=file.reason is not None)
            if file.reason is not None:
                left_out.append((file.name, file.reason))
            elif file.documents is None and former is not None:
                record = _copy(former, held[file.name], store, ids)
                bar.update(record.documents)
                for name in kept:
                    kept[name] += getattr(record, name)
            else:
                record = _cut(record, file, cut, store, ids, bar)
            for name in counts:
                counts[name] += getattr(record, name)
            records.write(record.line())
    if not counts["chunks"]:
        (only, *others) = source.files
        where = source.root if others else source.root / only
        why = "".join(f"; {name}: {reason}" for name, reason in left_out[:3])
        raise CorpusError(f"{where}: no document with text ({counts['empty']} without){why}")
    _check_unique(work / IDS, source, fields, cut, unparted)
    return {
        "counts": counts,
        "left_out": [{"file": name, "reason": reason} for name, reason in sorted(left_out)],
        "kept": None if former is None else kept,
    }


def _copy(former: Former, held: Held, store: StoreWriter, ids: Numbers) -> FileRecord:
    record = held.record
    store.copy(former.store, held.first_chunk, held.first_chunk + record.chunks)
    ids.extend(former.ids[held.first_id : held.first_id + record.ids].tolist())
    return record


def _cut(record: FileRecord, file: ReadFile, cut: Cut, store: StoreWriter, ids: Numbers, bar: tqdm) -> FileRecord:
    documents = empty = chunks = n_ids = 0
    for document in file.documents or ():
        pieces = cut(document)
        names = _taken(document, pieces)
        documents += 1
        empty += not pieces
        chunks += len(pieces)
        n_ids += len(names)
        ids.extend(word_hash(name) for name in names)
        for piece in pieces:
            store.add(*piece)
        bar.update()
    return replace(record, documents=documents, empty=empty, chunks=chunks, ids=n_ids)


def _names(document: Document, n_chunks: int) -> list[str]:
    """All ids that a document uses: its own, then those of its chunks if there are several."""
    chunks = [chunk_id(document.id, number, only=False) for number in range(1, n_chunks + 1)]
    return [document.id, *chunks] if n_chunks > 1 else [document.id]


def _taken(document: Document, pieces: Sequence[tuple[str, str, str]]) -> list[str]:
    """All ids that a document uses: those of its chunks, and its own where they are numbered after it."""
    names = [name for name, _, _ in pieces]
    return names if names and not names[0].startswith(f"{document.id}#") else [document.id, *names]


def _check_unique(path: Path, source: Source, fields: Fields, cut: Cut, unparted: bool) -> None:
    """Raises CorpusError naming the first row with a duplicate id. Compares hashes and rereads only colliding rows."""
    hashes = np.sort(np.fromfile(path, dtype="<u8"))
    suspects = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    if not suspects:
        return
    del hashes
    seen: dict[str, str] = {}
    for document in read(source, fields, unparted=unparted):
        for name in _taken(document, cut(document)):
            if word_hash(name) not in suspects:
                continue
            if name in seen:
                if unparted and name != document.id and not is_provision(document.id, document.title):
                    raise CorpusError(
                        f"{document.where}: the provision {name!r} is there, from {seen[name]}; give each act a title "
                        "of its own (a file's title or first heading), and put one act into one file"
                    )
                raise CorpusError(
                    f"{document.where}, field {fields.id!r}: {name!r} is taken by {seen[name]}; ids must differ: join "
                    "several fields (--id-field source,id), or number the rows (--id-field :row)"
                )
            seen[name] = document.where
