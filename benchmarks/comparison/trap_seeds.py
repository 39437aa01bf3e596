"""The trap over many seeds: how often fine-tuning without reasoning is one, when it forms, whether rewards undo it.

    python -m benchmarks.comparison.trap_seeds --out DIR --seeds 10     # small models from scratch; an hour on one core
    python -m benchmarks.comparison.trap_seeds --out DIR --full --base FOLDER --scorer FOLDER --rewarder FOLDER
    python -m benchmarks.comparison.trap_seeds --out DIR --tiny         # a few steps, to see that all of it runs

In each seed a base is trained from random weights on small sums (`trap_seeds_data`), briefly, so that it answers in
steps and often wrong. It is tuned twice on the same other questions, as in `sft_trap`: `shortcut` on filler lines and
the right answer, `worked` on solutions. Then `shortcut` goes through three short phases of GRPO on these questions: for
right answers, for `InfoGainReward`, for the sum of both. `StepgaugeCallback` watches every training on held-out
questions. With `--full` the base is a model of yours, and the questions are `sft_trap`'s.

Two more small models, trained on parts of right solutions followed by the answer, read what the others write: one
scores evaluations, the other gives `InfoGainReward`. So no model is scored, or rewarded, by itself or its base, and
none by what rewards it. (Only reliance is also measured with each model as the scorer of its own last answers.)

DIR/seed-0/shortcut holds a trained model with its evaluations (`stepgauge/`) and what the trainer logged. It appears
when it is complete; the same command goes on where a stopped run was, also with more `--seeds`. DIR/trajectories.png
is a picture of the means.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.comparison import sft_trap_data, trap_seeds_data
from benchmarks.comparison.sft_trap import FULL_LORA_LR, KINDS, MAX_GEN_TOKS, go_on
from benchmarks.comparison.sft_trap_data import Problem
from benchmarks.comparison.sft_trap_evaluation import prompt, questions
from benchmarks.comparison.sft_trap_rewards import Reward, Rewarding, exact_match, rewarded
from benchmarks.comparison.sft_trap_tiny import make_tiny
from benchmarks.comparison.sft_trap_training import END, Tuning, Watch, fit
from benchmarks.comparison.trap_seeds_summary import steps_of, summary
from benchmarks.comparison.trap_seeds_tables import SUMMARY, show
from benchmarks.support.by_itself import scored_by_itself
from stepgauge.adapters.offline.whole_file import write_whole
from stepgauge.metrics import Gauge
from stepgauge.metrics.errors import ScorerError
from stepgauge.metrics.likelihood import Request
from stepgauge.metrics.models.devices import pick_device
from stepgauge.metrics.models.loading import SMOLLM2, resolve
from stepgauge.metrics.templates import PromptTemplate, RenderChat

REWARDS = ("exact match", "InfoGain", "both")
READER_SEED = 1_000_003  # of no base
CLIP = 3.0  # nats; beyond it a reward is cut off
TUNING_EVERY, REWARDS_EVERY = 1 / 4, 1 / 3  # parts of a training after which it is evaluated, besides its start


@dataclass(frozen=True)
class AsTrained:
    """Question, steps and answer in the form in which the small models were trained, who know no other."""

    name: str = "trap_seeds"

    def render(self, question: str, steps: Sequence[str], answer: str, render_chat: RenderChat) -> Request:
        del render_chat
        context = f"{prompt(question, [])} " + "\n".join([*steps, "The answer is "])
        return Request(context + answer, len(context))


@dataclass(frozen=True)
class Plan:
    """What is trained on what, in all seeds.

    Attributes:
        tuning: of both fine-tunings; seeds differ.
        reader: model that scores what is answered.
        rewarder: model that gives `InfoGainReward`.
        test: held-out questions.
    """

    data: str
    shown: Sequence[Problem]
    train: int
    test: int
    tuning: Tuning
    rewarding: Rewarding
    reader: str
    rewarder: str
    template: PromptTemplate | str

    def gauge(self, scorer: str, **options: Any) -> Gauge:
        return Gauge(scorer, self.tuning.device, splitter="lines", template=self.template, progress=False, **options)

    def problems(self, seed: int) -> tuple[list[Problem], list[Problem]]:
        """To train on, and held out."""
        if self.data == "sums":
            drawn = trap_seeds_data.problems
            return drawn("train", self.train, seed), drawn("test", self.test, seed)
        return sft_trap_data.split(self.data, self.train, self.test, seed)


@dataclass(frozen=True)
class Scratch:
    """How small models are trained from random weights: chains, in batches of 16, for a base and for a reader."""

    hidden: int = 64
    layers: int = 2
    base: int = 9_600
    reader: int = 19_200
    lr: float = 4e-3


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for everything; a stopped run goes on there")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--base", default=SMOLLM2, help="with --full: the model to fine-tune")
    parser.add_argument("--scorer", default=SMOLLM2, help="with --full: the model that scores what is answered")
    parser.add_argument("--rewarder", default=SMOLLM2, help="with --full: the model that gives InfoGainReward")
    parser.add_argument("--data", choices=sft_trap_data.DATA, default="arithmetic", help="with --full")
    parser.add_argument("--lora", action="store_true", help="with --full: train adapters (peft) and merge them in")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …; small models: cpu")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="a model of yours, on an accelerator")
    size.add_argument("--tiny", action="store_true", help="one seed, a few steps, under a minute")
    args = parser.parse_args(argv)
    if args.seeds < 1 or args.first < 0:
        parser.error("--seeds, --first: expected 1 or more, and 0 or more")
    return args


def run(args: argparse.Namespace) -> int:
    go_on(args, without_effect=("out", "device", "seeds", "first"))
    plan = full(args) if args.full else small(args)
    seeds = range(args.first, args.first + (1 if args.tiny else args.seeds))
    for seed in seeds:
        started = time.monotonic()
        folder = args.out / f"seed-{seed}"
        if not (folder / SUMMARY).is_file():
            whole_seed(plan, base_of(args, seed), seed, folder)
            print(f"seed {seed}: {(time.monotonic() - started) / 60:.1f} minutes in this run", flush=True)
    show(args.out)
    return 0


def small(args: argparse.Namespace) -> Plan:
    """With two readers, which are trained first unless they are there."""
    size = scratch(args)
    readers = [
        from_scratch(
            args.out / "readers" / name,
            size,
            trap_seeds_data.readings(size.reader, READER_SEED + i),
            f"reader {name}",
            READER_SEED + i,
        )
        for i, name in enumerate(("scorer", "rewarder"))
    ]
    tiny = args.tiny
    return Plan(
        data="sums",
        shown=[],
        train=16 if tiny else 1024,
        test=6 if tiny else 120,
        tuning=Tuning(1.0 if tiny else 2.0, 4 if tiny else 16, 1, 1e-3, 0, "cpu", False, 0, False),
        rewarding=Rewarding(4, 4, 2, 3e-4, 32) if tiny else Rewarding(48, 32, 8, 3e-4, 64),
        reader=readers[0],
        rewarder=readers[1],
        template=AsTrained(),
    )


def scratch(args: argparse.Namespace) -> Scratch:
    return Scratch(32, 1, 64, 64) if args.tiny else Scratch()


def full(args: argparse.Namespace) -> Plan:
    """`sft_trap`'s sizes for an accelerator."""
    train, test = (659, 659) if args.data == "gsm8k" else (2000, 500)
    tuning = Tuning(3.0, 16, 1, FULL_LORA_LR if args.lora else 1e-5, 0, args.device, args.lora, 0, False)
    return Plan(
        data=args.data,
        shown=sft_trap_data.examples(args.data),
        train=train,
        test=test,
        tuning=tuning,
        rewarding=Rewarding(200, 64, 8, 1e-5 if args.lora else 1e-6, MAX_GEN_TOKS[args.data]),
        reader=resolve(args.scorer),
        rewarder=resolve(args.rewarder),
        template="plain",
    )


