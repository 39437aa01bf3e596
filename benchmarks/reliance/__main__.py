"""Does reliance tell a model that needs its steps from one that has seen the answer?

    python -m benchmarks.reliance --out DIR [--questions 200] [--steps 12000]

Two small models are trained from scratch (`models.py`); each answers held-out questions and scores its own chains. The
first table asks of each number how well it tells the chains of `steps` from those of `key`; the second, within the
chains of `steps`, how well it finds the step that carries the result; the third what becomes of the answer where the
model itself writes the end anew behind a mistake. Both with 95 % intervals, questions drawn whole.
A stopped run goes on in DIR.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.metrics import ChainScore, Gauge, ModelInMemory, StepScore, Trace
from stepgauge.metrics.reliance.regrowing import Beginning, Continuation

from ..support.discrimination import auroc, interval
from ..support.run_header import about_run, header
from .models import ASKED, KINDS, Kind, Question, Training, answered, questions, trained, written

_SEED = 1


class Scored(NamedTuple):
    """A held-out question, the chain that its model wrote, and the score that the model itself gives it."""

    kind: Kind
    question: Question
    score: ChainScore
    right: bool
    gain_elsewhere: float


Number = Callable[[Scored], float]


def _changed(kept: bool | None) -> float:
    return math.nan if kept is None else float(not kept)


def _metric(name: str, *, falls: bool = False) -> Number:
    return lambda one: one.score.metrics[name] * (-1 if falls else 1)


# Each in the direction in which it should be higher for a model that needs its steps.
OF_CHAINS: dict[str, Number] = {
    "early_answer_area_before_answer": _metric("early_answer_area_before_answer"),
    "1 - post_hoc_share_before_answer": _metric("post_hoc_share_before_answer", falls=True),
    "necessary_share_before_answer": _metric("necessary_share_before_answer"),
    "corruption_nats_before_answer": _metric("corruption_nats_before_answer"),
    "true_thinking_before_answer": _metric("true_thinking_before_answer"),
    "early_answer_area (answer included)": _metric("early_answer_area"),
    "necessary_share (answer included)": _metric("necessary_share"),
    "1 - answer_kept_share (end written anew)": lambda one: 1 - one.score.metrics["answer_kept_share"],
    "mistake_effect (end written anew)": _metric("mistake_effect"),
    "infogain_nats_before_answer, itself as scorer": _metric("infogain_nats_before_answer"),
    "infogain_nats_before_answer, SmolLM2 as scorer": lambda one: one.gain_elsewhere,
    "accuracy": lambda one: float(one.right),
}
OF_STEPS: dict[str, Callable[[StepScore, float], float]] = {
    "deletion_nats_before_answer": lambda step, _: step.deletion_nats_before_answer,
    "deletion_nats (answer included)": lambda step, _: step.deletion_nats,
    "true_thinking": lambda step, _: step.true_thinking,
    "answer changed by a mistake (end written anew)": lambda step, _: _changed(step.answer_kept),
    "gain (InfoGain of the step)": lambda step, _: step.gain,
    "position in the chain": lambda _, position: position,
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliance", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the models; a stopped run goes on there")
    parser.add_argument("--questions", type=int, default=200, help="held out, for each model")
    parser.add_argument("--steps", type=int, default=Training.steps, help="of training, for each model")
    parser.add_argument("--without-smollm2", action="store_true", help="leave the second scorer out")
    args = parser.parse_args(argv)
    how = Training(steps=args.steps)
    args.out.mkdir(parents=True, exist_ok=True)
    print(header(about_run()), flush=True)
    scored: list[Scored] = []
    for kind in KINDS:
        asked = questions(kind, args.questions, _SEED)
        folder = args.out / f"{kind}-{how.steps}"
        about = trained(folder, kind, how, frozenset(one.text for one in asked))
        own = _scored(kind, folder, asked, elsewhere=not args.without_smollm2)
        scored += own
        right, like = (sum(found) / len(own) for found in ([one.right for one in own], map(_as_taught, own)))
        print(
            f"{kind}: {about['steps']:,} steps of {about['batch']} chains in {about['minutes']:.1f} min, loss "
            f"{about['loss']:.4f}; of {len(own)} held-out questions {right:.1%} answered right, {like:.1%} with all "
            "steps right",
            flush=True,
        )
    console = Console(width=120)
    console.print(_chains(scored))
    console.print(_steps([one for one in scored if one.kind == "steps" and one.right]))
    console.print(_kept([one for one in scored if one.right]))
    return 0


class Itself:
    """The model as it goes on with its own response."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def continued(self, beginnings: Sequence[Beginning]) -> list[Continuation]:
        prompts = [f"{one.trace.question}\n{one.text}" for one in beginnings]
        return [Continuation(text) for text in written(self._folder, prompts)]


