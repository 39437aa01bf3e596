"""Shows what the exact judge says of the equations in real chains, and what it costs.

    python -m benchmarks.knowledge.exact [--out FILE] [--before FILE] [--sample 100]

Chains ($STEPGAUGE_SHARED/data): GSM8K's solutions by four GPT-3 models, PRMBench's original and altered processes,
MR-Ben's mathematics, and the responses of four models to MMLU-Pro's mathematics questions; `--others` takes MMLU-Pro's
physics, chemistry, business and engineering instead. Steps are cut by `auto`; the times are of finding and judging
equations alone, in CPU seconds, and do not contain the cutting.

`--out` writes a row for each verdict: set, chain, claim, label, reason, and the text around the claim. `--before` names
such a file of an earlier version and counts what has changed; `--sample` prints that many contradictions at random, to
be read.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.knowledge.claims import mmlupro
from benchmarks.support.labelled import shared_data
from benchmarks.support.run_header import about_run, header
from benchmarks.support.timing import Clock
from stepgauge.metrics.knowledge.arithmetic.extractor import ARITHMETIC
from stepgauge.metrics.knowledge.arithmetic.judge import ExactJudge
from stepgauge.metrics.knowledge.types import Claim
from stepgauge.metrics.plugins import registry
from stepgauge.metrics.segment import segment
from stepgauge.metrics.trace import Trace

SEED = 0
AROUND = 150  # characters on each side of a claim that a reader needs
LABELS = ("supported", "contradicted", "insufficient", "not evaluable")
MODELS = ("Meta-Llama-3_1-8B-Instruct", "Meta-Llama-3_1-8B", "Mistral-7B-v0.1", "mathstral-7B")


def gsm8k(data: Path) -> Iterator[Trace]:
    for i, line in enumerate((data / "gsm8k" / "example_model_solutions.jsonl").read_text("utf-8").splitlines()):
        row = json.loads(line)
        for name, value in row.items():
            if isinstance(value, dict):
                yield Trace(row["question"], value["solution"], id=f"{i} {name}")


def prmbench(data: Path) -> Iterator[Trace]:
    seen = set()
    for path in sorted((data / "prmbench").glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            for kind in ("original", "modified"):
                response = "\n".join(row[f"{kind}_process"])
                if response not in seen:
                    seen.add(response)
                    yield Trace(row[f"{kind}_question"], response, id=f"{row['idx']} {kind}")


def mrben(data: Path) -> Iterator[Trace]:
    for rows in json.loads((data / "mrben" / "math.json").read_text("utf-8")).values():
        for row in rows:
            name = f"{row['Question_UUID']} {row['Sampled_Model']}"
            yield Trace(f"{row['Question']}\n{row['Options']}", "\n".join(row["Model_Solution_Steps"]), id=name)


def mmlu_pro(category: str, data: Path) -> Iterator[Trace]:
    for model in MODELS:
        for key, _, trace in mmlupro(f"model_outputs_{model}_5shots", data, category):
            yield Trace(trace.question, trace.response, id=f"{model} {key}")


SETS: dict[str, Callable[[Path], Iterator[Trace]]] = {
    "GSM8K": gsm8k,
    "PRMBench": prmbench,
    "MR-Ben math": mrben,
    "MMLU-Pro math": partial(mmlu_pro, "math"),
}
OTHERS = {
    f"MMLU-Pro {category}": partial(mmlu_pro, category)
    for category in ("physics", "chemistry", "business", "engineering")
}


def judged(name: str, traces: Sequence[Trace], clock: Clock) -> tuple[int, list[dict[str, Any]]]:
    """The number of steps, and a row for each verdict."""
    judge, rows, count = ExactJudge(), [], 0
    for trace in traces:
        steps = segment([trace], registry().splitters["auto"])[0].steps
        count += len(steps)
        with clock:
            claims = [one for one in ARITHMETIC.extract([trace], [steps])[0] if isinstance(one, Claim)]
            verdicts = judge.judge(claims, [()] * len(claims))
        for claim, verdict in zip(claims, verdicts, strict=True):
            around = trace.response[max(claim.start - AROUND, 0) : claim.end + AROUND]
            label, reason = (verdict.label, verdict.reason or verdict.error) if verdict else (None, "passed on")
            rows.append(
                {"set": name, "chain": trace.id, "start": claim.start, "end": claim.end, "claim": claim.text}
                | {"label": label, "reason": reason, "around": around}
            )
    return count, rows


def changes(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """How often a label became another; claims are the same where they overlap."""
    out: Counter[tuple[str, str]] = Counter()
    for old, new in matched(before, after):
        out[_label(old), _label(new)] += 1
    return out


def matched(
    before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """Claims of two versions in pairs, best overlap first in reading order; None where one has no counterpart."""
    chains: dict[tuple[str, str], tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {}
    for side, rows in enumerate((before, after)):
        for row in rows:
            chains.setdefault((row["set"], row["chain"]), ([], []))[side].append(row)
    for olds, news in chains.values():
        left = list(news)
        for old in olds:
            new = max(left, key=lambda row: _overlap(old, row), default=None)
            if new is None or _overlap(old, new) <= 0:
                yield old, None
            else:
                left.remove(new)
                yield old, new
        yield from ((None, new) for new in left)


def _overlap(a: dict[str, Any], b: dict[str, Any]) -> int:
    return min(a["end"], b["end"]) - max(a["start"], b["start"])


def _label(row: dict[str, Any] | None) -> str:
    if row is None:
        return "no claim"
    # Earlier versions gave no label to what they could not evaluate.
    unevaluable = row["label"] is None or row["reason"].startswith("not evaluable")
    return "not evaluable" if unevaluable else str(row["label"])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", action="store_true", help="chains of other subjects")
    parser.add_argument("--chains", type=int, help="only so many of each set, at random")
    parser.add_argument("--out", type=Path, help="write each verdict to this file, as JSON lines")
    parser.add_argument("--before", type=Path, help="a file that --out wrote with an earlier version")
    parser.add_argument("--sample", type=int, default=0, help="print so many contradictions, at random")
    args = parser.parse_args(argv)
    table = Table("chains of", "chains", "steps", "claims", *LABELS, "CPU s a 1,000 steps", box=box.MARKDOWN)
    found: list[dict[str, Any]] = []
    total, steps, chains = Clock(), 0, 0
    try:
        data = shared_data("gsm8k", "prmbench", "mrben", "mmlupro-outputs")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    for name, read in (OTHERS if args.others else SETS).items():
        traces = list(read(data))
        if args.chains is not None and args.chains < len(traces):
            traces = random.Random(SEED).sample(traces, args.chains)
        clock = Clock()
        count, rows = judged(name, traces, clock)
        table.add_row(name, *_figures(len(traces), count, rows, clock.cpu))
        found += rows
        total.cpu, steps, chains = total.cpu + clock.cpu, steps + count, chains + len(traces)
    table.add_row("all", *_figures(chains, steps, found, total.cpu))
    print(header(about_run()))
    Console(width=150).print(table)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    if args.before:
        before = [json.loads(line) for line in args.before.read_text(encoding="utf-8").splitlines()]
        moved = Table("before", "after", "claims", box=box.MARKDOWN)
        for (old, new), n in sorted(changes(before, found).items()):
            moved.add_row(old, new, f"{n:,}")
        Console(width=150).print(moved)
    contradicted = [row for row in found if row["label"] == "contradicted"]
    for i, row in enumerate(random.Random(SEED).sample(contradicted, min(args.sample, len(contradicted))), 1):
        print(f"--- {i} {row['set']} {row['chain']}\n{row['claim']}\n    {row['reason']}\n    {row['around']!r}")
    return 0


def _figures(chains: int, steps: int, rows: Sequence[dict[str, Any]], cpu: float) -> list[str]:
    labels = Counter(_label(row) for row in rows)
    counts = (chains, steps, len(rows), *(labels[label] for label in LABELS))
    return [*(f"{n:,}" for n in counts), f"{1000 * cpu / max(steps, 1):.3f}"]


if __name__ == "__main__":
    sys.exit(main())
