"""What a chain ends up with: which of its steps only give the answer, and from which step on it keeps to its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from ..trace import Step, Trace
from .announcing import (
    announced,
    announcements,
    begins_as_conclusion,
    closing_letter,
    concludes,
    is_bare,
    is_closing_word,
)
from .golds import Text, TextGold, read_golds
from .matching import AnswerMatcher, options_meant
from .roles import is_alone, is_operand

_ENDED = re.compile(r"[.!。][\s$*)\\\]\"'”]{0,6}$")
# "### Conclusion", "**Step 4: Final Answer**": words alone, so nothing that reasons.
_HEADING = re.compile(
    r"[ \t]{0,3}(?:#{1,6}[ \t]+[*_]{0,2}|[*_]{2})(?:step\s?)?(?:\d{1,3}\s?[.:)]?\s?)?[^\d=≈\n]{1,60}?[*_:]{0,5}[ \t]*",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[^\d=≈\n]{1,40}[:：][*_]{0,2}[ \t]*")
# "B: 3": among others of its kind an entry of a list, which concludes nothing.
_LETTERED = re.compile(r"\W{0,4}[(\[]?([A-Z])[)\]]?\s?[:：.)]\s", re.IGNORECASE)
_LONGEST_SENTENCE = 200
_LOOKED_BACK = 20  # steps among which the last result is looked for


def final_answers(steps: Sequence[str]) -> list[bool]:
    """For each step of a chain whether it only gives an answer.

    Those that announce one by words or by a box do wherever they stand. A step that is a value and nothing else ("72",
    "**Option A**") does at the end alone: elsewhere it is data or a heading. So does the closing sentence that only
    says the last result again ("So she sold 72 clips altogether.") or names one option ("Only B fits.").
    """
    steps = [without_heading(step) for step in steps]
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
        word = is_closing_word(steps[last]) and not (last and steps[last - 1].rstrip().endswith(("?", "？")))
        names_one = closing_letter(steps[last]) is not None and not _is_next_entry(steps)
        final[last] = word or names_one or _restated(steps) is not None
    return final


def without_heading(text: str) -> str:
    """A step without the heading over it ("### Conclusion"): what stands below decides whether it is an answer."""
    heading, _, below = text.partition("\n")
    label = "\n" not in below.strip() and _LABEL.fullmatch(heading)
    return below if below.strip() and (label or _HEADING.fullmatch(heading)) else text


def _is_next_entry(steps: Sequence[str]) -> bool:
    """Whether the last step goes on with a lettered list: "H: 10", "I: 10"."""
    letters = [match[1].upper() for match in map(_LETTERED.match, steps[-2:]) if match]
    return len(letters) == 2 and ord(letters[1]) - ord(letters[0]) == 1


def _same_value(one: str, other: str) -> bool:
    return AnswerMatcher([one], "").is_answer(other)


def _restated(steps: Sequence[str]) -> Fraction | None:
    """The last result, where the last step is a sentence that computes nothing and gives it again.

    A result stands behind a sign of equality; or last in the step before ("Which is 13."), where the sentence begins as
    a conclusion and is not cut off.
    """
    if len(steps) < 2 or not concludes(steps[-1]):
        return None
    said = _results(Text(steps[-1]), after_equals=False)
    if said and begins_as_conclusion(steps[-1]) and _ENDED.search(steps[-1]):
        before = _results(Text(steps[-2]), after_equals=False)
        if before and before[-1] == said[-1]:
            return said[-1]
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
    steps, said = _announced_by(steps, final)
    options = list(choices or ())
    last = next((answers[-1] for answers in reversed(said) if answers), own)
    if not last or not last.strip():
        result = _restated(steps) if final and final[-1] else None
        last = str(result) if result is not None else _only_option(steps, question, options)
    if last is None:
        return None
    meant = options_meant(last, options)
    matcher = AnswerMatcher(meant[:1] or [_number_of(last)], question, options if meant else None)
    begin = 0
    for index, answers in enumerate(said):
        others = [not matcher.is_answer(answer) for answer in answers]
        if any(others):
            begin = index + others[-1]
    return next(
        (index for index in range(begin, len(steps)) if matcher.states(steps[index], value_alone=final[index])), None
    )


def said_last(steps: Sequence[str], final: Sequence[bool]) -> str | None:
    """The answer that a chain announces last, as it is written there; where it announces none, the last result that its
    closing sentence says again.

    Args:
        final: for each step whether it only gives an answer (`final_answers`).
    """
    steps, said = _announced_by(steps, final)
    if last := next((answers[-1] for answers in reversed(said) if answers and answers[-1].strip()), None):
        return last
    result = _restated(steps) if final and final[-1] else None
    return None if result is None else _written(result)


def _announced_by(steps: Sequence[str], final: Sequence[bool]) -> tuple[list[str], list[list[str]]]:
    """The steps without the headings over final answers, and what each announces."""
    bare = [without_heading(step) if is_final else step for step, is_final in zip(steps, final, strict=True)]
    return bare, [announcements(step, value_alone=is_final) for step, is_final in zip(bare, final, strict=True)]


def _written(value: Fraction) -> str:
    """12, 12.5 or 1/3."""
    exact = value.denominator
    for prime in (2, 5):
        while exact % prime == 0:
            exact //= prime
    return f"{float(value):.15g}" if exact == 1 else str(value)


def _number_of(answer: str) -> str:
    """The one number of an answer that is a sentence ("Ann sold 72 clips in April and May"); any other as it is."""
    if len(answer) > _LONGEST_SENTENCE or not all(isinstance(gold, TextGold) for gold in read_golds(answer)):
        return answer
    results = set(_results(Text(answer), after_equals=False))
    return str(results.pop()) if len(results) == 1 else answer


def commit_of(steps: Sequence[Step], trace: Trace) -> int | None:
    """`commit_index` of a chain that has been cut into steps."""
    texts, final = [step.text for step in steps], [step.kind == "final_answer" for step in steps]
    return commit_index(texts, final, trace.question, trace.choices, trace.model_answer)


def _only_option(steps: Sequence[str], question: str, options: Sequence[str]) -> str | None:
    """The option that the last step states, where it states one alone."""
    named = [option for option in options if steps and AnswerMatcher([option], question, options).states(steps[-1])]
    return named[0] if len(named) == 1 else None
