"""Writes the report: one HTML file that contains its data, styles and scripts and loads nothing from a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ...metrics.columns import REPORT_CHAIN_COLUMNS, REPORT_RUN_COLUMNS
from ...metrics.comparison.record import Run
from ...metrics.comparison.results import Comparison
from ...metrics.comparison.series import Series
from ...metrics.versions import package_version
from ..offline.whole_file import write_whole
from .aggregates import added, names
from .chart_style import Plot
from .errors import ReportError
from .glossary import entries, in_plain_words
from .more_tables import more_tables
from .overview import SWITCH_ON, comparison_view, headings, run_view, without_knowledge
from .page_data import details, pack, table
from .plots import plots
from .question_rows import accuracy_name, keys_of, rows_of
from .sanitize import csp_hash, json_block, one_line, with_code

MAX_BYTES = 5_000_000  # maximum page size; the rows of very large runs may exceed it
_LEAST = 500_000  # characters always reserved for chains' texts, however large the rest is
_EXPORT = "window.vegaEmbed = vegaEmbed;"
_SCRIPTS = ("data.js", "terms.js", "charts.js", "marks.js", "table.js", "chain.js", "page.js")


def write_report(
    runs: Sequence[Run],
    comparisons: Sequence[Comparison],
    out: Path,
    *,
    title: str | None = None,
    series: Series | None = None,
) -> None:
    """Write the page to `out`. Creates its folder, and replaces an existing file once the new one is complete."""
    out = Path(out)
    page = render(runs, comparisons, title=title, series=series)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, page)


def render(
    runs: Sequence[Run],
    comparisons: Sequence[Comparison],
    *,
    title: str | None = None,
    series: Series | None = None,
) -> str:
    """The page as text; deterministic for the same input and versions."""
    _check(runs, comparisons)
    name = accuracy_name(runs, comparisons)
    shown = names(runs)
    key_of = keys_of(runs, comparisons)
    rows = rows_of(runs, key_of)
    places = {id(chain): i for i, row in enumerate(rows, 1) for chain in row.chains if chain is not None}
    drawn = plots(runs, comparisons, series)
    more = added(runs)
    columns = [*REPORT_RUN_COLUMNS, *more]
    style, script, library = _asset("page.css"), _script(), _library()
    numbers = json.dumps(
        table(rows, runs, name, more) | {"runs": shown}, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()
    measures = [row.measure for one in comparisons for part in one.all for row in part.rows]
    terms = entries([*REPORT_RUN_COLUMNS, *REPORT_CHAIN_COLUMNS, *more, *measures], compared=bool(comparisons))
    values: dict[str, Any] = {
        "title": one_line(title, 200) if title else _title(shown),
        "version": package_version("stepgauge"),
        "policy": _policy([script, library], style),
        "style": Markup(style),
        "script": Markup(script),
        "library": Markup(library),
        "comparisons": [
            comparison_view(comparison, i, dict(zip((run.name for run in runs), shown, strict=True)))
            for i, comparison in enumerate(comparisons, 1)
        ],
        "glossary": terms,
        "known": {entry.key for entry in terms},
        "without_knowledge": without_knowledge(runs, shown),
        "switch_on": SWITCH_ON,
        "series": [] if series is None else _sentences(series),
        "more": more_tables(runs, comparisons),
        "headings": headings(columns, runs),
        "runs": [run_view(run, label, name, columns, key_of, places) for run, label in zip(runs, shown, strict=True)],
        "accuracy_name": one_line(name, 60) if name else "",
        "plots": drawn,
        "specs": json_block({plot.key: _spec(plot) for plot in drawn if plot.chart is not None}),
        "questions": f"{len(rows):,}",
        "rows": pack(numbers),
        "details": "",
        "content": "0" * 64,
        "with_texts": f"{len(rows):,}",
        "all_texts": False,
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["with_code"] = with_code
    template = environment.from_string(_asset("template.html.j2"))
    left = MAX_BYTES - len(template.render(values).encode()) - 1000
    texts = details(rows, name, more, max(left, _LEAST))
    content = hashlib.sha256(numbers + texts.packed.encode()).hexdigest()
    values |= {
        "details": texts.packed,
        "content": content,
        "with_texts": f"{texts.n:,}",
        "all_texts": texts.n == texts.of,
    }
    return template.render(values)


def _check(runs: Sequence[Run], comparisons: Sequence[Comparison]) -> None:
    if not runs:
        raise ReportError("a report needs at least one run")
    for run in runs:
        if not run.records:
            raise ReportError(f"{run.source or run.name}: the run {run.name!r} holds no scored chain")
    known = [run.name for run in runs]
    for comparison in comparisons:
        for name in (comparison.base, comparison.tuned):
            if name not in known:
                raise ReportError(f"a comparison names the run {name!r}; the report has {', '.join(map(repr, known))}")


def _title(shown: Sequence[str]) -> str:
    if len(shown) == 1:
        return f"Reasoning scores: {shown[0]}"
    return f"{', '.join(shown[1:])} against {shown[0]}"


def _sentences(series: Series) -> list[str]:
    labels = {row.label: key for one in series.checkpoints for key, row in one.rows.items()}
    return [in_plain_words(one_line(sentence, 1000), labels) for sentence in series.sentences()]


def _policy(scripts: Sequence[str], style: str) -> str:
    """The Content-Security-Policy: no network, frames or forms; only the scripts and the style of this page."""
    allowed = " ".join(csp_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {csp_hash(style)}; img-src data:; connect-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )


def _spec(plot: Plot) -> dict[str, Any]:
    """The chart as Vega-Lite, as wide as its container and with the page's background."""
    spec = plot.chart.to_dict() if plot.chart is not None else {}
    spec.pop("$schema", None)
    spec |= {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
    spec["config"] = spec.get("config", {}) | {"background": None}
    return spec


@lru_cache(maxsize=1)
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed, wrapped in a function to keep their many names out of the global scope."""
    return f"(() => {{\n{vl_convert.javascript_bundle(_EXPORT)}\n}})();"


def _script() -> str:
    return "(() => {\n'use strict';\n" + "\n".join(_asset(name) for name in _SCRIPTS) + "\n})();"


def _asset(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")
