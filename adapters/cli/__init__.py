"""The `stepgauge` command: one module per subcommand."""

from __future__ import annotations

import sys
from collections.abc import Sequence

INTERRUPTED = 130  # a shell's exit code for a process ended by Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code. Ctrl-C and SIGTERM, also while modules are loaded, are one line and 130."""
    try:
        from .commands import run_command

        return run_command(argv)
    except KeyboardInterrupt as stop:
        print(f"\nstepgauge: interrupted{f': {stop}' if str(stop) else ''}", file=sys.stderr)
        return INTERRUPTED


__all__ = ["main"]
