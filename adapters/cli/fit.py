"""Fit a scoring LM to a domain: it learns to predict the gold answer from every prefix of finished runs' chains."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.table import Table

from ...metrics.fitting import AUGMENTATIONS, FitSettings
from ...metrics.optional_packages import is_installed, needs
from ...metrics.printable import printable
from ...metrics.segment import BUILTIN_SPLITTERS
from ...metrics.templates import TEMPLATES
from ..formats.detect import FORMATS, find_sources
from ..formats.fitting_data import FittingData, asked_in, digests, read_chains
from ..formats.options import LM_EVAL_ONLY, NO_SCORER, Settings, Wanted, read_settings
from .errors import UserError
from .limit import add_limit, limit_of
from .terminal import console_of

EXAMPLES = (
    ("stepgauge fit --scorer smollm2 --traces out logs --out fitted --layers 1", "on the questions of two runs"),
    (
        "stepgauge fit --traces out --out fitted --lora --exclude test.jsonl",
        "with adapters, and not on these questions",
    ),
)
PAGE = "docs/fitting.md"

_DEFAULT = FitSettings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--traces",
        nargs="+",
        required=True,
        metavar="PATH",
        help="files, folders or globs that `stepgauge score` reads",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the fitted scorer; it must not exist")
    add("--scorer", help=f"the LM to start from: a hub id, a folder, a .gguf file or smollm2 ({_default('scorer')})")
    add("--lora", action="store_true", help="train low-rank adapters, which are merged into the weights at the end")
    add("--layers", type=int, metavar="N", help="train the upper N layers only (default: all)")
    add("--epochs", type=float, metavar="E", help=f"passes over the chains, at most ({_default('epochs')})")
    add("--lr", type=float, metavar="LR", help="peak learning rate (default: 5e-5, with --lora 2e-4)")
    add("--batch", type=int, metavar="N", help=f"chains per update ({_default('batch')})")
    add("--rows", type=int, metavar="N", help=f"chains per forward pass ({_default('rows')})")
    add(
        "--held-out",
        type=float,
        metavar="SHARE",
        help=f"of the questions, to know when to stop ({_default('held_out')})",
    )
    add(
        "--patience", type=int, metavar="N", help=f"looks without a better loss until it stops ({_default('patience')})"
    )
    add("--augment", nargs="*", metavar="KIND", help=f"altered copies: {' '.join(AUGMENTATIONS)} (default: all)")
    add("--altered", type=float, metavar="SHARE", help=f"altered copies per chain ({_default('altered')})")
    add("--max-tokens", type=int, metavar="N", help=f"leave out longer chains ({_default('max_tokens')})")
    add("--template", choices=sorted(TEMPLATES), help=f"as in scoring ({_default('template')})")
    add("--splitter", metavar="NAME", help=f"as in scoring: {', '.join(BUILTIN_SPLITTERS)} ({_default('splitter')})")
    add("--seed", type=int, metavar="N", help=f"of split, order, altered copies and adapters ({_default('seed')})")
    add("--device", help="torch device (default: the first accelerator, else the CPU)")
    add("--revision", help="of the scorer, on the hub")
    add("--trust-remote-code", action="store_true", help="run code that comes with the scorer")
    add("--exclude", nargs="+", default=[], metavar="PATH", help="do not fit on questions in these files")
    add("--format", choices=sorted(FORMATS), help="what the files are (default: by what is in them)")
    add("--where", action="append", default=[], metavar="FIELD=VALUE", help="read only such rows")
    add("--filter", help="lm-eval: read the rows of this filter (default: the first)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help=f"lm-eval: {', '.join(LM_EVAL_ONLY)}")
    add_limit(parser, "chains")
    add("--restart", action="store_true", help="begin anew where DIR or checkpoints are there")


def run(args: argparse.Namespace) -> int:
    if _is_main():
        logging.getLogger("stepgauge").setLevel(logging.INFO)
    if args.scorer == NO_SCORER:
        raise UserError("--scorer null: no scoring LM, so there is nothing to fit")
    settings = FitSettings(**_given(args))
    limit = limit_of(args)
    _check_installed("accelerate", *(["peft"] if settings.lora else []))
    sources = find_sources(
        args.traces,
        format=args.format,
        settings=_reading(args.set),
        wanted=Wanted.parse(args.where),
        lm_eval_filter=args.filter,
    )
    data = read_chains(sources, limit)
    exclude = _excluded(args)

    import transformers  # takes seconds, as does the next import

    from ...metrics.fitting.training import fit

    transformers.logging.set_verbosity_error()  # Trainer's warnings (tied weights, file times) do not apply here
    try:
        card = fit(
            data.chains,
            args.out,
            settings,
            exclude=exclude,
            files=digests(sources),
            restart=args.restart,
            progress=sys.stderr.isatty() and _is_main(),
        )
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt("the same command goes on from the last checkpoint, if there is one") from error
    if _is_main():
        _print(card, data, args.out)
    return 0


def _is_main() -> bool:
    """Whether this process prints: `torchrun` and `accelerate launch` run the command in every process."""
    return os.environ.get("RANK", "0") == "0"


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of `FitSettings` given as flags, which have the same names; not every field has a flag."""
    given = {field.name: getattr(args, field.name, None) for field in fields(FitSettings)}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if v is not None}


def _reading(pairs: list[str]) -> Settings:
    settings = read_settings(pairs)
    if other := [*settings.gauge, *(["metrics"] if settings.metrics else [])]:
        raise UserError(f"--set {other[0]}: here only how lm-eval's rows are read: {', '.join(LM_EVAL_ONLY)}")
    return settings


def _excluded(args: argparse.Namespace) -> frozenset[str]:
    if not args.exclude:
        return frozenset()
    sources = find_sources(args.exclude)
    for source in sources:
        source.settings = _reading(args.set)
    return asked_in(sources)


def _check_installed(*packages: str) -> None:
    for package in packages:
        if not is_installed(package):
            raise UserError(needs("fitting", package, "fit"))


def _print(card: Mapping[str, Any], data: FittingData, out: Path) -> None:
    found, before, after = card["data"], card["metrics"]["before"], card["metrics"]["after"]
    console = console_of()
    table = Table(box=None, pad_edge=False)
    for title in ("held-out questions", "before", "after"):
        table.add_column(title, justify="left" if title.startswith("held") else "right")
    for name, title in (("nats_per_answer_token", "nats per answer token"), ("gain", "gain of a chain, nats")):
        table.add_row(title, f"{before[name]:.3f}", f"{after[name]:.3f}")
    console.print(table)
    for reason, count in data.skipped.most_common():
        console.print(f"{count:,} rows passed over: {printable(reason)}", markup=False)
    for reason, count in found["left_out"].items():
        console.print(f"{count:,} chains left out: {printable(reason)}", markup=False)
    console.print(
        f"{found['questions']:,} questions fitted on, {found['held_out_questions']:,} held out; "
        f"{found['chains']:,} chains with altered copies, {card['settings']['steps']:,} updates",
        markup=False,
    )
    console.print(
        f"{out}: scorer {card['id']}; use it as --scorer {out}, on other questions", markup=False, soft_wrap=True
    )


def _default(name: str) -> str:
    return f"default {getattr(_DEFAULT, name)}"