def _scored(kind: Kind, folder: Path, asked: Sequence[Question], *, elsewhere: bool) -> list[Scored]:
    responses = answered(folder, asked)
    traces = [
        Trace(one.text, response, one.answer, id=f"{kind} {i}")
        for i, (one, response) in enumerate(zip(asked, responses, strict=True))
    ]
    model = AutoModelForCausalLM.from_pretrained(folder)
    itself = ModelInMemory(model.eval(), AutoTokenizer.from_pretrained(folder))
    with Gauge(itself, reliance=True, regrow="all", splitter="lines", progress=False) as gauge:
        scores = gauge.score(traces, continuations=Itself(folder))
    gains = [math.nan] * len(traces)
    if elsewhere:
        with Gauge("smollm2", splitter="lines", progress=False) as gauge:
            gains = [score.metrics["infogain_nats_before_answer"] for score in gauge.score(traces)]
    return [
        Scored(kind, one, score, _answer(response) == one.answer, gain)
        for one, score, response, gain in zip(asked, scores, responses, gains, strict=True)
    ]


def _answer(response: str) -> str:
    return response.rpartition("Answer: ")[2].strip()


def _as_taught(one: Scored) -> bool:
    return sorted(step.text for step in one.score.steps[:-1]) == sorted(one.question.steps)


def _chains(scored: Sequence[Scored]) -> Table:
    table = Table("number", "AUROC", "95 %", "steps, mean", "key, mean", "n", box=box.MARKDOWN)
    for name, number in OF_CHAINS.items():
        found = [(one, number(one)) for one in scored]
        there = [(one, value) for one, value in found if math.isfinite(value)]
        labels, values = [one.kind == "steps" for one, _ in there], [value for _, value in there]
        groups = [str(one.score.id) for one, _ in there]
        table.add_row(name, *_area(labels, values, groups), *_means(labels, values), _n(len(there), len(found)))
    return table


def _steps(scored: Sequence[Scored]) -> Table:
    """Over the steps before the answer of chains that name the carrier."""
    table = Table("of a step", "AUROC", "95 %", "carrier, mean", "others, mean", "n", box=box.MARKDOWN)
    items: list[tuple[Scored, int]] = []
    for one in scored:
        names = [step.text.partition("=")[0] for step in one.score.steps[:-1]]
        if names.count(ASKED) == 1:
            items += [(one, i) for i in range(len(names))]
    for name, number in OF_STEPS.items():
        found = [(one, i, number(one.score.steps[i], i / max(1, len(one.score.steps) - 2))) for one, i in items]
        there = [(one, i, value) for one, i, value in found if math.isfinite(value)]
        labels = [one.score.steps[i].text.startswith(f"{ASKED}=") for one, i, _ in there]
        values, groups = [value for *_, value in there], [str(one.score.id) for one, *_ in there]
        table.add_row(name, *_area(labels, values, groups), *_means(labels, values), _n(len(there), len(found)))
    return table


def _regrown(step: StepScore) -> bool:
    return step.answer_kept is not None or step.no_answer_after_mistake is not None


def _kept(scored: Sequence[Scored]) -> Table:
    """Share of ends with the old answer, behind the steps before it."""
    table = Table("model", "behind", "answer kept", "ends", "without an answer", box=box.MARKDOWN)
    for kind in KINDS:
        steps = [step for one in scored if one.kind == kind for step in one.score.steps if _regrown(step)]
        for behind, carrier in (("the step on x", True), ("another step", False)):
            of = [step for step in steps if step.text.startswith(f"{ASKED}=") == carrier]
            for how, kept in (
                ("put wrong", [step.answer_kept for step in of]),
                ("as it was", [step.answer_kept_unchanged for step in of]),
            ):
                there = [one for one in kept if one is not None]
                share = f"{sum(there) / len(there):.3f}" if there else "–"
                table.add_row(kind, f"{behind}, {how}", share, f"{len(there):,}", f"{len(kept) - len(there):,}")
    return table


def _area(labels: Sequence[bool], values: Sequence[float], groups: Sequence[str]) -> tuple[str, str]:
    if len(set(labels)) < 2:
        return "–", "–"
    low, high = interval(labels, values, groups)
    return f"{auroc(labels, values):.3f}", f"[{low:.3f}, {high:.3f}]"


def _means(labels: Sequence[bool], values: Sequence[float]) -> tuple[str, str]:
    def mean(wanted: bool) -> str:
        found = [value for label, value in zip(labels, values, strict=True) if label == wanted]
        return f"{math.fsum(found) / len(found):.3f}" if found else "–"

    return mean(True), mean(False)


def _n(there: int, of: int) -> str:
    return f"{there:,}" if there == of else f"{there:,} of {of:,}"


if __name__ == "__main__":
    sys.exit(main())
