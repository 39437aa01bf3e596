"""The `stepgauge` command in a process of its own."""

from __future__ import annotations

import subprocess
import sys

COMMAND = (sys.executable, "-m", "stepgauge.adapters.cli")
_LONG = 40


def stepgauge(*arguments: str) -> int:
    """Run it and return its exit code; what it prints goes where ours goes."""
    print("$ stepgauge " + " ".join(arguments if len(arguments) < _LONG else [*arguments[:6], "…"]), flush=True)
    return subprocess.run([*COMMAND, *arguments], check=False).returncode
