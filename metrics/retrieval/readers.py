"""Reads documents from files: rows of JSONL (also gzipped), CSV and JSON; text, Markdown, HTML, PDF and DOCX.

A folder is read recursively, in path order. If it has MedRAG's layout (JSONL files in `chunk/`), only the files in
`chunk/` are documents. A README or LICENSE beside rows is about them, and none. What is left out is listed, with why.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ..knowledge.law.provisions import cut_provisions
from .documents import DOCX, HTML, PDF, Unreadable, decoded, parts_of, read_bytes, whole
from .errors import CorpusError
from .manifest import NAME, sha256
from .store import TEXTS

JSONL = (".jsonl", ".jsonl.gz")
CSV = (".csv", ".tsv")
JSON = (".json",)
TEXT = (".txt", ".md")
KNOWN = (*JSONL, *CSV, *JSON, *TEXT, *HTML, *PDF, *DOCX)
_HEADER = 10_000  # characters in which a CSV file's header ends
_DELIMITERS = ",;\t|"
# The value of `Fields.id` that numbers rows instead of reading a field.
ROW = ":row"
# The default text fields: MedRAG's files have `content`, and `contents` with the title in front.
_TEXT_FIELDS = ("text", "content", "contents")
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S[^\n]{0,300})$", re.MULTILINE)
_ABOUT = re.compile(r"(readme|license|licence|source|changelog|citation)(\.(txt|md))?", re.IGNORECASE)


@dataclass(frozen=True)
class Fields:
    """Which fields of a JSONL row hold a document.

    Attributes:
        id: a field, several separated by commas (their values are joined with "/"), or ":row" for `file:row`.
        title: None uses `title` if the row has it; a field named here must exist.
        text: None uses the first of `text`, `content`, `contents` that exists.
    """

    id: str = "id"
    title: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Document:
    """A document and its location ("textbooks/chunk/Anatomy.jsonl, row 7")."""

    id: str
    title: str
    text: str
    where: str


@dataclass(frozen=True)
class Source:
    """The files of a corpus in reading order, relative to `root`; and the files left out, each with the reason."""

    root: Path
    files: Sequence[Path]
    left_out: Sequence[tuple[str, str]] = ()

    def state(self) -> list[tuple[str, int, int]]:
        """Name, size and modification time of each file, to detect changes while reading."""
        stats = [(path, (self.root / path).stat()) for path in self.files]
        return [(path.as_posix(), stat.st_size, stat.st_mtime_ns) for path, stat in stats]

    def digests(self) -> dict[str, str]:
        """Hex digest of the bytes of each file, by name."""
        return {path.as_posix(): sha256(self.root / path) for path in self.files}


@dataclass(frozen=True)
class Known:
    """What a corpus that is there holds of a file that is as it was.

    Attributes:
        text: digest of its text, as `ReadFile` has it.
        kept: whether its documents are in the corpus; False for one left out as a duplicate.
    """

    text: str | None
    kept: bool


@dataclass(frozen=True)
class ReadFile:
    """A file of a source.

    Attributes:
        name: its path.
        text: digest of its text; None for rows, which are not compared, and where there is none.
        documents: in order; None for those of a known file, which is not read again.
        reason: why it is left out; None: it is not.
    """

    name: str
    text: str | None
    documents: Iterable[Document] | None
    reason: str | None = None


def find_source(path: str | Path) -> Source:
    """The source files at `path`, a file or folder. Raises CorpusError if there are none."""
    path = Path(path).expanduser()
    known = ", ".join(KNOWN)
    if path.is_file():
        if not path.name.lower().endswith(KNOWN):
            raise CorpusError(f"{path}: expected a file whose name ends in one of {known}")
        return Source(path.parent, (Path(path.name),))
    if not path.is_dir():
        raise CorpusError(f"{path}: no such file or folder")
    found = [file for file in path.rglob("*") if not any(p.startswith(".") for p in file.relative_to(path).parts)]
    files = sorted(file.relative_to(path) for file in found if file.is_file())
    # `corpus build . corpus`: what was built from the folder is no part of it.
    built = {file.parent for file in files if file.name == NAME and file.with_name(TEXTS) in files}
    files = [file for file in files if built.isdisjoint(file.parents)]
    links = [file for file in found if file.is_symlink() and not file.is_file()]
    jsonl = [file for file in files if file.name.lower().endswith(JSONL)]
    medrag = any(file.parts[0] == "chunk" and len(file.parts) > 1 for file in jsonl)
    chosen: list[Path] = []
    left_out = [(file.relative_to(path).as_posix(), f"a link to {_target(file)}") for file in sorted(links)]
    for file in files:
        if medrag and not (file.name.lower().endswith(JSONL) and file.parts[0] == "chunk"):
            left_out.append((file.as_posix(), "beside the folder chunk, which holds the documents"))
        elif jsonl and _ABOUT.fullmatch(file.name):
            left_out.append((file.as_posix(), "about the rows beside it"))
        elif not file.name.lower().endswith(KNOWN):
            left_out.append((file.as_posix(), f"files of type {file.suffix.lower() or 'unknown'} are not read"))
        else:
            chosen.append(file)
    if not chosen:
        raise CorpusError(f"{path}: no document in this folder; expected files whose names end in one of {known}")
    return Source(path, tuple(chosen), tuple(left_out))


def _target(link: Path) -> str:
    return "a folder, which is not followed" if link.is_dir() else "nothing"


def read(
    source: Source, fields: Fields, left_out: list[tuple[str, str]] | None = None, *, unparted: bool = False
) -> Iterator[Document]:
    """The documents in order; names and reasons of files left out go into `left_out`. Raises like `read_files`."""
    for file in read_files(source, fields, unparted=unparted):
        if file.reason is not None and left_out is not None:
            left_out.append((file.name, file.reason))
        yield from file.documents or ()


def read_files(
    source: Source, fields: Fields, known: Mapping[str, Known] | None = None, *, unparted: bool = False
) -> Iterator[ReadFile]:
    """The files in order; the documents of each are to be read before the next.

    A file that cannot be read, that says what one before said, or whose first row has not the fields, is left out,
    unless it is the only one. A bad row ends the reading. Files in `known` are read only where what is held of them
    does not do: a duplicate whose first is gone.

    Args:
        unparted: PDF, DOCX and HTML files with provisions are one document each, and not one for each page or heading.

    Raises:
        CorpusError: naming file, row and field.
    """
    seen: dict[str, str] = {}
    for file in source.files:
        path, name = source.root / file, file.as_posix()
        held = (known or {}).get(name)
        text = None if held is None else held.text
        documents: Iterable[Document] | None = None
        reason = None
        try:
            if held is None or not (held.kept or text in seen):
                documents, text = _open(path, file, fields, unparted)
            if text is not None and (same := seen.setdefault(text, name)) != name:
                raise Unreadable(f"the same text as {same}")
        except (Unreadable, CorpusError) as error:
            if len(source.files) == 1:
                raise CorpusError(f"{path}: {error}" if isinstance(error, Unreadable) else str(error)) from None
            documents, reason = (), str(error)
        yield ReadFile(name, text, documents, reason)


def _open(path: Path, file: Path, fields: Fields, unparted: bool) -> tuple[Iterable[Document], str | None]:
    """A file's documents, and the digest of its text."""
    name, lower = file.as_posix(), file.name.lower()
    if lower.endswith(JSONL):
        return _jsonl(path, name, fields), None
    if lower.endswith((*CSV, *JSON)):
        rows = _csv(path, name, fields) if lower.endswith(CSV) else _json(path, name, fields)
        first = next(rows, None)
        if first is None:
            raise Unreadable("no row in it")
        return chain((first,), rows), None
    found = [_text(path, file)] if lower.endswith(TEXT) else list(_parts(path, name, unparted))
    if not any(one.text.strip() for one in found):
        return found, None
    return found, hashlib.sha256("\0".join(one.text for one in found).encode("utf-8", "replace")).hexdigest()


