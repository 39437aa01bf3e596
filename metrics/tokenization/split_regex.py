"""Reads a pre-tokenizer's regular expression to tell which two neighbouring characters no match can hold together.

Only expressions that look at one character at a time, from left to right, are read: alternatives, sequences and
repetitions of single characters and classes, and a look-ahead at one class as in `\\s+(?!\\S)`. This is how GPT-2,
cl100k, o200k, Llama 3, Qwen, DeepSeek and Tekken split. Anything else raises NotUnderstood.

The expression becomes the graph of which of its characters may directly follow which (Glushkov's construction); where
the graph says too much, that costs a place to cut and never exactness. Whether a character belongs to a class is asked
of the tokenizers' own regex engine, whose Unicode tables may differ from Python's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product

from tokenizers import Regex, pre_tokenizers

_ESCAPE = r"\\(?:[pP]\{\^?\w+\}|[sSrntdDwW]|[^\w\s])"
_ATOM = re.compile(rf"\[(?:{_ESCAPE}|(?!&&)[^\[\]\\])+\]|{_ESCAPE}|[^\\\[\](){{}}^$.|?*+]")
_LOOK_AHEAD = re.compile(rf"\(\?[!=]({_ATOM.pattern})\)")
_QUANTIFIER = re.compile(r"(?:([?*+])|\{(\d+)(,?)(\d*)\})([?+]?)")


class NotUnderstood(ValueError):
    """Part of a tokenizer that is not known well enough to cut texts for it."""


class _Atom:
    """One character or class of the expression."""

    def __init__(self, source: str) -> None:
        self._split = pre_tokenizers.Split(Regex(source), "removed")
        self._known: dict[str, bool] = {}

    def matches(self, char: str) -> bool:
        if char not in self._known:
            self._known[char] = not self._split.pre_tokenize_str(char)
        return self._known[char]


@dataclass
class _Node:
    """A part of the expression: atoms that may come first and last in it, as numbers.

    Attributes:
        alone: the part's only atom, when the part is that atom, once or more.
        conditional: it also depends on what follows (look-ahead), or does not give back what it took (possessive).
    """

    nullable: bool
    first: set[int] = field(default_factory=set)
    last: set[int] = field(default_factory=set)
    alone: int | None = None
    conditional: bool = False


class SplitPattern:
    """What is known of a pre-tokenizer's expression. Raises NotUnderstood for one that cannot be read."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._atoms: list[_Atom] = []
        self._follow: set[tuple[int, int]] = set()
        self._ahead: list[_Atom] = []
        # Per alternative that one character can satisfy whatever comes after it: that character's atom.
        self._sure: set[int] = set()
        whole = self._alternatives(ignore_case=False, top=True)
        if self._at < len(source) or whole.nullable:
            raise NotUnderstood(f"pattern {source!r}")

    def joins(self, before: str, after: str) -> bool:
        """Whether a match, or an attempt at one, may go from the character `before` to `after` next to it."""
        return any(self._atoms[i].matches(before) and self._atoms[j].matches(after) for i, j in self._follow)

    def surely_matches(self, char: str) -> bool:
        """Whether a match always begins at `char` if none has taken it already."""
        return any(self._atoms[i].matches(char) for i in self._sure)

    def looks_for(self, char: str) -> bool:
        """Whether a look-ahead may tell `char` from the end of the text."""
        return any(atom.matches(char) for atom in self._ahead)

    def mentions(self, char: str) -> bool:
        """Whether any match could hold `char`."""
        return any(atom.matches(char) for atom in self._atoms)

    def _alternatives(self, *, ignore_case: bool, top: bool = False) -> _Node:
        out: _Node | None = None
        while True:
            parts = self._sequence(ignore_case)
            if top:
                self._note_sure(parts)
            node = self._join(parts)
            if out is None:
                out = node
            else:
                out = _Node(
                    out.nullable or node.nullable,
                    out.first | node.first,
                    out.last | node.last,
                    conditional=out.conditional or node.conditional,
                )
            if not self._take("|"):
                return out

    def _sequence(self, ignore_case: bool) -> list[_Node]:
        parts = []
        while self._at < len(self._source) and self._source[self._at] not in "|)":
            parts.append(self._quantified(self._part(ignore_case)))
        return parts

    def _join(self, parts: list[_Node]) -> _Node:
        out = _Node(True)
        for part in parts:
            self._follow |= set(product(out.last, part.first))
            out = _Node(
                out.nullable and part.nullable,
                out.first | part.first if out.nullable else out.first,
                out.last | part.last if part.nullable else part.last,
                conditional=out.conditional or part.conditional,
            )
        return out

    def _note_sure(self, parts: list[_Node]) -> None:
        needed = [part for part in parts if not part.nullable]
        if len(needed) == 1 and needed[0].alone is not None and not any(part.conditional for part in parts):
            self._sure.add(needed[0].alone)

    def _part(self, ignore_case: bool) -> _Node:
        if look := _LOOK_AHEAD.match(self._source, self._at):
            self._at = look.end()
            self._ahead.append(_Atom(look[1]))
            return _Node(True, conditional=True)
        for opening, folds in (("(?i:", True), ("(?:", ignore_case)):
            if self._take(opening):
                node = self._alternatives(ignore_case=folds)
                if not self._take(")"):
                    break
                return _Node(node.nullable, node.first, node.last, conditional=node.conditional)
        found = _ATOM.match(self._source, self._at)
        # Case folding may join characters ("ss" and "ß"); with single ASCII letters and signs it does not.
        if found is None or (ignore_case and not re.fullmatch(r"[!-~]", found[0])):
            raise NotUnderstood(f"pattern {self._source!r} at character {self._at}")
        self._at = found.end()
        self._atoms.append(_Atom(f"(?i:{found[0]})" if ignore_case else found[0]))
        number = len(self._atoms) - 1
        return _Node(False, {number}, {number}, alone=number)

    def _quantified(self, node: _Node) -> _Node:
        found = _QUANTIFIER.match(self._source, self._at)
        if found is None:
            return node
        self._at = found.end()
        sign, low, comma, high, mode = found.groups()
        if sign is None and mode == "?":
            raise NotUnderstood(f"pattern {self._source!r}: {found[0]!r}, which engines read in different ways")
        least = int(low) if low else int(sign == "+")
        most_is_one = sign == "?" or (sign is None and (high or (low if not comma else "")) in ("0", "1"))
        if not most_is_one or (sign is None and mode == "+"):
            self._follow |= set(product(node.last, node.first))
        alone = node.alone if least <= 1 else None
        return _Node(
            node.nullable or least == 0,
            node.first,
            node.last,
            alone,
            # A repetition that must be taken may be possessive: its one character is enough for it.
            node.conditional or (mode == "+" and sign is not None and least == 0),
        )

    def _take(self, text: str) -> bool:
        if self._source.startswith(text, self._at):
            self._at += len(text)
            return True
        return False