def base_of(args: argparse.Namespace, seed: int) -> str:
    """A seed's base; small ones are trained unless they are there."""
    if args.full:
        return resolve(args.base)
    size = scratch(args)
    chains = trap_seeds_data.corpus(size.base, seed)
    return from_scratch(args.out / f"seed-{seed}" / "base", size, chains, f"seed {seed}, base", seed)


def from_scratch(folder: Path, size: Scratch, chains: Iterable[tuple[str, str]], name: str, seed: int) -> str:
    """A model trained from random weights on questions and solutions; all have one tokenizer."""
    if not folder.is_dir():
        words = trap_seeds_data.problems("corpus", 2000, "tokenizer")
        start = make_tiny(
            folder.with_name(f"{folder.name}.random"),
            words,
            hidden=size.hidden,
            layers=size.layers,
            context=256,
            seed=seed,
        )
        rows = [(prompt(question, []), solution) for question, solution in chains]
        fit(str(start), rows, folder, Tuning(1.0, 16, 1, size.lr, seed, "cpu", False, 0, False), name)
    return str(folder)


def whole_seed(plan: Plan, base: str, seed: int, folder: Path) -> None:
    """Train and score all that belongs to a seed; its summary is written last."""
    learnt, held_out = plan.problems(seed)
    tuning = replace(plan.tuning, seed=seed)
    asked = questions(held_out, plan.shown)

    def watched(every: float, gauge: Gauge) -> Watch:
        from stepgauge.adapters.trainer import StepgaugeCallback

        monitor = StepgaugeCallback(
            asked, gauge, max_new_tokens=plan.rewarding.new_tokens, batch_size=60, until=[END, "Question:"]
        )
        return Watch(monitor, every)

    with plan.gauge(plan.reader, reliance=True) as reader, plan.gauge(plan.rewarder, claims=[], judges=[]) as rewarder:
        for kind in KINDS:
            if not (folder / kind).is_dir():
                rows = [(prompt(one.question, plan.shown), getattr(one, kind)()) for one in learnt]
                fit(base, rows, folder / kind, tuning, f"seed {seed}, {kind}", watched(TUNING_EVERY, reader))
        for name, rewards in rewards_by(rewarder).items():
            if not (folder / folder_of(name)).is_dir():
                rewarded(
                    str(folder / "shortcut"),
                    learnt,
                    plan.shown,
                    rewards,
                    folder / folder_of(name),
                    tuning=tuning,
                    how=plan.rewarding,
                    name=f"seed {seed}, {name}",
                    watch=watched(REWARDS_EVERY, reader),
                )
    found = summarised(plan, base, folder)
    write_whole(folder / SUMMARY, json.dumps(found, indent=1))


