"""Compares quoted words with a text: which words, whatever their type, spacing, line breaks, ellipses and brackets.

What is compared are words in small letters. Typographic quotation marks, apostrophes and dashes are the plain ones, a
hyphen between letters and a hyphen at the end of a line are left out ("non-disclosure", "nondisclosure"), punctuation
is no word. In a quotation "…", ". . .", "[…]" and "* * *" stand for any number of words, brackets around
words ("[the Receiving Party]") for up to twelve, brackets at a word ("disclos[ed]", "[t]he") for its own letters.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

_TYPES = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "′": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'}
    | dict.fromkeys("‐‑‒–−", "-")
    | {"—": " - "}  # it parts words: "between—\n(1) citizens"
    | {"\u00ad": None, "\u200b": None, "\ufeff": None}
)
_LINE_HYPHEN = re.compile(r"(?<=[^\W\d_])-[ \t]{0,8}\r?\n\s{0,40}(?=[^\W\d_])")
_SPACED_HYPHEN = re.compile(r"(?<=[^\W\d_])- (?=[a-z])(?!(?:and|or|to|nor) )")
_WORD = re.compile(r"\d+(?:[.,]\d+)*[^\W_]*|[^\W\d_][^\W_]*(?:['-][^\W_]+)*|[%$€£§]")
_LETTER_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
_ELLIPSIS = re.compile(r"\[\s?(?:…|\.\s?\.\s?\.)\s?\]|…|\.\s?\.\s?\.(?:\s?\.)?|\*\s?\*\s?\*")
_NOTES = re.compile(
    r"\[(?:sic|emphasis added|internal (?:quotation marks|citations?) omitted|citations? omitted)!?\]", re.I
)
_LETTER = re.compile(r"\[([^\W_])\](?=[^\W_])")  # "[t]he": only the letter's size is altered
_BRACKETED = re.compile(r"\[([^\[\]]{0,200})\]")
# Words of a text, at most; a text beyond is cut there.
MOST_WORDS = 200_000
_BRACKET_REACH = 12
_CELLS = 60_000_000


class Word(NamedTuple):
    folded: str
    start: int
    end: int


def words_of(text: str, most: int = MOST_WORDS) -> list[Word]:
    """The words of a text with their spans in the text as `plain` gives it."""
    out = []
    for match in _WORD.finditer(text):
        out.append(Word(_LETTER_HYPHEN.sub("", match[0].casefold()), *match.span()))
        if len(out) == most:
            break
    return out


def plain(text: str) -> str:
    """One line, with plain quotation marks and hyphens, and words that a line break cut made whole."""
    text = unicodedata.normalize("NFKC", text).translate(_TYPES)
    text = _LINE_HYPHEN.sub("", text)
    return _SPACED_HYPHEN.sub("", " ".join(text.split()))


@dataclass(frozen=True)
class Text:
    """A text that quotations are looked for in."""

    plain: str

    @classmethod
    def of(cls, texts: Iterable[Text]) -> Text:
        """Several texts, one after the other; its words are theirs."""
        return cls("\n".join(text.plain for text in texts))

    @cached_property
    def words(self) -> list[Word]:
        return words_of(self.plain)

    @cached_property
    def joined(self) -> str:
        return "".join(f" {word.folded}" for word in self.words) + " "

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each word begins in `joined`, blank included."""
        lengths = np.fromiter((len(word.folded) + 1 for word in self.words), dtype=np.int64, count=len(self.words))
        return np.concatenate([[0], np.cumsum(lengths)])

    def shown(self, first: int, last: int) -> str:
        """Words `first` up to but not including `last`, as they are written."""
        return self.plain[self.words[first].start : self.words[last - 1].end] if first < last else ""


def as_text(text: str) -> Text:
    return Text(plain(text))


class Piece(NamedTuple):
    """A run of quoted words; `partial`: of the last only the beginning is quoted. `gap`: at most so many words before
    it; None: any number."""

    words: tuple[str, ...]
    partial: bool
    gap: int | None


