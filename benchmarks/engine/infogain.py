"""Times our and other ways to compute InfoGain's log-likelihoods, on the same real chains, in one process.

    STEPGAUGE_SHARED=… python -m benchmarks.engine.infogain [--sets gsm8k joined36] [--rounds 5] [--out FILE.json]

Prints a table for each set of chains: seconds (median of the rounds; the methods take turns, and each round starts with
another one), the ratio to ours, positions that went through the model (tokens and padding), peak memory above what was
held before (on a CPU the growth of the resident set), and the largest difference in nats from the published method.
Ours is the backend's `score`, tokenizing included. The floor is one causal forward pass over as many tokens as the
chains have unique ones, with logits at as many positions as ours needs; of its two forms the faster one is shown. A
slow method gets fewer rounds (--patience) or is left out of a set (--at-most); the table says so. torch chooses the
number of threads; OMP_NUM_THREADS=2 sets it. `peers` says which other packages take part, and which cannot.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from ..support.labelled import shared_data
from .chains import SETS, requests_of
from .contest import FLOOR, FLOOR_BATCHES, LABELS, OTHERS, OURS, REFERENCES, Contest, Limits
from .methods import Groups, Values
from .rounds import Measured, run_rounds
from .scorer import announce, load_scorer
from .tokens import Counts, count, token_spans

_MIB = 2**20


def largest_difference(values: Values, expected: Values) -> float:
    """The largest difference in nats over all requests of all chains."""
    pairs = [zip(row, other, strict=True) for row, other in zip(values, expected, strict=True)]
    return max(abs(a - b) for row in pairs for a, b in row)


def measure(contest: Contest, name: str, groups: Groups, limits: Limits) -> dict[str, Any]:
    """Time and compare the methods on one set; prints the table and returns it ready for JSON."""
    counts = [count(token_spans(contest.tokenizer, requests)) for requests in groups]
    entered, left_out = contest.enter(groups, counts, limits)
    contest.backend.engine.stats.reset()
    with tqdm(total=sum(method.rounds for method in entered), desc=name, unit="run", file=sys.stderr) as bar:
        run_rounds(entered, contest.model, contest.model.device, lambda what: _advance(bar, what))
    stats = contest.backend.engine.stats
    methods = {method.name: method for method in entered}
    reference = next(known for known in REFERENCES if known in methods)
    expected = methods[reference].values or []
    rows = {
        method.name: {
            **method.to_dict(),
            "ratio_to_ours": method.median / methods[OURS].median,
            "max_difference": None if method.values is None else largest_difference(method.values, expected),
        }
        for method in entered
    }
    _print_set(name, counts, methods, rows, reference)
    for other, tokens in left_out.items():
        print(f"left out: {LABELS[other]}, {tokens:,} tokens a round (--at-most {limits.at_most:,})")
    print(f"{LABELS[OURS]}, {methods[OURS].rounds} rounds: {stats.summary()}", flush=True)
    return {
        "counts": [vars(chain) for chain in counts],
        "reference": reference,
        "methods": rows,
        "left_out": left_out,
        "statistics": stats.to_dict(),
    }


def _advance(bar: tqdm, what: str) -> None:
    bar.set_postfix_str(LABELS[what], refresh=False)
    bar.update(1)


def _print_set(
    name: str, counts: Sequence[Counts], methods: dict[str, Measured], rows: dict[str, Any], reference: str
) -> None:
    floors = [which for which in (FLOOR, FLOOR_BATCHES) if which in methods]
    slower = max(floors, key=lambda which: methods[which].median) if len(floors) > 1 else None
    sequences, tokens, unique, predicting = (
        sum(getattr(chain, field) for chain in counts) for field in ("sequences", "all_tokens", "unique", "predicting")
    )
    print(
        f"\n{name}: {len(counts)} chains, {sequences:,} pairs of context and answer, {tokens:,} tokens, "
        f"{unique:,} of them unique, {predicting:,} predicting\n"
    )
    head = ("method", "rounds", "s", "ratio to (e)", "tokens", "MiB", f"max diff to {LABELS[reference][:3]}")
    table = Table(*head, box=box.MARKDOWN)
    for which, method in methods.items():
        if which == slower:
            continue
        difference = rows[which]["max_difference"]
        table.add_row(
            LABELS[which],
            str(method.rounds),
            f"{method.median:.3f}",
            f"{rows[which]['ratio_to_ours']:.2f}",
            f"{method.tokens:,}",
            f"{method.peak_bytes / _MIB:.0f}",
            "–" if difference is None else f"{difference:.1e}",
        )
    Console(width=120).print(table)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET", help=", ".join(SETS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=int, help="chains of each set, instead of its own number")
    parser.add_argument("--scorer", default="smollm2")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--skip", nargs="+", choices=OTHERS, default=[], metavar="METHOD", help=", ".join(OTHERS))
    parser.add_argument("--patience", type=int, default=45_000, help="tokens of a method on a set, all rounds together")
    parser.add_argument("--at-most", type=int, default=150_000, help="tokens of a method on a set in one round")
    parser.add_argument("--out", type=Path, help="JSON file for every round's seconds and every log-likelihood")
    args = parser.parse_args(arguments)
    try:
        data = shared_data(*{SETS[name].data for name in args.sets})
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    sets: dict[str, Groups] = {
        name: requests_of(SETS[name].read(data, args.limit or SETS[name].count), SETS[name].splitter)
        for name in args.sets
    }
    backend = load_scorer(args.scorer, args.device, args.dtype)
    where = announce(backend, "infogain", arguments)
    for name, groups in list(sets.items()):
        longest = max((request for requests in groups for request in requests), key=lambda request: len(request.text))
        if reason := backend.too_long(longest):
            print(f"{name} is left out: {reason}")
            del sets[name]
    if not sets:
        return 1
    contest = Contest(backend, sets, args.skip)
    print("; ".join([*(f"{what}: {value}" for what, value in contest.settings.items()), *contest.absent]), flush=True)
    limits = Limits(args.rounds, args.patience, args.at_most)
    found = {name: measure(contest, name, groups, limits) for name, groups in sets.items()}
    if args.out:
        text = json.dumps({**where, "settings": contest.settings, "absent": contest.absent, "sets": found}, indent=1)
        args.out.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