def rewards_by(gauge: Gauge) -> Mapping[str, Sequence[Reward]]:
    from stepgauge.adapters.trainer import InfoGainReward

    gain = InfoGainReward(gauge, clip=CLIP)
    return dict(zip(REWARDS, ([exact_match], [gain], [exact_match, gain]), strict=True))


def folder_of(reward: str) -> str:
    return f"grpo-{reward.lower().replace(' ', '-')}"


def summarised(plan: Plan, base: str, folder: Path) -> dict[str, Any]:
    """Each phase against the base, by the reader's scores and by the models' own."""
    phases = {**{kind: folder / kind for kind in KINDS}, **{name: folder / folder_of(name) for name in REWARDS}}
    first = steps_of(folder / "shortcut")[0]

    def itself(name: str, chains: str, model: str) -> Any:
        out = folder / "by-itself" / Path(name).name
        return scored_by_itself(
            Path(chains), Path(model), out, name=name, template=plan.template, device=plan.tuning.device
        )

    own = itself("base", first, base)
    return {
        name: summary(first, phase, (own, itself(phase.name, steps_of(phase)[-1], str(phase))), follows=name in REWARDS)
        for name, phase in phases.items()
    }


def main(argv: Sequence[str] | None = None) -> int:
    import transformers

    args = parse(argv)
    logging.basicConfig(format="%(message)s")
    transformers.utils.logging.disable_progress_bar()
    args.device = pick_device(args.device) if args.full else "cpu"
    if args.full and args.device == "cpu":
        print("no accelerator: --full needs one; without it small models are trained from scratch", file=sys.stderr)
        return 2
    try:
        return run(args)
    except (ValueError, FileNotFoundError, ScorerError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
