"""The most memory that the `stepgauge` command takes, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

# A process begins with the memory of the one that it was forked from: so not from that of the tests.
_SMALL = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere


def most_memory(*arguments: object) -> float:
    """MiB. The command has to end well."""
    command = [sys.executable, "-m", "stepgauge.adapters.cli", *map(str, arguments)]
    done = subprocess.run([sys.executable, "-c", _SMALL, *command], stdout=subprocess.PIPE, check=True)
    return int(done.stdout) * _UNIT / 2**20
