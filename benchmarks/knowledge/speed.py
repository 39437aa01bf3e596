"""Times the knowledge core on real chains: extracting claims, retrieving evidence, judging.

    python -m benchmarks.knowledge.speed [--claims 5000] [--lm-claims 60]

Chains of MR-Ben (medicine) and MMLU-Pro (health; Llama-3.1-8B-Instruct, Mistral-7B-v0.1) are drawn with a fixed seed
until the extractor `sentence` has found enough claims. They go through the panel, once with the judge `nli` (the
stand-in of `fit_nli`), and a smaller number with `lm`. The corpus is all of MedQuAD, rebuilt to time the build;
evidence comes from `bm25` with its defaults. The judge does not see claims without evidence.

`wall` is wall-clock time, `CPU` the CPU seconds of all threads, which are independent of other work on the machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.knowledge import fit_nli
from benchmarks.knowledge.claims import SOURCES
from benchmarks.support.labelled import shared_data
from benchmarks.support.timing import Clock, TimedJudge, TimedRetriever
from stepgauge.metrics import Gauge
from stepgauge.metrics.errors import ScorerError
from stepgauge.metrics.knowledge.assess import assess
from stepgauge.metrics.knowledge.base import Judge, Surroundings
from stepgauge.metrics.names import lookup
from stepgauge.metrics.plugins import registry
from stepgauge.metrics.retrieval.build import build_corpus
from stepgauge.metrics.retrieval.readers import Fields
from stepgauge.metrics.segment import segment
from stepgauge.metrics.trace import Step, Trace

SEED = 0


def chains_with(data: Path, claims: int, clock: Clock) -> tuple[list[Trace], list[list[Step]]]:
    """Random chains with at least this many claims in total, cut into steps; times segmentation and extraction."""
    extractor = registry().extractors["sentence"](Surroundings(_no_scorer))
    traces = [trace for read in SOURCES.values() for _, _, trace in read(data)]
    random.Random(SEED).shuffle(traces)
    kept: list[Trace] = []
    steps: list[list[Step]] = []
    found = 0
    for trace in traces:
        if found >= claims:
            break
        with clock:
            own = segment([trace], registry().splitters["auto"])[0].steps
            n = len(extractor.extract([trace], [own])[0])
        found += n
        kept.append(trace)
        steps.append(own)
    return kept, steps


def judged(traces: Sequence[Trace], steps: Sequence[Sequence[Step]], judge: Judge, corpus: str) -> list[list[str]]:
    """Run chains through the panel; returns a table row for retrieval and one for judging."""
    around = Surroundings(_no_scorer, corpus=corpus)
    retriever = TimedRetriever(registry().retrievers["bm25"](around))
    timed = TimedJudge(judge)
    verdicts = assess(
        traces,
        steps,
        extractors=[registry().extractors["sentence"](around)],
        judges=[timed],
        retriever=retriever,
    )
    failed = sum(verdict.label is None for chain in verdicts for step in chain for verdict in step)
    return [
        _row("retrieve: bm25", retriever.claims, retriever.clock),
        _row(f"judge: {judge.name}" + (f" ({failed} failed)" if failed else ""), timed.claims, timed.clock),
    ]


def _row(what: str, count: int, clock: Clock) -> list[str]:
    if not count:
        return [what, "0", f"{clock.wall:.1f}", f"{clock.cpu:.1f}", "–", "–"]
    wall, cpu = clock.wall / count, clock.cpu / count
    return [what, str(count), f"{clock.wall:.1f}", f"{clock.cpu:.1f}", _ms(wall), _ms(cpu)]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f}" if seconds >= 0.1 else f"{1000 * seconds:.2g}"


def _no_scorer() -> object:
    raise ScorerError("asked for a scoring LM that was not meant to be used")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=int, default=5000, help="claims for retriever and `nli` (default 5000)")
    parser.add_argument("--lm-claims", type=int, default=60, help="claims for `lm` (default 60; 0: leave it out)")
    parser.add_argument("--scorer", default="smollm2", help="the LM of the judge `lm`")
    parser.add_argument("--nli", type=json.loads, help="JSON: options of the judge `nli` in place of the stand-in")
    args = parser.parse_args(argv)
    rows = []
    try:
        data = shared_data("medquad", "mmlupro-outputs", "mrben", "scifact-rte")
        options = args.nli or {"model": str(fit_nli.checkpoint(data))}
        nli = lookup("judge", registry().judges, "nli")(Surroundings(_no_scorer), **options)
        gauge = Gauge(args.scorer, progress=False)
        around = Surroundings(lambda: gauge.backend, scorer=args.scorer)
        lm = lookup("judge", registry().judges, "lm")(around)
        with tempfile.TemporaryDirectory() as scratch:
            corpus = str(Path(scratch) / "medquad")
            fields = Fields(id=":row", title="question", text="answer")
            building, extracting = Clock(), Clock()
            with building:
                built = build_corpus(data / "medquad" / "medquad.jsonl.gz", corpus, fields=fields, progress=False)
            documents = built.manifest["counts"]["documents"]
            rows.append(_row("build: documents", documents, building))
            traces, steps = chains_with(data, args.claims, extracting)
            rows.append(_row("cut and extract: chains", len(traces), extracting))
            judged(traces[:1], steps[:1], nli, corpus)  # warm-up: loads the model
            rows += judged(traces, steps, nli, corpus)
            if args.lm_claims:
                few, few_steps = chains_with(data, args.lm_claims, Clock())
                judged(few[:1], few_steps[:1], lm, corpus)
                rows += judged(few, few_steps, lm, corpus)
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(
        f"{datetime.now(UTC):%Y-%m-%d}  {platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}; {built.manifest['counts']['chunks']} chunks of MedQuAD"
    )
    table = Table("what", "count", "wall s", "CPU s", "wall ms each", "CPU ms each", box=box.MARKDOWN)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
