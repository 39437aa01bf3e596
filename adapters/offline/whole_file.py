"""Writes a file as a whole or not at all: what was there stays until the new one is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a text as UTF-8. Raises OSError."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        if part != path:
            os.fsync(file.fileno())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which replaces `path` at the end; a device or a pipe is written to, never replaced."""
    target = Path(os.path.realpath(path))  # of a link the file that it names
    if target.exists() and not target.is_file() and not target.is_dir():
        yield path
        return
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
