"""Whether two formulas are equal, by math-verify (Apache-2.0) in a process of its own that is ended when it hangs.

math-verify's own time limits rest on SIGALRM, which works on the main thread alone, and a thread cannot be ended.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections import OrderedDict

log = logging.getLogger(__name__)

_SECONDS = 15.0  # the process itself gives up after 2 s of computing, unless it hangs where Python cannot interrupt it
_SECONDS_TO_START = 60.0
_KEPT = 16_384
# Ctrl-C reaches the whole process group; this process ends with its standard input.
_CODE = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path[:] = {path!r}; import math_verify; "
    "from {package}.math_verify_worker import main; main()"
)


class TookTooLong(Exception):
    """The comparison did not end in time, or ended the process; the two formulas are not known to be equal."""


class _Comparer:
    """The process, started on first use, and what it said. One comparison at a time, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._known: OrderedDict[tuple[str, str], bool | None] = OrderedDict()
        self._unusable = False

    def equal(self, gold: str, other: str) -> bool:
        with self._lock:
            key = (gold, other)
            if key not in self._known:
                self._known[key] = self._ask(gold, other)
                if len(self._known) > _KEPT:
                    self._known.popitem(last=False)
            found = self._known[key]
        if found is None:
            raise TookTooLong(other)
        return found

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                with contextlib.suppress(OSError):  # what it had not read cannot be written
                    pipe.close()

    def _ask(self, gold: str, other: str) -> bool | None:
        if self._process is not None and self._process.poll() is not None:
            self.close()  # ended between two comparisons, which says nothing of the next
        if self._unusable or (self._process is None and not self._start()):
            return False
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([gold, other]) + "\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=_SECONDS)
        except (OSError, ValueError, queue.Empty):
            line = ""
        if not line:
            self.close()
        if line in ("1\n", "0\n"):
            return line == "1\n"
        if line.startswith("failed"):
            log.debug("comparing %r with %r %s", gold, other, line.strip())
            return False
        log.debug("comparing %r with %r was given up", gold, other)
        return None

    def _start(self) -> bool:
        code = _CODE.format(path=sys.path, package=__package__)
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=null, text=True)
        self._process, self._lines = process, lines
        threading.Thread(target=_read, args=(process, lines), daemon=True).start()
        try:
            ready = lines.get(timeout=_SECONDS_TO_START) == "ready\n"
        except queue.Empty:
            ready = False
        if not ready:
            self._unusable = True
            self.close()
            log.warning("math-verify cannot be run, so formulas are compared as they are written, not by value")
        return ready


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    """Pass on what the process says; "" once it is gone."""
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.put(line)
    except ValueError:  # closed meanwhile
        pass
    lines.put("")


_comparer = _Comparer()
_parents: list[_Comparer] = []


def equal(gold: str, other: str) -> bool:
    """Whether two formulas in LaTeX, without dollars, are equal; False where one cannot be read.

    Both should have passed `formulas.is_tame`. Takes two seconds of computing at most, and some more when the
    process has to be started (again). Raises TookTooLong after that, for the same two formulas at once from then on.
    """
    return _comparer.equal(gold, other)


def _forget_process() -> None:
    """In a forked child the process is the parent's. Its pipes are kept: closing them could wait for a lost thread."""
    global _comparer
    _parents.append(_comparer)
    _comparer = _Comparer()


atexit.register(lambda: _comparer.close())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_process)
