"""Is SmolLM2 as sure as it is right, and does it abstain where it should? With and without leave to say so.

    STEPGAUGE_SHARED=… python -m benchmarks.comparison.calibration OUT [--questions 60] [--samples 8] [--tokens 64]

Two runs in each framework (lm-eval with `repeats`, Inspect with epochs) on short medical questions of MMLU at
temperature 0.8: `must` asks for one of the options, `may` also lets the model say "I don't know". Of every sixth
question only the options are shown, so that no one can answer it: `should_abstain` in its document. All are scored with
SmolLM2. `stepgauge calibration OUT/inspect/must/scored OUT/inspect/may/scored --pair-by id` prints the tables again,
and `stepgauge repeats` those of repeats.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any

from stepgauge.adapters.cli import main as stepgauge
from stepgauge.metrics.models.loading import resolve

from . import sampled

TASK = "mmlu_medical"
EACH = 6  # of as many questions one cannot be answered
LONGEST, LONGEST_OPTION = 300, 80  # characters: a 135M model on one core
_ASKED = "Say in one sentence what you know about this, then end with 'The correct answer is', a letter and the option."
PROMPTS = {"must": _ASKED, "may": f"{_ASKED} If you do not know the answer, end with 'I don't know.' instead."}
LETTER = r"(?i:answer is:?) *\(?([A-D])\b"  # what both frameworks take for the answer
_LISTED = re.compile(r"\(([A-Z])\) (.*?)(?= \([A-Z]\) |$)", re.DOTALL)


def questions(count: int) -> list[dict[str, Any]]:
    """`count` short questions, taken evenly from the file, which is ordered by subject."""
    path = Path(os.environ["STEPGAUGE_SHARED"]) / "data" / "medxpertqa-inputs" / "mmlu_medical_input.jsonl"
    short: list[tuple[str, list[str], dict[str, Any]]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        stem, _, listed = row["question"].partition("\nAnswer Choices: ")
        options = [text.strip() for _, text in _LISTED.findall(listed)]
        if len(stem) <= LONGEST and len(options) == 4 and max(map(len, options)) <= LONGEST_OPTION:
            short.append((stem, options, row))
    out: list[dict[str, Any]] = []
    for index, (stem, options, row) in enumerate(short[:: len(short) // count][:count]):
        hidden = index % EACH == EACH - 1
        question = f"Question {index} is not shown. Which is the right answer to it?" if hidden else stem
        letters = [f"{letter}) {option}" for letter, option in zip("ABCD", options, strict=True)]
        out.append(
            {
                "id": str(index),
                "question": "\n".join((question, "", *letters)),
                "choices": options,
                "answer": row["label"][0],
                "should_abstain": hidden,
                "subject": row["subject"],
            }
        )
    return out


def with_lm_eval(model: str, out: Path, prompt: str, rows: list[dict[str, Any]], samples: int, tokens: int) -> None:
    letter = {"name": "letter", "function": "regex", "group_select": 0, "regex_pattern": LETTER}
    how = {"task": TASK, "ask": f"\n\n{prompt}", "samples": samples, "tokens": tokens}
    sampled.with_lm_eval(model, out, rows, answer=letter, metric={}, **how)


def with_inspect(model: str, out: Path, prompt: str, rows: list[dict[str, Any]], samples: int, tokens: int) -> None:
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import pattern

    dataset = [
        Sample(
            id=row["id"],
            input=row["question"],
            choices=row["choices"],
            target=row["answer"],
            metadata={"should_abstain": row["should_abstain"], "subject": row["subject"]},
        )
        for row in rows
    ]
    how = {"task": TASK, "ask": f"\n\n{prompt}", "samples": samples, "tokens": tokens}
    sampled.with_inspect(model, out, dataset, scorer=pattern(LETTER), seed=1, **how)


RUNS = {"inspect": with_inspect, "lm-eval": with_lm_eval}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--frameworks", nargs="+", choices=tuple(RUNS), default=tuple(RUNS))
    parser.add_argument("--prompts", nargs="+", choices=tuple(PROMPTS), default=tuple(PROMPTS))
    args = parser.parse_args()
    model, rows = resolve("smollm2"), questions(args.questions)
    for framework in args.frameworks:
        out = args.out / framework
        for name in args.prompts:
            RUNS[framework](str(model), out / name / "logs", PROMPTS[name], rows, args.samples, args.tokens)
            stepgauge(["score", str(out / name / "logs"), "--out", str(out / name / "scored"), "--scorer", "smollm2"])
    for framework in args.frameworks:
        runs = [f"{name}={args.out / framework / name / 'scored'}" for name in args.prompts]
        if code := stepgauge(["calibration", *runs, "--pair-by", "id"]):
            raise SystemExit(code)


if __name__ == "__main__":
    main()
