"""Replies that were paid for, kept on disk, so that a second run of the same questions costs nothing."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

FILE = "replies.sqlite3"
# Other processes may share the file; each holds it only for one small write.
_BUSY_S = 30.0


def cache_key(request: Mapping[str, Any]) -> str:
    """Hex digest of everything that shapes a reply. Key order does not matter; values must be JSON."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


class ReplyCache:
    """A table key → reply text and reported model in `folder`/replies.sqlite3; threads and processes may share it.

    Each `put` is committed before it returns, so a killed run keeps what it had. A read or write that fails later is
    logged once and counted in `failures`: the run goes on without the cache.

    Raises:
        ValueError: the folder cannot be made, or the file in it is not such a table.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder).expanduser() / FILE
        self.failures = 0
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS replies "
                "(key TEXT PRIMARY KEY, reply TEXT NOT NULL, created REAL NOT NULL, model TEXT)"
            )
            self._database.execute("SELECT key, reply, created FROM replies LIMIT 1")
            columns = [row[1] for row in self._database.execute("PRAGMA table_info(replies)")]
            if "model" not in columns:  # a file of a version that did not keep it
                self._database.execute("ALTER TABLE replies ADD COLUMN model TEXT")
        except (OSError, sqlite3.Error) as error:
            raise ValueError(
                f"cache {str(folder)!r}: {self.path.name} there cannot be used ({error}); give another folder, "
                "remove the file, or set cache='off'"
            ) from error

    def get(self, key: str) -> tuple[str, str | None] | None:
        """The reply, and the model that the server said it was from."""
        with self._lock:
            try:
                row = self._database.execute("SELECT reply, model FROM replies WHERE key = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                self._failed("read", error)
                return None
        if not row or not isinstance(row[0], str):
            return None
        return row[0], row[1] if isinstance(row[1], str) else None

    def put(self, key: str, reply: str, model: str | None = None) -> None:
        with self._lock:
            try:
                self._database.execute(
                    "INSERT OR REPLACE INTO replies (key, reply, created, model) VALUES (?, ?, ?, ?)",
                    (key, reply, time.time(), model),
                )
            except (sqlite3.Error, UnicodeEncodeError) as error:
                self._failed("written", error)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _failed(self, verb: str, error: Exception) -> None:
        self.failures += 1
        if self.failures == 1:
            log.warning("the cache %s could not be %s: %s; replies may be paid for again", self.path, verb, error)
