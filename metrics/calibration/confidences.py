"""How sure a model is of each response to a question, and whether the response is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from ..comparison.measures import metric
from ..comparison.record import Record
from ..errors import Missing
from ..repeats.values import accuracies, answer_of

# Of one question's responses a (confidence, correctness) for each that has both; raises Missing where none has.
Confident = Callable[[Sequence[Record], str], list[tuple[float, float]]]


def correctness(responses: Sequence[Record], name: str) -> list[float]:
    """0 or 1 of each response. Raises Missing where one has none of its own, or is partly right."""
    values = accuracies(responses, name)
    if not set(values) <= {0.0, 1.0}:
        raise Missing(f"a response whose {name} is between 0 and 1 is neither right nor wrong")
    return values


def own_option(measure: str) -> Confident:
    """Probability of the option that the response chose, after the chain: one of the metrics of `own_option.py`."""
    compute = metric(measure)

    def of(responses: Sequence[Record], name: str) -> list[tuple[float, float]]:
        right = correctness(responses, name)
        out: list[tuple[float, float]] = []
        why = "no response"
        for record, value in zip(responses, right, strict=True):
            if not record.scored:
                why = "no scorer has read the response"
                continue
            try:
                confidence = compute(record)
            except Missing as reason:
                why = reason.reason
                continue
            if not 0 <= confidence <= 1:  # a score from a file is what the file says
                raise Missing(f"{measure} is no probability")
            out.append((confidence, value))
        if not out:
            raise Missing(why)
        return out

    return of


def agreement(responses: Sequence[Record], name: str) -> list[tuple[float, float]]:
    """Share of the responses to the question that give the same answer, the response itself among them.

    A response without an answer agrees with none and has no confidence of its own.
    """
    if len(responses) < 2:
        raise Missing("fewer than two responses")
    right = correctness(responses, name)
    answers = [answer_of(one, name) for one in responses]
    votes = Counter(one for one in answers if one is not None)
    if not votes:
        raise Missing("no answer was read from any response")
    return [
        (votes[answer] / len(responses), value)
        for answer, value in zip(answers, right, strict=True)
        if answer is not None
    ]


CONFIDENCES: Mapping[str, tuple[str, Confident]] = {
    "own_option": ("own option", own_option("own_probability")),
    "own_option_per_token": ("own option, per token", own_option("own_probability_per_token")),
    "agreement": ("agreement of samples", agreement),
}
