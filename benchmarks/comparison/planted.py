"""Damages the reasoning in real chains without changing the answers, and reports what `stepgauge compare` says.

    STEPGAUGE_SHARED=… python -m benchmarks.comparison.planted OUT [--questions 150]

The chains are the 175B verification model's on GSM8K questions (GSM8K's example solutions), scored with SmolLM2. Their
steps are shuffled, removed, or replaced by as many lines of filler; the final line with the answer stays, and so does
accuracy. The actual trap has a real rise in accuracy: from the 6B finetuned model's chains to the 175B model's answers
after filler. The same rise with the 175B model's own steps is shown for comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..support.command import stepgauge

SEED = 0
BASE, STRONG, WEAK = "as it is", "175b_verification", "6b_finetuning"
FILLER = (
    "Let me think about this carefully.",
    "This question can be worked out one part at a time.",
    "I will go through what is given and see what follows.",
    "It is good to be careful with such questions.",
    "Now the next part can be looked at in the same way.",
    "With that in mind, the rest follows.",
)
_ANNOTATION = re.compile(r"<<[^<>]*>>")
_ANSWER = re.compile(r"^A:\s*(.+)$")
Change = Callable[[list[str], random.Random], list[str]]


def shuffled(steps: list[str], rng: random.Random) -> list[str]:
    """The steps in a different order."""
    out = list(steps)
    while out == steps:
        rng.shuffle(out)
    return out


def emptied(_steps: list[str], _rng: random.Random) -> list[str]:
    return []


def filler(steps: list[str], rng: random.Random) -> list[str]:
    """As many filler lines without content."""
    return [FILLER[(rng.randrange(len(FILLER)) + index) % len(FILLER)] for index in range(len(steps))]


CHANGES: dict[str, Change] = {"shuffled": shuffled, "emptied": emptied, "filler": filler}


def lines_of(solution: str) -> tuple[list[str], str]:
    """The steps and the answer of a solution."""
    *steps, last = [line.strip() for line in _ANNOTATION.sub("", solution).strip().splitlines() if line.strip()]
    match = _ANSWER.match(last)
    return (steps, match[1]) if match else ([*steps, last], "")


def usable(row: dict[str, Any]) -> bool:
    """Whether both solutions end with an answer, and the strong model's has at least three steps, all distinct."""
    steps, answer = lines_of(row[STRONG]["solution"])
    weak, weak_answer = lines_of(row[WEAK]["solution"])
    return len(set(steps)) == len(steps) >= 3 and bool(answer and weak and weak_answer)


def trace(row: dict[str, Any], number: int, steps: list[str], model: str) -> dict[str, Any]:
    answer = lines_of(row[model]["solution"])[1]
    return {
        "id": str(number),
        "question": row["question"],
        "response": "\n".join([*steps, f"The answer is {answer}."]),
        "answer": lines_of(row["ground_truth"])[1],
        "model_answer": answer,
        "meta": {"accuracy": float(row[model]["is_correct"])},
    }


def write(path: Path, traces: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in traces), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--questions", type=int, default=150)
    parser.add_argument(
        "--skip", type=int, default=0, help="leave out as many of the drawn questions: others than before"
    )
    args = parser.parse_args()
    source = Path(os.environ["STEPGAUGE_SHARED"]) / "data" / "gsm8k" / "example_model_solutions.jsonl"
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    numbered = [(number, row) for number, row in enumerate(rows) if usable(row)]
    chosen = random.Random(SEED).sample(numbered, len(numbered))[args.skip :][: args.questions]
    rng = random.Random(SEED)
    strong = {number: lines_of(row[STRONG]["solution"])[0] for number, row in chosen}
    runs = {
        BASE: [trace(row, number, strong[number], STRONG) for number, row in chosen],
        WEAK: [trace(row, number, lines_of(row[WEAK]["solution"])[0], WEAK) for number, row in chosen],
    }
    for name, change in CHANGES.items():
        runs[name] = [trace(row, number, change(strong[number], rng), STRONG) for number, row in chosen]
    for name, traces in runs.items():
        folder = args.out / name.replace(" ", "_")
        write(folder / "traces.jsonl", traces)
        if code := stepgauge("score", str(folder / "traces.jsonl"), "--out", str(folder / "scores")):
            return code

    def named(name: str) -> str:
        return f"{name}={args.out / name.replace(' ', '_') / 'scores'}"

    print("\n== the answers stay, the steps go", flush=True)
    code = stepgauge("compare", named(BASE), *map(named, CHANGES), "--out", str(args.out / "compare-planted"))
    print("\n== accuracy rises, with real steps and with filler", flush=True)
    rise = f"175b={args.out / 'as_it_is' / 'scores'}"
    trap = f"175b_with_filler={args.out / 'filler' / 'scores'}"
    return code or stepgauge("compare", named(WEAK), rise, trap, "--out", str(args.out / "compare-trap"))


if __name__ == "__main__":
    sys.exit(main())
