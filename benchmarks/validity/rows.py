"""The rows of `benchmarks.validity`: the figures computed on each set of labelled chains."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from stepgauge.metrics.controls.copy_model import copy_gain

from .figures import Figure, Items, area, figure, mean, rank_correlation, share_above
from .scores import CONTROLS, Scored

Scores = Mapping[str, Sequence[Scored]]
_LABELLED = {
    "3 first wrong step": ("mrben math", "mrben medicine"),
    "4 redundant steps": ("prmbench redundency", "prmbench circular"),
}


def rows(plain: Scores, fitted: Scores | None) -> list[Figure]:
    """Rows 2 to 5."""
    out: list[Figure] = []
    if "gsm8k" in plain:
        out += _gsm8k(plain["gsm8k"], fitted["gsm8k"] if fitted else None)
    for row, names in _LABELLED.items():
        for name in names:
            if name in plain:
                out += _marked(row, name, plain[name], fitted[name] if fitted else None)
    return out + _position(plain, fitted)


def _gsm8k(plain: Sequence[Scored], fitted: Sequence[Scored] | None) -> list[Figure]:
    def chains(value: Callable[[Scored], float], keep: Callable[[Scored], bool]) -> tuple[Items, Items | None]:
        return _chains(plain, value, keep), _chains(fitted, value, keep) if fitted else None

    def by_model(one: Scored) -> bool:
        return not one.chain.worked

    def worked(one: Scored) -> bool:
        return one.chain.worked

    row = "2 GSM8K, right against wrong"
    out = []
    for part, end in ENDS.items():
        out.append(figure(row, f"{part}: gain", "AUROC", area, *chains(partial(_gain, end), by_model)))
        for what, value in WITHOUT_SCORER.items():
            items = _chains(plain, partial(value, end), by_model)
            out.append(figure(row, f"{part}: {what}", "AUROC", area, items, None))
    row = "2 GSM8K, real steps"
    for name in CONTROLS:
        for end, about in (("", "whole chain"), ("_before_answer", "before the answer")):
            value = _metric(f"gain_over_{name}{end}")
            out.append(figure(row, f"against {name}, {about}", "share above 0", share_above, *chains(value, worked)))
            out.append(figure(row, f"against {name}, {about}", "mean nats", mean, *chains(value, worked)))
    return out


def _metric(name: str) -> Callable[[Scored], float]:
    return lambda one: one.score.metrics.get(name, math.nan)


# Where a chain is cut: the number of its first steps that count; nan is the value of a chain without any.
End = Callable[[Scored], int]
ENDS: Mapping[str, End] = {
    "whole chain": lambda one: len(one.steps),
    "before the gold answer": lambda one: one.gold_stated,
    "before the chain's own answer": lambda one: one.own_answer,
}


def _gain(end: End, one: Scored) -> float:
    return math.fsum(one.gains[:count]) if (count := end(one)) else math.nan


def _copied(end: End, one: Scored) -> float:
    """What the copy model gains from the same steps."""
    trace, steps = one.chain.trace, [step.text for step in one.steps[: end(one)]]
    return copy_gain(trace.question, steps, trace.distinct_answers) if steps else math.nan


def _fewer_steps(end: End, one: Scored) -> float:
    """The cut itself, without any model: a chain that is cut early counts as right."""
    return -count if (count := end(one)) else math.nan


# What the same cut tells without any scoring LM.
WITHOUT_SCORER: Mapping[str, Callable[[End, Scored], float]] = {
    "gain of the copy model": _copied,
    "fewer steps, nothing else": _fewer_steps,
}


def _chains(scored: Sequence[Scored], value: Callable[[Scored], float], keep: Callable[[Scored], bool]) -> Items:
    kept = [one for one in scored if keep(one)]
    return Items(
        [one.chain.trace.id for one in kept],
        [one.chain.question for one in kept],
        [bool(one.chain.right) for one in kept],
        [value(one) for one in kept],
    )


def _marked(row: str, name: str, plain: Sequence[Scored], fitted: Sequence[Scored] | None) -> list[Figure]:
    """Figures on steps: those without a mark should gain more than those with one."""

    def steps(**options: bool) -> tuple[Items, Items | None]:
        return _steps(plain, **options), _steps(fitted, **options) if fitted else None

    def drops() -> tuple[Items, Items | None]:
        return _drops(plain), _drops(fitted) if fitted else None

    cut = _steps(plain, spoken=False, cut_alone=True)
    return [
        figure(row, f"{name}: gain, unmarked above marked", "AUROC", area, *steps()),
        figure(row, f"{name}: the same before the answer", "AUROC", area, *steps(spoken=False)),
        figure(row, f"{name}: … fewer steps, nothing else", "AUROC", area, cut, None),
        figure(row, f"{name}: unmarked minus marked, in a chain", "mean nats", mean, *drops()),
        figure("5 position and length", f"{name}: gain, both regressed out", "AUROC", area, *steps(residual=True)),
    ]


def _steps(scored: Sequence[Scored], *, residual: bool = False, spoken: bool = True, cut_alone: bool = False) -> Items:
    """The labelled steps of a set.

    Args:
        residual: position and length regressed out of the gains.
        spoken: including those from the first that states the gold answer.
        cut_alone: each step's value is how few steps its chain has before the answer, not its gain.
    """
    found = []
    for one in scored:
        end = len(one.gains) if spoken else one.gold_stated
        found += [(one, i) for i in range(end)]
    values = [_fewer_steps(ENDS["before the gold answer"], one) if cut_alone else one.gains[i] for one, i in found]
    if residual:
        values = list(residuals(np.array(values), *_position_and_length(found)))
    return Items(
        [(one.chain.trace.id, i) for one, i in found],
        [one.chain.question for one, _ in found],
        [i not in (one.chain.marked or ()) for one, i in found],
        values,
    )


def _drops(scored: Sequence[Scored]) -> Items:
    """For each chain with both kinds: mean gain of unmarked steps minus mean gain of marked steps."""
    kept, values = [], []
    for one in scored:
        marked = [gain for i, gain in enumerate(one.gains) if i in (one.chain.marked or ())]
        others = [gain for i, gain in enumerate(one.gains) if i not in (one.chain.marked or ())]
        if marked and others:
            kept.append(one)
            values.append(math.fsum(others) / len(others) - math.fsum(marked) / len(marked))
    return Items([one.chain.trace.id for one in kept], [one.chain.question for one in kept], [0] * len(kept), values)


def _position_and_length(found: Sequence[tuple[Scored, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of each step's number and of its length in characters.

    Not its relative position: MR-Ben's chains end at the wrong step, so that would give the label away.
    """
    return np.log([i + 1 for _, i in found]), np.log([len(one.steps[i].text) for one, i in found])


def residuals(values: np.ndarray, *explaining: np.ndarray) -> np.ndarray:
    """Residuals of the values after a least-squares fit on `explaining` with an intercept; nan stays nan."""
    known = np.isfinite(values)
    design = np.column_stack([np.ones(len(values)), *explaining])
    solution, *_ = np.linalg.lstsq(design[known], values[known], rcond=None)
    return values - design @ solution


def _position(plain: Scores, fitted: Scores | None) -> list[Figure]:
    out = []
    for name, own in plain.items():
        for which, about in ((0, "position in the chain"), (1, "length")):
            items = _explained(own, which), _explained(fitted[name], which) if fitted else None
            row = "5 position and length"
            out.append(figure(row, f"{name}: gain with {about}", "rank correlation", rank_correlation, *items))
    return out


def _explained(scored: Sequence[Scored], which: int) -> Items:
    found = [(one, i) for one in scored for i in range(len(one.gains))]
    return Items(
        [(one.chain.trace.id, i) for one, i in found],
        [one.chain.question for one, _ in found],
        list(_position_and_length(found)[which]),
        [one.gains[i] for one, i in found],
    )
