"""Is SmolLM2 as sure as it is right, and does it abstain where it should? With and without leave to say so.

    STEPGAUGE_SHARED=… python -m benchmarks.comparison.calibration OUT [--questions 60] [--samples 3] [--tokens 48]

Two runs with Inspect on MMLU's medical questions at temperature 0.8: OUT/must asks for one of the options, OUT/may also
lets the model say "I don't know". Of every sixth question only the options are shown, so that no one can answer it:
`should_abstain` in its metadata. Both are scored with SmolLM2; `stepgauge calibration OUT/must/scored OUT/may/scored`
prints the tables again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any

from stepgauge.adapters.cli.main import main as stepgauge
from stepgauge.metrics.models.loading import resolve

TEMPERATURE = 0.8
EACH = 6  # of as many questions one cannot be answered
PROMPTS = {
    "must": "Think step by step, then end with a line 'ANSWER: X', X being the letter of one option.",
    "may": "Think step by step, then end with a line 'ANSWER: X', X being the letter of one option. If you cannot "
    'tell, end with "I don\'t know." instead.',
}
_LISTED = re.compile(r"\(([A-Z])\) (.*?)(?= \([A-Z]\) |$)", re.DOTALL)


def questions(count: int) -> list[dict[str, Any]]:
    """`count` questions, taken evenly from the file, which is ordered by subject."""
    path = Path(os.environ["STEPGAUGE_SHARED"]) / "data" / "medxpertqa-inputs" / "mmlu_medical_input.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    out: list[dict[str, Any]] = []
    for index, row in enumerate(rows[:: len(rows) // count][:count]):
        stem, _, listed = row["question"].partition("\nAnswer Choices: ")
        options = [text.strip() for _, text in _LISTED.findall(listed)]
        hidden = index % EACH == EACH - 1
        question = f"Question {index} is not shown. Which is the right answer to it?" if hidden else stem
        out.append({"question": question, "options": options, "answer": row["label"][0], "should_abstain": hidden})
    return out


def generate_run(prompt: str, out: Path, rows: list[dict[str, Any]], samples: int, tokens: int) -> None:
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import GenerateConfig, get_model
    from inspect_ai.scorer import choice
    from inspect_ai.solver import multiple_choice

    config = GenerateConfig(temperature=TEMPERATURE, max_tokens=tokens, max_connections=60, seed=1)
    task = Task(
        name="mmlu_medical",
        dataset=[
            Sample(
                id=str(index),
                input=row["question"],
                choices=row["options"],
                target=row["answer"],
                metadata={"should_abstain": row["should_abstain"]},
            )
            for index, row in enumerate(rows)
        ],
        solver=multiple_choice(template="{question}\n\n{choices}\n\n" + prompt + "\n(Letters: {letters})"),
        scorer=choice(),
        epochs=samples,
        config=config,
    )
    model = str(resolve("smollm2"))
    lm = get_model(f"hf/{Path(model).name}", model_path=model, device="cpu", do_sample=True, config=config)
    (log,) = inspect_eval(task, model=lm, log_dir=str(out), display="none")
    assert log.status == "success", log.error


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=48)
    args = parser.parse_args()
    rows = questions(args.questions)
    for name, prompt in PROMPTS.items():
        generate_run(prompt, args.out / name / "logs", rows, args.samples, args.tokens)
        stepgauge(
            ["score", str(args.out / name / "logs"), "--out", str(args.out / name / "scored"), "--scorer", "smollm2"]
        )
    runs = [f"{name}={args.out / name / 'scored'}" for name in PROMPTS]
    raise SystemExit(stepgauge(["calibration", *runs]))


if __name__ == "__main__":
    main()
