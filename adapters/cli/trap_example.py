"""The pair of scored runs that comes with the package: a base model, and what fine-tuning on filler made of it."""

from __future__ import annotations

import argparse
import shlex
import shutil
from importlib.resources import as_file, files
from pathlib import Path

from . import compare, report

_FILES = ("base.jsonl.gz", "tuned.jsonl.gz")
_ABOUT = """\
SmolLM2 was fine-tuned on 256 sums in which filler stood where the working should be ("Let me think about this."), and
asked 120 others before and after (benchmarks.comparison.sft_trap; these two files come with the package)."""


def compare_example(out: Path) -> None:
    """Compare the two runs and write a report on them, by the commands that a user would type.

    Args:
        out: folder for copies of both runs and for the report.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        with as_file(files("stepgauge.tasks") / "samples" / "trap" / name) as path:
            shutil.copyfile(path, out / name)
    print(_ABOUT)
    runs = [f"{name.partition('.')[0]}={out / name}" for name in _FILES]
    for command, arguments in ((compare, runs), (report, [*runs, "--output", str(out / "report.html")])):
        name = command.__name__.rpartition(".")[2]
        print(f"\n$ stepgauge {name} {shlex.join(arguments)}", flush=True)
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        command.run(parser.parse_args(arguments))
