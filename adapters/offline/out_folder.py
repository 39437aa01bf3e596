"""The output folder of a scoring run, written in whole windows of rows, so that a killed run resumes where it stopped.

`scores.jsonl` and `skipped.jsonl` grow by one window at a time, in whatever order windows are scored. Once both are on
disk, a line in `windows.jsonl` records their lengths, the counts, and which windows they hold; the next start truncates
both files to the last such line. `run.json` records what the run was asked to do; another request is refused.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ...metrics.format_version import FORMAT, FormatError, check_format
from ..formats.options import OptionError
from ..scored import SCORES_FILES, scores_in
from .packed import Packer
from .whole_file import write_whole

SKIPPED = "skipped.jsonl"
ENGINE = "engine.jsonl"
_WINDOWS = "windows.jsonl"
_RUN = "run.json"
_LOCK = ".lock"
_HASHED = 2**20  # number of bytes hashed at a file's start, and at its end


@dataclass
class Counts:
    """How many chains were scored or failed, and how many rows were skipped or left out, by reason."""

    scored: int = 0
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Counts:
        return cls(data["scored"], data["failed"], Counter(data["skipped"]), Counter(data["passed"]))

    def to_dict(self) -> dict[str, Any]:
        return {
            "scored": self.scored,
            "failed": self.failed,
            "skipped": dict(self.skipped),
            "passed": dict(self.passed),
        }

    def __str__(self) -> str:
        return f"{self.scored:,} scored, {self.skipped.total():,} skipped, {self.failed:,} failed"


class Ranges:
    """A set of whole numbers, most of which follow one another."""

    def __init__(self, ranges: Iterable[Sequence[int]] = ()) -> None:
        self._ranges = [(first + 0, last + 0) for first, last in ranges]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._ranges)

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self._ranges)

    def add(self, number: int) -> None:
        joined: list[tuple[int, int]] = []
        for first, last in sorted([*self._ranges, (number, number)]):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
            else:
                joined.append((first, last))
        self._ranges = joined

    def to_list(self) -> list[list[int]]:
        """`[[1, 57], [59, 59]]`: the first and last of each run."""
        return [[first, last] for first, last in self._ranges]


def fingerprint(path: Path) -> dict[str, Any]:
    """A cheap fingerprint that detects a changed file: its size, and a hash of its start and end."""
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_HASHED))
        if size > _HASHED:
            file.seek(max(_HASHED, size - _HASHED))
            digest.update(file.read(_HASHED))
    return {"size": size, "sha256_of_ends": digest.hexdigest()}


class OutFolder:
    """The folder one run writes to; a context manager that holds the folder's lock.

    Attributes:
        path: the folder.
        counts: the counts of the windows so far, the one that is being written included.
        windows: the windows on disk, by their place in the input from 1.
        reported: by judge or claim extractor, the models that servers said the windows on disk are from.
        complete: whether the run is finished.
    """

    def __init__(self, path: Path, run: Mapping[str, Any], *, restart: bool = False, packed: bool = False) -> None:
        """Args:
        run: JSON that describes what the run is asked to do.
        restart: start over, whatever the folder holds.
        packed: compress the rows with gzip.
        """
        self.path = path
        self.counts = Counts()
        self.windows = Ranges()
        self._of: int | None = None  # the number of windows, once the last one is known
        self.reported: dict[str, list[str]] = {}
        self.complete = False
        self._run = json.loads(json.dumps(run))
        self._restart = restart
        self._scores = SCORES_FILES[packed]
        self._lock: IO[bytes] | None = None
        self._files: dict[str, IO[bytes]] = {}

    def __enter__(self) -> OutFolder:
        """Raises OptionError if the folder holds a different run, another process writes to it, or nobody can."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path)
            self._begin()
        except BaseException as error:
            self.__exit__()
            if isinstance(error, OSError):
                raise OptionError(f"--out {self.path}: cannot be written: {error}") from error
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for file in [*self._files.values(), *([self._lock] if self._lock else [])]:
            with contextlib.suppress(OSError):  # of a full disk; every window that counts is on it already
                file.close()
        self._files, self._lock = {}, None

    def on_disk(self) -> Counts:
        """The counts up to the last window on disk, read from there: an interruption comes between any two lines."""
        with contextlib.suppress(LookupError, OSError):  # before the folder is open; of a full disk
            self._files[_WINDOWS].flush()
        done, _ = last_window(self.path)
        return Counts.of(done["counts"]) if done else Counts()

    def write_window(
        self, rows: Iterable[Mapping[str, Any]], skipped: Iterable[Mapping[str, Any]], *, window: int, last: bool
    ) -> None:
        """Append a window and sync it to disk; `counts` must already include its rows. Raises OSError.

        Args:
            window: its place in the input, from 1.
            last: whether the input ends with it.
        """
        packer = Packer()
        self._write(self._scores, map(packer.pack, rows))
        self._write(SKIPPED, skipped)
        sizes = {name: self._sync(name) for name in (self._scores, SKIPPED)}
        self.windows.add(window)
        self._of = window if last else self._of
        self.complete = len(self.windows) == self._of
        entry = {"window": window, "windows": self.windows.to_list(), "of": self._of, "last": self.complete}
        entry |= {"sizes": sizes, "counts": self.counts.to_dict(), "reported": self.reported}
        self._files[_WINDOWS].write(json.dumps(entry).encode() + b"\n")
        self._sync(_WINDOWS)

    def _write(self, name: str, lines: Iterable[Mapping[str, Any]]) -> None:
        texts = (json.dumps(line, allow_nan=False, separators=(",", ":")).encode() + b"\n" for line in lines)
        if name.endswith(".gz"):
            # A window is a member of its own, so that the file may be cut off behind each; gzip reads on across them.
            self._files[name].write(gzip.compress(b"".join(texts), mtime=0))
        else:
            self._files[name].writelines(texts)

    def _sync(self, name: str) -> int:
        file = self._files[name]
        file.flush()
        os.fsync(file.fileno())
        return file.tell()

    def _begin(self) -> None:
        run_file = self.path / _RUN
        done: dict[str, Any] | None = None
        end = 0
        if run_file.exists() and not self._restart:
            self._compare(run_file)
            done, end = last_window(self.path)
            if done is None and (end or (scores_in(self.path) and not (self.path / _WINDOWS).exists())):
                raise OptionError(
                    f"{self.path / _WINDOWS}: gone, damaged or of other rows: which rows are whole is not known; "
                    "give another --out, or --restart to overwrite the run"
                )
        elif (rows := scores_in(self.path)) is not None and not self._restart:
            raise OptionError(
                f"{self.path}: holds {rows.name} but no {_RUN}; give another --out, or --restart to overwrite"
            )
        else:
            for name in (*SCORES_FILES, SKIPPED, ENGINE, _WINDOWS):
                (self.path / name).unlink(missing_ok=True)
            write_whole(run_file, json.dumps({"format": FORMAT, **self._run}, indent=2) + "\n")
        sizes = done["sizes"] if done else {}
        for name, size in (*((one, sizes.get(one, 0)) for one in (self._scores, SKIPPED)), (_WINDOWS, end)):
            file = (self.path / name).open("ab")
            self._files[name] = file
            if file.tell() > size:
                file.truncate(size)
                file.seek(size)
        if done:
            self.counts, self.windows, self.complete = Counts.of(done["counts"]), _windows(done), done["last"]
            self._of = done.get("of")
            self.reported = done.get("reported", {})

    def _compare(self, run_file: Path) -> None:
        try:
            before = dict(json.loads(run_file.read_text(encoding="utf-8")))
        except (ValueError, TypeError, RecursionError) as error:
            raise OptionError(f"{run_file}: not a JSON object ({error}); --restart overwrites the run") from error
        format = check_folder(self.path)
        if format != FORMAT:  # the file would mix rows of two formats
            raise OptionError(
                f"{self.path}: holds scores of format {format}, this stepgauge writes format {FORMAT}. Go on with the "
                "stepgauge that began the run, give another --out, or --restart to overwrite it"
            )
        before.pop("format", None)
        if differs := list(_differences(before, self._run)):
            more = f"; and {len(differs) - 3} more" if len(differs) > 3 else ""
            raise OptionError(
                f"{self.path}: holds another run: {'; '.join(differs[:3])}{more}. "
                "Give the same inputs and options to go on with it, another --out, or --restart to overwrite it"
            )


