"""Reads answers from text: which steps merely announce one, what a response's own answer is, which option is meant.

All patterns are bounded, so the cost is linear in the text whatever a model wrote. Whether a step holds the *gold*
answer is decided in `matching`.
"""

from __future__ import annotations

import operator
import re
from collections import deque
from collections.abc import Sequence
from typing import SupportsIndex

from .matching import AnswerMatcher, states_answer

__all__ = [
    "AnswerMatcher",
    "announced",
    "extract_answer",
    "gold_from_suffix",
    "is_final_answer",
    "last_boxed",
    "resolve_choice",
    "states_answer",
]

_MAX_STEP = 600  # characters; a longer step says more than an answer
_MAX_WORDS, _MAX_OPTION_WORDS = 20, 45
_MAX_BOXED = 2_000
_BOX = "\ue000"  # stands for \boxed{…} while a step is read

_BOXED = re.compile(r"\\(?:boxed|fbox)\s{0,4}(?=\{)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_ADJECTIVES = (
    r"(?:(?:final|correct|best|right|only|single|likely|most|appropriate|suitable|accurate|probable|required|desired|"
    r"numerical|closest|overall)\s+){0,4}"
)
_NOUN = r"(?:answer|solution|choice|option|ans)(?:\s(?:choice|option|letter|value))?"
_OF = r"(?:\s(?:to|for|of|among|from)\s[^:.=]{1,60}?)?"
_SAYS = r"(?:\s?(?:is|are|was|lies|would be|should be|must be|will be|equals|=|≈)(?![a-z])\s?[:：]?|\s?[:：])"
_ANNOUNCE = re.compile(
    "|".join(
        (
            rf"(?:(?:the|my|our|your|this|a)\s)?{_ADJECTIVES}{_NOUN}(?:\s(?:therefore|thus|then|hence|here))?{_OF}"
            rf"(?:{_SAYS}|\s?$|\s(?={_BOX}))",
            r"(?:i|we)(?:'d|\swould|\swill|\sshould)?\s(?:choose|pick|select|go with|answer)(?:\swith)?\s",
            r"(?:最终|最後|正确|正確){0,2}的?(?:答案|选项|選項|答)(?:应该|應該)?(?:是|为|為|[:：])\s?[:：]?",
            r"故?[选選][择擇]?\s?[:：]?(?=\s?[（(]?[A-J])",
            r"(?:la\s|el\s|a\s)?(?:respuesta|réponse|risposta|resposta)(?:\s(?:correcta|correcte|correct|finale?|corretta))?"
            r"\s?(?:es|est|è|é|[:：])(?!\w)\s?[:：]?",
            r"(?:die\s)?(?:richtige\s|endgültige\s)?antwort\s?(?:ist|lautet|[:：])(?!\w)\s?[:：]?",
            r"(?:правильный\s|окончательный\s)?ответ\s?[:：—-]\s?",
            r"(?:答え|解答)\s?[はが:：]|(?:정답|답)\s?[은는:：]",
            r"คำตอบคือ|(?:सही\s)?उत्तर\s?[:：]?|الإجابة\s(?:الصحيحة\s)?هي",
        )
    ),
    re.IGNORECASE,
)
_A_LABEL = re.compile(r"(?:A|Ans)\s?[:：]\s?", re.IGNORECASE)
_CONNECTIVE = re.compile(
    r"(?:so|therefore|thus|hence|then|finally|in conclusion|to conclude|in summary|consequently|accordingly|overall|"
    r"as a result|based on (?:this|these|the)[^,.:]{0,60},|and|now|conclusion|it follows that|"
    r"we (?:can )?(?:conclude|get|find|have|see) that|"
    r"因此|所以|故|综上|∴)(?![a-z])\s?[,:：，]?\s?",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"(?:therefore|thus|hence|then|simply|just|clearly|approximately|about|exactly|indeed|actually|most likely|"
    r"probably|equal to|=|≈|as follows|(?:option|choice|answer|letter)(?:\s(?=[(A-J\d])|_)|[:：])\s?",
    re.IGNORECASE,
)
_REVERSED = re.compile(
    rf"(.{{1,120}}?)\s(?:is|are)\s(?:(?:the|our|my)\s)?(?:{_ADJECTIVES}{_NOUN}|correct|the correct one){_OF}$",
    re.IGNORECASE,
)
_NUMBER = r"[-+−~≈]?\s?(?:US)?[$€£¥₹]?\s?[-−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:\s?/\s?\d+)?(?:\.(?!\d))?\s?[%°]?"
_OPTION = r"(?:(?:option|choice|answer)(?:\s|_))?[(\[]?(?-i:[A-J])[)\]]?"
_BARE = re.compile(rf"[\"'“”]?(?:{_NUMBER}|(?:[a-zA-Z]\s?=\s?)?{_BOX}|{_OPTION})[\"'“”]?", re.IGNORECASE)
_VALUE = re.compile(
    rf"(?:{_NUMBER}(?:\s?[^\W\d_]{{1,20}}\.?){{0,4}}|{_BOX}|[(\[]?[A-J][)\]]?|yes|no|maybe)", re.IGNORECASE
)
_LETTERED = re.compile(r"[(\[]?[A-J][)\]]?(?:[.:,)\s]|$)")
_DERIVES = re.compile(
    r"\b(?:because|since|therefore|thus|hence|however|so that|which|given that|as (?:it|the|this|they|we)|if)\b"
    r"|,\sso\b|因为|所以",
    re.IGNORECASE,
)
_NOT_AN_ANSWER = re.compile(
    r"(?:not|n't|in|found|obtained|given|correct|incorrect|wrong|right|clear|obvious|that|to be|calculated|based|"
    r"derived|supported)(?!\w)",
    re.IGNORECASE,
)
_EQUATION = re.compile(
    r"\\frac[^=]{0,80}=|[\d)}](?:\s|\\[,;])?(?:[-+*/×÷·^x]|\\times|\\cdot|\\div)[^=]{0,80}=|=[^=]*=|<<"
)
_BOILERPLATE = re.compile(r"\s?I hope (?:it|this) is (?:correct|right|helpful)\.?|[✅✓☑]\ufe0f?", re.IGNORECASE)
_MARKUP = re.compile(
    r"\*\*|__|`|\\\(|\\\)|\\\[|\\\]|\$\$|</?answer>|\\(?:text|textbf|mathrm|mathbf)(?=\{)", re.IGNORECASE
)
_MATH_DOLLAR = re.compile(r"\\?\$(?!\s?[-−]?\d)|(?<=[\d}])\\?\$|\$(?=[^$\n]{1,80}\$)")
_LEAD = re.compile(
    r"\s*(?:>\s?)?(?:#{1,6}\s+)?(?:[-*•]\s+)?(?:(?:step\s?)?\d{1,4}\s?[:.)](?=\s)\s*|step\s\d{1,4}\s?[-–—]\s)?",
    re.IGNORECASE,
)
_GSM8K = re.compile(r"\s*####\s?(?P<answer>\S[^\n]{0,120})\s*$")
_SENTENCE_BREAK = re.compile(r"(?<=[.!?。！？])(?<!\b[A-Ja-j]\.)\s+(?=\S)|\n+|(?<=。)")


