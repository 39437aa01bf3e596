"""Runs the `stepgauge` command in a separate process."""

from __future__ import annotations

import subprocess
import sys

COMMAND = (sys.executable, "-m", "stepgauge.adapters.cli")
_LONG = 40


def stepgauge(*arguments: str) -> int:
    """Run the command and return its exit code; it shares our stdout and stderr."""
    print("$ stepgauge " + " ".join(arguments if len(arguments) < _LONG else [*arguments[:6], "…"]), flush=True)
    return subprocess.run([*COMMAND, *arguments], check=False).returncode
