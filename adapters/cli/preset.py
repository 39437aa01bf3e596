"""The option `--preset`, for every command that scores."""

from __future__ import annotations

import argparse


def add_preset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help='options that belong together: paper, with --set endpoint=\'{"base_url": …, "model": …}\' (docs/paper.md)',
    )
