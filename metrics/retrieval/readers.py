"""Reads documents from files: JSONL (also gzipped), plain text, Markdown.

A folder is read recursively, in path order. If it holds JSONL files, only those are documents (its README.md is not).
If it has MedRAG's layout (JSONL files in `chunk/`), only the files in `chunk/` are.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CorpusError

JSONL = (".jsonl", ".jsonl.gz")
TEXT = (".txt", ".md")
# The value of `Fields.id` that numbers rows instead of reading a field.
ROW = ":row"
# The default text fields: MedRAG's files have `content`, and `contents` with the title in front.
_TEXT_FIELDS = ("text", "content", "contents")
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S[^\n]{0,300})$", re.MULTILINE)
_BLOCK = 1 << 20


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
    """The files of a corpus in reading order, relative to `root`."""

    root: Path
    files: Sequence[Path]

    def state(self) -> list[tuple[str, int, int]]:
        """Name, size and modification time of each file, to detect changes while reading."""
        stats = [(path, (self.root / path).stat()) for path in self.files]
        return [(path.as_posix(), stat.st_size, stat.st_mtime_ns) for path, stat in stats]

    def sha256(self) -> str:
        """Hex digest over the names and bytes of the files."""
        digest = hashlib.sha256()
        for path in self.files:
            name = path.as_posix().encode("utf-8", "surrogateescape")
            size = (self.root / path).stat().st_size
            digest.update(b"%d %s %d " % (len(name), name, size))
            with (self.root / path).open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        return digest.hexdigest()


def find_source(path: str | Path) -> Source:
    """The source files at `path`, a file or folder. Raises CorpusError if there are none."""
    path = Path(path).expanduser()
    known = ", ".join((*JSONL, *TEXT))
    if path.is_file():
        if not path.name.lower().endswith((*JSONL, *TEXT)):
            raise CorpusError(f"{path}: expected a file whose name ends in one of {known}")
        return Source(path.parent, (Path(path.name),))
    if not path.is_dir():
        raise CorpusError(f"{path}: no such file or folder")
    files = [file.relative_to(path) for file in path.rglob("*") if file.is_file()]
    files = sorted(file for file in files if not any(part.startswith(".") for part in file.parts))
    jsonl = [file for file in files if file.name.lower().endswith(JSONL)]
    chosen = (
        [file for file in jsonl if file.parts[0] == "chunk" and len(file.parts) > 1]
        or jsonl
        or [file for file in files if file.name.lower().endswith(TEXT)]
    )
    if not chosen:
        raise CorpusError(f"{path}: no document in this folder; expected files whose names end in one of {known}")
    return Source(path, tuple(chosen))


def read(source: Source, fields: Fields) -> Iterator[Document]:
    """The documents in order. Raises CorpusError naming file, row and field."""
    for file in source.files:
        path = source.root / file
        if file.name.lower().endswith(JSONL):
            yield from _jsonl(path, file.as_posix(), fields)
        else:
            yield _text(path, file)


def _text(path: Path, file: Path) -> Document:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error})") from None
    heading = _HEADING.search(text) if file.suffix.lower() == ".md" else None
    title = heading[1].strip() if heading else file.stem
    return Document(file.as_posix(), title, text, file.as_posix())


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
