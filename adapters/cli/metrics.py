"""List every number: its unit, which direction is better, what it means, and which tables show it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from ...metrics.chain import ChainMetric
from ...metrics.columns import ALWAYS, CONTROL_COLUMNS, METRICS, WITH_OPTION, default_order, needs_of, shown_in
from ...metrics.comparison.measures import CONFOUNDERS, OUTCOMES, Measure
from ...metrics.plugins import registry
from ...metrics.printable import printable
from .terminal import listing, text_width_of, wrapped

EXAMPLES = (("stepgauge metrics", "every number, those of installed plugins included"),)
PAGE = "docs/metrics.md"

_DIRECTIONS = {True: "higher is better", False: "lower is better", None: "no better direction"}
_LABELS = {measure.key: measure.label for measure in (*OUTCOMES, *CONFOUNDERS)}
_ABOUT = (
    "Every number that stepgauge computes. Result files hold them all; tables show the usual ones, or those that the "
    "option `metrics` names (`metrics: all` for every one). A number that cannot be computed is missing, with a "
    "reason, and is left out of means."
)
_COSTS = (
    "What they cost: all numbers that need a scoring LM share its passes: question and steps once, then the gold "
    "answer and each answer option behind every prefix ([engine.md](engine.md)). A control adds such a chain. Claims "
    "cost what their extractor and judge cost: equations next to nothing, an LM a call each ([judges.md](judges.md)). "
    "How to read the numbers, and what they were shown to see: [interpretation.md](interpretation.md)."
)
_GENERATED = "<!-- Written by: STEPGAUGE_LOAD_PLUGINS= stepgauge metrics --markdown > docs/metrics.md -->"


@dataclass(frozen=True)
class _Entry:
    name: str
    unit: str
    higher_is_better: bool | None
    meaning: str
    needs: str
    shown: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--markdown", action="store_true", help="print the page docs/metrics.md")


def run(args: argparse.Namespace) -> int:
    told = ((heading, map(_told, entries)) for heading, entries in _sections())
    lines = _page() if args.markdown else listing(_ABOUT, told, text_width_of())
    print("\n".join(lines))
    return 0


def _sections() -> Iterator[tuple[str, list[_Entry]]]:
    """The headings, each with its numbers."""
    usual = default_order()
    yield "Shown by default", [_of_chain(METRICS[name]) for name in usual]
    yield (
        "Shown where the option `metrics` names them",
        [_of_chain(metric) for metric in ALWAYS if metric.name not in usual],
    )
    for option, metrics in WITH_OPTION.items():
        yield f"Added by {option}", [_of_chain(metric) for metric in metrics]
    known = registry()
    for name, metric in known.metrics.items():
        if name not in METRICS:
            yield f"Added by the plugin {printable(known.sources['metrics', name])}", [_of_chain(metric)]
    compared = [measure for measure in (*OUTCOMES, *CONFOUNDERS) if measure.key not in METRICS]
    yield "Of a comparison only", [_of_comparison(measure) for measure in compared]


def _of_chain(metric: ChainMetric) -> _Entry:
    doors = [*shown_in(metric.name), *_in_compare(metric.name)]
    if metric.name in CONTROL_COLUMNS and "score" not in doors:
        doors.insert(0, "score (beside controls)")
    meaning = printable(metric.description) or "The plugin does not say."
    needs = needs_of(metric.name) if metric.name in METRICS else ""
    return _Entry(
        printable(metric.name), printable(metric.unit), metric.higher_is_better, meaning, needs, ", ".join(doors)
    )


def _of_comparison(measure: Measure) -> _Entry:
    shown = ", ".join(_in_compare(measure.key))
    return _Entry(measure.key, measure.unit, measure.higher_is_better, measure.description, "", shown)


def _in_compare(name: str) -> list[str]:
    label = _LABELS.get(name)
    return [] if label is None else ["compare"] if label == name else [f"compare (as {label!r})"]


def _told(entry: _Entry) -> tuple[str, ...]:
    """A number's entry in the list for a terminal."""
    return (
        f"{entry.name}  {entry.unit or 'no unit'}, {_DIRECTIONS[entry.higher_is_better]}",
        entry.meaning,
        entry.needs and f"Needs: {entry.needs}",
        entry.shown and f"Shown in: {entry.shown}",
    )


def _page() -> Iterator[str]:
    yield "# The numbers"
    yield f"\n{_GENERATED}\n"
    yield from wrapped(f"{_ABOUT} The command `stepgauge metrics` lists those of installed plugins, too.", 120, "")
    yield ""
    yield from wrapped(_COSTS, 120, "")
    for heading, entries in _sections():
        yield f"\n## {heading}\n"
        yield "| number | unit | better | what it is | needs | shown in |"
        yield "|---|---|---|---|---|---|"
        for entry in entries:
            better = {True: "higher", False: "lower", None: "–"}[entry.higher_is_better]
            cells = (f"`{entry.name}`", entry.unit, better, entry.meaning, entry.needs or "–", entry.shown or "–")
            yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
