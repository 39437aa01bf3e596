"""Reads gold answers as data sets write them: bare, at the end of a worked solution, as a letter or index into options.

Every door reads them here: lm-eval's documents, Inspect's targets, chats and traces.
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..metrics.answers.extraction import announced, gold_from_suffix, last_boxed, resolve_choice

_LAST_LINES = 50  # of a worked solution, in which a line that only announces is looked for
_LONGEST_LABEL = 80
_NO_TEXT = re.compile(r"[-=*_~\s]*")  # a blank line, or a rule below a heading
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=。)")
_LETTERS = re.compile(r"[A-Z](?:\s?(?:(?:,|;|&|/|and)\s?)?[A-Z]){1,25}")

# Where documents of multiple-choice data sets keep their options in one field.
_CHOICE_FIELDS = ("choices", "options", "endings")
# Others give each option a field of its own: "A", "B", …; "opa", "opb", …; "option_0", …; "choice1", …; "Option A", …
_ONE_FIELD_EACH = ("", "option", "opt", "op", "choice", "solution", "sol", "ending", "alternative", "ans", "answer")
_FIELD = re.compile(r"(?P<word>[A-Za-z]*?)(?P<gap>[ _-]?)(?P<place>[A-Z]|[a-z]|\d{1,2})")
_FROM_0, _FROM_1 = [str(i) for i in range(26)], [str(i) for i in range(1, 27)]


def answer_in(target: str) -> str:
    r"""The answer alone, of a target that may be a worked solution.

    "… #### 72", "… \boxed{72}" and a closing "The answer is 72." give "72"; what stands below a line "Answer:" is the
    answer. Any other text is the answer itself, whole: of several lines the last one alone is none, unless it says so.
    """
    text = gold_from_suffix(target) or target.strip()
    if (box := last_boxed(text)) is not None:
        return box
    before, _, tagged = text.rpartition("<answer>")
    if before + tagged != text and (inside := tagged.partition("</answer>")[0].strip()):
        return inside
    lines = [line.strip() for line in text.splitlines() if not _NO_TEXT.fullmatch(line)]
    if len(lines) < 2:
        return announced(text) or _said(text) or text
    if said := _said(lines[-1]):
        return said
    for index in range(len(lines) - 2, max(-1, len(lines) - _LAST_LINES), -1):
        if len(lines[index]) <= _LONGEST_LABEL and announced(lines[index]) == "":
            return "\n".join(lines[index + 1 :])
    return text


def _said(line: str) -> str | None:
    """What a line, or its last sentence, announces in words; a number or letter that merely stands there is not it."""
    for part in dict.fromkeys((line, _SENTENCE_END.split(line)[-1])):
        answer = announced(part)
        if answer and _bare(answer) != _bare(part):
            return answer
    return None


def _bare(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def gold_answers(
    values: Iterable[Any],
    options: Sequence[str] | None = None,
    labels: Sequence[Any] | None = None,
    *,
    by_letter: bool = False,
) -> list[str]:
    """The accepted answers, in the order given and each once; what is empty is left out.

    Args:
        values: texts, numbers, and with options indices (from 0), letters ("B", "AC", "A, C") or options' texts.
        options: the options' texts of a multiple-choice question; each answer is then one of them.
        labels: the options' own labels, where the data set has some.
        by_letter: a letter names the option in that place even where options are letters themselves.

    Raises:
        ValueError: a value that is none of the options; says what was given and what the options are.
    """
    given = [value for value in values if value is not None and str(value).strip() and value == value]  # nan is neither
    if not options:
        return list(dict.fromkeys(answer_in(_written(value)) for value in given))
    return list(dict.fromkeys(option for value in given for option in _chosen(value, options, labels, by_letter)))


def _written(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _chosen(value: Any, options: Sequence[str], labels: Sequence[Any] | None, by_letter: bool) -> list[str]:
    if not isinstance(value, str):
        whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
        index: Any = int(value) if whole else value
        return [resolve_choice(index, options)]
    text = value.strip()
    if labels and text in (known := [str(label) for label in labels]):
        return [options[known.index(text)]]
    letters = string.ascii_uppercase[: len(options)]
    if by_letter and len(text) == 1 and text in letters:
        return [options[letters.index(text)]]
    for read in dict.fromkeys((value, answer_in(value))):
        try:
            return [resolve_choice(read, options)]
        except ValueError:
            continue
    named = re.sub(r"and|\W", "", text) if _LETTERS.fullmatch(text) else ""
    if named and set(named) <= set(letters) and len(set(named)) == len(named):
        return [options[letters.index(letter)] for letter in named]
    return [resolve_choice(value, options)]


def field_options(doc: Mapping[str, Any]) -> tuple[list[str] | None, list[Any] | None]:
    """The options that a document holds, and the labels that it gives them; None for what it has not.

    They stand in one field (`choices`, `options`, `endings`: a list of texts or of objects with `text`, or texts by
    label), or in a field each (`A`, `B`, …; `opa`, …; `option_0`, …; `choice1`, …; `Option A`, …).
    """
    for name in _CHOICE_FIELDS:
        if (found := _in_one_field(doc.get(name))) is not None:
            return found
    families: dict[tuple[str, str], dict[str, str]] = {}
    for name, value in doc.items():
        field = _FIELD.fullmatch(name) if isinstance(name, str) and len(name) < 20 else None
        if field and (text := _option_text(value)):
            families.setdefault((field["word"].casefold(), field["gap"]), {})[field["place"]] = text
    for word in _ONE_FIELD_EACH:
        for (family, _), members in families.items():
            if family == word and (places := _in_order(members, _orders(word))):
                texts = [members[place] for place in places]
                # WinoGrande's "1" is `option1`, unless it is what an option says.
                numbered = places[0].isdigit() and not set(places) & set(texts)
                return texts, places if numbered else None
    return None, None


def _orders(word: str) -> Sequence[Sequence[str]]:
    """How the fields of a family may be told apart."""
    if not word:
        return (string.ascii_uppercase,)  # `a` and `b` may be numbers of the question
    letters = (string.ascii_uppercase, string.ascii_lowercase)
    return letters if word == "answer" else (*letters, _FROM_0, _FROM_1)  # `answer1` is an accepted answer


def _in_order(members: Mapping[str, str], orders: Sequence[Sequence[str]]) -> list[str] | None:
    for order in orders:
        places = list(itertools.takewhile(members.__contains__, order))
        if len(places) > 1:
            return places
    return None


def _in_one_field(value: Any) -> tuple[list[str], list[Any] | None] | None:
    labels: list[Any] | None = None
    if isinstance(value, Mapping):
        if "text" in value:  # ARC: {"text": [...], "label": [...]}
            labels = list(value.get("label") or ()) or None
            value = value["text"]
        else:  # MedQA: {"A": ..., "B": ...}
            labels, value = list(value), list(value.values())
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) and "text" in one for one in value):
        labels = [one.get("label", one.get("key", one.get("id"))) for one in value]
        value = [one["text"] for one in value]
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) < 2:
        return None
    texts = [_option_text(one) for one in value]
    return ([text for text in texts if text], labels) if all(texts) else None


def _option_text(value: Any) -> str:
    return _written(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
