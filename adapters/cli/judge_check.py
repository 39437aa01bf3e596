"""Measure judges on labelled claims: AUROC, precision and recall, calibration, agreement, cost, and what moves them."""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...metrics import Gauge
from ...metrics.addresses import without_login
from ...metrics.comparison.numbers import plural
from ...metrics.judge_check.check import MOVED, Judged, agreement, check
from ...metrics.judge_check.items import Labelled, digest_of, drawn, whole_steps
from ...metrics.judge_check.render import Agreement, csv_table, markdown, print_measures
from ...metrics.judge_measures.measure import Measure
from ...metrics.judge_measures.store import better, keep
from ...metrics.knowledge.base import ClaimExtractor, Judge, Surroundings
from ...metrics.knowledge.claims.step import STEP, STEPS_AS_CLAIMS
from ...metrics.knowledge.components import KnowledgeParts
from ...metrics.names import unknown_name
from ...metrics.plugins import registry
from ...metrics.strict_json import without_nan
from ..labelled.files import read_labelled
from ..labelled.sets import SETS, read_set
from . import comparison_output
from .csv_output import as_csv
from .errors import UserError
from .limit import add_limit, limit_of
from .terminal import console_of

EXAMPLES = (
    ("stepgauge judge-check --judges exact --on claims.jsonl", "claims of your own, with labels"),
    (
        """stepgauge judge-check --judges lm '{"name": "lm", "prompt": "chat"}' --on scifact --data DIR --limit 50""",
        "two judges on a public set in the folder DIR",
    ),
)
PAGE = "docs/judge-check.md"

log = logging.getLogger(__name__)

FOLDER = "STEPGAUGE_DATA"
_DATA = f"folder with the public sets (default: ${FOLDER})"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--judges",
        nargs="+",
        required=True,
        metavar="JUDGE",
        help="a name, or JSON with a name and options",
    )
    parser.add_argument(
        "--on",
        required=True,
        metavar="FILE|SET",
        help=f"labelled claims as JSONL or CSV, or a public set: {', '.join(SETS)}",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help=_DATA)
    parser.add_argument(
        "--corpus", metavar="DIR", help="find evidence here with bm25 (default: what comes with the claims)"
    )
    parser.add_argument("--scorer", default="smollm2", help="the LM of the judge lm (default smollm2)")
    parser.add_argument("--device", default="auto", help="torch device of the LM (default: the first accelerator)")
    add_limit(parser, "documents or chains, drawn at random")
    parser.add_argument(
        "--move",
        type=int,
        default=MOVED,
        metavar="N",
        help=f"claims that are judged again in other words and with hidden orders (default {MOVED})",
    )
    parser.add_argument("--no-keep", action="store_true", help="do not keep the measure for tables with a KI")
    comparison_output.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    logging.getLogger("stepgauge").setLevel(logging.INFO)
    limit = limit_of(args)
    if args.move < 0:
        raise UserError(f"--move {args.move}: expected a number, or 0 for none")
    given = [_judge(text) for text in args.judges]
    name, items, claims = _items(args)
    data, items = digest_of(items), drawn(items, limit)
    extractors: list[str | ClaimExtractor] = [*claims] or [whole_steps(items)]
    measures: list[Measure] = []
    found: list[Judged] = []
    gauge = Gauge(args.scorer, device=args.device)
    around = Surroundings(lambda: gauge.backend, corpus=args.corpus, scorer=args.scorer)
    retriever = "given" if args.corpus is None else "bm25"
    try:
        panels = [KnowledgeParts(registry(), around, extractors, [one], retriever) for one in given]
    except ValueError as error:
        raise UserError(str(error)) from error
    for one, panel in zip(given, panels, strict=True):
        made, (judge,), finder = panel.panel()
        if judge.kinds == frozenset({STEP}):  # a step verifier has nothing to say on parts of steps
            made = [STEPS_AS_CLAIMS]
        try:
            measure, judged = check(
                judge,
                items,
                name,
                made,
                finder,
                about=lambda panel=panel: panel.judges_described()[0][1],
                data=data,
                move=args.move,
                progress=None,
            )
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(_goes_on(one, judge)) from stop
        finally:
            about = panel.judges_described()[0][1]
            panel.close()
        measures.append(measure)
        found.append(judged)
        # A judge that failed, or takes no such claims, was not measured; what was measured before stands.
        if not args.no_keep and measure.unscored < measure.claims:
            _keep(measure, about)
    _print(args, measures, agreement(found))
    return 0


def _keep(measure: Measure, about: Mapping[str, Any]) -> None:
    """Keep a measure, unless an earlier one on the same claims says more."""
    earlier = better(measure, about)
    if earlier is None:
        keep(measure, about)
        return
    scored = [f"{one.claims - one.unscored:,}" for one in (earlier, measure)]
    log.info(
        "judge %s on %s: kept is the earlier measure on %s scored claims (%s), not this one on %s",
        measure.judge, measure.on, scored[0], earlier.made.get("date", "no date"), scored[1],
    )  # fmt: skip


def _goes_on(given: str | Mapping[str, Any], judge: Judge) -> str:
    """What the same command will find where this one was interrupted."""
    calls = getattr(getattr(judge, "totals", None), "calls", 0)
    if not isinstance(calls, int) or not calls:
        return f"judge {judge.name}; nothing of it is kept"
    told = f"judge {judge.name}, after {plural(calls, 'call')}"
    if isinstance(given, Mapping) and given.get("cache") == "off":
        return f"{told}; its replies are not kept (cache: off)"
    return f"{told}; its replies are kept, and the same command asks for the others alone"


def _judge(text: str) -> str | Mapping[str, Any]:
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"--judges {without_login(text)!r:.80}: not JSON: {error}") from error


def _items(args: argparse.Namespace) -> tuple[str, Sequence[Labelled], Sequence[str]]:
    """The set's name, its items, and the extractors of its claims; none: each step is a claim."""
    if args.on in SETS and not Path(args.on).is_file():
        folder = args.data or (Path(os.environ[FOLDER]) if os.environ.get(FOLDER) else None)
        if folder is None:
            raise UserError(f"--on {args.on}: --data DIR (or {FOLDER}) is needed, with {SETS[args.on].file} in it")
        return args.on, read_set(args.on, folder), SETS[args.on].claims
    path = Path(args.on)
    if not path.suffix and not path.exists():
        raise UserError(f"--on: {unknown_name('set', args.on, SETS)}; or give a file")
    return path.name, read_labelled(path), ()


def _print(args: argparse.Namespace, measures: Sequence[Measure], agree: Agreement) -> None:
    if args.format == "json":
        pairs = [{"judges": [one, other], "claims": n, "kappa": without_nan(kappa)} for one, other, n, kappa in agree]
        print(comparison_output.as_json({"judges": [one.to_dict() for one in measures], "agreement": pairs}))
    elif args.format == "csv":
        print(as_csv([csv_table(measures)]), end="")
    elif args.format == "markdown":
        print(markdown(measures, agree), end="")
    else:
        print_measures(measures, agree, console_of(args.width))
