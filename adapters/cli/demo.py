"""Run the embedded task in lm-eval and Inspect with SmolLM2, then compare a base model and a fine-tuned one."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from ...metrics.comparison.correctness import correctness
from ...metrics.conclusion import Conclusion
from ...metrics.engine.statistics import ENGINE_LINE
from ...metrics.models.loading import SMOLLM2, resolve
from ..runs.chains import scored_chains
from ..runs.load import load_runs
from .errors import UserError
from .show import Chosen, show_chains
from .terminal import text_width_of
from .trap_example import compare_example

EXAMPLES = (
    ("stepgauge demo", "both frameworks, with a small model, on this machine"),
    ("stepgauge demo --compare", "the comparison alone, in seconds"),
)
PAGE = "README.md"

_PUT_OTHERWISE = (
    "Both frameworks ask the same questions of the same model, but put them otherwise: lm-eval in one message with "
    "worked examples, Inspect as a conversation with an instruction. So the answers differ, and so do the numbers. "
    "In the medical half SmolLM2 also judges sentences, to show the path; it is near chance at that (docs/judges.md)."
)
_INSTALL = "install both frameworks with: pip install -c constraints.txt 'stepgauge[all]'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=12, help="questions per part of the task (default 12; 0: all)")
    parser.add_argument("--out", type=Path, default=Path("demo-output"), help="folder for logs (default demo-output)")
    parser.add_argument("--compare", action="store_true", help="only the comparison: seconds, and no model is run")


def run(args: argparse.Namespace) -> int:
    if not args.compare:
        _run_frameworks(args)
        _section("it answers better now; does it still reason?")
    compare_example(args.out / "trap")
    return 0


def _run_frameworks(args: argparse.Namespace) -> None:
    print("preparing SmolLM2-135M-Instruct (converted once, about half a minute the first time)", flush=True)
    model = resolve(SMOLLM2)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.limit < 0:
        raise UserError(f"--limit {args.limit}: expected a number of questions, or 0 for all")
    lm_eval_out, inspect_out = args.out / "lm-eval", args.out / "inspect"
    from ..lm_eval import include_path

    print(textwrap.fill(_PUT_OTHERWISE, text_width_of()))
    _section("lm-evaluation-harness")
    model_args = f"pretrained={model},dtype=float32"
    lm_eval = ["lm-eval", "run", "--model", "hf", "--model_args", model_args, "--include_path", include_path()]
    lm_eval += ["--tasks", "stepgauge_demo", "--apply_chat_template", "--batch_size", "20", "--log_samples"]
    lm_eval += ["--output_path", str(lm_eval_out)]
    _run(args.out / "lm-eval.log", [*lm_eval, *(["--limit", str(args.limit)] if args.limit else [])])
    _print_engine_lines(args.out / "lm-eval.log")
    _section("Inspect")
    inspect = ["inspect", "eval", "stepgauge/demo", "--model", "hf/smollm2", "-M", f"model_path={model}"]
    inspect += ["-M", "do_sample=false", "--log-dir", str(inspect_out)]
    messages = args.out / "inspect-messages.log"
    messages.unlink(missing_ok=True)  # Inspect appends
    command = [*inspect, *(["-T", f"first={args.limit}"] if args.limit else [])]
    _run(args.out / "inspect.log", command, INSPECT_PY_LOGGER_FILE=str(messages))
    _print_engine_lines(messages, last=True)
    _section("a right chain and a wrong one, step by step")
    _show_right_and_wrong([_newest(lm_eval_out, half) for half in ("arithmetic", "medical")])
    _section("what it says")
    for run in load_runs([f"lm-eval={lm_eval_out}", f"Inspect={inspect_out}"]):
        conclusion = Conclusion()
        for record in run.records:
            right = next(iter(record.accuracy.values()), None)
            conclusion.add(record.score, question=record.question_hash, accuracy=right)
        print(textwrap.fill(f"{run.name}: {' '.join(conclusion.sentences())}", text_width_of()))


def _newest(folder: Path, half: str) -> Path:
    return max(folder.rglob(f"samples_stepgauge_demo_{half}_*.jsonl"), key=lambda path: path.stat().st_mtime)


def _show_right_and_wrong(files: Sequence[Path]) -> None:
    """Show the first right chain of these files and the first wrong one, each below what the run says of it."""
    chains = [(path, record) for path in files for record in scored_chains(path)]
    for right, word in ((True, "right"), (False, "wrong")):
        found = next(((path, one) for path, one in chains if correctness(one).right is right), None)
        if found is None:
            print(f"none of the {len(chains)} chains is {word}")
        else:
            show_chains(found[0], Chosen(id=found[1].score.id))


def _section(title: str) -> None:
    print(f"\n=== {title} ===", flush=True)


def _print_engine_lines(log: Path, *, last: bool = False) -> None:
    """Print the engine's statistics from a log: lm-eval has one line per task, Inspect a running sum per batch."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    found = [line[line.index(ENGINE_LINE) :] for line in lines if ENGINE_LINE in line]
    print("\n".join(found[-1:] if last else found), flush=True)


def _run(log: Path, command: Sequence[str], **environment: str) -> None:
    """Run a framework's own command; its log goes to a file, which is shown when it fails."""
    program = Path(sys.executable).parent / command[0]
    if not program.exists():
        raise UserError(f"{command[0]} is not installed beside {sys.executable}; {_INSTALL}")
    print(f"$ {shlex.join(command)}\n(about a minute; progress and log: {log})", flush=True)
    # Model and questions are local: no hub lookups are needed.
    env = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", **environment}
    with log.open("w", encoding="utf-8") as stderr:
        result = subprocess.run([str(program), *command[1:]], stderr=stderr, env=env, check=False)
    if result.returncode:
        sys.stderr.write(log.read_text(encoding="utf-8", errors="replace")[-4000:])
        raise UserError(f"{command[0]} ended with exit code {result.returncode}; its log is {log}")
