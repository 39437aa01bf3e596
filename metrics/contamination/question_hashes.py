"""Identifies the questions a scorer was trained on by a hash of their words, so that layout and case do not matter."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from ..trace import Trace

_WORD = re.compile(r"\w+")
_LEAD, _TAIL = {"question", "q", "problem"}, {"answer", "a", "solution", "explanation", "reasoning"}
_FIRST_OPTION = re.compile(r"^[ \t]{0,8}(?:options?[ \t]?:|[(\[]?A[)\].:][ \t])", re.IGNORECASE | re.MULTILINE)


def question_hash(question: str) -> str:
    """16 hex digits over a question's words; ignores case, punctuation, and a "Question:" or "Answer:" around it."""
    words = _WORD.findall(unicodedata.normalize("NFKC", question).casefold())
    if len(words) > 1 and words[0] in _LEAD:
        words = words[1:]
    if len(words) > 1 and words[-1] in _TAIL:
        words = words[:-1]
    return hashlib.sha256(" ".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def question_hashes(trace: Trace) -> tuple[str, ...]:
    """The hash of the question, and for multiple choice also that of the text before the list of options."""
    found = [question_hash(trace.question)]
    listed = _FIRST_OPTION.search(trace.question) if trace.choices is not None else None
    if listed and trace.question[: listed.start()].strip():
        found.append(question_hash(trace.question[: listed.start()]))
    return tuple(found)


def split_questions(hashes: Iterable[str], share: float, seed: int) -> set[str]:
    """The questions to hold out, at least one, chosen by a seeded hash so that their order does not matter."""
    ordered = sorted(set(hashes), key=lambda one: hashlib.sha256(f"{seed} {one}".encode()).hexdigest())
    return set(ordered[: max(1, round(share * len(ordered)))])