def pieces_of(quotation: str) -> list[Piece]:
    """A quotation as runs of words between its ellipses and brackets."""
    text = _LETTER.sub(r"\1", _NOTES.sub(" ", plain(quotation)))
    out: list[Piece] = []
    gap: int | None = None
    for part in _ELLIPSIS.split(text):
        position = 0
        for match in [*_BRACKETED.finditer(part), None]:
            run = tuple(word.folded for word in words_of(part[position : match.start() if match else len(part)]))
            partial = match is not None and part[match.start() - 1 : match.start()].isalnum()
            if run:
                out.append(Piece(run, partial, gap))
                gap = 0
            if match is not None:
                position = match.end()
                if gap is not None and not partial:
                    gap += _BRACKET_REACH
        gap = None
    return out


def contains(text: Text, pieces: Sequence[Piece]) -> bool:
    """Whether the pieces stand in the text in their order, with the gaps that they allow. The words before are free."""
    ends: list[int] | None = None  # words after which the next piece may begin
    for piece in pieces:
        found = _places(text, piece)
        if ends is not None:
            reached = np.asarray(sorted(ends))
            if piece.gap is None:
                found = [one for one in found if one[0] >= reached[0]]
            else:
                found = [one for one in found if _within(reached, one[0], piece.gap)]
        if not found:
            return False
        ends = [end for _, end in found]
    return True


def _within(ends: np.ndarray, start: int, gap: int) -> bool:
    at = int(np.searchsorted(ends, start, side="right")) - 1
    return at >= 0 and start - int(ends[at]) <= gap


def _places(text: Text, piece: Piece) -> list[tuple[int, int]]:
    """First word and the word after the last, wherever the piece stands."""
    wanted = " " + " ".join(piece.words) + ("" if piece.partial else " ")
    out, position = [], text.joined.find(wanted)
    while position >= 0:
        first = int(np.searchsorted(text.starts, position))
        out.append((first, first + len(piece.words)))
        position = text.joined.find(wanted, position + 1)
    return out


def nearest(text: Text, words: Sequence[str], numbers: dict[str, int]) -> tuple[int, int, int]:
    """Edits, first word and the word after the last of the place nearest to `words`.

    Sellers' algorithm (J. Algorithms 1, 1980) over words.

    Costs len(words) passes over the text's words in NumPy. `numbers` numbers words, for all texts alike.
    """
    known = np.fromiter((numbers.setdefault(word.folded, len(numbers)) for word in text.words), dtype=np.int64)
    asked = np.fromiter((numbers.setdefault(word, len(numbers)) for word in words), dtype=np.int64)
    known = known[: max(1, _CELLS // max(1, len(asked)))]
    last = _distances(known, asked)
    end = int(last.argmin())
    edits = int(last[end])
    before = known[max(0, end - 2 * len(asked)) : end][::-1]
    back = _distances(before, asked[::-1])
    # Of the beginnings with the fewest edits the one that makes the place as long as what is looked for.
    best = np.flatnonzero(back == back.min())
    length = int(best[np.abs(best - len(asked)).argmin()])
    return edits, end - length, end


def _distances(text: np.ndarray, words: np.ndarray) -> np.ndarray:
    """For each end in `text` (0 to its length) the fewest edits that make what ends there into `words`."""
    places = np.arange(len(text) + 1)
    row = np.zeros(len(text) + 1, dtype=np.int64)
    for count, word in enumerate(words, 1):
        changed = np.empty_like(row)
        changed[0] = count
        np.minimum(row[:-1] + (text != word), row[1:] + 1, out=changed[1:])
        row = np.minimum.accumulate(changed - places) + places
    return row


def difference(text: Text, first: int, last: int, words: Sequence[str], most: int = 3) -> str:
    """What differs between the words of a place and the quoted ones, for a person."""
    there = [word.folded for word in text.words[first:last]]
    parts = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, there, list(words), autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        theirs, ours = text.shown(first + a, first + b), " ".join(words[c:d])
        if kind == "replace":
            parts.append(f"the text has “{theirs}”, the quotation “{ours}”")
        elif kind == "delete":
            parts.append(f"the quotation leaves out “{theirs}”")
        else:
            parts.append(f"the quotation adds “{ours}”")
    more = f"; {len(parts) - most} more" if len(parts) > most else ""
    return "; ".join(parts[:most]) + more
