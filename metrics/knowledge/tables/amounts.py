"""Reads amounts as reports write them: "$ (1,452.4)", "€12.5 million", "13.6 %", "2019" as a year."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

MAX_DIGITS = 30
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SHORT = {"k": 10**3, "m": 10**6, "mn": 10**6, "mm": 10**6, "bn": 10**9, "b": 10**9}
_CURRENCY = r"(?:US\$|A\$|C\$|HK\$|[$€£¥₹]|\b(?:USD|EUR|GBP|RMB|CHF|AUD)\b)"
_AMOUNT = re.compile(
    rf"(?<![\w.,/^])(?P<open>\()?(?P<sign>[-−–+])?(?P<currency>{_CURRENCY})?\s?(?P<inner>[(\-−–])?\s?"
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?![\d,]*\d)"
    r"(?:[\s-]?(?P<scale>(?:thousand|million|billion|trillion)s?)\b|\s?(?P<short>k|mn|mm|bn|m|b)\b)?"
    r"(?:\s?(?P<percent>%|percent\b|per cent\b|percentage points?\b|pp\b))?"
    r"(?P<close>\s?\))?",
    re.IGNORECASE,
)
# Dollars of all countries are one: "$" says not which.
_CURRENCIES = {
    "dollar": re.compile(r"\$|\bUSD|\b(?:AUD|CAD|HKD|SGD)\b|\bdollars?\b", re.IGNORECASE),
    "euro": re.compile(r"€|\bEUR(?:os?)?\b", re.IGNORECASE),
    "pound": re.compile(r"£|\bGBP|\bpounds?\s(?:sterling)?|\bsterling\b", re.IGNORECASE),
    "yen or yuan": re.compile(r"¥|\b(?:JPY|CNY|RMB|yen|yuan|renminbi)\b", re.IGNORECASE),
    "rupee": re.compile(r"₹|\b(?:INR|rupees?)\b", re.IGNORECASE),
    "franc": re.compile(r"\bCHF\b|\bfrancs?\b", re.IGNORECASE),
}
_YEAR = re.compile(
    r"(?<![\d.,$€£])(?:FY\s?|CY\s?)?((?:19|20)\d{2})(?![\d%]|[.,]\d)|\b(?:FY|CY)\s?['’]?(\d{2})\b"
    r"|(?:\b(?:[1-4]Q|Q[1-4]|[12]H|H[12]|[69]M)\s?['’]?(?:FY|CY)?\s?['’]?)(\d{2})\b"
)
# "3rd", "10-K", "1/2", "30 June"
_GOES_ON = re.compile(
    r"[A-Za-z/^_]|-[A-Za-z]|\s(?:january|february|march|april|may|june|july|august|september|october|november|december)\b",
    re.IGNORECASE,
)
_OPERAND = re.compile(r"[\d)%]\s*$")
_NAMED = re.compile(  # "September 30", "Note 5", "Step 2"
    r"\b(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}\.?\s$"
    r"|\b(?:notes?|item|step|level|page|table|section|part|column|row|line|no\.|number|figure|example|asc|asu|ifrs|ias"
    r"|tier|phase|series|class|chapter|form|type|article|schedule|option|question)\s#?$",
    re.IGNORECASE,
)
_IN_SCALE = re.compile(
    r"\b(thousand|million|billion)s?\b|(?<![\d,.])['’‘]?(000)(?:['’]?s)?\b"
    r"|(?:[$€£]|USD|EUR|GBP|RMB|\bin )\s?(m|mn|bn|k)\b",
    re.IGNORECASE,
)
_FOOTNOTE = re.compile(r"\s*(?:\(\s?(?:\d{1,2}|[a-z])\s?\)|[*†‡]+)\s*$")


@dataclass(frozen=True)
class Amount:
    """A written amount.

    Attributes:
        value: with its sign, and without scale word and percent sign: 12.5 of "€12.5 million".
        decimals: decimal places shown.
        scale: what the scale word behind it stands for; 1: none.
        percent: it is written with a percent sign.
        money: it has a currency sign.
        signed: it has a minus sign, or brackets that stand for one.
        start, end: span in the text.
        written: as it stands there.
    """

    value: Fraction
    decimals: int
    scale: int
    percent: bool
    money: bool
    signed: bool
    start: int
    end: int
    written: str

    @property
    def bare(self) -> bool:
        """A whole number without unit, sign or mark."""
        return not (self.decimals or self.percent or self.money or self.signed) and self.scale == 1

    @property
    def unit(self) -> Fraction:
        """One unit of the last decimal place shown, before the scale word."""
        return Fraction(1, 10**self.decimals)


def amounts(text: str) -> Iterator[Amount]:
    """The amounts in a text, in reading order, without years, dates and numbers of more than `MAX_DIGITS` digits."""
    years = {match.start(match.lastindex or 0) for match in _YEAR.finditer(text)}
    for match in _AMOUNT.finditer(text):
        if len(match["number"]) > MAX_DIGITS:
            continue
        if _GOES_ON.match(text, match.end()) or _NAMED.search(text[max(match.start() - 20, 0) : match.start("number")]):
            continue
        bracketed = match["close"] is not None and (match["open"] is not None or match["inner"] == "(")
        operator = match["sign"] and not bracketed and _OPERAND.search(text[max(match.start() - 3, 0) : match.start()])
        if bracketed:
            start, end = match.start(), match.end()
        else:
            parts = ("currency", "number") if operator else ("sign", "currency", "number")
            start = min(match.start(name) for name in parts if match[name])
            end = max(match.end(name) for name in ("number", "scale", "short", "percent") if match[name])
        plain = not any(match[name] for name in ("currency", "scale", "percent", "short"))
        if plain and match.start("number") in years and "," not in match["number"]:
            continue
        if text[max(match.start("number") - 1, 0) : match.start("number")] in ("-", "–", "−") and _glued(text, match):
            continue  # "2018-19", "COVID-19"
        minus = (not operator and match["sign"] in ("-", "−", "–")) or match["inner"] in ("-", "−", "–")
        negative = minus or (bracketed and not match["scale"])
        number = Fraction(match["number"].replace(",", ""))
        scale = SCALES.get((match["scale"] or "").lower().rstrip("s"), _SHORT.get((match["short"] or "").lower(), 1))
        yield Amount(
            -number if negative else number,
            len(match["number"].partition(".")[2]),
            scale,
            match["percent"] is not None,
            match["currency"] is not None,
            negative,
            start,
            end,
            text[start:end].strip(),
        )


def _glued(text: str, match: re.Match[str]) -> bool:
    before = text[max(match.start("number") - 2, 0) : match.start("number") - 1]
    return before.isalpha() or (before.isdigit() and len(match["number"]) <= 2)


def years(text: str) -> list[tuple[int, int, str]]:
    """The years in a text with their spans: "2019", "FY19", "4Q19"."""
    out = []
    for match in _YEAR.finditer(text):
        out.append((match.start(), match.end(), match[1] or f"20{match[2] or match[3]}"))
    return out


def cell_amount(text: str) -> Amount | None:
    """The amount that a table's cell is, all of it but a footnote mark; None for a year, a dash, words."""
    text = text.strip()[:80]
    for tried in (text, _FOOTNOTE.sub("", text)):
        spaced = re.sub(r"\s+", " ", re.sub(r"(?<=[$€£¥₹(\-−–]) +| +(?=[)%])", "", tried))
        found = list(amounts(spaced))
        if len(found) == 1 and spaced.strip() in (found[0].written, f"{found[0].written})"):
            return found[0]
        if spaced.startswith("(") and spaced.endswith((")%", ") %")):  # "(13)%"
            inner = list(amounts(spaced.rstrip("%").strip()))
            if len(inner) == 1 and inner[0].written == spaced.rstrip("%").strip():
                one = inner[0]
                return Amount(one.value, one.decimals, 1, True, one.money, True, 0, len(text), text)
    return None


def currencies(text: str) -> frozenset[str]:
    """The currencies that a text names or has the signs of."""
    return frozenset(name for name, written in _CURRENCIES.items() if written.search(text))


def scale_said(text: str) -> int | None:
    """What a caption or header says that amounts are in: "(in thousands)", "$'000", "$m"; None: it says nothing."""
    for match in _IN_SCALE.finditer(text):
        if match[1]:
            return SCALES[match[1].lower()]
        return 10**3 if match[2] else _SHORT[match[3].lower()]
    return None
