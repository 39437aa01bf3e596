"""Draw verdicts for a person to label, as CSV; with the labels, KI corrected for the judge's errors."""

from __future__ import annotations

import argparse
import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...metrics.comparison.numbers import NONE, plural
from ...metrics.comparison.terminal_table import print_table
from ...metrics.judge_measures.measure import two_places
from ...metrics.labelling.estimate import Share, shares, strata
from ...metrics.labelling.prediction_powered import labels_for
from ...metrics.labelling.sample import draw
from ...metrics.labelling.units import Unit, units_of
from ...metrics.printable import printable
from ...metrics.strict_json import without_nan
from ..labelled.corrected_file import FILE, with_corrected
from ..labelled.label_files import Labels, label_table, read_labels
from ..offline.whole_file import write_whole
from ..runs.run_spec import parse_spec
from ..scored import SCORES_FILES, scores_in
from . import comparison_output
from .errors import UserError
from .terminal import console_of

EXAMPLES = (
    ("stepgauge label scores --n 100 --out labels.csv", "fill in the column human: right, wrong or unsure"),
    ("stepgauge label scores --labels labels.csv --width 0.1", "KI corrected, and how many labels it needs"),
)
PAGE = "docs/judge-check.md"

log = logging.getLogger(__name__)

_NAMES = {"ki": "KI", "claims": "share of right claims"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_spec", metavar="SCORES", help="a scored run: PATH[::MODEL]")
    parser.add_argument("--n", type=int, default=100, metavar="N", help="steps to draw, with all their claims (100)")
    parser.add_argument("--out", type=Path, metavar="CSV", help="write the sample here (default: print it)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    parser.add_argument("--show-verdicts", action="store_true", help="add judge and verdict, which may mislead")
    parser.add_argument("--overwrite", action="store_true", help="write over a file at --out, labels and all")
    parser.add_argument("--labels", type=Path, metavar="CSV", help="the filled-in file, or the marks of a report")
    parser.add_argument("--width", type=float, metavar="W", help="how many labels an interval of KI this wide needs")
    parser.add_argument("--no-keep", action="store_true", help="do not keep the corrected KI beside the scores")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="of what --labels prints")
    parser.add_argument("--columns", type=int, metavar="N", help="columns of the tables (default: the terminal's)")


def run(args: argparse.Namespace) -> int:
    if args.n < 1:
        raise UserError(f"--n {args.n}: expected 1 or more")
    if args.width is not None and not 0 < args.width < 1:
        raise UserError(f"--width {args.width}: expected a number between 0 and 1, such as 0.1")
    if args.width is not None and args.labels is None:
        raise UserError("--width needs --labels: how far labels narrow an interval depends on how often the judge errs")
    from ..runs.load import load_runs

    runs = load_runs([args.run_spec])
    if len(runs) > 1:
        names = ", ".join(run.name for run in runs)
        raise UserError(f"{args.run_spec} holds several runs ({names}): name one with PATH::MODEL")
    units, lost = units_of(record for record in runs[0].records if record.scored)
    if all(unit.settled for unit in units):
        why = _counts(lost) or ("nothing to check" if units else "no chain is scored")
        raise UserError(f"{args.run_spec}: no chain has a checkable step ({why})")
    if args.labels is not None:
        return _corrected(args, units, read_labels(args.labels, units, runs[0].name), _scores_of(runs[0].source))
    return _sample(args, units)


def _sample(args: argparse.Namespace, units: Sequence[Unit]) -> int:
    chosen = draw(units, args.n, args.seed)
    text = label_table(chosen, verdicts=args.show_verdicts)
    if args.out is None:
        print(text.lstrip("\ufeff"), end="")
        return 0
    if args.out.exists() and not args.overwrite:
        raise UserError(f"--out {args.out}: it is there, perhaps with labels in it; name another, or --overwrite")
    write_whole(args.out, text)
    claims, steps = sum(len(unit.verdicts) for unit in chosen), sum(not unit.settled for unit in units)
    print(f"{args.out}: {plural(claims, 'claim')} of {len(chosen):,} of {plural(steps, 'checkable step')}")
    print("fill in the column human (right, wrong or unsure), then: ", end="")
    print(f"stepgauge label {args.run_spec} --labels {args.out}")
    return 0


def _scores_of(source: str) -> Path | None:
    """The rows that `stepgauge score` wrote; None: the run is of another kind, and nothing is kept beside it."""
    path = Path(source)
    if path.is_dir():
        return scores_in(path)
    return path if path.name in SCORES_FILES else None


def _corrected(args: argparse.Namespace, units: Sequence[Unit], labels: Labels, scores: Path | None) -> int:
    found = shares(units, labels.all_right, labels.of_units)
    if scores is not None and not args.no_keep and not math.isnan(found[0].corrected.estimate.value):
        model = parse_spec(args.run_spec).model or ""
        try:
            write_whole(scores.with_name(FILE), with_corrected(scores, model, found[0], marks=labels.marks))
        except OSError as error:  # of someone else's folder; what was found is printed all the same
            log.warning("not kept beside the scores: %s", error)
    groups = strata(units, labels.all_right)
    needed = None if args.width is None else labels_for(args.width, found[0].corrected)
    if args.format == "json":
        print(comparison_output.as_json(_as_json(found, groups, labels, args.width, needed)))
        return 0
    console = console_of(args.columns)
    rows = [
        [_NAMES[one.name], str(one.judged), str(one.corrected.estimate), two_places(one.corrected.power)]
        for one in found
    ]
    headers = ["", "as judged", "corrected", "λ"]
    print_table(console, "", headers, [[1], [2], [3]], [("", rows)], fold=False)
    console.print()
    cells = [
        [printable(f"{one.judge}, {one.label}"), f"{one.steps:,}", f"{one.labelled:,}", _right(one.right, one.labelled)]
        for one in groups
    ]
    print_table(console, "", ["judge, label", "steps", "labelled", "right"], [[1], [2], [3]], [("", cells)], fold=False)
    for line in _notes(found[0], labels, args.width, needed, sum(one.steps for one in groups)):
        console.print(f"• {line}", markup=False)
    return 0


def _right(right: int, labelled: int) -> str:
    return f"{right:,} ({right / labelled:.0%})" if labelled else NONE


def _notes(ki: Share, labels: Labels, width: float | None, needed: float | None, steps: int) -> Iterator[str]:
    found = ki.corrected
    if math.isnan(found.estimate.value):
        yield f"no corrected KI: {plural(found.labels, 'labelled step')}, of two questions and more are needed"
    yield "95 % intervals over questions; λ is the weight of the judge's probabilities beside the labels"
    if labels.marks:
        yield "marks of a report are no sample drawn at random: the correction holds as far as they are like one"
    yield from (f"{count:,} {why}" for why, count in labels.left_out.most_common())
    if width is None or needed is None or math.isnan(needed):
        return
    if math.isinf(needed) or needed > steps:
        yield f"no number of labels narrows KI's interval to {width:g}: score more questions"
    else:
        yield f"an interval of KI {width:g} wide needs about {needed:,.0f} labelled steps, drawn as these"


def _as_json(
    found: Sequence[Share], groups: Sequence[Any], labels: Labels, width: float | None, needed: float | None
) -> dict[str, Any]:
    return {
        "shares": without_nan(found),
        "strata": without_nan(groups),
        "left_out": dict(labels.left_out),
        "marks": labels.marks,
        **({} if width is None else {"width": width, "labels_needed": without_nan(needed)}),
    }


def _counts(reasons: Counter[str]) -> str:
    return "; ".join(f"{plural(count, 'chain')}: {why}" for why, count in reasons.most_common())