def check_folder(folder: Path) -> int:
    """The format of a scored folder, from its `run.json`; 0 if that names none. Raises OptionError for a later one."""
    try:
        return check_format(json.loads((folder / _RUN).read_text(encoding="utf-8")))
    except FormatError as error:
        raise OptionError(f"{folder / _RUN}: {error}") from error
    except (OSError, ValueError, AttributeError):  # not written by `stepgauge score`: its rows name their format
        return 0


def last_window(folder: Path) -> tuple[dict[str, Any] | None, int]:
    """The last window whose rows are all on disk, and the offset in `windows.jsonl` behind what counts in it.

    A line counts everything up to its window, so one that is damaged costs nothing where a later one is whole. With no
    window, an offset above 0 says that there are lines, and not one of them is whole.
    """
    found, end, at = None, 0, 0
    if not (folder / _WINDOWS).exists():
        return None, 0
    with (folder / _WINDOWS).open("rb") as lines:
        for line in lines:
            at += len(line)
            if not line.endswith(b"\n"):
                break
            try:
                window = json.loads(line)
                str(Counts.of(window["counts"]))
                whole = set(window["sizes"]) - {SKIPPED} <= set(SCORES_FILES) and all(
                    _ends_a_row(folder / name, size) for name, size in window["sizes"].items()
                )
                _ = _windows(window), window["last"], window.get("of")
            except (ValueError, TypeError, LookupError, RecursionError):
                whole = False
            if whole:
                found, end = window, at
            elif found is None:
                end = at
    return found, end


def _windows(entry: Mapping[str, Any]) -> Ranges:
    """Those on disk at a line of `windows.jsonl`. Raises TypeError, ValueError, LookupError where it does not say."""
    return Ranges(entry["windows"])


def _ends_a_row(path: Path, size: int) -> bool:
    """Whether a file's first `size` bytes are there and end with a row. Raises TypeError, ValueError for no size.

    Of compressed rows only whether they are there: a damaged one is found as it is read.
    """
    if not size:
        return True
    if not path.exists() or not 0 <= size <= path.stat().st_size:
        return False
    if path.suffix == ".gz":
        return True
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) == b"\n"


def _differences(before: Any, now: Any, name: str = "") -> Iterable[str]:
    """The differences between two JSON values, one text per difference."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _differences(before.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _differences(old, new, f"{name}[{index}]")
    elif before != now:
        yield f"{name} was {json.dumps(before):.120}, is {json.dumps(now):.120}"


def _locked(folder: Path) -> IO[bytes]:
    """The folder's lock file; it is locked while open, and the lock is released even if the process is killed."""
    file = (folder / _LOCK).open("ab")
    try:
        try:
            import fcntl
        except ImportError:  # Windows
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise OptionError(f"{folder}: another process is scoring into this folder") from error
    return file