def _text(path: Path, file: Path) -> Document:
    text = decoded(read_bytes(path))
    heading = _HEADING.search(text) if file.suffix.lower() == ".md" else None
    title = heading[1].strip() if heading else file.stem
    return Document(file.as_posix(), title, text, file.as_posix())


def _parts(path: Path, name: str, unparted: bool) -> Iterator[Document]:
    if unparted:
        title, text = whole(path)
        if cut_provisions(name, title, text):
            yield Document(name, title, text, name)
            return
    for part in parts_of(path):
        place = f"{name}#{part.place}" if part.place else name
        yield Document(place, part.title, part.text, place)


def _csv(path: Path, name: str, fields: Fields) -> Iterator[Document]:
    text = decoded(read_bytes(path))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, name))
    number = 0
    try:
        header = next(rows, [])
        text_field = fields.text or next((one for one in _TEXT_FIELDS if one in header), None)
        wanted = [text_field, fields.title or "title", *(part.strip() for part in fields.id.split(","))]
        if twice := [one for one in wanted if one is not None and header.count(one) > 1]:
            raise CorpusError(
                f"{name}, header, field {twice[0]!r}: it is there twice; rename one, or name another field"
            )
        for number, row in enumerate(rows, 1):
            if row:
                if len(row) != len(header):
                    raise CorpusError(
                        f"{name}, row {number}: {len(row)} values, expected {len(header)} as in the header"
                    )
                cells = dict(zip(header, row, strict=True))
                yield _of_row(cells, f"{name}, row {number}", f"{name}:{number}", fields)
    except csv.Error as error:
        raise CorpusError(f"{name}, after row {number}: cannot be read ({error})") from None