def is_final_answer(step_text: str) -> bool:
    r"""Whether a step only announces an answer, whichever it is: "The answer is 72", `\boxed{72}`, "#### 72", "(B)".

    Judged by form: once the announcement and a short answer are taken away, nothing of substance is left. A step that
    also derives ("48+24=72, so the answer is 72") is reasoning. A label alone ("Final answer:") counts.
    """
    return announced(step_text) is not None


def announced(step_text: str) -> str | None:
    """The answer that a final-answer step announces ("" for a label alone); None where the step is anything else."""
    if len(step_text) > _MAX_STEP:
        return None
    suffix = _GSM8K.match(step_text)
    if suffix and (_fullmatch(_VALUE, suffix["answer"]) or "\\boxed" in suffix["answer"]):
        return suffix["answer"].strip()
    text, boxes = _fold_boxes(step_text)
    text = _MATH_DOLLAR.sub("", _MARKUP.sub("", _BOILERPLATE.sub("", text))).replace("\\_", "_")
    lead = _end(_LEAD, text)
    # A bare "5" announces itself; the fifth item of a list, "3. 5", does not.
    bare = not any(char.isdigit() for char in text[:lead])
    text = text[lead:].strip()
    sentences = [" ".join(part.split()) for part in _SENTENCE_BREAK.split(text)]
    found: list[str] = []
    for sentence in filter(None, sentences):
        answer = _read(sentence, bare)
        if answer is None:
            return None
        found.append(answer)
    if not found:
        return None
    last = next((answer for answer in reversed(found) if answer), "")
    for box in boxes:
        last = last.replace(_BOX, box, 1)
    return last


