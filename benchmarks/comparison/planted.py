"""Damages the reasoning in real chains without changing the answers, and reports what `stepgauge compare` says.

    STEPGAUGE_SHARED=… python -m benchmarks.comparison.planted OUT [--questions 150] [--data mmlupro --scorer none]

The chains are the 175B verification model's on GSM8K questions (GSM8K's example solutions), scored with SmolLM2. Their
steps are shuffled, removed, or replaced by as many lines of filler; the final line with the answer stays, and so does
accuracy. The actual trap has a real rise in accuracy: from the 6B finetuned model's chains to the 175B model's answers
after filler. The same rise with the 175B model's own steps is shown for comparison. With `--data mmlupro` the strong
model is mathstral-7B and the weak one Mistral-7B, on MMLU-Pro's questions of mathematics. `--scorer none` computes what
needs no scoring LM, in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepgauge.metrics import Trace
from stepgauge.metrics.segment import segment

from ..support.command import stepgauge
from .replay import rows_of

SEED = 0
BASE = "as it is"
# The strong and the weak model of each data set.
MODELS = {"gsm8k": ("175b_verification", "6b_finetuning"), "mmlupro": ("mathstral-7B", "Mistral-7B-v0.1")}
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


@dataclass(frozen=True)
class Solution:
    steps: list[str]
    answer: str
    right: bool


@dataclass(frozen=True)
class Item:
    """A question with the solutions of the strong and the weak model."""

    id: str
    question: str
    gold: str
    strong: Solution
    weak: Solution
    choices: list[str] | None = None

    @property
    def usable(self) -> bool:
        """Whether both solutions end with an answer, and the strong model's has at least three steps, all distinct."""
        steps = self.strong.steps
        return len(set(steps)) == len(steps) >= 3 and bool(self.strong.answer and self.weak.steps and self.weak.answer)


def gsm8k() -> Iterable[Item]:
    source = Path(os.environ["STEPGAUGE_SHARED"]) / "data" / "gsm8k" / "example_model_solutions.jsonl"
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        strong, weak = (
            Solution(*lines_of(row[name]["solution"]), right=row[name]["is_correct"]) for name in MODELS["gsm8k"]
        )
        yield Item(str(number), row["question"], lines_of(row["ground_truth"])[1], strong, weak)


def mmlupro() -> Iterable[Item]:
    strong, weak = ({row["question_id"]: row for row in rows_of(name)} for name in MODELS["mmlupro"])
    for number, row in strong.items():
        options = row["options"]
        if row["category"] != "math" or number not in weak or len(set(options)) != len(options):
            continue
        gold = options[row["answer_index"]]
        yield Item(str(number), row["question"], gold, _written(row), _written(weak[number]), options)


def _written(row: dict[str, Any]) -> Solution:
    """The reasoning steps of a recorded response, one a line, and the letter that it announces as `(B)`."""
    response = row["generated_text"].split("Question:")[0].removeprefix("A: ")
    steps = segment([Trace(row["question"], response)])[0].steps if response.strip() else []
    lines = [" ".join(step.text.split()) for step in steps if step.kind == "reasoning"]
    return Solution(lines, f"({row['pred']})" if row["pred"] else "", row["pred"] == row["answer"])


def trace(item: Item, solution: Solution, steps: list[str]) -> dict[str, Any]:
    return {
        "id": item.id,
        "question": item.question,
        "response": "\n".join([*steps, f"The answer is {solution.answer}."]),
        "answer": item.gold,
        "model_answer": solution.answer,
        **({} if item.choices is None else {"choices": item.choices}),
        "meta": {"accuracy": float(solution.right)},
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
    parser.add_argument("--data", choices=tuple(MODELS), default="gsm8k")
    parser.add_argument("--scorer", default="smollm2", help="the scoring LM; none: only what needs none")
    args = parser.parse_args()
    items = [item for item in (gsm8k() if args.data == "gsm8k" else mmlupro()) if item.usable]
    chosen = random.Random(SEED).sample(items, len(items))[args.skip :][: args.questions]
    rng = random.Random(SEED)
    strong, weak = MODELS[args.data]
    runs = {
        BASE: [trace(item, item.strong, item.strong.steps) for item in chosen],
        weak: [trace(item, item.weak, item.weak.steps) for item in chosen],
    }
    for name, change in CHANGES.items():
        runs[name] = [trace(item, item.strong, change(item.strong.steps, rng)) for item in chosen]
    how = ["--set", "scorer=null"] if args.scorer == "none" else ["--scorer", args.scorer]
    for name, traces in runs.items():
        folder = args.out / name.replace(" ", "_")
        write(folder / "traces.jsonl", traces)
        if code := stepgauge("score", str(folder / "traces.jsonl"), "--out", str(folder / "scores"), *how):
            return code

    def named(name: str) -> str:
        return f"{name}={args.out / name.replace(' ', '_') / 'scores'}"

    print("\n== the answers stay, the steps go", flush=True)
    code = stepgauge("compare", named(BASE), *map(named, CHANGES), "--out", str(args.out / "compare-planted"))
    print("\n== accuracy rises, with real steps and with filler", flush=True)
    rise = f"{strong}={args.out / 'as_it_is' / 'scores'}"
    trap = f"{strong}_with_filler={args.out / 'filler' / 'scores'}"
    return code or stepgauge("compare", named(weak), rise, trap, "--out", str(args.out / "compare-trap"))


if __name__ == "__main__":
    sys.exit(main())
