"""Whether a response answers, abstains, or leaves that open: read from its words by rule.

A chain that says "it cannot be determined" on its way and then answers has answered. Choosing an option such as "Cannot
be determined" is an answer. The words stand in `abstention_words`; all patterns are bounded, and only a response's
beginning and end are searched, so the cost is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .abstention_words import ABOUT_THE_ANSWER, GIVES_NONE, HINTS, NO_VALUE, NOT_LATIN, REFUSES
from .announcing import announcements, closing_letter
from .endings import ends_mid_sentence
from .own_option import option_named

Outcome = Literal["answered", "abstained", "undetermined"]
_TAIL = 6_000  # characters of the end in which announcements are read
_CLOSING = 900  # characters of the end in which an abstention is looked for …
_CLOSING_SENTENCES = 3  # … and how many of its sentences
_OPENING = 300  # characters of the beginning in which a refusal is
_MAX_OPTION = 80  # characters; a longer option says more than that there is no answer
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)|(?<=[。！？।])|\n+")
_NONE = re.compile(r"\W{0,4}(?:none|neither)(?:\W{0,4}$| of (?:the|these|those|them)\b)", re.IGNORECASE)
# "… but the closest one is (I)"
_SETTLES = re.compile(r"\b(?:closest|nearest|choose|pick|guess|go with)\b[^.\n]{0,60}?(?:\([A-J]\)|\b[B-HJ]\b)")
_OPTION = re.compile(r"[*_(\[]{0,3}([A-J])[)\].:]{1,2}[*_]{0,2}\s+\S")
_LISTED = re.compile(r"(?<!\w)([A-J])(?:[)\].:]|(?=\W{0,3}$))")
_GOES_ON = re.compile(r"[.!?。！？।]\s+\w")
_MARKS = " \t\n\r.。*_$`\"')]}"
_APOSTROPHES = str.maketrans("’‘ʼ`", "''''")


@dataclass(frozen=True)
class Stance:
    """What a response does; `why` says why it is undetermined."""

    outcome: Outcome
    why: str = ""


ANSWERED, ABSTAINED = Stance("answered"), Stance("abstained")
EMPTY = Stance("undetermined", "the response is empty")
CUT_OFF = Stance("undetermined", "the response was cut off before an answer")
NO_OPTION = Stance("undetermined", "the response names none of the options and does not abstain")


def stance(
    response: str,
    choices: Sequence[str] | None = None,
    *,
    model_answer: str | None = None,
    truncated: bool | None = None,
) -> Stance:
    """Read a response, without thinking that a user does not see.

    Args:
        choices: the options of a multiple-choice question.
        model_answer: what the framework read as its answer, if anything.
        truncated: whether a limit cut it off; None: not known, its end tells.
    """
    text = response.strip()
    if not text:
        return EMPTY
    said = announcements(text[-_TAIL:])
    own = [one for one in said if not _is_none(one, choices)]
    if said and not own:
        return ABSTAINED
    cut = bool(truncated) or (truncated is None and ends_mid_sentence(text[-_TAIL:]))
    closing = _closing(text)
    for pattern in (ABOUT_THE_ANSWER, GIVES_NONE):
        if own and pattern is GIVES_NONE:
            return ANSWERED
        behind = _behind(pattern, closing)
        if behind is None:
            continue
        if _answers(behind, choices) or _closes_with_option(closing, choices):
            return ANSWERED
        # "This is none of the options. So we must have" has not given up.
        return CUT_OFF if cut and _GOES_ON.search(behind) else ABSTAINED
    if _behind(REFUSES, text[:_OPENING]) is not None or _behind(REFUSES, closing) is not None:
        return ABSTAINED
    if model_answer and not _is_none(model_answer, choices) and _given(model_answer.strip(), text, cut):
        return ANSWERED
    if closing_letter(text[-_CLOSING:].rpartition("\n")[2]) or (choices and _is_option(text, len(choices))):
        return ANSWERED
    if cut:
        return CUT_OFF
    return NO_OPTION if choices else ANSWERED


def _is_option(text: str, count: int) -> bool:
    """Whether a short response is an option with its letter: "B) the left ventricle", and lists no other."""
    found = _OPTION.match(text)
    if found is None or len(text) > _OPENING or ord(found[1]) - ord("A") >= count:
        return False
    return {one[1] for one in _LISTED.finditer(text)} == {found[1]}


def _given(answer: str, text: str, cut: bool) -> bool:
    """Whether the text gives what the framework read as its answer.

    Where it reads none, MMLU-Pro's script draws a letter; others take the last number of an unfinished computation.
    """
    if cut:
        return text.rstrip(_MARKS).endswith(answer)
    return len(answer) != 1 or re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text[-_TAIL:]) is not None


def abstains(text: str) -> bool:
    """Whether a short text, such as an option or an announced answer, says that there is no answer."""
    folded = _fold(text[: _MAX_OPTION + 1])
    if len(text) > _MAX_OPTION:
        return False
    return bool(NO_VALUE.fullmatch(folded)) or any(
        pattern.search(folded) for pattern in (ABOUT_THE_ANSWER, GIVES_NONE) if _hinted(folded)
    )


def _is_none(answer: str, choices: Sequence[str] | None) -> bool:
    """Whether an announced answer abstains and is no option."""
    if not abstains(answer) and not (choices and _NONE.match(answer)):
        return False
    return not (choices and option_named(answer, choices) is not None)


def _answers(behind: str, choices: Sequence[str] | None) -> bool:
    """Whether what follows an abstention answers all the same."""
    if any(not _is_none(one, choices) for one in announcements(behind)):
        return True
    return closing_letter(behind) is not None or _SETTLES.search(behind) is not None


def _closes_with_option(closing: str, choices: Sequence[str] | None) -> bool:
    """Whether the last sentences hold an option that itself says that there is no answer."""
    folded = _fold(closing)
    return any(abstains(one) and _fold(one.strip().rstrip(".")) in folded for one in choices or ())


def _closing(text: str) -> str:
    """The last sentences."""
    parts = [part for part in _SENTENCE.split(text[-_CLOSING:]) if part and part.strip()]
    return "\n".join(parts[-_CLOSING_SENTENCES:])


def _behind(pattern: re.Pattern[str], text: str) -> str | None:
    """What stands behind the last match; None without one."""
    folded = _fold(text)
    if not _hinted(folded):
        return None
    last = None
    for match in pattern.finditer(folded):
        last = match
    # A few capitals are longer in lower case; then what stands behind is read in lower case, too.
    return None if last is None else (text if len(text) == len(folded) else folded)[last.end() :]


def _hinted(folded: str) -> bool:
    return any(hint in folded for hint in HINTS) or NOT_LATIN.search(folded) is not None


def _fold(text: str) -> str:
    return text.translate(_APOSTROPHES).lower()