def _read(sentence: str, bare: bool) -> str | None:
    """The answer announced by one sentence, its white space collapsed; None where it says anything else."""
    text = _skip(_CONNECTIVE, sentence, 3)
    label = _A_LABEL.match(text)
    if label and _fullmatch(_VALUE, text[label.end() :]):
        return _tidy(text[label.end() :])
    rest = text
    for _ in range(3):
        match = _ANNOUNCE.match(rest)
        if not match:
            break
        rest = _skip(_FILLER, rest[match.end() :].lstrip(), 3)
    if rest != text:
        said = text[: len(text) - len(rest)].casefold()
        if "solution" in said and ":" not in said and not _is_value(rest):
            return None  # "The solution is increasing": mathematics, not an announcement
        return _short(rest)
    if bare and _fullmatch(_BARE, text):
        return _tidy(text)
    reverse = _REVERSED.match(text.rstrip(" .!"))
    if reverse and _is_value(reverse[1]):
        return _short(reverse[1])
    if _BOX in text and len(text.split()) <= _MAX_WORDS and not re.search(r"\d", text) and not _DERIVES.search(text):
        return _BOX
    return None


def _short(rest: str) -> str | None:
    """`rest` where it is no more than an answer."""
    answer = _tidy(rest)
    if _NOT_AN_ANSWER.match(answer) or _DERIVES.search(answer) or _EQUATION.search(answer):
        return None
    words = answer.split()
    if _LETTERED.match(answer):  # an option's own text may be long
        return answer if len(words) <= _MAX_OPTION_WORDS else None
    return answer if len(words) <= _MAX_WORDS and "but" not in words else None


def _is_value(text: str) -> bool:
    return bool(_fullmatch(_VALUE, text) or _fullmatch(_BARE, text) or _LETTERED.match(text) or _BOX in text)


def _tidy(answer: str) -> str:
    return answer.strip().rstrip(".!。 ").strip("\"'“” ")


