"""`--limit`, which every command that has it reads in one way: a count, or 0 for all."""

from __future__ import annotations

import argparse

from .errors import UserError


def add_limit(parser: argparse.ArgumentParser, what: str, *, default: int = 0) -> None:
    """Add the option. `what` says what is counted; the default is named in the help."""
    said = "default: all" if default == 0 else f"default {default}; 0: all"
    parser.add_argument("--limit", type=int, default=default, metavar="N", help=f"at most N {what} ({said})")


def limit_of(args: argparse.Namespace) -> int | None:
    """The count; None for all. Raises UserError for a negative one."""
    if args.limit < 0:
        raise UserError(f"--limit {args.limit}: expected a number, or 0 for all")
    return args.limit or None
