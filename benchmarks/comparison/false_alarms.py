"""How often `stepgauge compare` reports a trap where there is none: two halves of one model's runs, split at random.

    STEPGAUGE_SHARED=… python -m benchmarks.comparison.false_alarms OUT [--questions 120] [--splits 200] [--runs A B]

SmolLM2 answers each MedQA question twice (`inspect eval stepgauge/medqa --epochs 2`, temperature 1) and also scores the
chains. Each split assigns one of a question's two chains to "base" and the other to "tuned", at random, so that both
are the same model. With `--runs A B` the two chains of a question come from two scored runs (of any two models)
instead, so that each side is the same mixture of both. Two cases are counted over the splits:

- as it is: anything significant is a false alarm;
- with a planted rise in accuracy: a random third of the wrong answers of "tuned" is marked right. Reasoning is still
  the same, so each trap is a false alarm. This is the worst case, since accuracy almost always meets its half of the
  rule.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import os
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from stepgauge.adapters.runs.load import load_runs
from stepgauge.metrics.comparison import Comparison, Record, Run, Settings, compare_runs
from stepgauge.metrics.comparison.pairs import pair_runs
from stepgauge.metrics.models.loading import resolve

RAISED = 1 / 3
SEED = 0


def questions(number: int) -> list[str]:
    """Rows of MedQA's test set, drawn with a fixed seed."""
    path = Path(os.environ["STEPGAUGE_SHARED"]) / "data" / "medxpertqa-inputs" / "medqa_input.jsonl"
    return random.Random(SEED).sample(path.read_text(encoding="utf-8").splitlines(), number)


def generate(out: Path, number: int, max_tokens: int) -> None:
    """Generate two scored chains per question as an Inspect log in OUT/logs, unless the log exists."""
    if list((out / "logs").glob("*.eval")):
        return
    out.mkdir(parents=True, exist_ok=True)
    path = out / "questions.jsonl"
    path.write_text("\n".join(questions(number)) + "\n", encoding="utf-8")
    command = [str(Path(sys.executable).parent / "inspect"), "eval", "stepgauge/medqa", "-T", f"path={path}"]
    command += ["--model", "hf/smollm2", "-M", f"model_path={resolve('smollm2')}", "-M", "do_sample=true"]
    command += ["--temperature", "1", "--seed", str(SEED), "--epochs", "2", "--no-epochs-reducer"]
    command += ["--max-tokens", str(max_tokens), "--log-dir", str(out / "logs"), "--display", "plain"]
    subprocess.run(command, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})


def of_one_model(args: argparse.Namespace) -> list[tuple[Record, Record]]:
    """SmolLM2's two chains of each question."""
    generate(args.out, args.questions, args.max_tokens)
    (run,) = load_runs([str(args.out / "logs")])
    by_question: dict[str, list[Record]] = collections.defaultdict(list)
    for record in run.records:
        by_question[record.question_hash].append(record)
    return [(one[0], one[1]) for one in by_question.values() if len(one) == 2]


def of_two_runs(specs: list[str]) -> list[tuple[Record, Record]]:
    """The pairs of chains of two runs, question by question."""
    return [(pair.base[0], pair.tuned[0]) for pair in pair_runs(*load_runs(specs)).pairs]


def split(pairs: Iterable[tuple[Record, Record]], rng: random.Random) -> tuple[Run, Run]:
    """Assign one chain of each pair to either side."""
    drawn = [pair if rng.random() < 0.5 else pair[::-1] for pair in pairs]
    return Run("base", [one for one, _ in drawn]), Run("tuned", [one for _, one in drawn])


def raised(run: Run, name: str, rng: random.Random) -> Run:
    """The run with a share of its wrong answers marked right."""

    def lifted(one: Record) -> Record:
        if one.accuracy[name] or rng.random() >= RAISED:
            return one
        return dataclasses.replace(one, accuracy={**one.accuracy, name: 1.0})

    return dataclasses.replace(run, records=[lifted(one) for one in run.records])


def counts(comparisons: Iterable[Comparison], alpha: float = 0.05) -> dict[str, int]:
    """How many splits got each verdict, and how many had which significant result."""
    found: collections.Counter[str] = collections.Counter()
    for one in comparisons:
        task = one.tasks[0]
        found[f"verdict {task.verdict.name}"] += 1
        deciding = [task.row(name) for name in one.settings["deciding"]]
        found["infogain_nats, interval without 0"] += (
            not task.row("infogain_nats").low <= 0 <= task.row("infogain_nats").high
        )
        found["a deciding measure down, corrected"] += any(r.p_holm < alpha and r.difference < 0 for r in deciding)
        found["accuracy up, corrected"] += task.row("accuracy").p_holm < alpha and task.row("accuracy").difference > 0
    return dict(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--questions", type=int, default=120)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--resamples", type=int, default=1999)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--runs", nargs=2, metavar="RUN", help="two scored runs, as `stepgauge compare` takes them")
    args = parser.parse_args()
    pairs = of_two_runs(args.runs) if args.runs else of_one_model(args)
    name = next(iter(pairs[0][0].accuracy))
    right = sum(one.accuracy[name] for pair in pairs for one in pair) / (2 * len(pairs))
    print(f"{len(pairs)} questions, two chains each, {right:.1%} right, {args.splits} splits", flush=True)
    plain, lifted = [], []
    for number in range(args.splits):
        rng = random.Random(number)
        base, tuned = split(pairs, rng)
        settings = Settings(resamples=args.resamples, seed=number)
        plain.append(compare_runs(base, tuned, settings))
        lifted.append(compare_runs(base, raised(tuned, name, rng), settings))
    for title, found in (("as it is", counts(plain)), ("with a planted rise in accuracy", counts(lifted))):
        print(f"\n{title}")
        for what, count in sorted(found.items()):
            print(f"  {what:40} {count:4} of {args.splits} ({count / args.splits:.1%})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
