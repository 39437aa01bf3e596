"""`manifest.json`: what a corpus holds and how it was built. It is written last, so a folder with it is complete."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from .errors import CorpusError

NAME = "manifest.json"
# Incremented when the meaning of a corpus's files changes.
FORMAT = 2
_AGAIN = "build it again with `stepgauge corpus build`"


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Replace the manifest atomically, after syncing everything in the folder to disk."""
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    replace_json(folder / NAME, {"format": FORMAT, **content})


def replace_json(path: Path, content: Mapping[str, Any]) -> None:
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a complete corpus. Raises CorpusError that says what is wrong with the folder."""
    if not folder.is_dir():
        raise CorpusError(f"corpus {str(folder)!r}: no such folder; make one with `stepgauge corpus build SOURCE DEST`")
    path = folder / NAME
    if not path.is_file():
        raise CorpusError(f"corpus {str(folder)!r}: no {NAME} in it, so it is no complete corpus; {_AGAIN}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"{type(error).__name__}: {error!s:.100}"
        raise CorpusError(f"corpus {str(folder)!r}: {NAME} is damaged ({what}); {_AGAIN}") from None
    if version != FORMAT:
        raise CorpusError(
            f"corpus {str(folder)!r}: its format is {version!r}, this stepgauge reads format {FORMAT}; {_AGAIN}"
        )
    try:
        _check_sizes(folder, content)
    except (KeyError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {error!s:.100}"
        raise CorpusError(f"corpus {str(folder)!r}: {NAME} is damaged ({what}); {_AGAIN}") from None
    return content


def _check_sizes(folder: Path, content: Mapping[str, Any]) -> None:
    # The fields that readers of a manifest rely on.
    _ = content["key"], content["counts"]["chunks"], content["bm25"]["words"], content["dense"]
    _ = content["floors"]["evidence"]["value"], content["floors"]["similarity"]
    for name, about in content["files"].items():
        size = (folder / name).stat().st_size if (folder / name).is_file() else None
        if size != about["bytes"]:
            found = "is missing" if size is None else f"has {size} bytes"
            raise CorpusError(f"corpus {str(folder)!r}: {name} {found}, expected {about['bytes']} bytes; {_AGAIN}")


def describe_files(folder: Path, *, leave_out: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Size and digest of each file in a folder, except the manifest and the files in `leave_out`."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in (NAME, *leave_out))
    return {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in files}


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def damaged_files(folder: Path, among: Collection[str] | None = None) -> list[str]:
    """Names of the files whose content differs from what was built; reads every file, or those in `among`.

    Raises like `read`.
    """
    files = read(folder)["files"]
    chosen = [name for name in files if among is None or name in among]
    return [name for name in chosen if sha256(folder / name) != files[name]["sha256"]]
