"""Score the chains of finished runs: lm-eval samples, Inspect logs, MMLU-Pro output, chats or traces."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import logging
import operator
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...metrics import EngineStatistics, Gauge, OverlapError
from ...metrics.columns import table_columns
from ...metrics.controls.gain_over import GAIN_OVER
from ...metrics.versions import versions
from ..formats.detect import FORMATS, find_sources
from ..formats.lm_eval_samples import results_beside
from ..formats.options import Settings, Wanted, read_settings
from ..formats.sources import Source
from ..offline.control_summary import print_controls, summarise_controls
from ..offline.dry_run import found_table, look
from ..offline.one_splitter import one_splitter
from ..offline.out_folder import OutFolder, fingerprint
from ..offline.parquet import check_pyarrow, write_parquet
from ..offline.ray_run import check_ray_run, score_on_ray
from ..offline.run import WINDOW, Stopped, check_overlap, score_all
from ..offline.summary import print_conclusions, print_counts, print_summary, summarise, write_statistics, write_summary
from .errors import UserError
from .limit import add_limit, limit_of
from .preset import add_preset
from .splitters import score_each
from .terminal import console_of

EXAMPLES = (
    ("stepgauge score out --out scores", "an lm-eval run with --log_samples"),
    ("stepgauge score logs/*.eval --out scores --write-logs", "Inspect logs, and copies of them with the scores"),
    ("stepgauge score out --out cuts --splitters auto lines sentences", "how far results depend on the cut into steps"),
    ("stepgauge score out --dry-run", "what there is to score, and why rows cannot be read"),
)
EXIT_CODES = (
    "0 done",
    "2 wrong input, or stopped: one line says why",
    "130 interrupted: the same command goes on",
)
PAGE = "docs/finished-runs.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders or globs")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for scores.jsonl and the rest")
    parser.add_argument("--format", choices=sorted(FORMATS), help="what the files are (default: by what is in them)")
    parser.add_argument(
        "--scorer", help="the scoring LM: a hub id, a folder, a .gguf file, smollm2 (the default), or null: none"
    )
    parser.add_argument("--device", help="torch device (default: the first accelerator, else the CPU)")
    parser.add_argument(
        "--controls",
        nargs="+",
        metavar="NAME",
        help="also score other texts in the place of the steps: filler, foreign, shuffled",
    )
    parser.add_argument(
        "--reliance", action="store_true", help="also measure whether the chain's own answer depends on its steps"
    )
    add_preset(parser)
    parser.add_argument(
        "--splitters",
        nargs="+",
        metavar="NAME",
        help="score under each of these, into a folder each below --out, and say how far results depend on the cut",
    )
    parser.add_argument(
        "--allow-overlap", action="store_true", help="score questions that the scorer was fitted on, too"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any option; JSON or text")
    parser.add_argument("--where", action="append", default=[], metavar="FIELD=VALUE", help="read only such rows")
    parser.add_argument("--filter", help="lm-eval: the filter whose metrics are the accuracy (default: the first)")
    add_limit(parser, "chains")
    parser.add_argument("--window", type=int, default=WINDOW, metavar="N", help=f"chains in a batch (default {WINDOW})")
    parser.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="score in several processes: of this machine, or of the Ray cluster at ADDRESS (docs/scale.md)",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="with --ray: scoring LMs (default: one on each GPU, else one)"
    )
    parser.add_argument("--strict", action="store_true", help="stop at a row that cannot be read, do not skip it")
    parser.add_argument("--restart", action="store_true", help="overwrite what --out holds, do not go on with it")
    parser.add_argument("--dry-run", action="store_true", help="only read and cut into steps; score and write nothing")
    parser.add_argument("--gzip", action="store_true", help="compress the rows: scores.jsonl.gz; readers take either")
    parser.add_argument("--parquet", action="store_true", help="also write scores.parquet")
    parser.add_argument(
        "--write-logs",
        action="store_true",
        help="also write copies of Inspect logs with the scores, and files for precomputed_scores",
    )


def run(args: argparse.Namespace) -> int:
    logging.getLogger("stepgauge").setLevel(logging.INFO)
    args.limit = limit_of(args)
    try:
        if args.splitters:
            if args.dry_run:
                raise UserError("--splitters: not with --dry-run; --set splitter=NAME cuts by one")
            return score_each(args, _sources(args)[1], _score)
        return _dry_run(args) if args.dry_run else _score(args)
    except OverlapError as error:
        raise UserError(f"{error} (--allow-overlap)") from error


def _sources(args: argparse.Namespace) -> tuple[list[Source], Settings]:
    if args.window < 1:
        raise UserError(f"--window {args.window}: expected 1 or more")
    settings = read_settings(
        args.set,
        scorer=args.scorer,
        device=args.device,
        controls=args.controls,
        reliance=args.reliance or None,
        preset=args.preset,
        allow_overlap=args.allow_overlap or None,
    )
    sources = find_sources(
        args.paths,
        format=args.format,
        settings=settings,
        wanted=Wanted.parse(args.where),
        lm_eval_filter=args.filter,
    )
    return sources, settings


def _dry_run(args: argparse.Namespace) -> int:
    sources, settings = _sources(args)
    splitter = _gauge(settings).splitter  # reports a wrong option at once
    console = console_of()
    if splitter.prepare is not None:
        console.print(f"steps as auto cuts them: nothing is asked in a dry run, and {splitter.name} asks", markup=False)
    found, passed = look(sources, splitter if splitter.prepare is None else "auto", args.limit)
    console.print(found_table(found))
    for reason, count in passed.most_common():
        console.print(f"{count:,} rows passed over: {reason}", markup=False)
    return 0


def _score(args: argparse.Namespace) -> int:
    if args.out is None:
        raise UserError("--out DIR is needed, or --dry-run")
    if args.parquet:
        check_pyarrow()
    if args.workers is not None and (args.ray is None or args.workers < 1):
        raise UserError(f"--workers {args.workers}: expected 1 or more, and --ray")
    sources, settings = _sources(args)
    if args.ray is not None:
        check_ray_run(settings.gauge)
    _refuse_own_output(args.out, sources)
    if args.write_logs and not any(source.format == "inspect" for source in sources):
        raise UserError("--write-logs: none of the inputs is an Inspect log")
    settings = _cut_alike(args, sources, settings)
    with _gauge(settings) as gauge:
        gauge.preflight()
        check_overlap(sources, gauge, args.limit)
        described = _description(args, sources, settings, gauge)
        with OutFolder(args.out, described, restart=args.restart, packed=args.gzip) as out:
            if out.complete:
                print(f"{args.out}: this run is complete; nothing is left to score")
            elif out.windows:
                print(f"{args.out}: going on after {out.counts}")
            on_ray: list[EngineStatistics] = []
            asked = {"window": args.window, "limit": args.limit, "strict": args.strict}
            try:
                if args.ray is not None and not out.complete:
                    where = {"address": args.ray, "workers": args.workers}
                    score_on_ray(sources, settings.gauge, out, tell=on_ray.append, **where, **asked)
                elif settings.gauge.get("scorer", "") is not None and not out.complete:
                    # Load now: every row's provenance names it, whether or not its window needed it.
                    _ = gauge.backend
                score_all(sources, gauge, out, **asked)
            except KeyboardInterrupt as error:
                raise KeyboardInterrupt(f"{out.on_disk()}; the same command goes on from here") from error
            except Stopped as error:
                raise UserError(f"{error}; until then: {out.on_disk()}. The same command goes on from here") from error
            finally:
                statistics = functools.reduce(operator.add, on_ray) if on_ray else gauge.statistics()
                if statistics is not None and statistics.passes:
                    with contextlib.suppress(OSError):  # a full disk is told by what it stopped
                        write_statistics(args.out, statistics)
            result = _finish(args, out, sources, settings, gauge)
            if statistics is not None and statistics.passes:
                print(statistics.summary())
            return result


def _refuse_own_output(out: Path, sources: Sequence[Source]) -> None:
    folder = Path(os.path.realpath(out))  # not pathlib's resolve, which refuses a loop of links
    for source in sources:
        if folder in Path(os.path.realpath(source.name)).parents:
            raise UserError(f"--out {out}: {source.name}, which is to be scored, lies in it; give another folder")


def _cut_alike(args: argparse.Namespace, sources: Sequence[Source], settings: Settings) -> Settings:
    """With several PATHs and no splitter named, `auto` chooses once for all: they are scored to be compared."""
    if len(args.paths) < 2 or "splitter" in settings.gauge or settings.gauge.get("preset") is not None:
        return settings
    _gauge(settings)  # reports a wrong option before everything is read
    name, counts = one_splitter(sources, args.limit)
    told = ", ".join(f"{one} for {count:,}" for one, count in counts.most_common())
    if len(counts) > 1:
        print(f"all chains are cut by {name}, so that they compare; auto would choose {told} (--set splitter=auto)")
    return dataclasses.replace(settings, gauge={**settings.gauge, "splitter": name})


def _finish(
    args: argparse.Namespace, out: OutFolder, sources: Sequence[Source], settings: Settings, gauge: Gauge
) -> int:
    groups = summarise(args.out)
    controls = summarise_controls(args.out, settings.gauge.get("controls", ()))
    write_summary(args.out, groups, out.counts, controls)
    if args.parquet:
        write_parquet(args.out, groups)
    columns = _columns(settings, gauge)
    if args.write_logs:
        from ..offline.inspect_copies import write_copies

        for path in write_copies(args.out, sources, columns):
            told = "for precomputed_scores" if path.suffix == ".jsonl" else "a copy of the log, with scores"
            print(f"{path}: {told}")
    console = console_of()
    if not settings.metrics:  # gains over controls are printed in separate blocks, with intervals
        columns = [name for name in columns if not name.startswith(GAIN_OVER)]
    print_summary(console, groups, columns)
    print_controls(console, controls)
    print_conclusions(console, groups)
    print_counts(console, out.counts)
    return 0


def _gauge(settings: Settings) -> Gauge:
    """The gauge for these options; no weights are loaded yet. Raises UserError for an invalid option."""
    try:
        gauge = Gauge(**settings.gauge, progress=False)
    except (TypeError, ValueError) as error:
        raise UserError(str(error)) from error
    _columns(settings, gauge)
    return gauge


def _columns(settings: Settings, gauge: Gauge) -> list[str]:
    """The metrics to show: those requested, or the default ones that this run can have. Raises UserError."""
    has_scorer = settings.gauge.get("scorer", "") is not None
    try:
        return table_columns(gauge.metric_info(), chosen=settings.metrics, has_scorer=has_scorer)
    except ValueError as error:
        raise UserError(f"--set metrics: {error}") from error


def _description(
    args: argparse.Namespace, sources: Sequence[Source], settings: Settings, gauge: Gauge
) -> dict[str, Any]:
    """Everything that determines the rows: a resumed run must match the earlier one in all of it."""
    return {
        "inputs": [_input(source) for source in sources],
        "options": {name: value for name, value in settings.to_dict().items() if name != "metrics"},
        "evidence": gauge.evidence,
        "where": args.where,
        "filter": args.filter,
        "limit": args.limit,
        "window": args.window,
        **({"gzip": True} if args.gzip else {}),
        "versions": versions(),
    }


def _input(source: Source) -> dict[str, Any]:
    if source.problem is not None:
        return {"path": source.name, "problem": str(source.problem)}
    told = {"path": source.name, "format": source.format, **fingerprint(source.path)}
    if source.format == "lm-eval":  # its results file, a separate file, says how to read the documents
        told["results"] = [fingerprint(path) for path in results_beside(source.path)]
    return told
