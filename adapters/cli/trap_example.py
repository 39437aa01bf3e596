"""The pair of scored runs that comes with the package: a base model, and what fine-tuning on filler made of it."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import textwrap
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console
from rich.text import Text

from . import compare, report
from .terminal import text_width_of

_FILES = ("base.jsonl.gz", "tuned.jsonl.gz")
_ABOUT = (
    'SmolLM2 was fine-tuned on 256 sums in which filler stood where the working should be ("Let me think about '
    'this."), '
    "and asked 120 others before and after. Both runs come with the package; benchmarks.comparison.sft_trap made them."
)


def compare_example(out: Path) -> None:
    """Compare the two runs and write a report on them, by the commands that a user would type.

    Args:
        out: folder for copies of both runs and for the report.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        with as_file(files("stepgauge.tasks") / "samples" / "trap" / name) as path:
            shutil.copyfile(path, out / name)
    print(textwrap.fill(_ABOUT, text_width_of()))
    runs = [f"{name.partition('.')[0]}={out / name}" for name in _FILES]
    page = out / "report.html"
    for command, arguments in ((compare, [*runs, "--out", str(out)]), (report, [*runs, "--output", str(page)])):
        name = command.__name__.rpartition(".")[2]
        print(f"\n$ stepgauge {name} {shlex.join(arguments)}", flush=True)
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        command.run(parser.parse_args(arguments))
    Console(highlight=False, emoji=False).print(_last_word(out / "comparison.json", page))


def _last_word(comparison: Path, page: Path) -> Text:
    """The verdict once more, below the long table; red on a terminal, as above it."""
    (told,) = json.loads(comparison.read_text(encoding="utf-8"))
    verdict = told["tasks"][0]["verdict"]
    return Text.assemble(
        ("\nSo the verdict is ", "bold"),
        (verdict["name"], "bold red"),
        f": {verdict['why']}.\nBy accuracy alone it is progress. Every chain, step by step: {page}",
    )
