"""Mistakes inserted, and the rest of the response written anew by the model under test ("adding mistakes": Lanham et
al. 2023, arXiv 2307.13702, section 2.4).

Here: which steps are put wrong, what the model is given to go on from, and what answer its new end gives. Who writes
that end is a part of its own (`Continuations`): each framework holds its model in another way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..answers.matching import AnswerMatcher
from ..answers.own_answer import own_answer
from ..chain import Regrown, RegrownStep, Tail
from ..errors import THIRD_PARTY, said
from ..likelihood import Unscored
from ..segment import Segmentation, flagged
from ..segment.sections import read_sections
from ..trace import Step, Trace
from .own import Own, toward

ALL = "all"  # the option `regrow` with this value takes every step
NEEDS_A_MODEL = (
    "regrow: the model under test writes ends of its own chains anew, which it can while lm-eval or Inspect runs it; "
    "here there is none. Leave it out, or call `Gauge.score(…, continuations=…)`"
)
NO_ANSWER = Unscored("the new end gives no final answer")
NOT_READ = Unscored(
    "the new end announces no answer, and what the task's own reader makes of it is not known (in Python: give its "
    "`Continuation` a `model_answer`, as the trace has one)"
)
CUT_OFF = Unscored("the new end was cut off at the token limit")
NO_STEPS = Unscored("no step comes before the one that states the chain's own answer")
NOTHING_TO_CORRUPT = Unscored("no step before the own answer holds a number or a word to corrupt")

# Behind a step: white space up to the last line break. Spaces behind that belong to the next token of most tokenizers.
_LINE_ENDS = re.compile(r"\s{0,1000}\n")


@dataclass(frozen=True)
class Beginning:
    """What the model under test goes on from.

    Attributes:
        trace: the chain, the very object that `Gauge.score` was given: whoever continues knows its prompt.
        text: the beginning of the response.
    """

    trace: Trace
    text: str


@dataclass(frozen=True)
class Continuation:
    """What it wrote.

    Attributes:
        text: behind the beginning.
        cut_off: whether a limit ended it, and not the model.
        model_answer: what the framework reads from the whole response as its answer; see `Trace.model_answer`.
    """

    text: str
    cut_off: bool = False
    model_answer: str | None = None


class Continuations(Protocol):
    """The model under test, as it goes on with its own responses: behind the prompt that it was given, greedily.

    It may have a method `describe()`, which returns what a score's provenance should say of it.
    """

    def continued(self, beginnings: Sequence[Beginning]) -> Sequence[Continuation | Unscored]:
        """What it writes behind each beginning, in order; or why there is nothing."""
        ...


@dataclass(frozen=True)
class Plan:
    """What is written anew of one chain.

    Attributes:
        mistakes: step (from 0), the text that is put in its place, and the beginning that ends with it; or why there is
            none.
        unchanged: the beginnings that end with the same steps as they were, in the same order.
    """

    own: Own
    mistakes: Sequence[tuple[int, str | None, Beginning | Unscored]]
    unchanged: Sequence[Beginning]


def steps_of_option(given: object) -> int | str:
    """The option `regrow`. Raises ValueError for what is neither a number of steps nor `all`."""
    if given == ALL:
        return ALL
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise ValueError(f"regrow {given!r}: expected a number of steps of each chain, or {ALL!r}")
    return given


def planned(
    trace: Trace,
    steps: Sequence[Step],
    own: Own | Unscored,
    corruptions: Callable[[], Sequence[str | Unscored | None]],
    most: int | str,
) -> Plan | Unscored:
    """What is written anew of a chain: behind at most `most` of the steps before its own answer, evenly spread.

    Which steps follows from the chain alone.
    """
    if isinstance(own, Unscored):
        return own
    if not own.before:
        return NO_STEPS
    put = corruptions()
    chosen = _spread([k for k in range(own.before) if put[k] is not None], most)
    if not chosen:
        return NOTHING_TO_CORRUPT
    mistakes: list[tuple[int, str | None, Beginning | Unscored]] = []
    for k in chosen:
        text = put[k]
        if isinstance(text, str):
            mistakes.append((k, text, Beginning(trace, _up_to(trace, steps[k], text))))
        else:
            mistakes.append((k, None, text or NOTHING_TO_CORRUPT))
    return Plan(own, mistakes, [Beginning(trace, _up_to(trace, steps[k], steps[k].text)) for k in chosen])


def regrown(
    plans: Sequence[Plan | Unscored],
    continuations: Continuations,
    segment: Callable[[Trace], Segmentation | Unscored],
) -> list[Regrown | Unscored]:
    """What the ends that the model writes anew come to, a chain each, in order. All are asked for together."""
    wanted: dict[tuple[int, str], Beginning] = {}
    for plan in plans:
        for beginning in () if isinstance(plan, Unscored) else _beginnings(plan):
            wanted.setdefault(_key(beginning), beginning)
    written = dict(zip(wanted, _written(continuations, list(wanted.values())), strict=True))

    def tail(own: Own, beginning: Beginning | Unscored) -> Tail | Unscored:
        if isinstance(beginning, Unscored):
            return beginning
        found = written[_key(beginning)]
        return found if isinstance(found, Unscored) else read_tail(own, beginning, found, segment)

    return [
        plan
        if isinstance(plan, Unscored)
        else Regrown(
            plan.own.answer,
            [
                RegrownStep(k, text, tail(plan.own, wrong), tail(plan.own, same))
                for (k, text, wrong), same in zip(plan.mistakes, plan.unchanged, strict=True)
            ],
        )
        for plan in plans
    ]


def read_tail(
    own: Own, beginning: Beginning, written: Continuation, segment: Callable[[Trace], Segmentation | Unscored]
) -> Tail | Unscored:
    """The final answer of a response with a new end, read as that of the old one was; and whether it is the same."""
    trace, start = beginning.trace, len(beginning.text)
    new = replace(trace, response=beginning.text + written.text, answer=None, model_answer=written.model_answer)
    # Where it had already gone on to another question, the chain itself is whole.
    if written.cut_off and not new.response[read_sections(new.response).end :].strip():
        return CUT_OFF
    cut = segment(new)
    if isinstance(cut, Unscored):
        return cut
    answer = _answer(cut.steps, new, written.model_answer)
    if answer is None or not _says_answer(cut.steps, start, new, answer):
        unread = trace.model_answer is not None and written.model_answer is None and written.text.strip()
        return NOT_READ if unread else NO_ANSWER
    return Tail(answer, _agree(own.answer, answer, trace))


def _answer(steps: Sequence[Step], trace: Trace, model_answer: str | None) -> str | None:
    final = [step.kind == "final_answer" for step in steps]
    return own_answer([step.text for step in steps], final, trace.question, trace.choices, model_answer)


def _says_answer(steps: Sequence[Step], start: int, trace: Trace, answer: str) -> bool:
    """Whether the new steps give an answer: one that the beginning announced on its way is not what they end with.

    They announce one, or they state the one that the framework read.
    """
    new = [replace(step, start=max(step.start, start)) for step in steps if step.end > start]
    if not new:
        return False
    if new[-1].kind == "final_answer" or _answer(new, trace, None) is not None:
        return True
    was_read = _answer([], trace, trace.model_answer) == answer
    return was_read and any(step.states_answer for step in flagged(new, toward(trace, answer)))


def _agree(old: str, new: str, trace: Trace) -> bool:
    if trace.choices is not None:
        return old.strip() == new.strip()
    return AnswerMatcher([old], trace.question).is_answer(new)


def _spread(items: Sequence[int], most: int | str) -> list[int]:
    if isinstance(most, str) or len(items) <= most:
        return list(items)
    return [items[math.floor((i + 0.5) * len(items) / most)] for i in range(most)]


def _up_to(trace: Trace, step: Step, text: str) -> str:
    """The response up to the end of a step, with `text` in its place, and the line break behind it: a step that ends a
    line is over, so that the model neither goes on with its last number nor takes it back."""
    behind = _LINE_ENDS.match(trace.response, step.end)
    return trace.response[: step.start] + text + (behind[0] if behind else "")


def _beginnings(plan: Plan) -> list[Beginning]:
    return [*(one for _, _, one in plan.mistakes if isinstance(one, Beginning)), *plan.unchanged]


def _key(beginning: Beginning) -> tuple[int, str]:
    return id(beginning.trace), beginning.text


def _written(continuations: Continuations, wanted: Sequence[Beginning]) -> Sequence[Continuation | Unscored]:
    """A model that fails costs what was asked of it, with its words as the reason, and not the run."""
    if not wanted:
        return []
    try:
        found = list(continuations.continued(wanted))
    except THIRD_PARTY as error:
        return [Unscored(f"the new end could not be written: {said(error)}")] * len(wanted)
    if len(found) != len(wanted):
        raise RuntimeError(f"{len(wanted)} beginnings were given, {len(found)} continuations came back")
    return [_checked(one) for one in found]


def _checked(written: object) -> Continuation | Unscored:
    if isinstance(written, Unscored) or (isinstance(written, Continuation) and isinstance(written.text, str)):
        return written
    return Unscored(f"the new end could not be written: expected a Continuation with a text, got {written!r:.80}")


def describe(most: int | str, continuations: object, claim: str) -> Mapping[str, Any]:
    """What a score's provenance says of it."""
    own: Any = getattr(continuations, "describe", dict)
    return {"steps": most, "claim": claim, **own()}
