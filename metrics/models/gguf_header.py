"""Checks that the counts in a GGUF file's header fit into the file, before a reader loops over what is not there.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of a value, by its type
_STRING, _ARRAY = 8, 9
_DEEPEST = 4  # arrays in arrays
_DIMENSIONS = 8
_LONGEST_NAME = 1_000
_BLOCK = re.compile(r"blk\.(\d{1,9})\.")


def tensor_names(path: Path) -> list[str]:
    """The tensors in a file. Raises ValueError for what is no GGUF file, or for less than it promises."""
    with path.open("rb") as file:
        header = _Header(file, path.stat().st_size)
        if file.read(4) != b"GGUF":
            raise ValueError("it does not begin as GGUF files do")
        (version,) = struct.unpack("<I", file.read(4).ljust(4, b"\0"))
        if version & 0xFFFF == 0:  # written on a big-endian machine
            header.order = ">"
        tensors, pairs = header.number("Q"), header.number("Q")
        for _ in range(pairs):
            header.skip(header.number("Q"))
            header.skip_value(header.number("I"))
        names: list[str] = []
        for _ in range(tensors):
            names.append(header.text(header.number("Q")))
            dimensions = header.number("I")
            if dimensions > _DIMENSIONS:
                raise ValueError(f"a tensor has {dimensions:,} dimensions")
            header.skip(8 * dimensions + 4 + 8)
        return names


def check_blocks(names: Sequence[str], layers: int) -> None:
    """Refuse a file whose tensors are of other layers than its header says; readers pass over those.

    Raises ValueError.
    """
    of = {name: int(found[1]) for name in names if (found := _BLOCK.match(name))}
    if left_out := sorted((block, name) for name, block in of.items() if block >= layers):
        raise ValueError(
            f"{len(left_out)} of its tensors are left unused, the first is {left_out[0][1]!r}: its header says "
            f"{layers} layers"
        )
    if of and (absent := sorted(set(range(layers)) - set(of.values()))):
        raise ValueError(f"its weights lack layer {absent[0]} of {layers}, and {len(absent) - 1} more")


class _Header:
    """Steps over a header's parts. Raises ValueError where one reaches beyond the file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self.order = "<"

    def number(self, kind: str) -> int:
        width = struct.calcsize(kind)
        self._need(width)
        return struct.unpack(self.order + kind, self._file.read(width))[0]

    def text(self, length: int) -> str:
        self._need(length)
        if length > _LONGEST_NAME:
            raise ValueError(f"a tensor's name has {length:,} bytes")
        return self._file.read(length).decode("utf-8", "replace")

    def skip(self, length: int) -> None:
        self._need(length)
        self._file.seek(length, 1)

    def skip_value(self, kind: int, depth: int = 0) -> None:
        if kind == _STRING:
            self.skip(self.number("Q"))
        elif kind == _ARRAY and depth < _DEEPEST:
            inner, count = self.number("I"), self.number("Q")
            if inner in _WIDTHS:
                self.skip(_WIDTHS[inner] * count)
            else:
                for _ in range(count):
                    self.skip_value(inner, depth + 1)
        elif kind in _WIDTHS:
            self.skip(_WIDTHS[kind])
        else:
            raise ValueError(f"a value is of type {kind:,}, which there is not")

    def _need(self, length: int) -> None:
        at = self._file.tell()
        if length > self._size - at:
            raise ValueError(f"{length:,} bytes should follow byte {at:,}, of {self._size:,} in all")