def _fullmatch(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.fullmatch(text.strip().rstrip(".!。 ")) is not None


def _skip(pattern: re.Pattern[str], text: str, times: int) -> str:
    for _ in range(times):
        match = pattern.match(text)
        if not match or not match.end():
            break
        text = text[match.end() :]
    return text


def _end(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 0


def _fold_boxes(text: str) -> tuple[str, list[str]]:
    boxes: list[str] = []
    parts: list[str] = []
    position = 0
    for match in _BOXED.finditer(text):
        if match.start() < position:
            continue
        end = _closing_brace(text, match.end())
        if end is None:
            continue
        boxes.append(text[match.end() + 1 : end].strip())
        parts += [text[position : match.start()], _BOX]
        position = end + 1
    return "".join([*parts, text[position:]]), boxes


def _closing_brace(text: str, opening: int) -> int | None:
    depth = 0
    for match in _BRACE.finditer(text, opening, opening + _MAX_BOXED):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0 and match[0] == "}":
            return match.start()
    return None


def gold_from_suffix(text: str) -> str:
    """The answer after the last "####", as GSM8K's solutions end; text without it, stripped."""
    return text.rpartition("####")[2].strip()


def last_boxed(text: str) -> str | None:
    r"""What the last `\boxed{…}` holds, braces balanced; None without one.

    Looks at the last 20, at 2,000 characters of each.
    """
    found = _last_box(text)
    return found[1] if found else None


def _last_box(text: str) -> tuple[int, str] | None:
    for match in reversed(list(_BOXED.finditer(text))[-20:]):
        end = _closing_brace(text, match.end())
        if end is not None:
            return match.start(), text[match.end() + 1 : end].strip()
    return None


_TAIL = 20_000
_CUE = re.compile(
    r"^[ \t]{0,8}####[ \t]*(?P<gsm8k>[^\n]{1,200})"
    r"|^[ \t>*#]{0,8}A:[ \t]*(?P<label>[^\n]{1,200})"
    r"|(?:\banswer|^[ \t>*#]{0,8}solution|correct (?:option|choice))(?:\*\*)?(?:\s(?:to|for|of)\s[^:.\n]{1,60}?)?"
    r"(?:\s(?:is|would be|must be|should be|:)|\s?:)(?!\w)[ \t:*]*(?P<cue>[^\n]{1,200})"
    r"|<answer>(?P<tag>[^<\n]{1,200})</answer>",
    re.IGNORECASE | re.MULTILINE,
)


def extract_answer(response: str) -> str | None:
    r"""The answer a response announces last, for display: `\boxed{…}`, "#### …", "answer is …", "A: …".

    Read from the last 20,000 characters; at most 200 characters long; None where nothing is announced. A letter in
    brackets loses them ("(C)" gives "C").
    """
    tail = response[-_TAIL:]
    box = _last_box(tail)
    cue = next(iter(deque(_CUE.finditer(tail), maxlen=1)), None)
    if box and (cue is None or cue.start() <= box[0]):
        return box[1][:200]
    if cue is None:
        return None
    value = next(group for group in cue.groups() if group is not None)
    value = _SENTENCE_BREAK.split(value.strip())[0].strip(" *_`\"'“”")
    value = _skip(_FILLER, value.rstrip(".!。 "), 3)
    value = re.sub(r"^(?:\$|\\\()\s?(.*?)\s?(?:\$|\\\))$", r"\1", value).strip(" *_`")
    value = re.sub(r"^[(\[]([A-Za-z])[)\]]$", r"\1", value)
    return value or None


_CHOICE = re.compile(
    rf"\W{{0,4}}(?:{_ANNOUNCE.pattern})?\s?(?:option|choice)?[\s_]?[(\[*]{{0,3}}(?P<label>[A-Za-z])[)\]*]{{0,3}}\s?"
    r"(?:[.:)]\s?(?P<text>.*)|[.!]?)$"
    r"|\W{0,2}[(\[](?P<label2>[A-Za-z])[)\]]\s(?P<text2>.*)$",
    re.IGNORECASE | re.DOTALL,
)


def resolve_choice(answer: str | SupportsIndex, choices: Sequence[str]) -> str:
    """The option's text that `answer` names.

    Args:
        answer: a 0-based index, an option's own text, or its letter: "B", "(b)", "B.", "Answer: B", "B) Aspirin".
            Where the options' texts are letters themselves, the text counts, not the position.

    Raises:
        ValueError: no option, or more than one, is meant; the message says what was given and what the options are.
    """
    options = list(choices)
    if isinstance(answer, bool) or not isinstance(answer, (str, SupportsIndex)):
        raise ValueError(_no_choice(answer, options, "expected a letter, an option's text or an index"))
    if not isinstance(answer, str):
        index = operator.index(answer)
        if not 0 <= index < len(options):
            raise ValueError(_no_choice(answer, options, f"expected an index from 0 to {len(options) - 1}"))
        return options[index]
    for key in (str, _fold):
        same = [option for option in options if key(option) == key(answer)]
        if len(set(same)) > 1:
            raise ValueError(_no_choice(answer, options, "more than one option reads so"))
        if same:
            return same[0]
    match = _CHOICE.match(answer[:2_000].strip())
    if match:
        index = ord((match["label"] or match["label2"]).upper()) - ord("A")
        text = match["text"] or match["text2"]
        if index < len(options) and (not text or _fold(text) == _fold(options[index])):
            return options[index]
    raise ValueError(_no_choice(answer, options, "expected a letter or the text of one of them"))


def _fold(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".")


def _no_choice(answer: object, options: Sequence[str], what: str) -> str:
    listed = "; ".join(f"{chr(ord('A') + i)}: {option:.40}" for i, option in enumerate(options[:10]))
    more = f"; and {len(options) - 10} more" if len(options) > 10 else ""
    return f"answer {answer!r:.80} names none of the {len(options)} choices ({what}): {listed}{more}"
