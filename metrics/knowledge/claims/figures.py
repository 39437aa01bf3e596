"""The claim extractor `figures`: numbers that a step reads off its evidence, and calculations with such numbers.

"Revenue was $774 thousand in 2018" is a claim of kind "figure"; of a sentence with several figures each is one, named
behind the sentence: "… [figure 2: $680 thousand]". "(680 - 774)/774 = -12.1%" is a claim of kind "derivation": that its
numbers are those of the evidence, and that the result follows. Years, dates, small counts ("3 years"), questions and
what is only supposed or denied are no figures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...trace import Step, Trace
from ..arithmetic.extractor import find_equations
from ..base import ClaimExtractor
from ..tables.amounts import Amount, amounts
from ..types import Claim, ExtractionFailed
from .sentence import sentence_spans

FIGURE = "figure"
DERIVATION = "derivation"
MAX_SENTENCE = 1_000
MAX_CLAIMS = 200  # of a step
_NAMED = re.compile(r" \[(figure|derivation) ?(\d{1,3})?: (.*)\]$", re.DOTALL)
_SMALL = 12
_COUNTED = re.compile(
    r"[\s-]{0,3}(?:years?|months?|days?|weeks?|quarters?|periods?|decimals?|places?|steps?|times|values?|numbers?|items?"
    r"|segments?|categor\w{1,5}|companies|options?|digits?|columns?|rows?)\b",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:if|suppose|assum\w{1,4}|would|could|might|hypothetical\w{0,2}|whether|unless|let(?:['’]s| us)?)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"(?:\bnot|n['’]t|\brather than|\binstead of)\s[^,;]{0,30}$", re.IGNORECASE)
# Part of a calculation, even where that is not read as an equation.
_SIGN_BEFORE = re.compile(r"(?:[+*/×÷=≈^]|[\d)%]\s?[-−–])\s{0,3}[(\[]?$")
_SIGN_BEHIND = re.compile(r"[)\]]?\s{0,3}(?:[+*/×÷=^]|[-−–]\s{0,3}[\d($])")
_CHANGED_BY = re.compile(r"(?<!multiplied )(?<!divided )\bby(?=\s{1,3}[($\d])", re.IGNORECASE)
_ASKS = re.compile(r"[?？][\"'”’)\]*_`\s]{0,6}$")


def extract(traces: Sequence[Trace], steps: Sequence[Sequence[Step]]) -> list[list[Claim | ExtractionFailed]]:
    """Per trace, the figures and calculations of its steps, in reading order; spans are positions in the response."""
    del traces
    return [_extract(of_trace) for of_trace in steps]


FIGURES = ClaimExtractor("figures", extract)


def _extract(steps: Sequence[Step]) -> list[Claim | ExtractionFailed]:
    out: list[Claim | ExtractionFailed] = []
    for index, step in enumerate(steps):
        if step.kind == "final_answer" or not any(c.isdigit() for c in step.text):
            continue
        claims = []
        for start, end in sentence_spans(step.text):
            sentence = step.text[start:end]
            if len(sentence) <= MAX_SENTENCE and not _ASKS.search(sentence[-12:]) and any(map(str.isdigit, sentence)):
                claims += _claims(sentence, index, step.start + start)
        out += claims[:MAX_CLAIMS]
        if len(claims) > MAX_CLAIMS:
            out.append(ExtractionFailed(index, f"only the first {MAX_CLAIMS} figures of a step are read"))
    return out


def _claims(sentence: str, step: int, offset: int) -> list[Claim]:
    out = []
    for start, end, text in equations(sentence):
        named = sentence if text == sentence else f"{sentence} [derivation: {text}]"
        out.append(Claim(named, step, offset + start, offset + end, DERIVATION, sentence))
    found = figures(sentence)
    for number, figure in enumerate(found, 1):
        if _SUPPOSED.search(sentence) or _DENIED.search(sentence[: figure.start]):
            continue
        named = sentence if len(found) == 1 else f"{sentence} [figure {number}: {figure.written}]"
        out.append(Claim(named, step, offset + figure.start, offset + figure.end, FIGURE, sentence))
    return sorted(out, key=lambda claim: claim.start)


def figures(sentence: str) -> list[Amount]:
    """The amounts of a sentence that may be read off something: outside of its equations, and no small counts."""
    spans = [(start, end) for start, end, _ in equations(sentence)]
    return [
        amount
        for amount in amounts(sentence)
        if not any(start <= amount.start < end for start, end in spans)
        and not (_SIGN_BEFORE.search(sentence[: amount.start]) or _SIGN_BEHIND.match(sentence, amount.end))
        and not (amount.bare and (abs(amount.value) <= _SMALL or _is_count(sentence, amount)))
    ]


def _is_count(sentence: str, amount: Amount) -> bool:
    """ "12 months", "30 options"; "105,213 options" is read off something."""
    return "," not in amount.written and _COUNTED.match(sentence, amount.end) is not None


def equations(sentence: str) -> list[tuple[int, int, str]]:
    """The equations of a sentence, each with its span and its text."""
    if not any(mark in sentence for mark in ("=", "≈", "is", "equal")):
        return []
    # "rose by 8 - 5 = 3": behind "by" no calculation begins elsewhere ("multiplied by"); of the same length.
    sentence = _CHANGED_BY.sub(": ", sentence)
    return [(found.start, found.end, found.text) for found in find_equations(sentence)]


def named(text: str) -> tuple[str, int, str]:
    """What a claim's text says: its sentence, the number of its figure from 1 (0: none named), its equation or ""."""
    match = _NAMED.search(text)
    if match is None:
        return text, 0, ""
    sentence = text[: match.start()]
    return (sentence, int(match[2] or 0), "") if match[1] == "figure" else (sentence, 0, match[3])
