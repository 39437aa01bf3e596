"""Does a longer budget make a model reason better, or only vary more? SmolLM2, eight samples a question.

    python -m benchmarks.comparison.repeats OUT [--questions 60] [--samples 8] [--tokens 24 48]

Writes one run for each budget of tokens: with lm-eval below OUT/lm-eval (`repeats`), with Inspect below OUT/inspect
(epochs), both on the embedded arithmetic and medical questions at temperature 0.8, and no scorer of ours in either.
`stepgauge repeats OUT/lm-eval/24 OUT/lm-eval/48` prints the tables.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from stepgauge.metrics.models.loading import resolve

from . import sampled

REPO = Path(__file__).parents[2]
TASK = "embedded"
NUMBER = r"(-?[0-9][0-9.,]*[0-9]|-?[0-9])"
HINT = "Think step by step, then end with a line 'The answer is N.'"


def questions(count: int) -> list[dict[str, str]]:
    """The embedded questions, arithmetic first; options are listed below the question, and the answer is a letter."""
    out: list[dict[str, str]] = []
    for name in ("arithmetic", "medical"):
        for line in (REPO / "tasks" / "samples" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            listed = [f"{letter}) {option}" for letter, option in zip("ABCD", row.get("choices", ()), strict=False)]
            question = "\n".join([row["question"], *listed])
            out.append({"id": row["id"], "question": question, "answer": row["answer"], "category": name})
    return out[:count]


def with_lm_eval(model: str, out: Path, rows: list[dict[str, str]], samples: int, tokens: int) -> None:
    last = {
        "name": "last",
        "function": "regex",
        "group_select": -1,
        "regex_pattern": rf"{NUMBER}|\b([A-D])\b",
    }
    how = {"task": TASK, "ask": f"\n{HINT}", "samples": samples, "tokens": tokens}
    sampled.with_lm_eval(model, out, rows, answer=last, metric={"ignore_case": True}, **how)


def with_inspect(model: str, out: Path, rows: list[dict[str, str]], samples: int, tokens: int) -> None:
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import Score, Target, accuracy, scorer, stderr
    from inspect_ai.solver import TaskState

    from stepgauge.metrics.answers.extraction import extract_answer

    @scorer(metrics=[accuracy(), stderr()])
    def announced():
        async def grade(state: TaskState, target: Target) -> Score:
            answer = (extract_answer(state.output.completion) or "").rstrip(". ")
            return Score(value="C" if answer == target.text else "I", answer=answer)

        return grade

    dataset = [
        Sample(id=row["id"], input=row["question"], target=row["answer"], metadata={"category": row["category"]})
        for row in rows
    ]
    how = {"task": TASK, "ask": f"\n{HINT}", "samples": samples, "tokens": tokens}
    sampled.with_inspect(model, out, dataset, scorer=announced(), **how)


RUNS = {"lm-eval": with_lm_eval, "inspect": with_inspect}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--tokens", type=int, nargs="+", default=[24, 48])
    parser.add_argument("--frameworks", nargs="+", choices=tuple(RUNS), default=tuple(RUNS))
    args = parser.parse_args()
    model, rows = resolve("smollm2"), questions(args.questions)
    for framework in args.frameworks:
        for tokens in args.tokens:
            RUNS[framework](str(model), args.out / framework / str(tokens), rows, args.samples, tokens)


if __name__ == "__main__":
    main()
