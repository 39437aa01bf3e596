r"""Reads announcements: the answers that a text says are the answer, by words, by `\boxed{…}`, "####" or "ANSWER:".

`announced` reads a step that does nothing else (a final answer), `announcements` any text. Which answer is the gold one
is decided in `matching`. All patterns are bounded, so the cost is linear in the text whatever a model wrote.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice

from ..numbers import DECIMAL, GROUPED
from ..printable import without_controls
from .vocabulary import (
    ADJECTIVES,
    ANNOUNCE,
    ARGUES,
    BOX,
    CONNECTIVE,
    DENIES,
    DERIVES,
    FILLER,
    HINT,
    INTERJECTION,
    NAMED_BY_LETTER,
    NOT_AN_ANSWER,
    NOUN,
    OF,
    PARTICLES,
    REVERSED,
    SUPPOSED,
)

_MAX_STEP = 600  # characters; a longer step says more than an answer
_MAX_WORDS, _MAX_CONCLUSION_WORDS, _MAX_OPTION_WORDS = 20, 60, 45
_MAX_CLOSING_WORDS = 14
_MAX_BOXED = 2_000
# A step is read where it is cut, where its chain's own answer is looked for, and where its own option is.
_KEPT = 4_096
_LONGEST_KEPT = 2_000  # characters
_MOST = 400  # announcements of one text that are read

_BOXED = re.compile(r"\\(?:boxed|fbox)\s{0,4}(?=\{)")
_FOLDED = re.compile(
    rf"{_BOXED.pattern}|<(?:answer|output)>\s{{0,9}}(?P<tagged>[^<>]{{1,200}})</(?:answer|output)>", re.IGNORECASE
)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
# What an instruction has where the answer goes: \boxed{}, "ANSWER: $LETTER", "[your answer]".
_PLACEHOLDER = re.compile(
    r"[\s.…_?$\\(){}\[\]<>*:,'\"]*(?:(?:boxed|fbox|text|mathrm|mathbf|cdots?|[lc]?dots)[\s.…_\\{}]*){0,3}"
    r"(?:(?:your|the|insert|final|correct|numerical|answer|ans|letter|option|choice|number|value|result|here|x{3,})[\s_]?){0,5}"
    r"[\s.…_?$\\(){}\[\]<>*:,'\"]*",
    re.IGNORECASE,
)
_A_LABEL = re.compile(r"(?:A|Ans)\s?[:：]\s?|Ans\.\s?", re.IGNORECASE)
_REVERSED = re.compile(
    rf"(?:(?:the|our|my|this)\s{ADJECTIVES}{NOUN}\s)?(.{{1,120}}?)\s(?:is|are|must be|would be)\s"
    r"(?:(?:therefore|thus|hence|indeed|clearly)\s)?(?:(?:the|our|my)\s)?"
    rf"(?:{ADJECTIVES}{NOUN}|(?:correct|right)(?:\sone)?|best\sone){OF}$",
    re.IGNORECASE,
)
_DIGITS = rf"(?:{GROUPED}|\d{{1,3}}(?:\.\d{{3}})+,\d+|\d+,\d+|\d[\d,٬٫]*(?:\.\d+)?|{DECIMAL})"
_NUMBER = (
    rf"[-+−~≈]?\s?(?:US)?[$€£¥₹]?\s?[-−]?{_DIGITS}(?:\s\d{{3}})*(?:\s\d+/\d+)?(?:\s?/\s?\d+)?"
    r"(?:\.(?!\d))?(?:\s?[%°½¼¾⅓⅔€])?"
)
_OPTION = r"(?:(?:option|choice|answer)(?:\s|_))?[(\[]?(?-i:[A-J])[)\]]?"
_BARE = re.compile(rf"[\"'“”]?(?:{_NUMBER}|(?:[a-zA-Z]\s?=\s?)?{BOX}|{_OPTION})[\"'“”]?", re.IGNORECASE)
_VALUE = re.compile(
    rf"(?:{_NUMBER}(?:\s?[^\W\d_]{{1,20}}\.?){{0,4}}|{BOX}|[(\[]?[A-J][)\]]?|yes|no|maybe)", re.IGNORECASE
)
_YES_OR_NO = re.compile(r"yes|no|maybe|true|false", re.IGNORECASE)
_ASSIGNMENTS = re.compile(
    rf"[a-zA-Z]\s?=\s?{_NUMBER}(?:\s?(?:,|;|or|and){{1,2}}\s?(?:or\s|and\s)?[a-zA-Z]\s?=\s?{_NUMBER}){{0,5}}",
    re.IGNORECASE,
)
_LETTERED = re.compile(r"[(\[]?[A-J][)\]]?(?:[.:,)\s]|$)")
_COMPUTES = re.compile(
    r"\\frac[^=]{0,80}=|[\d)}](?:\s|\\[,;])?(?:[-+*/×÷·^x]|\\times|\\cdot|\\div)[^=]{0,80}=|=[^=]*=|<<"
)
# Between two numbers; "5-7 days" and "1/2" are none.
_OPERATION = re.compile(r"\d\s?[%$]?\s?(?:[+*×÷·^]|\\(?:times|cdot|div)(?![a-zA-Z])|\s[-−–/]\s)\s?[$(]?\d|\d\s?x\s?\d")
_HEADING = re.compile(
    r"(?:(?:final\s)?(?:conclusion|summary|result|fazit|conclusión|conclusão|结论|結論|まとめ|결론))?[\s:：.#*]*", re.I
)
_HEADED = re.compile(r"\s*#{1,6}\s[^\n]{1,200}\n\s*\S")  # "### Multiply 3 by 24", and what stands below
_BOILERPLATE = re.compile(r"\s?I hope (?:it|this) is (?:correct|right|helpful)\.?|[✅✓☑]\ufe0f?", re.IGNORECASE)
_MARKUP = re.compile(
    r"\*\*|__|`|\\\(|\\\)|\\\[|\\\]|\$\$|</?(?:answer|output)>|\\(?:text|textbf|mathrm|mathbf)(?=\{)", re.IGNORECASE
)
_MATH_DOLLAR = re.compile(r"\\?\$(?!\s?[-−]?\d)|(?<=[\d}])\\?\$|\$(?=[^$\n]{1,80}\$)")
_LEAD = re.compile(
    r"\s*(?:>\s?)?(?:#{1,6}\s+)?(?:[-*•]\s+)?(?:(?:step\s?)?\d{1,4}\s?[:.)](?=\s)\s*|step\s\d{1,4}\s?[-–—]\s)?",
    re.IGNORECASE,
)
# Not the letter of a provision: "Section 5(C)", "Rule 801(d)(2)(B)".
_LONE_LETTER = re.compile(
    r"(?<![\w'’&/+.^=)\]-])(?<![\d)\]][(（\[])[(（\[]?([A-J])[)）\]]?(?!(?!['’][dt][ıiuü]r\b)[\w'’&/+^=(-])(?!\.\s?\w)"
)
_HASHES = re.compile(r"^[ \t]{0,8}####\s?(?P<answer>\S[^\n]{0,120})$", re.MULTILINE)
_SENTENCE_BREAK = re.compile(r"(?<=[.!?。！？])(?<!\b[A-Ja-j]\.)(?<!\b[Aa]ns\.)\s+(?=\S)|\n+|(?<=。)(?=.)")
_INSIDE = re.compile(rf"(?<![A-Za-zÀ-ɏͰ-ӿ_-])(?:{ANNOUNCE.pattern})", re.IGNORECASE)
_MARKED = re.compile(
    r"^[ \t]{0,8}(?:(?P<hashes>####)\s?|(?:[>*#][ \t>*#]{0,8})?(?:A|Ans)[:：])[ \t]{0,4}"
    r"(?P<answer>\S[^\n]{0,120})$",
    re.MULTILINE | re.IGNORECASE,
)
# "is therefore 72", "that gives 72": in a sentence that only says a result again these derive nothing.
_ONLY_SAYS = re.compile(r"\b(?:(?:is|are|was|were|be)\s(?:therefore|thus|hence)|gives|yields)\b", re.IGNORECASE)
# "On reflection, the answer is C."
_OPENING = re.compile(r"[^\W\d_][^\d,.:;=?!\n]{1,60},\s", re.IGNORECASE)
# "6, not 5"
_NOT_ANOTHER = re.compile(r",?\s(?:and\snot|rather\sthan|instead\sof)\s|(?:,\s|\s\()not\s", re.IGNORECASE)
_IF = re.compile(r"\b(?:if|unless)\b", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[;\n]|[,，]\s(?!\d)|\s(?:but|and not|rather than)\s|\s[–—]\s|\s\((?!\w\))")


def is_final_answer(step_text: str) -> bool:
    r"""Whether a step only announces an answer, whichever it is: "The answer is 72", `\boxed{72}`, "#### 72", "(B)".

    Judged by form: once the announcement and a short answer are taken away, nothing of substance is left; or the step
    is a conclusion around a box that computes nothing, whatever it restates. A step that also derives ("48+24=72, so
    the answer is 72") is reasoning. A label alone ("Final answer:") counts.
    """
    return announced(step_text) is not None


def announced(step_text: str) -> str | None:
    """The answer that a final-answer step announces ("" for a label alone); None where the step is anything else."""
    found = _announced(step_text)
    return None if found is None else found[0]


def is_bare(step_text: str) -> bool:
    """Whether a step is a value and nothing else ("72", "**Option A**"): at a chain's end its answer, else data."""
    found = _announced(step_text)
    return found is not None and found[1]


def concludes(step_text: str) -> bool:
    """Whether a step is one short sentence that computes and derives nothing, apart from how it begins."""
    text = _skip(CONNECTIVE, _led(step_text), 3)
    return (
        0 < len(step_text.strip()) <= _MAX_STEP
        and not _HEADED.match(step_text)
        and len(text.split()) <= _MAX_CONCLUSION_WORDS
        and len(_SENTENCE_BREAK.split(text)) == 1
        and not _computes(text)
        and not DERIVES.search(_ONLY_SAYS.sub("", text))
        and "?" not in text
    )


def begins_as_conclusion(step_text: str) -> bool:
    """Whether a step begins with "so", "therefore" and the like."""
    return _end(CONNECTIVE, _led(step_text)) > 0


def _led(step_text: str) -> str:
    """A step without its list label and words of agreement, white space collapsed."""
    text = " ".join(_plain(step_text[: _MAX_STEP + 1]).split())
    return _skip(INTERJECTION, text[_end(_LEAD, text) :], 2)


def closing_letter(step_text: str) -> str | None:
    """The one option that a chain's closing sentence names by its letter, whatever its words and language.

    "So B it is.", "Only B fits.", "Ang tamang sagot ay B.": for a sentence that computes and derives nothing, denies
    nothing, and whose letter names no thing of its own ("vitamin B").
    """
    if not concludes(step_text):
        return None
    text = _plain(_LATEX_TEXT.sub("", step_text))
    letters = [match for match in _LONE_LETTER.finditer(text) if not _is_english_word(text, match)]
    if len(letters) != 1 or len(text.split()) > _MAX_CLOSING_WORDS or DENIES.search(text):
        return None
    if any(SUPPOSED.search(text, max(0, match.start() - 40), match.start()) for match in _INSIDE.finditer(text)):
        return None
    return None if NAMED_BY_LETTER.search(text[: letters[0].start()]) else letters[0][1]


def is_closing_word(step_text: str) -> bool:
    """Whether a step is "Yes." or "Therefore, no.": the answer of a chain that ends with it, unless it was asked."""
    return bool(_fullmatch(_YES_OR_NO, _skip(CONNECTIVE, _led(step_text), 3)))


def _is_english_word(text: str, letter: re.Match[str]) -> bool:
    """Whether a lone A or I is the article or the pronoun: where words go on behind it."""
    return letter[0] in ("A", "I") and bool(re.match(r"\s{1,3}\w", text[letter.end() :]))


def _announced(step_text: str) -> tuple[str, bool] | None:
    """The answer, and whether it stands there without any word that announces it."""
    return None if len(step_text) > _MAX_STEP else _announced_by_short(step_text)


@lru_cache(maxsize=_KEPT)
def _announced_by_short(step_text: str) -> tuple[str, bool] | None:
    suffix = _HASHES.fullmatch(step_text.strip("\n"))
    if suffix and (_fullmatch(_VALUE, suffix["answer"]) or "\\boxed" in suffix["answer"]):
        return suffix["answer"].strip(), False
    text, boxes = _fold_boxes(step_text)
    text = _plain(text)
    lead = _end(_LEAD, text)
    # A bare "5" announces itself; the fifth item of a list, "3. 5", does not.
    bare = not any(char.isdigit() for char in text[:lead])
    text = _skip(INTERJECTION, text[lead:].strip(), 2)
    sentences = [" ".join(part.split()) for part in _SENTENCE_BREAK.split(text)]
    found: list[tuple[str, bool]] = []
    for sentence in filter(None, sentences):
        if _HEADING.fullmatch(_skip(CONNECTIVE, sentence, 3)):
            continue
        answer = _read(sentence, bare)
        if answer is None:
            return None
        found.append(answer)
    if not found:
        return None
    last = next((answer for answer, _ in reversed(found) if answer), "")
    return _with_boxes(last, boxes), all(is_bare for _, is_bare in found) and not boxes


def announcements(text: str, *, value_alone: bool = True, labels: bool = True) -> list[str]:
    """All answers that a text announces, each once, in the order in which they come last; of the first 400.

    Args:
        value_alone: whether a text that is a value and nothing else announces it (`is_bare`), and one that names a
            single option (`closing_letter`).
        labels: whether "Answer:" announces what stands behind it; it may be the answer to a sub-question.
    """
    find = _announcements if len(text) <= _LONGEST_KEPT else _announcements.__wrapped__
    return list(find(text, value_alone, labels))


@lru_cache(maxsize=_KEPT)
def _announcements(text: str, value_alone: bool, labels: bool) -> tuple[str, ...]:
    folded, boxes = _fold_boxes(text)
    plain = _plain(folded)
    found: list[tuple[int, str]] = []
    if boxes:
        at = (position for position, char in enumerate(plain) if char == BOX)
        found += zip(at, boxes[:_MOST], strict=False)
    for match in islice(_MARKED.finditer(plain), _MOST):
        answer = match["answer"].strip()
        if BOX not in answer and (match["hashes"] or (labels and _fullmatch(_VALUE, answer))):
            found.append((match.start(), _tidy(answer)))
    if HINT.search(plain):
        for match in islice(_INSIDE.finditer(plain), _MOST):
            if SUPPOSED.search(plain, max(0, match.start() - 40), match.start()):
                continue
            if not labels and match[0].rstrip().endswith((":", "：")):
                continue
            rest = plain[match.end() : match.end() + 240].lstrip()
            said = " ".join(_SENTENCE_BREAK.split(rest, maxsplit=1)[0].split())
            asked = said.endswith(("?", "？")) or ("would" in match[0] and _IF.search(said))
            answer = None if asked else _clause(said, match[0])
            if answer and BOX not in answer:
                found.append((match.start(), answer))
    whole, bare = _announced(text) or ("", False)
    if whole and (value_alone or not bare) and whole not in (answer for _, answer in found):
        found.append((len(plain), whole))
    if not found and value_alone and (letter := closing_letter(text)):
        found.append((0, letter))
    ordered = [answer for _, answer in sorted(found, key=lambda one: one[0]) if not _PLACEHOLDER.fullmatch(answer)]
    return tuple(dict.fromkeys(reversed(ordered)))[::-1]


def _clause(rest: str, said: str) -> str | None:
    """The answer that stands at the beginning of what follows an announcement inside a text."""
    rest = _skip(FILLER, rest, 3)
    ends = DERIVES.search(rest)
    if ends:
        rest = rest[: ends.start()]
    if not re.match(r"[\d$€£¥₹+-]", rest) or "=" not in rest:
        rest = _CLAUSE_END.split(rest, maxsplit=1)[0]
    answer = _tidy(rest)
    if not answer or NOT_AN_ANSWER.match(answer) or ("solution" in said.casefold() and not _is_value(answer)):
        return None
    return answer if len(answer.split()) <= _MAX_OPTION_WORDS else None


def _read(sentence: str, bare: bool) -> tuple[str, bool] | None:
    """The answer announced by one sentence, its white space collapsed; None where it says anything else."""
    text = _skip(CONNECTIVE, sentence, 3)
    opening = _OPENING.match(text)
    if opening and ANNOUNCE.match(text, opening.end()) and not (ARGUES.search(opening[0]) or DENIES.search(opening[0])):
        text = text[opening.end() :]
    label = _A_LABEL.match(text)
    if label and _fullmatch(_VALUE, text[label.end() :]):
        return _tidy(text[label.end() :]), False
    rest = text
    for _ in range(3):
        match = ANNOUNCE.match(rest)
        if not match or not match.end():
            break
        rest = _skip(FILLER, rest[match.end() :].lstrip(), 3)
    if rest != text:
        if sentence.endswith(("?", "？")):
            return None
        said = text[: len(text) - len(rest)].casefold()
        if "solution" in said and ":" not in said and not _is_value(rest):
            return None  # "The solution is increasing": mathematics, not an announcement
        short = _short(rest)
        if short is not None:
            return short, False
    elif bare and _fullmatch(_BARE, text):
        return _tidy(text), BOX not in text
    reverse = _REVERSED.match(text.rstrip(" .!")) or _fullmatch(REVERSED, PARTICLES.sub("", text.rstrip(" .!。")))
    if reverse and _is_value(reverse[1]):
        short = _short(reverse[1])
        return None if short is None else (short, False)
    if BOX in text and len(text.split()) <= _MAX_CONCLUSION_WORDS and not _computes(text) and not ARGUES.search(text):
        return BOX, False
    return None


def _computes(text: str) -> bool:
    return bool(_COMPUTES.search(text) or _OPERATION.search(text))


def _short(rest: str) -> str | None:
    """`rest` where it is no more than an answer."""
    answer = _tidy(rest)
    value = _NOT_ANOTHER.split(answer, maxsplit=1)[0]
    answer = value if _is_value(value) else answer
    if NOT_AN_ANSWER.match(answer) or DERIVES.search(answer):
        return None
    if _COMPUTES.search(answer) and not _fullmatch(_ASSIGNMENTS, answer):  # "x = 2 and x = 3"
        return None
    if answer and _PLACEHOLDER.fullmatch(answer):
        return None
    words = answer.split()
    if _LETTERED.match(answer):  # an option's own text may be long
        return answer if len(words) <= _MAX_OPTION_WORDS else None
    return answer if len(words) <= _MAX_WORDS and "but" not in words else None


def _is_value(text: str) -> bool:
    return bool(_fullmatch(_VALUE, text) or _fullmatch(_BARE, text) or _fullmatch(_ASSIGNMENTS, text)
                or _LETTERED.match(text) or BOX in text)  # fmt: skip


def _tidy(answer: str) -> str:
    answer = PARTICLES.sub("", answer.strip().rstrip(".!。। "))
    return answer.rstrip(".!。। ").strip("\"'“” ")


def _fullmatch(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return pattern.fullmatch(text.strip().rstrip(".!。 "))


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


def _plain(text: str) -> str:
    """A text with its boxes folded, without markup, terminal codes and the dollars of formulas."""
    return _MATH_DOLLAR.sub("", _MARKUP.sub("", _BOILERPLATE.sub("", without_controls(text)))).replace("\\_", "_")


def _with_boxes(answer: str, boxes: list[str]) -> str:
    for box in boxes:
        answer = answer.replace(BOX, box, 1)
    return answer


def _fold_boxes(text: str) -> tuple[str, list[str]]:
    """The text with one character for each box (or answer tag) that holds an answer, and what they hold."""
    boxes: list[str] = []
    parts: list[str] = []
    position = 0
    closing: dict[int, int] | None = None
    for match in _FOLDED.finditer(text):
        if match.start() < position:
            continue
        if match["tagged"] is None:
            closing = _closing_braces(text) if closing is None else closing
            end = closing.get(match.end())
            if end is None or end - match.end() > _MAX_BOXED:
                continue
            inside = text[match.end() + 1 : end].strip()
        else:
            end, inside = match.end() - 1, match["tagged"].strip()
        if not _PLACEHOLDER.fullmatch(inside):
            boxes.append(inside)
            parts += [text[position : match.start()], BOX]
            position = end + 1
    return "".join([*parts, text[position:]]), boxes


def _closing_braces(text: str) -> dict[int, int]:
    """For the position of each opening brace that of the one that closes it."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for match in _BRACE.finditer(text):
        if match[0] == "{":
            opened.append(match.start())
        elif match[0] == "}" and opened:
            closing[opened.pop()] = match.start()
    return closing


def last_boxed(text: str) -> str | None:
    r"""What the last `\boxed{…}` that is not empty holds, braces balanced; None without one.

    Boxes of more than 2,000 characters are left out.
    """
    matches = list(_BOXED.finditer(text))
    closing = _closing_braces(text) if matches else {}
    for match in reversed(matches):
        end = closing.get(match.end(), match.end() + 2 * _MAX_BOXED)
        if end - match.end() <= _MAX_BOXED and not _PLACEHOLDER.fullmatch(
            inside := text[match.end() + 1 : end].strip()
        ):
            return inside
    return None


_LETTER = re.compile(
    r"\W{0,3}(?:(?:option|choice|answer|letter)[\s_:]{1,3}){0,2}"
    r"(?P<open>[(（\[{<\"'“‘])?\s?(?P<letter>[A-Za-z])(?:\s?(?P<close>[)）\]}>]))?(?P<rest>.{0,60})",
    re.IGNORECASE | re.DOTALL,
)
_LATEX_TEXT = re.compile(r"\\(?:text\w{0,2}|math(?:rm|bf|it|sf|tt))\s?(?=\{)")
# Not the Cyrillic В, which stands for B where it is taken for a Latin letter and for C where it is counted.
_COUNTED = {
    letter: "ABCDE"[place]
    for alphabet in ("ΑΒΓΔΕ", "АБВГД", "אבגדה", "أبجده", "กขคงจ", "कखगघङ")
    for place, letter in enumerate(alphabet)
    if letter != "В"
}
_COUNTED_LETTER = re.compile(rf"[^\w\\]{{0,3}}([{''.join(_COUNTED)}])[^\w\\]{{0,3}}")
_LETTER_ENDS = re.compile(r"[\s*\"'”]{0,4}(?:$|[\n.,:;!?<–—/]|-\s)")
_LETTER_GOES_ON = re.compile(
    r"\s{1,2}(?:(?:because|since|as|which|based|due|given|and|or|rather|with|for|from|it|is|[–—-])(?!\w)|\(|şık|seçene)"
)


def letter_of(answer: str) -> str | None:
    """The letter that an announced answer is or begins with, as a capital: "(b)", "C", "Option C", "B) Aspirin".

    The English words "a" and "I" are none ("A drug that lowers afterload", "I don't know"), nor is the first part of a
    name ("C peptide"). Letters of other alphabets count by their place: "Γ" and "ג" are C.
    """
    answer = _LATEX_TEXT.sub("", answer)
    counted = _COUNTED_LETTER.fullmatch(answer)
    if counted:
        return _COUNTED[counted[1]]
    match = _LETTER.match(answer)
    if match is None:
        return None
    letter, rest = match["letter"], match["rest"]
    closed = match["close"] is not None or _LETTER_ENDS.match(rest) is not None
    if letter.islower():
        alone = match["close"] is not None or not rest.strip(" .!")
        return letter.upper() if alone else None
    if closed or (rest[0].isalpha() and not re.match(r"[A-Za-zÀ-ɏ]", rest)):  # "C입니다"
        return letter
    if not rest[0].isspace():
        return None
    goes_on = _LETTER_GOES_ON.match(rest) is not None
    return letter if goes_on or (letter not in "AI" and not rest.lstrip()[:1].islower()) else None
