"""The `stepgauge` command: one module per subcommand."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence

INTERRUPTED = 130  # a shell's exit code for a process ended by Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code. Ctrl-C and SIGTERM, also while modules are loaded, are one line and 130."""
    try:
        with _terminated_as_interrupted():
            from .commands import run_command

            return run_command(argv)
    except KeyboardInterrupt as stop:
        print(f"\nstepgauge: interrupted{f': {stop}' if str(stop) else ''}", file=sys.stderr)
        return INTERRUPTED


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Treat SIGTERM, as sent by schedulers, like Ctrl-C, so that a command ends cleanly."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread: the caller handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


__all__ = ["main"]
