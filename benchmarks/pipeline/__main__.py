"""Does a device wait for Python? Wall time beside that of the device and of the host, at several speeds of the device.

    STEPGAUGE_SHARED=… python -m benchmarks.pipeline [--chains 1024] [--milliseconds 5 20 40 80] [--doors gauge score]

The device is a registered likelihood backend that takes a set time per chain without holding the interpreter
(`timed.py`); the chains are real ones of MMLU-Pro. The host's time is the CPU time of all processes, divided by the
cores. A ratio of 1 means that the slower of the two, device or host, is never idle; the goal is 1.1 at most. `others`
is what other programs took of the machine meanwhile, `idle` what nobody took, both in cores: where `others` is much and
`idle` is little, the ratio says how busy the machine was. Every run is a process of its own. The scores of all runs
through one door must be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ..support.labelled import shared_data
from ..support.run_header import about_run, header

DOORS = ("gauge", "score")


def measured(door: str, milliseconds: float, chains: int) -> dict[str, float | str]:
    """See `measure`: seconds of wall and CPU time, and a digest of the scores."""
    command = [sys.executable, "-m", f"{__package__}.measure", door, str(milliseconds), str(chains)]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=1024)
    parser.add_argument("--milliseconds", type=float, nargs="+", default=[5, 20, 40, 80])
    parser.add_argument("--doors", nargs="+", choices=DOORS, default=DOORS)
    args = parser.parse_args(argv)
    shared_data("mmlupro-outputs")
    cores = len(os.sched_getaffinity(0))
    print(header(about_run()), flush=True)
    print(f"{args.chains} chains, {cores} cores; seconds", flush=True)
    table = Table("door", "ms/chain", "device", "host CPU", "host/core", "wall", "ratio", "others", "idle", box=None)
    digests: dict[str, set[object]] = {}
    for door in args.doors:
        for milliseconds in args.milliseconds:
            found = measured(door, milliseconds, args.chains)
            device, cpu, wall = milliseconds / 1000 * args.chains, float(found["cpu"]), float(found["wall"])
            others = float(found["others"]) / wall
            ratio = wall / max(device, cpu / cores)
            idle = cores - others - cpu / wall
            row = [f"{device:.1f}", f"{cpu:.1f}", f"{cpu / cores:.1f}", f"{wall:.1f}", f"{ratio:.2f}"]
            table.add_row(door, f"{milliseconds:g}", *row, f"{others:.2f}", f"{idle:.2f}")
            digests.setdefault(door, set()).add(found["digest"])
            print(f"{door} {milliseconds:g}: {found}", file=sys.stderr, flush=True)
    Console(width=100).print(table)
    same = all(len(found) == 1 for found in digests.values())
    shown = ", ".join(f"{door} {'/'.join(sorted(map(str, found)))}" for door, found in digests.items())
    print(f"digests of the scores: {shown}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
