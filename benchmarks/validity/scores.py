"""Scores the chains that `benchmarks.validity` tests; scores are kept in a folder, so that a stopped run resumes."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from tqdm import tqdm

from stepgauge.metrics import ChainScore, Gauge
from stepgauge.metrics.answers.extraction import extract_answer
from stepgauge.metrics.segment import segment
from stepgauge.metrics.trace import Step, steps_before_answer

from .chains import Chain, checked_answers
from .fit import SEED, SPLITTER, tested

CONTROLS = ("filler", "foreign", "shuffled")
_BATCH = 20


@dataclass(frozen=True)
class Scored:
    """A chain and its score.

    Attributes:
        steps: segmented again, so that stored scores are read with the current rules for what states an answer.
    """

    chain: Chain
    score: ChainScore
    steps: Sequence[Step]

    @property
    def gains(self) -> list[float]:
        return [step.gain for step in self.score.steps]

    @property
    def gold_stated(self) -> int:
        """Number of steps before the first that states the gold answer; all if none does."""
        return steps_before_answer(self.steps)

    @cached_property
    def own_answer(self) -> int:
        """Number of steps before the first that states the chain's own answer; all if it announces none.

        The own answer is read with the gold answer's rule, so that right and wrong chains are cut alike.
        """
        own = extract_answer(self.chain.trace.response)
        return steps_before_answer(segment([replace(self.chain.trace, answer=own, choices=None)], SPLITTER)[0].steps)


def draw(data: Path, questions: Mapping[str, int]) -> dict[str, list[Chain]]:
    """Chains of the test half: up to this many questions per set, with all their chains.

    Leaves out PRMBench chains whose parsed answer MATH-500 contradicts.
    """
    out = {}
    for name, count in questions.items():
        kept = tested(data, [name])
        if name.startswith("prmbench"):
            wrong = checked_answers(data, name.partition(" ")[2])[3]
            kept = [chain for chain in kept if chain.question not in wrong]
        every = sorted({chain.question for chain in kept})
        drawn = set(random.Random(f"{SEED} test {name}").sample(every, min(count, len(every))))
        out[name] = [chain for chain in kept if chain.question in drawn]
    return out


def score(
    scorer: str, chains: Mapping[str, Sequence[Chain]], folder: Path, device: str, *, progress: bool
) -> dict[str, list[Scored]]:
    """Score each set, GSM8K's worked solutions with controls. `folder` keeps the scores; use one folder per scorer."""
    folder.mkdir(parents=True, exist_ok=True)
    out: dict[str, list[Scored]] = {name: [] for name in chains}
    # One gauge at a time, since each holds the scorer.
    for is_worked, controls, ending in ((False, (), ""), (True, CONTROLS, " worked")):
        options = {"scorer": scorer, "splitter": SPLITTER, "device": device, "progress": False}
        with Gauge(**options, controls=controls) as gauge:
            for name, every in chains.items():
                if own := [chain for chain in every if chain.worked is is_worked]:
                    out[name] += _score_set(gauge, own, folder / f"{name}{ending}.jsonl", progress)
    return out


def _score_set(gauge: Gauge, chains: Sequence[Chain], path: Path, progress: bool) -> list[Scored]:
    known = {}
    if path.is_file():
        for line in path.read_text("utf-8").splitlines():
            score = ChainScore.from_dict(json.loads(line))
            known[score.id] = score
    everything = [chain.trace for chain in chains]
    missing = [chain for chain in chains if chain.trace.id not in known]
    bar = tqdm(total=len(missing), desc=path.stem, disable=not progress)
    with bar, path.open("a", encoding="utf-8") as file:
        for first in range(0, len(missing), _BATCH):
            part = missing[first : first + _BATCH]
            for score in gauge.score([chain.trace for chain in part], foreign_from=everything):
                known[score.id] = score
                file.write(json.dumps(score.to_dict()) + "\n")
            file.flush()
            bar.update(len(part))
    cut = segment(everything, SPLITTER)
    return [Scored(chain, known[chain.trace.id], own.steps) for chain, own in zip(chains, cut, strict=True)]
