"""What a chain ends up with: which of its steps only give the answer, and from which step on it keeps to its own."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from .announcing import announced, announcements, closing_letter, concludes, is_bare
from .golds import Text
from .matching import AnswerMatcher
from .roles import is_alone, is_operand

_LOOKED_BACK = 20  # steps among which the last result is looked for


def final_answers(steps: Sequence[str]) -> list[bool]:
    """For each step of a chain whether it only gives an answer.

    Those that announce one by words or by a box do wherever they stand. A step that is a value and nothing else ("72",
    "**Option A**") does at the end alone: elsewhere it is data or a heading. So does the closing sentence that only
    says the last result again ("So she sold 72 clips altogether.") or names one option ("Only B fits.").
    """
    final = [announced(step) is not None for step in steps]
    bare = [is_final and is_bare(step) for step, is_final in zip(steps, final, strict=True)]
    final = [is_final and not is_value for is_final, is_value in zip(final, bare, strict=True)]
    last = len(steps) - 1
    while last >= 0 and final[last]:
        last -= 1
    if last < 0:
        return final
    if bare[last]:
        before = last - 1
        final[last] = before < 0 or not bare[before] or _same_value(steps[before], steps[last])
    elif last == len(steps) - 1:
        final[last] = closing_letter(steps[last]) is not None or _restated(steps) is not None
    return final


def _same_value(one: str, other: str) -> bool:
    return AnswerMatcher([one], "").is_answer(other)


def _restated(steps: Sequence[str]) -> Fraction | None:
    """The last result that was computed, where the last step is a sentence that computes nothing and gives it again."""
    if not steps or not concludes(steps[-1]):
        return None
    said = _results(Text(steps[-1]), after_equals=False)
    for step in reversed(steps[-1 - _LOOKED_BACK : -1]):
        results = _results(Text(step), after_equals=True)
        if results:
            return results[-1] if results[-1] in said else None
    return None


def _results(text: Text, after_equals: bool) -> list[Fraction]:
    plain = text.with_money
    return [
        one.values[0]
        for one in text.numbers
        if is_alone(plain, one)
        and not is_operand(plain, one)
        and (not after_equals or plain[max(0, one.start - 24) : one.start].rstrip(" $€£\\").endswith(("=", "≈", ">>")))
    ]


def commit_index(
    steps: Sequence[str],
    final: Sequence[bool],
    question: str,
    choices: Sequence[str] | None = None,
    own: str | None = None,
) -> int | None:
    """The first step at which a chain states its own final answer and never announces another one after it.

    The chain's own final answer is the one it announces last; where it announces none, `own`, or else the last result
    that its closing sentence says again, or the one option that it names.

    Args:
        final: for each step whether it only gives an answer (`final_answers`).

    Returns: an index into `steps`; None where the chain has no answer of its own or no step states it.
    """
    said = [announcements(step, value_alone=is_final) for step, is_final in zip(steps, final, strict=True)]
    options = list(choices or ())
    last = next((answers[-1] for answers in reversed(said) if answers), own)
    if not last or not last.strip():
        result = _restated(steps)
        last = str(result) if result is not None else _only_option(steps, question, options)
    if last is None:
        return None
    meant = [option for option in options if AnswerMatcher([option], "", options).is_answer(last)]
    matcher = AnswerMatcher(meant[:1] or [last], question, options if meant else None)
    begin = 0
    for index, answers in enumerate(said):
        others = [not matcher.is_answer(answer) for answer in answers]
        if any(others):
            begin = index + others[-1]
    return next(
        (index for index in range(begin, len(steps)) if matcher.states(steps[index], value_alone=final[index])), None
    )


def _only_option(steps: Sequence[str], question: str, options: Sequence[str]) -> str | None:
    """The option that the last step states, where it states one alone."""
    named = [option for option in options if steps and AnswerMatcher([option], question, options).states(steps[-1])]
    return named[0] if len(named) == 1 else None
