"""Caches what lm-eval reads from its own 14,000 task YAMLs, so that the next command need not read them again.

lm-eval still builds the index itself: only its function that reads one YAML is replaced, and only for YAMLs in its own
folder. The cache is JSON and holds what the index shows, with functions as names. Tasks are built from the YAML itself,
so a tampered cache file cannot run code.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import importlib
import json
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lm_eval.tasks

from ...metrics.models.cache import cache_dir
from ...metrics.versions import package_version

log = logging.getLogger(__name__)

_FORMAT = 1
_HOME = "lm_eval.tasks._index"
# How lm-eval 0.4.12 and 0.4.13 read a YAML for the index. Calls of any other form go to lm-eval.
_FOR_INDEX = {"resolve_func": False, "recursive": True}
_NOT_TASKS = ("__pycache__", ".ipynb_checkpoints")


@contextmanager
def kept_yaml() -> Iterator[None]:
    """A context in which a new `TaskManager` takes lm-eval's own YAMLs from the cache folder.

    If the files have changed, the cache is damaged, or this lm-eval reads YAMLs in another way, they are read as usual
    and cached. Other folders are always read. If the cache folder cannot be written to, nothing is cached.
    """
    try:
        home: Any = importlib.import_module(_HOME)
        read = home.load_yaml
    except (ImportError, AttributeError):
        yield
        return
    folder = Path(lm_eval.tasks.__file__).parent
    new: dict[str, Any] = {}

    @functools.cache  # nothing is read before lm-eval asks for one of its own files
    def kept() -> tuple[str | None, dict[str, Any]]:
        state = _state(folder)
        return state, _load(folder, state)

    def load_yaml(path: Any, **options: Any) -> dict[str, Any]:
        name = str(path).removeprefix(f"{folder}{os.sep}")
        if options != _FOR_INDEX or name == str(path):
            return read(path, **options)
        known = kept()[1]
        if name not in known:
            known[name] = new[name] = read(path, **options)
        return known[name]

    home.load_yaml = load_yaml
    try:
        yield
    finally:
        home.load_yaml = read
    if new:
        _save(folder, *kept(), new)


def _state(folder: Path) -> str | None:
    """A hash of versions and of every file's name, size and modification time; None if these cannot be read.

    It covers every file, since a YAML may include a file of any name; included files in other folders are not covered.
    """
    try:
        files = sorted(_files(str(folder)))
    except OSError as error:
        log.info("lm-eval's task files are not kept: %s", error)
        return None
    versions = [package_version(name) for name in ("lm_eval", "PyYAML")]
    return hashlib.sha256(repr((_FORMAT, versions, str(folder.resolve()), files)).encode()).hexdigest()


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                found = entry.stat()
                yield entry.path, found.st_size, found.st_mtime_ns
            elif entry.name not in _NOT_TASKS:
                yield from _files(entry.path)


def _place(folder: Path) -> Path:
    return cache_dir() / "lm-eval" / f"tasks-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}.json"


def _first_line(state: str, text: bytes) -> bytes:
    return f"{state} {hashlib.sha256(text).hexdigest()}".encode()


def _load(folder: Path, state: str | None) -> dict[str, Any]:
    """Cached configurations by YAML name; empty if the cache file is missing, damaged or outdated."""
    if state is None:
        return {}
    try:
        first, _, text = _place(folder).read_bytes().partition(b"\n")
        if first != _first_line(state, text):
            return {}
        collecting = gc.isenabled()
        gc.disable()  # loading makes a million small objects; garbage collection would double the time
        try:
            found = json.loads(text)
        finally:
            if collecting:
                gc.enable()
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _save(folder: Path, state: str | None, known: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Replace the file atomically if there is something new that JSON can hold (no dates, no numeric keys)."""
    if state is None or not any(_is_json(config) for config in new.values()):
        return
    text = json.dumps({name: config for name, config in known.items() if _is_json(config)}).encode()
    place = _place(folder)
    part = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(_first_line(state, text) + b"\n" + text)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        log.info("lm-eval's task files are read again next time: %s", error)


def _is_json(config: Any) -> bool:
    try:
        return json.loads(json.dumps(config)) == config
    except (TypeError, ValueError):
        return False
