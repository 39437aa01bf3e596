"""Decides whether a step states the gold answer: by announcing it, or by writing down what the question does not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .announcing import announcements, letter_of
from .golds import FormulaGold, Gold, Text, TextGold, any_letter, is_letter, read_golds, short_gold
from .option_list import without_letters, without_option_list
from .vocabulary import REJECTS

_LIST_LABEL = re.compile(r"\s{0,8}(?:[-*•#>]{1,6}\s{1,4})?(?:\*\*)?\d{1,3}[.)](?:\*\*)?\s{1,4}(?=[^\W\d]|[\\$*])")
# What an announced option may begin with: its article, its letter.
_OPTION_LABEL = re.compile(
    r"\W{0,3}(?:(?:the|an?)\s)?(?:option\s|choice\s)?(?:[(\[]?[A-Za-z][)\].:]{1,2}\s)?", re.IGNORECASE
)


def states_answer(step_text: str, answers: Sequence[str], question: str, choices: Sequence[str] | None = None) -> bool:
    r"""Whether the step announces one of the gold answers, or writes it down and the question does not.

    An announcement ("the answer is 4", `\boxed{4}`, "#### 4", "ANSWER: basket") counts whatever the question holds; a
    bare mention only of what the question does not hold, and only as a result: not as a factor, an end of a range or
    a known conversion on the way ("7 days a week").

    Numbers are compared by value as people write them (`numbers`), whole: 72 is not in 720, 7.2, 1/72, x_{72}, 72x or
    "Step 72:". Texts match as a run of whole words; case, punctuation, LaTeX wrappers and plurals aside. A single
    letter, "yes" or "no" counts only where it is announced or named ("(B)", "option B", "the answer is no"). A formula
    is also stated by an equal one (`formulas`), a list of numbers by the same ones in any order.

    Where the gold answer is one of `choices`, naming its letter states it, too; the option list does not count as part
    of the question; and a step that names other options beside it, or says that one is wrong, discusses them: there it
    must be announced.
    """
    return AnswerMatcher(answers, question, choices).states(step_text)


class AnswerMatcher:
    """`states_answer` for many steps of one chain: gold answers, options and question are read once."""

    def __init__(self, answers: Sequence[str], question: str, choices: Sequence[str] | None = None) -> None:
        asked = Text(question)
        options = list(choices or ())
        listed = [answer for answer in answers if answer in options]
        self._golds = [gold for answer in answers if answer not in options for gold in read_golds(answer)]
        self._new = [gold for gold in self._golds if not gold.occurs(asked, in_question=True)]
        self._options = None
        if listed:
            self._options = _Options(options, listed, Text(without_option_list(question, without_letters(options))))

    def states(self, step_text: str, *, value_alone: bool = True) -> bool:
        """Whether a step states a gold answer.

        Args:
            value_alone: whether a step that is a value and nothing else announces it. In the middle of a chain it does
                not: there it is data, or a heading.
        """
        if not self._golds and self._options is None:
            return False
        said = [Text(answer) for answer in announcements(step_text, value_alone=value_alone)]
        if any(self._said(answer) for answer in said):
            return True
        label = _LIST_LABEL.match(step_text)
        step = Text(step_text[label.end() :] if label else step_text)
        if any(gold.occurs(step, in_question=False) for gold in self._new):
            return True
        return self._options is not None and self._options.stated(step, said)

    def is_answer(self, answer: str) -> bool:
        """Whether an answer that was announced is a gold one."""
        return self._said(Text(answer))

    def _said(self, answer: Text) -> bool:
        if any(gold.said(answer) for gold in self._golds):
            return True
        return self._options is not None and self._options.said(answer) is True


class Meanings:
    """What an announced answer means among options.

    Args:
        read: what each option may mean.
        by_letter: whether a letter is the option at that place.
    """

    def __init__(self, read: Sequence[Sequence[Gold]], by_letter: bool) -> None:
        self._read = [(one, i) for i, ones in enumerate(read) for one in ones]
        self._count = len(read)
        self._by_letter = by_letter

    def of(self, answer: Text) -> list[int] | None:
        """Indices of the options that an answer means; None where it is no option at all."""
        letter = letter_of(answer.raw) if self._by_letter else None
        if letter and ord(letter) - ord("A") < self._count:
            own = f"\x1f{letter.lower()}\x1f"  # "E. coli" is the option of that name
            read = [(one, i) for one, i in self._read if isinstance(one, TextGold) and one.joined.startswith(own)]
            return [i for one, i in read if _begins_with(one, answer)] or [ord(letter) - ord("A")]
        text = Text(answer.raw[_OPTION_LABEL.match(answer.raw).end() :])  # type: ignore[union-attr]  # matches everywhere
        spelled = [(_length(one), i) for one, i in self._read if _begins_with(one, text)]
        if spelled:  # the longest: hepatitis B, not hepatitis
            longest = max(length for length, _ in spelled)
            return [i for length, i in spelled if length == longest]
        return None


def options_meant(answer: str, options: Sequence[str]) -> list[str]:
    """The options, in their order, that an announced answer is."""
    read, by_letter = _read_options(options)
    found = Meanings(read, by_letter).of(Text(answer)) or ()
    meant = {options[i] for i in found}
    return [option for option in options if option in meant]


def _read_options(options: Sequence[str]) -> tuple[list[list[Gold]], bool]:
    read = [read_golds(option) for option in without_letters(options)]
    # Options that are letters themselves are meant by their texts; a single "e" among numbers is none of these.
    return read, 2 * sum(is_letter(option) for option in options) < len(options)


class _Options:
    """The gold options among all: named by letter or text, or announced."""

    def __init__(self, options: Sequence[str], golds: Sequence[str], asked: Text) -> None:
        is_gold = [option in golds for option in options]
        read, by_letter = _read_options(options)
        letters = [short_gold(chr(ord("a") + i)) if by_letter and i < 26 else None for i in range(len(options))]
        self._is_gold = is_gold
        self._meanings = Meanings(read, by_letter)
        named = "".join(letter.word for letter in letters if letter)
        self._any_letter = any_letter(named) if named else None
        self._letters = [letter for letter, gold in zip(letters, is_gold, strict=True) if letter and gold]
        self._other_letters = [letter for letter, gold in zip(letters, is_gold, strict=True) if letter and not gold]
        pairs = [(one, gold) for ones, gold in zip(read, is_gold, strict=True) for one in ones]
        self._golds = [one for one, gold in pairs if gold and not one.occurs(asked, in_question=True)]
        self._others = [one for one, gold in pairs if not gold]

    def said(self, answer: Text) -> bool | None:
        """Whether an announced answer is a gold option; None where it is no option at all."""
        found = self._meanings.of(answer)
        return None if found is None else any(self._is_gold[i] for i in found)

    def stated(self, step: Text, said: Sequence[Text]) -> bool:
        """Whether the step names a gold option; what it announces was looked at before."""
        if any(self.said(answer) is False for answer in said):
            return False
        if REJECTS.search(step.raw):
            return False
        if self._any_letter and self._any_letter.search(step.plain):  # most steps name none
            if any(letter.occurs(step, in_question=False) for letter in self._other_letters):
                return False
            if any(letter.occurs(step, in_question=False) for letter in self._letters):
                return True
        return any(gold.occurs(step, in_question=False) for gold in self._golds) and not self._discussed(step)

    def _discussed(self, step: Text) -> bool:
        """Whether the text of another option occurs, other than as a part of the gold one."""
        golds = [gold for gold in self._golds if isinstance(gold, TextGold) and gold.words_only]
        if not golds:
            return False  # numbers and formulas of a computation name no option
        words = step.joined(words_only=True)
        others = [one for one in self._others if isinstance(one, TextGold)]
        longer = [one.joined for one in others if any(gold.joined in one.joined for gold in golds)]
        if any(one in words for one in longer):
            return True
        for gold in golds:
            words = words.replace(gold.joined, "\x1f\x1e\x1f")
        return any(one.joined in words for one in others)


def _begins_with(gold: Gold, answer: Text) -> bool:
    if isinstance(gold, TextGold):
        return answer.joined(gold.words_only).startswith(gold.joined)
    return gold.said(answer)


def _length(gold: Gold) -> int:
    return len(gold.joined) if isinstance(gold, TextGold | FormulaGold) else 0
