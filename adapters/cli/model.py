"""Print the folder (or hub id) that a scorer's name stands for, converting it first where needed."""

from __future__ import annotations

import argparse

from ...metrics.models.loading import resolve

EXAMPLES = (("stepgauge model smollm2", "what to give lm-eval as pretrained=…, or Inspect as model_path=…"),)
PAGE = "docs/recipes.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scorer", nargs="?", default="smollm2", help="smollm2, a folder, a .gguf file or a hub id")


def run(args: argparse.Namespace) -> int:
    print(resolve(args.scorer))
    return 0
