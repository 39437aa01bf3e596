"""The numbers of one question's responses: what `table` averages over questions."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from ..answers.own_option import option_named
from ..comparison.measures import Measure
from ..comparison.record import Record
from ..errors import Missing
from .estimators import between_terms, entropy_bits, majority_at_k, within_variance

Responses = Sequence[Record]


@dataclass(frozen=True)
class RepeatMeasure:
    """A number per question.

    Attributes:
        key, label, unit: its name in files, for people, and its unit.
        of: the number of one question's responses; raises `Missing("why")`.
        joint: where the number depends on the other questions: all numbers, from the responses to each question for
            which `of` gives a number.
        share: whether it lies between 0 and 1.
    """

    key: str
    label: str
    unit: str
    of: Callable[[Responses], float]
    joint: Callable[[Sequence[Responses]], list[float]] | None = None
    share: bool = True


def accuracies(responses: Responses, name: str) -> list[float]:
    """The accuracy of each response. Raises Missing where one has none of its own."""
    if len(responses) > 1 and (shared := next((one.accuracy_shared for one in responses if one.accuracy_shared), None)):
        raise Missing(shared)
    values = [one.accuracy.get(name, math.nan) for one in responses]
    if any(map(math.isnan, values)):
        raise Missing(f"the run has no {name} for one of its responses")
    return values


def mean_accuracy(name: str) -> Callable[[Responses], float]:
    def of(responses: Responses) -> float:
        values = accuracies(responses, name)
        _need(values, 1)
        return math.fsum(values) / len(values)

    return of


def spread(values_of: Callable[[Responses], list[float]]) -> Callable[[Responses], float]:
    """Variance within the question."""

    def of(responses: Responses) -> float:
        values = values_of(responses)
        _need(values, 2)
        return within_variance(values)

    return of


def between(values_of: Callable[[Responses], list[float]]) -> Callable[[Sequence[Responses]], list[float]]:
    """Terms whose mean is the variance between questions; every question has two responses or more."""

    def of(questions: Sequence[Responses]) -> list[float]:
        values = [values_of(responses) for responses in questions]
        means = [math.fsum(one) / len(one) for one in values]
        return between_terms(means, [within_variance(one) for one in values], [len(one) for one in values])

    return of


def of_k(estimate: Callable[[int, int, int], float], name: str, k: int) -> Callable[[Responses], float]:
    """pass@k or pass^k."""

    def of(responses: Responses) -> float:
        values = accuracies(responses, name)
        _need(values, k)
        if not set(values) <= {0.0, 1.0}:
            raise Missing(f"a response whose {name} is between 0 and 1 is neither right nor wrong")
        return estimate(len(values), int(sum(values)), k)

    return of


def majority(name: str, k: int) -> Callable[[Responses], float]:
    def of(responses: Responses) -> float:
        values = accuracies(responses, name)
        _need(values, k)
        answers = [answer_of(one, name) for one in responses]
        if not any(answers):
            raise Missing("no answer was read from any response")
        return majority_at_k(list(zip(answers, values, strict=True)), k)

    return of


def answer_entropy(name: str | None) -> Callable[[Responses], float]:
    """Entropy of the answers, over the responses that have one."""

    def of(responses: Responses) -> float:
        answers = [found for one in responses if (found := answer_of(one, name)) is not None]
        if len(answers) < 2:
            raise Missing("an answer was read from fewer than two responses")
        return entropy_bits(answers)

    return of


def longer_minus_shorter(name: str) -> Callable[[Responses], float]:
    """Accuracy of the longer half of a question's responses minus that of the shorter half."""

    def of(responses: Responses) -> float:
        values = accuracies(responses, name)
        _need(values, 2)
        lengths = [one.length for one in responses]
        if any(length is None for length in lengths):
            raise Missing("the length of a response is not known")
        order = sorted(range(len(values)), key=lambda i: lengths[i] or 0)
        half = len(values) // 2
        # Responses of the same length on both sides of the cut would be split by the order in which they stand.
        if lengths[order[half - 1]] == lengths[order[-half]]:
            raise Missing("its responses do not fall into a shorter and a longer half")
        shorter, longer = order[:half], order[-half:]
        return (math.fsum(values[i] for i in longer) - math.fsum(values[i] for i in shorter)) / half

    return of


def cut_off(responses: Responses) -> float:
    """Share of the responses that a limit cut off."""
    known = [one.cut_off for one in responses if one.cut_off is not None]
    if not known:
        raise Missing("nothing says whether a response was cut off")
    return sum(known) / len(known)


def gains(measure: Measure) -> Callable[[Responses], list[float]]:
    """A gain's value in each response that has it."""

    def of(responses: Responses) -> list[float]:
        values: list[float] = []
        why = "no response"
        for one in responses:
            try:
                values.append(measure.compute(one))
            except Missing as reason:
                why = reason.reason
        if not values:
            raise Missing(why)
        return values

    return of


def answer_of(record: Record, name: str | None) -> Hashable | None:
    """The answer as it is compared: white space, case and a full stop at its end make no other answer.

    Nor does it matter whether an option is given by its letter or its text.
    """
    found = record.answer_under(name)
    if found is not None and record.choices:
        found = _as_option(found, tuple(record.choices))
    return None if found is None else " ".join(found.split()).casefold().rstrip(".") or None


@functools.lru_cache(maxsize=20_000)
def _as_option(answer: str, choices: tuple[str, ...]) -> str:
    return option_named(answer, choices) or answer


def _need(values: Sequence[float], k: int) -> None:
    if len(values) < k:
        raise Missing("no response" if k == 1 else f"fewer than {k} responses")
