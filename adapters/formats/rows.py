"""Reads JSON rows from a file in bounded memory: JSON Lines or an array; plain, `.gz`, or the only file in a `.zip`."""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .entries import Unreadable

LONGEST = 64 * 2**20  # bytes, or characters in an array; a longer row is skipped
_CHUNK = 2**18
_MALFORMED = "not JSON"
_VISIBLE = re.compile(r"\S")
_BETWEEN = re.compile(r"\}\s*,\s*(?=\{)")
_BROKEN = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile)

Row = dict[str, Any] | Unreadable


@dataclass(frozen=True)
class Stream:
    """An open file: its bytes unpacked, how many of `size` have been read, and `size`."""

    bytes: IO[bytes]
    position: Callable[[], int]
    size: int


def zip_member(path: Path) -> str:
    """The name of the one JSON file in an archive. Raises ValueError when there is none, or more than one."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith((".json", ".jsonl"))]
    if len(names) != 1:
        raise ValueError(f"expected one .json or .jsonl file in the archive, found {len(names)}; unpack it")
    return names[0]


def is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


@contextmanager
def open_stream(path: Path) -> Iterator[Stream]:
    """Open a file, looking through gzip, or a zip archive with one JSON file. Raises ValueError, OSError."""
    if is_zip(path):
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(zip_member(path))
            with archive.open(info) as member:
                yield Stream(member, member.tell, info.file_size)
        return
    with path.open("rb") as raw:
        size = path.stat().st_size
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield Stream(unpacked, raw.tell, size)  # type: ignore[arg-type]
        else:
            yield Stream(raw, raw.tell, size)


def read_rows(stream: IO[bytes], *, array: bool) -> Iterator[tuple[int, Row]]:
    """(row number from 1, the row or why it cannot be read), in order; blank lines are passed over."""
    rows = _array(stream) if array else _lines(stream)
    number = 0
    try:
        for number, row in rows:
            yield number, row
    except _BROKEN as error:
        yield number + 1, Unreadable("the compressed file is damaged", f"{error}; the rest of it cannot be read")


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, Row]]:
    number = 0
    while line := stream.readline(LONGEST):
        number += 1
        if len(line) == LONGEST and not line.endswith(b"\n"):
            while (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
                pass
            yield number, Unreadable("row too long", f"more than {LONGEST:,} bytes")
        elif line.strip():
            yield number, _parse(line)


def _parse(line: bytes) -> Row:
    try:
        return _checked(json.loads(line.strip()))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        return Unreadable(_MALFORMED, f"{error}"[:200])


def _checked(value: Any) -> Row:
    return value if isinstance(value, dict) else Unreadable("not a JSON object", f"got {value!r:.80}")


class _Text:
    """The text of a stream, from `at` on; what lies before is dropped as more is read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        # What is no UTF-8 becomes lone surrogates, which the core reads as U+FFFD and notes.
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self.text = ""
        self.at = 0
        self.ended = False

    def grow(self) -> None:
        """Read more, at least as much as there is, so that trying again costs no more than the whole once over."""
        data = self._stream.read(max(_CHUNK, len(self.text) - self.at))
        self.ended = not data
        self.text = self.text[self.at :] + self._decoder.decode(data, final=self.ended)
        self.at = 0

    def peek(self) -> str:
        """Move to the next character that is no white space and return it; "" at the end."""
        while True:
            match = _VISIBLE.search(self.text, self.at)
            self.at = match.start() if match else len(self.text)
            if match or self.ended:
                return match[0] if match else ""
            self.grow()


def _array(stream: IO[bytes]) -> Iterator[tuple[int, Row]]:
    """Elements of one JSON array. After a malformed one it goes on at the next "}, {"."""
    buffer = _Text(stream)
    buffer.peek()
    buffer.at += 1  # "["
    number = 0
    while (first := buffer.peek()) and first != "]":
        number += 1
        row = _element(buffer)
        yield number, row
        if isinstance(row, Unreadable) and row.kind == _MALFORMED:
            if not _to_next(buffer):
                return
            continue
        follows = buffer.peek()
        if follows == ",":
            buffer.at += 1
        elif follows and follows != "]":
            number += 1
            yield number, Unreadable(_MALFORMED, f"expected a comma, got {buffer.text[buffer.at :][:40]!r}")
            if not _to_next(buffer):
                return
    if not first:
        yield number + 1, Unreadable(_MALFORMED, "the array is not closed: the file is cut off")


def _element(buffer: _Text) -> Row:
    """The value at the buffer's position, which moves behind it, or to where it cannot be read."""
    decoder = json.JSONDecoder()
    while True:
        try:
            value, buffer.at = decoder.raw_decode(buffer.text, buffer.at)
        except (ValueError, RecursionError) as error:
            # Short of the end by more than any token but a string, more text cannot mend it.
            at = getattr(error, "pos", buffer.at)
            unfinished = at > len(buffer.text) - 32 or "Unterminated string" in str(error)
            if unfinished and not buffer.ended and len(buffer.text) - buffer.at < LONGEST:
                buffer.grow()
                continue
            buffer.at = at
            return Unreadable(_MALFORMED, str(getattr(error, "msg", error)))
        return _checked(value)


def _to_next(buffer: _Text) -> bool:
    """Move to the start of what looks like the next element; False where the file ends before one."""
    while (match := _BETWEEN.search(buffer.text, buffer.at)) is None:
        buffer.at = max(buffer.at, len(buffer.text) - 64)
        if buffer.ended:
            return False
        buffer.grow()
    buffer.at = match.end()
    return True
