r"""Finds the option, or yes, no or maybe, with which a chain of thought ends, for `flexible-extract`.

The last announcement of an answer counts ("Answer: B", "the answer is (B)", "\boxed{B}", "#### B",
"<answer>B</answer>", "option B is correct"), or else a last line that is only an answer. A letter that merely occurs
somewhere does not count, so neither the article "A" nor an option that the chain rules out is taken for an answer. An
announcement of two options is not an answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_TAIL = 20_000  # number of characters read from the end
_MARKUP = re.compile(r"\*\*|__|`|\$|\\[()\[\],;! ]|\\(?:text|textbf|mathrm|mathbf|bf|rm)\b")
_CUE = re.compile(
    r"\b(?:answer|option|choice)(?:\s(?:to|for|of)\s[^.:\n]{1,80}?)?"
    r"(?:\s{1,3}(?:is|would be|should be|must be)\b|\s{0,3}[:=]|\s[-–—]\s)(?:\s{0,3}:)?"
    r"|\\boxed(?=\{)|^[ \t]{0,8}####|<answer>",
    re.IGNORECASE | re.MULTILINE,
)
# Text allowed between a cue and the answer: "most likely", "the", "option", brackets, quotes, a line break.
_LEAD = re.compile(
    r"[\s*\"'“{:]{0,8}"
    r"(?:(?:therefore|thus|clearly|likely|probably|most likely|indeed|the|option|choice|letter)\b\s{0,3}){0,3}"
    r"[\s*\"'“{]{0,8}",
    re.IGNORECASE,
)
_LETTER = re.compile(r"(?P<open>[(\[{])?\s?(?P<letter>[A-Za-z])(?![\w'’])(?:\s?(?P<close>[)\]}]))?")
# "B and C", "A or B.": two options, unless a sentence about the second one follows.
_ANOTHER = re.compile(r"\s{0,2}(?:and|or|&|/|,)\s{0,2}(?:option |choice )?[(\[]?[A-J][)\]]?\s{0,3}(?:[.;\n]|$)")
_ENDS = re.compile(r"[\s*\"'”]{0,4}(?:$|[\n.,:;!?)\]}<–—]|-\s)")
_GOES_ON = re.compile(r"\s{1,2}(?:because|since|as|which|based|due|given|and not|not|rather|with|for|from|\()(?!\w)")
_REVERSED = re.compile(
    r"(?:\b(?:option|choice|answer)\s)?(?P<open>[(\[])?\b(?P<letter>[A-J])[)\]]?(?:[.:)]\s[^.\n]{1,200}?)?\s"
    r"(?:is|would be|must be)\s(?:therefore |thus |clearly |indeed )?(?:the )?(?:most |single |only )?"
    r"(?:correct|best|right|likely|appropriate)\b",
)
_ONLY_LETTER = re.compile(r"[\W_]{0,6}(?P<letter>[A-J])[\W_]{0,6}")
_LETTER_AND_TEXT = re.compile(r"[\s*(\[]{0,4}(?P<letter>[A-J])[).:\]]{1,2}\s(?P<text>.{1,500})")
_DECISION = re.compile(r"(?:\(?[A-C][).:]\s?)?(?P<decision>yes|no|maybe)\b", re.IGNORECASE)
_ONLY_DECISION = re.compile(r"[\W_]{0,6}(?P<decision>yes|no|maybe)[\W_]{0,6}", re.IGNORECASE)
_FIRST_DECISION = re.compile(r"[\W_]{0,6}(?P<decision>yes|no|maybe)[.,:;!\n–—]", re.IGNORECASE)


def stated_letter(response: str, options: Sequence[str]) -> str | None:
    """The letter of the option that a response announces, by letter or by the option's text; None if it announces none.

    Args:
        options: the options' texts, in the order of their letters.
    """
    text = _visible(response)
    for position in _cues(text):
        found = _option_at(text, position, options)
        if found is not None:
            return found or None
    allowed = _letters(options)
    for match in reversed(list(_REVERSED.finditer(text))):
        if match["letter"] in allowed and not _is_article(match):
            return match["letter"]
    return _letter_line(text.rstrip().rpartition("\n")[2].strip(), options)


def stated_decision(response: str) -> str | None:
    """The decision (yes, no or maybe) that a response announces, ends with or begins with; None if there is none."""
    text = _visible(response)
    for position in _cues(text):
        match = _DECISION.match(text, _LEAD.match(text, position).end())  # type: ignore[union-attr]
        if match and (_ENDS.match(text, match.end()) or _GOES_ON.match(text, match.end())):
            return match["decision"].lower()
    last = _ONLY_DECISION.fullmatch(text.rstrip().rpartition("\n")[2].strip())
    match = last or _FIRST_DECISION.match(text.lstrip())
    return match["decision"].lower() if match else None


def _visible(response: str) -> str:
    """The end of the response without Markdown and without text in thinking tags."""
    text = response[-_TAIL:]
    thought, tag, after = text.rpartition("</think>")
    text = after if tag and after.strip() else thought or text
    return _MARKUP.sub("", text)


def _cues(text: str) -> list[int]:
    """The positions where announcement cues end, last one first."""
    return [match.end() for match in _CUE.finditer(text)][::-1]


def _option_at(text: str, position: int, options: Sequence[str]) -> str | None:
    """The option announced at this position; "" for two at once; None if no option is meant."""
    position = _LEAD.match(text, position).end()  # type: ignore[union-attr]  # matches everywhere
    allowed = _letters(options)
    rest = text[position : position + 600]
    spelled = _spelled(rest, options)  # before letters: "E. coli" is not option E
    if spelled is not None:
        return spelled
    match = _LETTER.match(rest)
    if match is None:
        return None
    letter, bracketed = match["letter"], bool(match["open"] and match["close"])
    after = rest[match.end() :]
    closed = bracketed or match["close"] or _ENDS.match(after)
    if letter.upper() not in allowed or (letter.islower() and not (bracketed or _ENDS.match(after))):
        return None
    if not closed and not _GOES_ON.match(after) and _spelled(after.lstrip(), options) != letter.upper():
        return None
    return "" if _ANOTHER.match(after) else letter.upper()


def _letters(options: Sequence[str]) -> str:
    return "ABCDEFGHIJ"[: len(options)]


def _spelled(text: str, options: Sequence[str]) -> str | None:
    """The letter of the longest option that the text begins with, if that option is longer than one letter."""
    folded = text.casefold()
    best: tuple[int, str] | None = None
    for letter, option in zip("ABCDEFGHIJ", options, strict=False):
        wanted = option.strip().rstrip(".").casefold()
        if len(wanted) > 1 and folded.startswith(wanted) and not folded[len(wanted) : len(wanted) + 1].isalnum():
            best = max(best or (0, ""), (len(wanted), letter), key=lambda found: found[0])
    return best[1] if best else None


def _is_article(match: re.Match[str]) -> bool:
    """Whether "A" or "I" is a word, not a letter: it comes first, without brackets or "option" ("A is the …")."""
    return match["letter"] in "AI" and not match["open"] and match.group()[0] in "AI" and "." not in match.group()[:3]


def _letter_line(line: str, options: Sequence[str]) -> str | None:
    match = _ONLY_LETTER.fullmatch(line) or _LETTER_AND_TEXT.fullmatch(line)
    if match is None or match["letter"] not in _letters(options):
        return _spelled(line, options) if len(line) < 300 and _is_whole(line, options) else None
    text = match.groupdict().get("text")
    if text is None or _spelled(text, options) == match["letter"]:
        return match["letter"]
    return None


def _is_whole(line: str, options: Sequence[str]) -> bool:
    folded = line.strip().rstrip(".").casefold()
    return any(folded == option.strip().rstrip(".").casefold() for option in options)
