"""Fine-tuning on answers without reasoning against fine-tuning on worked answers: does stepgauge see the difference?

    python -m benchmarks.comparison.sft_trap --out DIR         # SmolLM2 on the CPU: half an hour on one shared core
    STEPGAUGE_SHARED=… python -m benchmarks.comparison.sft_trap --out DIR --data gsm8k
    python -m benchmarks.comparison.sft_trap --out DIR --full --base FOLDER --scorer FOLDER  # an accelerator
    python -m benchmarks.comparison.sft_trap --out DIR --tiny  # a random model, to see that all of it runs

A base model is fine-tuned twice on the same questions: `shortcut` on filler lines followed by the answer, `worked` on
worked solutions. With `--warmup` the base itself was first trained on some worked solutions of other questions. The
base and both tuned models answer the same held-out questions in lm-eval, with the same prompt (two worked examples),
and a scoring LM that is neither of the trained models scores their chains. At the end `stepgauge compare` says, for
each tuned model, whether accuracy rose while reasoning fell.

DIR holds the task file, the trained models (`models/`) and lm-eval's files (`base/`, `shortcut/`, `worked/`). The same
command resumes a stopped run: finished parts are kept, and training continues from its checkpoint.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.comparison import sft_trap_data as data
from benchmarks.comparison.sft_trap_evaluation import (
    ACCURACY,
    METRICS,
    Evaluation,
    answers,
    evaluate,
    prompt,
    write_task,
)
from benchmarks.comparison.sft_trap_tiny import make_tiny
from benchmarks.comparison.sft_trap_training import Tuning, fit
from benchmarks.support.command import stepgauge
from stepgauge.metrics.errors import ScorerError
from stepgauge.metrics.models.devices import pick_device
from stepgauge.metrics.models.loading import SMOLLM2, resolve

SETTINGS = "settings.json"
KINDS = ("shortcut", "worked")
WITHOUT_EFFECT = ("out", "device", "eval_batch", "gradient_checkpointing")  # change results only by rounding
_SIZED = ("warmup", "train", "test", "epochs", "batch", "lr", "layers", "eval_batch")
SIZES: dict[str, dict[str, Any]] = {
    "default": dict(zip(_SIZED, (0, 256, 120, 1.0, 4, 3e-4, 10, 24), strict=True)),
    "full": dict(zip(_SIZED, (0, 2000, 500, 3.0, 16, 1e-5, 0, 64), strict=True)),
    "tiny": dict(zip(_SIZED, (4, 12, 6, 1.0, 4, 1e-3, 1, 6), strict=True)),
}
FULL_LORA_LR = 2e-4
GSM8K_HALF = 659
MAX_GEN_TOKS = {"arithmetic": 96, "gsm8k": 256}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for everything; a stopped run goes on there")
    parser.add_argument("--base", default=SMOLLM2, help="the model to fine-tune: a folder, a hub id, smollm2")
    parser.add_argument("--scorer", default=SMOLLM2, help="the scoring LM, never one of the trained ones")
    parser.add_argument("--data", choices=data.DATA, default="arithmetic")
    parser.add_argument("--train", type=int, help="questions to train on")
    parser.add_argument("--test", type=int, help="held-out questions")
    parser.add_argument(
        "--warmup",
        type=int,
        help="questions of their own on whose worked solutions the base is trained first, so that it has steps to lose",
    )
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--batch", type=int, help="examples in a training batch")
    parser.add_argument("--accumulate", type=int, default=1, help="batches in a step")
    parser.add_argument("--lr", type=float, help="learning rate")
    parser.add_argument("--lora", action="store_true", help="train adapters (peft) and merge them in")
    parser.add_argument("--layers", type=int, help="train only so many upper layers, 0: all")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="less memory, more time")
    parser.add_argument("--eval-batch", type=int, help="questions that lm-eval asks at once")
    parser.add_argument("--seed", type=int, default=0, help="of questions and of training")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="sizes for an accelerator")
    size.add_argument(
        "--tiny", action="store_true", help="a random model of two layers, a few questions, under a minute"
    )
    args = parser.parse_args(argv)
    if args.lora and args.layers:
        parser.error("--lora and --layers: expected one of them")
    for name, value in SIZES["full" if args.full else "tiny" if args.tiny else "default"].items():
        given = getattr(args, name)
        if given is None:
            setattr(args, name, _preset(args, name, value))
        elif given < 0 or (given == 0 and name not in ("layers", "warmup")):
            parser.error(f"--{name.replace('_', '-')} {given}: expected a positive number")
    return args


def _preset(args: argparse.Namespace, name: str, value: Any) -> Any:
    if name in ("train", "test") and args.data == "gsm8k":
        return min(value, GSM8K_HALF - (args.warmup if name == "train" else 0))
    if args.lora and name == "layers":
        return 0
    if args.full and args.lora and name == "lr":
        return FULL_LORA_LR
    return value


def run(args: argparse.Namespace) -> int:
    started = time.monotonic()
    learnt, held_out = data.split(args.data, args.train + args.warmup, args.test, args.seed)
    learnt, warmup = learnt[: args.train], learnt[args.train :]
    shown = data.examples(args.data)
    if args.tiny:
        go_on(args)
        base = scorer = args.base = args.scorer = str(make_tiny(args.out / "models" / "tiny", [*learnt, *shown]))
    else:
        base, scorer = resolve(args.base), resolve(args.scorer)
        if (args.out / "models").resolve() in Path(scorer).resolve().parents:
            raise ValueError(f"--scorer {args.scorer!r} is a model of this run; expected one that is not trained here")
        go_on(args)  # after all other checks, so that a mistake leaves no trace in the folder
    _introduce(args, base, scorer, learnt, held_out)

    scoring = {"scorer": args.scorer, "device": args.device}
    task = write_task(args.out / "task", args.data, held_out, shown, MAX_GEN_TOKS[args.data], scoring)
    how = Evaluation(args.out / "task", task, args.device, args.eval_batch)
    tuning = Tuning(
        args.epochs,
        args.batch,
        args.accumulate,
        args.lr,
        args.seed,
        args.device,
        args.lora,
        args.layers,
        args.gradient_checkpointing,
    )

    def trained(name: str, start: str, responses: Sequence[tuple[data.Problem, str]]) -> str:
        folder = args.out / "models" / name
        if not folder.is_dir():
            rows = [(prompt(problem.question, shown), response) for problem, response in responses]
            about = fit(start, rows, folder, tuning, name)
            print(f"{name}: trained {about['steps']} steps, {about['minutes']:.1f} min", flush=True)
        return str(folder)

    if warmup:
        base = trained("base", base, [(problem, problem.worked()) for problem in warmup])
    numbers = {"base": _evaluated("base", base, args.out, how)}
    for kind in KINDS:
        tuned = trained(kind, base, [(problem, getattr(problem, kind)()) for problem in learnt])
        numbers[kind] = _evaluated(kind, tuned, args.out, how)
    _show(numbers, args.out)
    print(f"{(time.monotonic() - started) / 60:.1f} minutes in this run\n", flush=True)
    return _compare(args.out)


def _evaluated(name: str, model: Path | str, out: Path, how: Evaluation) -> dict[str, Any]:
    started = time.monotonic()
    numbers = evaluate(name, model, out, how)
    print(f"{name}: accuracy {numbers[ACCURACY]:.3f}, {(time.monotonic() - started) / 60:.1f} min", flush=True)
    return numbers


def go_on(args: argparse.Namespace, without_effect: Sequence[str] = WITHOUT_EFFECT) -> None:
    """Raises ValueError if the folder holds a run with other settings, since their parts must not be mixed."""
    wanted = {key: value for key, value in vars(args).items() if key not in without_effect}
    path = args.out / SETTINGS
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        for key in wanted:
            if found.get(key) != wanted[key]:
                option = f"--{key.replace('_', '-')}"
                raise ValueError(
                    f"{option}: {str(args.out)!r} holds a run with {found.get(key)!r}, not {wanted[key]!r}; "
                    "give that, or another --out"
                )
    else:
        args.out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(wanted, indent=1), encoding="utf-8")


def _introduce(
    args: argparse.Namespace, base: str, scorer: str, learnt: Sequence[data.Problem], held_out: Sequence[data.Problem]
) -> None:
    import torch

    where = torch.cuda.get_device_name(args.device) if args.device.startswith("cuda") else platform.machine()
    common, _ = Counter(problem.answer for problem in learnt).most_common(1)[0]
    share = sum(problem.answer == common for problem in held_out) / len(held_out)
    part = "adapters" if args.lora else f"its upper {args.layers} layers" if args.layers else "all of its weights"
    print(f"base {args.base} on {where}, torch {torch.__version__}; trained: {part}")
    print(
        f"{args.data}: {len(learnt)} questions to train on, {len(held_out)} held out, none on both sides; "
        f"the most frequent answer of training ({common}) is right for {share:.3f} of the held-out ones"
    )
    if args.warmup:
        print(f"base: trained first on the worked solutions of {args.warmup} questions that are in neither set")
    if base == scorer:
        now = "the weights that the base had before that" if args.warmup else "the base's own weights"
        print(f"scorer {args.scorer}: {now}, and neither of the two models trained on the {args.train} questions")
    else:
        print(f"scorer {args.scorer}: none of the three models")
    sys.stdout.flush()


def _show(numbers: dict[str, dict[str, Any]], out: Path) -> None:
    table = Table("", *numbers, box=box.MARKDOWN)
    table.add_row("accuracy", *(f"{found[ACCURACY]:.3f}" for found in numbers.values()))
    given = [answers(out / name) for name in numbers]
    table.add_row("different answers", *(str(len(found)) for found in given))
    table.add_row("share of the most frequent", *(f"{max(found.values()) / found.total():.3f}" for found in given))
    for name in METRICS:
        values = [found.get(f"{name},reasoning") for found in numbers.values()]
        table.add_row(name, *("–" if value is None else f"{value:.3f}" for value in values))
    table.add_row("n_unscored", *(str(found["n_unscored,reasoning"]) for found in numbers.values()))
    Console(width=120).print(table)


def _compare(out: Path) -> int:
    runs = [f"{name}={out / name}" for name in ("base", *KINDS)]
    return stepgauge("compare", *runs)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    args.device = pick_device(args.device)
    if args.full and args.device == "cpu":
        print("no accelerator: --full needs one; without it the sizes are for a CPU", file=sys.stderr)
        return 2
    try:
        return run(args)
    except (ValueError, FileNotFoundError, ScorerError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
