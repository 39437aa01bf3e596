"""Reads JSON rows from a file in bounded memory: JSON Lines or an array; plain, `.gz`, or the only file in a `.zip`.

What cannot be read costs its own row; a file that ends in damage gives the rows before it, and then says where it ends.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .entries import UNREADABLE_FILE, Unreadable

LONGEST = 64 * 2**20  # bytes, or characters in an array; a longer row is skipped
DEEPEST = 100  # levels of lists and objects in a row; what is read from a row is walked and written recursively
_NESTED = (dict, list)
_CHUNK = 2**18
_MALFORMED = "not JSON"
_VISIBLE = re.compile(r"\S")
_BETWEEN = r"\}\s*,\s*(?=\{)"
_OPENING = re.compile(r'\{\s*"(?:[^"\\]|\\.){0,200}"')

Row = dict[str, Any] | Unreadable


class _Unpacked(io.RawIOBase):
    """The bytes of a file as far as they can be unpacked; `damage` says why they end before the file does."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self.damage: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.damage is not None:
            return 0
        try:
            data = self._packed.read1(len(buffer))  # type: ignore[attr-defined]
        # Disks, gzip, zip and each of its compressions have errors of their own, some of them built-in ones.
        except Exception as error:
            self.damage = f"{type(error).__name__}: {error}"[:200]
            return 0
        buffer[: len(data)] = data
        return len(data)


@dataclass(frozen=True)
class Stream:
    """An open file: its bytes unpacked, how many of `size` have been read, `size`, and why the bytes end early."""

    bytes: IO[bytes]
    position: Callable[[], int]
    size: int
    damage: Callable[[], str | None]


_ENCRYPTED = 0x1  # of a member's flags (.ZIP File Format Specification, 4.4.4)


def zip_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one JSON file in an archive. Raises ValueError when there is none, more than one, or it is encrypted."""
    members = [info for info in archive.infolist() if info.filename.lower().endswith((".json", ".jsonl"))]
    if len(members) != 1:
        raise ValueError(f"expected one .json or .jsonl file in the archive, found {len(members)}; unpack it")
    if members[0].flag_bits & _ENCRYPTED:
        raise ValueError("the archive is encrypted; unpack it with its password")
    return members[0]


def zip_names(path: Path) -> list[str] | None:
    """The names in a zip archive; None for another file. Raises Unreadable."""
    with _as_unreadable():
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("a pipe, a device or a socket, not a regular file")
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                return None
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()


@contextmanager
def open_stream(path: Path) -> Iterator[Stream]:
    """Open a file, looking through gzip, or a zip archive with one JSON file. Raises Unreadable."""
    with ExitStack() as stack:
        with _as_unreadable():
            if zip_names(path) is not None:
                archive = stack.enter_context(zipfile.ZipFile(path))
                info = zip_member(archive)
                packed: Any = stack.enter_context(archive.open(info))
                position, size = packed.tell, info.file_size
            else:
                packed = raw = stack.enter_context(path.open("rb"))
                position, size = raw.tell, path.stat().st_size
                if raw.peek(2)[:2] == b"\x1f\x8b":
                    packed = stack.enter_context(gzip.GzipFile(fileobj=raw))
        unpacked = _Unpacked(packed)
        yield Stream(io.BufferedReader(unpacked, _CHUNK), position, size, lambda: unpacked.damage)


@contextmanager
def _as_unreadable() -> Iterator[None]:
    """Turn whatever the system or an archive's damage raises into Unreadable."""
    try:
        yield
    except Unreadable:
        raise
    except Exception as error:
        said = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise Unreadable(UNREADABLE_FILE, said[:300]) from error


def read_rows(stream: Stream, *, array: bool) -> Iterator[tuple[int, Row]]:
    """(row number from 1, the row or why it cannot be read), in order; blank lines are passed over."""
    number = 0
    for number, row in _array(stream) if array else _lines(stream):
        yield number, row
    if (damage := stream.damage()) is not None:
        yield number + 1, Unreadable("the file is damaged", f"{damage}; the rest of it cannot be read")


def _lines(stream: Stream) -> Iterator[tuple[int, Row]]:
    number = 0
    lines = stream.bytes
    while line := lines.readline(LONGEST):
        number += 1
        whole = line.endswith(b"\n")
        if len(line) == LONGEST and not whole:
            while (rest := lines.readline(LONGEST)) and not rest.endswith(b"\n"):
                pass
            yield number, Unreadable("row too long", f"more than {LONGEST:,} bytes")
        elif line.strip():
            row = _parse(line)
            if whole or stream.damage() is None or not isinstance(row, Unreadable):  # else: what follows is told
                yield number, row


def _parse(line: bytes) -> Row:
    try:
        row = json.loads(line.strip().decode("utf-8-sig"))  # given bytes, json guesses at UTF-16 and others
        # A row is no deeper than it has brackets, and most have fewer than may be.
        shallow = line.count(b"{") + line.count(b"[") <= DEEPEST
        return row if shallow and isinstance(row, dict) else _checked(row)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        return Unreadable(_MALFORMED, f"{error}"[:200])


def _checked(value: Any) -> Row:
    if not isinstance(value, dict):
        return Unreadable("not a JSON object", f"got {value!r:.80}" if _depth(value) <= DEEPEST else "")
    if _depth(value) > DEEPEST:
        return Unreadable("nested too deeply", f"more than {DEEPEST} levels of lists and objects")
    return value


def _depth(value: Any) -> int:
    """Levels of lists and objects, counted up to one more than may be."""
    levels, here = 0, [value] if isinstance(value, _NESTED) else []
    while here and levels <= DEEPEST:
        levels += 1
        inside = (one.values() if isinstance(one, dict) else one for one in here)
        here = [inner for several in inside for inner in several if isinstance(inner, _NESTED)]
    return levels


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


def _array(stream: Stream) -> Iterator[tuple[int, Row]]:
    """Elements of one JSON array. After a malformed one it goes on at what looks like the next one's beginning."""
    buffer = _Text(stream.bytes)
    buffer.peek()
    buffer.at += 1  # "["
    number = 0
    again = re.compile(_BETWEEN)
    while (first := buffer.peek()) and first != "]":
        number += 1
        if number == 1 and (opening := _OPENING.match(buffer.text, buffer.at)):
            # Most arrays' elements begin alike; what does so ends garbage even where a brace or a comma is missing.
            again = re.compile(rf"{_BETWEEN}|(?={re.escape(opening[0])})")
        row = _element(buffer)
        yield number, row
        if isinstance(row, Unreadable) and row.kind == _MALFORMED:
            if not _to_next(buffer, again):
                return
            continue
        follows = buffer.peek()
        if follows == ",":
            buffer.at += 1
        elif follows and follows != "]":
            number += 1
            yield number, Unreadable(_MALFORMED, f"expected a comma, got {buffer.text[buffer.at :][:40]!r}")
            if not _to_next(buffer, again):
                return
    if not first and stream.damage() is None:
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
            buffer.at = max(at, buffer.at + 1)
            return Unreadable(_MALFORMED, str(getattr(error, "msg", error)))
        return _checked(value)


def _to_next(buffer: _Text, again: re.Pattern[str]) -> bool:
    """Move to the start of what looks like the next element; False where the file ends before one."""
    while (match := again.search(buffer.text, buffer.at)) is None:
        buffer.at = max(buffer.at, len(buffer.text) - 512)
        if buffer.ended:
            return False
        buffer.grow()
    buffer.at = match.end()
    return True
