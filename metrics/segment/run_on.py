"""Finds where a model that has answered goes on with a question of its own, as base models do without a stop text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..answers.announcing import announcements, is_final_answer
from ..answers.extraction import extract_answer

_ASKS = (
    "question|q|problem|exercise|task|query|prompt|instruction|input|example|human|user|pregunta|frage|aufgabe|domanda|"
    "pergunta|questão|вопрос|задача|问题|問題|问|題目|题目|質問|질문|문제|प्रश्न|প্রশ্ন|ప్రశ్న|โจทย์|คำถาม|swali|السؤال|سؤال|"
    "passage|article|abstract|context|premise|scenario|"
    "problema|exercice|exercício|ejercicio|esercizio|例题|练习|練習問題|"
    "soru|soal|pertanyaan|câu hỏi|bài toán|pytanie|zadanie|vraag|fråga|spørgsmål|kysymys|kérdés|otázka|întrebare|"
    "питання|ερώτηση|שאלה"
)
_LABEL = re.compile(
    rf"^[ \t>*_]{{0,8}}(?P<hash>#{{1,6}}[ \t]*)?[*_]{{0,2}}(?:(?:next|new|another|follow-up|practice|sample)[ \t])?"
    rf"[\[<]?(?P<label>{_ASKS})(?:[ \t](?:statement|text))?(?:[ \t]?#?(?P<n>\d{{1,4}}))?"
    r"(?:[*_]{0,2}[ \t]?(?:[:：][*_]{0,2}|(?P<dot>[.)](?![ ]?E\.))|(?P<bare>$))|[\]>](?=[ \t]?\S))",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWERS = re.compile(
    r"^[ \t>*_#]{0,8}(?:a|answer|solution|response|assistant|ai|options|antwort|lösung|respuesta|réponse|risposta|"
    r"resposta|ответ|решение|答案|答|解答|풀이|답|उत्तर|คำตอบ|jibu)[*_]{0,2}[ \t]?[:：]",
    re.IGNORECASE | re.MULTILINE,
)
_ROLES = frozenset({"human", "user"})
_GIVES_MATERIAL = frozenset(
    {"passage", "article", "abstract", "context", "premise", "scenario", "example", "input", "task"}
)
# Role words that stay where a chat template's tokens were dropped: "… is 72.user\n\nTom has …".
_TURN = re.compile(r"(?:^|(?<=[.!?)\]}*$\d]))(?:user|human|assistant)\n\s{0,4}(?=\S)", re.MULTILINE)
# "#### 72", not "#### Step 1", which is a heading.
_GSM8K = re.compile(r"^[ \t]{0,8}####[ \t]*(?:[^\s\w]{0,3}\d|\\boxed)[^\n]{0,100}$", re.MULTILINE)
_HEADING = re.compile(r"^[ \t]{0,8}####[ \t]+(?=[^\W\d])", re.MULTILINE)
_REFLECTS = re.compile(
    r"\b(?:wait|hmm+|let'?s|let me|check|recheck|verify|mistake|error|actually|again|correct)\b", re.I
)
_MOST_LABELS = 40
_SOON = 4_000  # characters behind a label in which its question is looked for
_SHOWN = 60
_TAIL = 20_000  # characters before a label in which an answer is looked for


@dataclass(frozen=True)
class RunOn:
    """Where a question that the model asks itself begins.

    Attributes:
        start: its place in the text.
        asked: how it begins.
        ends_chain: whether the answer stands before it; if not, it may be a step of the model's own.
    """

    start: int
    asked: str
    ends_chain: bool


def find_run_on(text: str, begin: int = 0) -> RunOn | None:
    """The first question of the model's own in `text[begin:]`, or None.

    Sub-questions ("Question 1", "Question 2") and a question restated in front of the chain are none.
    """
    earlier: set[str] = set()
    numbers: dict[str, int] = {}
    doubtful: RunOn | None = None
    for count, match in enumerate(_LABEL.finditer(text, begin)):
        if count == _MOST_LABELS:
            break
        label, before = match["label"].lower(), text[begin : match.start()]
        alone = match["bare"] is not None or (match["dot"] and label != "q")
        if alone and not (match["hash"] or match["n"]):
            continue
        number = int(match["n"]) if match["n"] else None
        follows = number is not None and number == numbers.get(label, -1) + 1
        if number is not None:
            numbers[label] = number
        if not before.strip():
            earlier.add(label)
            continue
        asks = _asks(text, match.end())
        if follows or (label in _GIVES_MATERIAL and not asks) or not text[match.end() :].strip():
            earlier.add(label)
            continue
        settled = _settled(before) if label in earlier else _answered(before)
        if settled or (label in _ROLES and asks and label not in earlier):
            return _run_on(text, match.start(), ends_chain=True)
        answers = _ANSWERS.search(text, match.end(), match.end() + _SOON)
        if asks and answers and doubtful is None and label not in earlier and label not in _GIVES_MATERIAL:
            doubtful = _run_on(text, match.start(), ends_chain=False)
        earlier.add(label)
    return _turn(text, begin) or _second_solution(text, begin) or doubtful


def _turn(text: str, begin: int) -> RunOn | None:
    for count, match in enumerate(_TURN.finditer(text, begin)):
        if count == _MOST_LABELS:
            break
        if _answered(text[begin : match.start()]):
            return _run_on(text, match.start(), ends_chain=True)
    return None


def _second_solution(text: str, begin: int) -> RunOn | None:
    """GSM8K's "#### 72" ends a solution. Behind it stands another question, and its own "####"."""
    ends = list(_GSM8K.finditer(text, begin))[:2]
    if len(ends) < 2:
        return None
    between = text[ends[0].end() : ends[1].start()]
    first = between.strip().partition("\n\n")[0]
    if "?" not in first or _REFLECTS.search(first[:1_000]):
        return None
    start = ends[0].end() + len(between) - len(between.lstrip())
    return _run_on(text, start, ends_chain=True)


def _run_on(text: str, start: int, *, ends_chain: bool) -> RunOn:
    asked = " ".join(text[start : start + 3 * _SHOWN].split())
    return RunOn(start, asked if len(asked) <= _SHOWN else asked[: _SHOWN - 1] + "…", ends_chain)


def _asks(text: str, position: int) -> bool:
    """Whether a question, or a label of an answer, stands soon behind the label."""
    soon = text[position : position + _SOON]
    return "?" in soon or "？" in soon or "؟" in soon or _ANSWERS.search(soon) is not None


def _answered(before: str) -> bool:
    before = _HEADING.sub("", before)
    if extract_answer(before) is not None:
        return True
    last = before.strip()[-400:].rpartition("\n")[2]
    return is_final_answer(last) or is_final_answer(re.split(r"(?<=[.!?。])\s+", last)[-1])


def _settled(before: str) -> bool:
    """Whether more than a sub-question is answered: an answer is announced otherwise than behind a label."""
    return bool(announcements(before[-_TAIL:], value_alone=False, labels=False))
