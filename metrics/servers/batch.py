"""When to give up on a server: many questions that are asked together share one count of failures."""

from __future__ import annotations

import threading

from .stop import Stop

_GIVE_UP_AFTER = 25


class Batch:
    """What is asked together: whether it was interrupted, and how many calls failed in a row."""

    def __init__(self) -> None:
        self.stopped = Stop()
        self._in_a_row = 0
        self._last = ""
        self._lock = threading.Lock()

    def failed(self, reason: str) -> None:
        with self._lock:
            self._in_a_row += 1
            self._last = reason

    def answered(self) -> None:
        with self._lock:
            self._in_a_row = 0

    def why_stopped(self) -> str | None:
        """Why the remaining questions are not sent: thousands of calls to a dead server would take hours to fail."""
        with self._lock:
            if self.stopped.is_set():
                return "not asked: the run was stopped"
            if self._in_a_row >= _GIVE_UP_AFTER:
                return f"not asked: {self._in_a_row} calls in a row failed, the last with: {self._last}"
        return None
