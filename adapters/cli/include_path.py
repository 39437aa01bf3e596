"""Print the folder of stepgauge's lm-eval tasks, for `lm-eval run --include_path`."""

from __future__ import annotations

import argparse

EXAMPLES = (("stepgauge include-path", 'for: lm-eval run --include_path "$(stepgauge include-path)"'),)
PAGE = "docs/lm-eval.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(args: argparse.Namespace) -> int:
    del args
    from ..lm_eval import include_path

    print(include_path())
    return 0
