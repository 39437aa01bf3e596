"""`sft_trap`'s training as `StepgaugeCallback` sees it: when does the trap form?

    python -m benchmarks.comparison.sft_monitor --out DIR           # shortcut chains; 40 minutes on a busy core
    python -m benchmarks.comparison.sft_monitor --out DIR --kind worked
    python -m benchmarks.comparison.sft_monitor --out DIR --tiny    # a random model, to see that all of it runs

SmolLM2 is fine-tuned on 256 arithmetic problems of `sft_trap` (the same settings and seed). Before the first step and
after every 16 of the 64 it answers 40 of the held-out problems. DIR/shortcut gets the trained model, the scored
evaluations (`stepgauge/`) and the trainer's history (`history.json`), DIR a picture of the curves (`curves.png`). A
stopped run goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.comparison import sft_trap_data as data
from benchmarks.comparison.sft_trap import KINDS
from benchmarks.comparison.sft_trap_evaluation import prompt, questions
from benchmarks.comparison.sft_trap_tiny import make_tiny
from benchmarks.comparison.sft_trap_training import END, EVALUATIONS, HISTORY, Tuning, Watch, fit
from stepgauge.metrics.models.loading import SMOLLM2, resolve

SHARES = {
    "stepgauge/accuracy": "accuracy",
    "stepgauge/deciding/supported_before_own_answer": "supported steps",
    "stepgauge/deciding/reasons_first": "reasons first",
    "stepgauge/ki_coverage": "KI coverage",
}
GAINS = {
    "stepgauge/infogain_nats_before_answer": "InfoGain before the answer",
    "stepgauge/infogain_nats": "InfoGain, whole chain",
}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kind", choices=KINDS, default="shortcut")
    parser.add_argument("--questions", type=int, default=40, help="held-out questions at each evaluation")
    parser.add_argument("--eval-steps", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0, help="of questions and of training")
    parser.add_argument("--tiny", action="store_true", help="a random model, 8 problems, 4 questions")
    return parser.parse_args(argv)


def train(args: argparse.Namespace) -> Path:
    """The folder of the trained model, with its evaluations and the trainer's history."""
    from stepgauge.adapters.trainer import StepgaugeCallback

    learnt, held_out = data.split("arithmetic", 256, 120, args.seed)
    shown = data.examples("arithmetic")
    base = resolve(SMOLLM2)
    if args.tiny:
        learnt = learnt[:8]
        base = str(make_tiny(args.out / "tiny", [*learnt, *shown]))
    monitor = StepgaugeCallback(
        questions(held_out, shown),
        scorer=base if args.tiny else SMOLLM2,
        n=4 if args.tiny else args.questions,
        max_new_tokens=96,
        batch_size=20,
        until=[END],
    )
    tuning = Tuning(1.0, 4, 1, 3e-4, args.seed, "cpu", False, 0 if args.tiny else 10, False)
    folder = args.out / args.kind
    if not folder.is_dir():
        rows = [(prompt(one.question, shown), getattr(one, args.kind)()) for one in learnt]
        fit(base, rows, folder, tuning, args.kind, Watch(monitor, 1 if args.tiny else args.eval_steps))
    return folder


def draw(history: Sequence[dict[str, Any]], title: str, path: Path) -> None:
    """A picture of accuracy and reasoning, of the gains, and of the loss."""
    import altair as alt

    def chart(names: dict[str, str], heading: str, unit: str) -> Any:
        points = [
            {"step": entry["step"], "value": entry[key], "number": name}
            for entry in history
            for key, name in names.items()
            if key in entry
        ]
        return (
            alt.Chart(alt.Data(values=points))
            .mark_line(point=True)
            .encode(
                x=alt.X("step:Q"),
                y=alt.Y("value:Q", title=unit),
                color=alt.Color("number:N", title=None, legend=alt.Legend(orient="bottom", columns=1)),
            )
            .properties(width=280, height=240, title=heading)
        )

    panels = [
        chart(SHARES, "answers and reasoning", "share"),
        chart(GAINS, "gain under the scoring LM", "nats"),
        chart({"loss": "training loss"}, "loss", "nats per token"),
    ]
    alt.hconcat(*panels).resolve_scale(color="independent").properties(title=title).save(str(path), scale_factor=1.5)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("stepgauge").setLevel(logging.INFO)
    args.out.mkdir(parents=True, exist_ok=True)
    folder = train(args)
    history = json.loads((folder / HISTORY).read_text(encoding="utf-8"))
    model = "a random model" if args.tiny else "SmolLM2-135M"
    draw(history, f"{model} trained on {args.kind} chains", args.out / "curves.png")
    print(f"stepgauge compare {folder}/{EVALUATIONS}/step-* --series step")
    return 0


if __name__ == "__main__":
    sys.exit(main())