def _delimiter(text: str, name: str) -> str:
    """What parts the columns: a tab in .tsv, else a comma, a semicolon, a tab or a bar, as the header has it.

    The header alone decides: in rows of prose commas are many. One of a single column has none of them.
    """
    if name.lower().endswith(".tsv"):
        return "\t"
    header = text[:_HEADER].lstrip("\r\n").partition("\n")[0]
    try:
        return csv.Sniffer().sniff(header, _DELIMITERS).delimiter
    except csv.Error:
        return ","


def _json(path: Path, name: str, fields: Fields) -> Iterator[Document]:
    try:
        rows = json.loads(decoded(read_bytes(path)))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{name}: not JSON ({type(error).__name__}: {error!s:.200})") from None
    if not isinstance(rows, list):
        raise CorpusError(f"{name}: expected an array of JSON objects, got {rows!r:.80}")
    for number, row in enumerate(rows, 1):
        yield _of_row(row, f"{name}, row {number}", f"{name}:{number}", fields)


def _jsonl(path: Path, name: str, fields: Fields) -> Iterator[Document]:
    number = 0
    try:
        with gzip.open(path, "rb") if name.lower().endswith(".gz") else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _document(line, f"{name}, row {number}", f"{name}:{number}", fields)
    # A truncated or damaged stream; zlib's own error is not an OSError.
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(f"{path}, after row {number}: cannot be read ({type(error).__name__}: {error})") from None


def _document(line: bytes, where: str, row_id: str, fields: Fields) -> Document:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise CorpusError(f"{where}: not UTF-8 ({error.reason} at byte {error.start} of the line)") from None
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: not a JSON object ({type(error).__name__}: {error!s:.200})") from None
    return _of_row(row, where, row_id, fields)


def _of_row(row: Any, where: str, row_id: str, fields: Fields) -> Document:
    if not isinstance(row, dict):
        raise CorpusError(f"{where}: expected a JSON object, got {row!r:.80}")
    if fields.text is not None:
        text_field = fields.text
    else:
        text_field = next((name for name in _TEXT_FIELDS if name in row), None)
        if text_field is None:
            raise CorpusError(_no_field(where, "text", row, "--text-field"))
    text = _value(row, text_field, where, "--text-field")
    title = "" if fields.title is None and row.get("title") is None else None
    if title is None:
        title = _value(row, fields.title or "title", where, "--title-field")
    if fields.id == ROW:
        return Document(row_id, title, text, where)
    own_id = "/".join(_value(row, name.strip(), where, "--id-field", number=True) for name in fields.id.split(","))
    if not own_id.strip("/ "):
        raise CorpusError(
            f"{where}, field {fields.id!r}: empty; name another with --id-field, or number the rows: :row"
        )
    return Document(own_id, title, text, where)


def _value(row: dict[str, Any], name: str, where: str, option: str, *, number: bool = False) -> str:
    if name not in row:
        raise CorpusError(_no_field(where, name, row, option))
    value = row[name]
    if number and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise CorpusError(f"{where}, field {name!r}: expected text, got {value!r:.80}")
    # JSON can encode half of a surrogate pair, which cannot be written as UTF-8.
    return value.encode("utf-8", "replace").decode("utf-8")


def _no_field(where: str, name: str, row: dict[str, Any], option: str) -> str:
    there = ", ".join(repr(key)[:40] for key in list(row)[:12]) or "no field at all"
    return f"{where}, field {name!r}: not there; the row has {there}; name the right one with {option}"
