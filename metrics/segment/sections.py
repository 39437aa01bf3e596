"""Reads a response once, before any splitter: what of it is the chain, and what is marks, tool calls and their results.

Everything else in this room sees clean text only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from .labels import find_labels
from .marks import Mark, find_marks, kind_of_role
from .run_on import find_run_on

SectionKind = Literal["thinking", "answer", "text"]

# Sections that are cut one by one; the rest of a response full of stray marks is cut as one.
_MOST_SECTIONS = 50
_LONGEST_HEADER = 200
_LINE = 300  # characters before a mark that are looked at
_HEADER_LINE = re.compile(r"[ \t]*(?P<word>[A-Za-z_]{2,20})[ \t]*(?:\n|$)")
_WORDS = re.compile(r"[A-Za-z_][\w.-]*")
_RECIPIENT = re.compile(r"\bto=([\w.-]{1,80})")
_SENTENCE_END = re.compile(r"[.!?。！？।؟][\"'”’)*_]{0,3}\s*$")
_WORD = re.compile(r"\w")
_RETURNED = re.compile(
    r"\s*(?:\*\*)?(?:observation|(?:(?:tool|function|execution|code|command)(?:'s)?[ _])?(?:result|output|response)s?)"
    r"(?:[ _]?\d{1,3})?(?:\*\*)?\s?[:：]",
    re.IGNORECASE,
)
# What is left of a first header where special tokens were dropped.
_STRIPPED_HEADER = re.compile(
    r"\s*(?:(?P<harmony>analysis|commentary|final)(?=[A-Z\"'(\d])"
    r"|(?P<line>assistant|model|thoughts?|thinking|think|analysis)\n)"
)
_MOST_NAMES = 5
_MOST_WHOLES, _MOST_MISSES = 8, 16
_EITHER = ("function", "invoke", "search", "tool", "python")  # tags that call a tool only where they are closed
_RESULTS = ("output", "response", "result")  # tags around an answer, or, behind a call, around what it returned
_OWN = ("observation", "information")  # tags around the model's own words, unless it calls tools
_SPOKEN_TO = ("user_message", "system_message")
# Marks that count in what is said to the model: it may speak of the others.
_MESSAGE_MARKS = ("header", "role", "message", "turn_end", "text_end", "tool_call", "tool_result")


@dataclass(frozen=True)
class Section:
    """A part of the chain that is cut into steps by itself: `clean[start:end]`."""

    start: int
    end: int
    kind: SectionKind


@dataclass(frozen=True)
class Reading:
    """A response as sections.

    Attributes:
        clean: as long as the response, so that a place in one is the same place in the other. Marks are white space
            in it, and so is what is no part of the chain.
        sections: what the model thought and delivered, in order.
        end: where the chain ends; the model may run on behind it.
        thinking: whether thinking was marked as such.
        notes: what was left out, and why.
    """

    clean: str
    sections: Sequence[Section]
    end: int
    thinking: bool
    notes: tuple[str, ...]


@lru_cache(maxsize=64)  # what a live run reads of a response, and cuts it into steps by
def read_sections(response: str) -> Reading:
    """The parts of a response that are its chain.

    What marks ("<think>", "<|channel|>analysis<|message|>") and an agent's labels ("Observation:") set apart is told
    from each other; tool calls, their results, and messages of the user or the system are no part of the chain. It
    ends where the model takes the user's turn, writes on behind the token that ends its text, or asks itself another
    question. The cost is linear in the response.
    """
    reader = _Reader(response)
    reader.read()
    return reader.reading()


def without_run_on(response: str) -> str:
    """A response up to the end of its chain: what a model announces behind that is no answer to the question."""
    return response[: read_sections(response).end]


def with_thinking(thoughts: Sequence[str], visible: str) -> str:
    """One turn as a model without a reasoning parser writes it: thinking in tags, then the visible text.

    Thinking that a server returns twice, in several fields or in a field and in the text, is written once. The cost is
    linear in all the texts: of many blocks, each is looked for in the longest ones alone.
    """
    blocks: dict[str, str] = {}  # by the text without its white space, by which they are compared
    for thought in filter(str.strip, thoughts):
        blocks.setdefault(_folded(thought), thought.strip())
    if not blocks:
        return visible if visible.strip() else ""
    own = read_sections(visible)
    written = _folded("".join(own.clean[one.start : one.end] for one in own.sections if one.kind == "thinking"))
    shown = _folded(own.clean)
    told, wholes = _Whole(written), [_Whole(one) for one in sorted(blocks, key=len)[-_MOST_WHOLES:]]
    kept = [
        block
        for folded, block in blocks.items()
        if not shown.startswith(folded)
        and not told.holds(folded)
        and not any(whole.text != folded and whole.holds(folded) for whole in wholes)
    ]
    thinking = ["<think>\n" + "\n\n".join(kept) + "\n</think>"] if kept else []
    return "\n\n".join([*thinking, *([visible] if visible.strip() else [])])


class _Whole:
    """A text in which parts are looked for in their order: from where the last one ended, and seldom from its start."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._position = 0
        self._misses = 0

    def holds(self, part: str) -> bool:
        """Whether `part` stands in the text; False after too many that were not found where they should be."""
        if len(part) > len(self.text) or self._misses == _MOST_MISSES:
            return False
        at = self.text.find(part, self._position)
        if at < 0:
            self._misses += 1
            at = self.text.find(part)
        if at >= 0:
            self._position = at + len(part)
        return at >= 0


def is_tool_result(text: str, *, behind_model: bool) -> bool:
    """Whether a user's message is what a tool returned.

    Its marks say so ("<tool_response>"), or, where the model has spoken before it, its label ("Observation:").
    """
    if behind_model and _RETURNED.match(text):
        return True
    reader = _Reader(text)
    reader.read()
    return bool(reader.left_out["tool result"]) and not reader.sections


def context_note(counts: Mapping[str, int]) -> str:
    """That so many tool results and the like, by name, stand between a chain's steps."""
    named = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items() if count]
    listed = " and ".join(filter(None, [", ".join(named[:-1]), *named[-1:]]))
    return f"context, not steps, and unseen by the scoring LM: {listed}"


def _folded(text: str) -> str:
    return "".join(text.split())


class _Reader:
    """Goes over the marks of a response from left to right; `kind` is what the text behind the last one is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.marks = sorted([*find_marks(text), *find_labels(text)], key=lambda mark: (mark.start, mark.end))
        self.same_next = _same_next(self.marks)
        self.calls = any(mark.kind == "tool_call" for mark in self.marks)
        self.kind: str = "text"
        self.begin = 0  # of the section being read
        self.closer: str | None = None  # the name of the mark that ends the tool's section being read
        self.resume: str = "text"  # what goes on behind it
        self.sections: list[Section] = []
        self.blanks: list[tuple[int, int, str]] = []  # places to blank out, with the white space for it
        self.left_out: Counter[str] = Counter()
        self.unknown: dict[str, None] = {}
        self.notes: list[str] = []
        self.called = -1  # where the last call ended
        self.thinking = False
        self.end: int | None = None

    def read(self) -> None:
        self._stripped_header()
        index = 0
        while index < len(self.marks) and self.end is None:
            mark = self.marks[index]
            index += 1
            if self.closer is not None and not (mark.closing and mark.name == self.closer):
                continue
            if self.kind in _SPOKEN_TO and mark.kind not in _MESSAGE_MARKS:
                continue
            if mark.kind in ("header", "role", "message"):
                index = self._header(mark, index)
            elif mark.kind in ("tool_call", "tool_result") and (mark.name not in _OWN or self.calls):
                self._tool(mark, index - 1)
            elif mark.kind == "thinking":
                self._think(mark)
            elif mark.kind == "answer" and (mark.name == self.closer or self._behind_call(mark)):
                self._tool(replace(mark, kind="tool_result"), index - 1)
            elif mark.kind == "answer":
                self._answer(mark)
            elif mark.kind == "label":
                self._boundary(mark, mark.word)
            elif mark.kind == "turn_end":
                self._boundary(mark, "text")
            elif mark.kind == "text_end":
                self._text_end(mark, index)
            else:
                self._other(mark)
        if self.end is None:
            self._close(len(self.text))

    def reading(self) -> Reading:
        clean = self._clean()
        begin = max((one.end for one in self.sections if one.kind == "thinking"), default=0)
        run_on = find_run_on(clean, begin)
        if run_on is not None and run_on.ends_chain:
            self._end(run_on.start, f"the model goes on with a question of its own ({run_on.asked!r})")
            kept = [one for one in self.sections if one.start < run_on.start]
            self.sections = [replace(one, end=min(one.end, run_on.start)) for one in kept]
            clean = self._clean()
        elif run_on is not None:
            self.notes.append(f"the model asks a question of its own, which is taken for a step: {run_on.asked!r}")
        end = len(self.text) if self.end is None else self.end
        return Reading(clean, _at_most(self.sections), end, self.thinking, (*self._counts(), *self.notes))

    def _counts(self) -> list[str]:
        found = []
        if self.left_out:
            found.append(context_note(self.left_out))
        if self.unknown:
            names = ", ".join(list(self.unknown)[:_MOST_NAMES])
            more = f" and {len(self.unknown) - _MOST_NAMES} more" if len(self.unknown) > _MOST_NAMES else ""
            found.append(f"marks of unknown meaning are no part of the steps: {names}{more}")
        return found

    def _clean(self) -> str:
        parts: list[str] = []
        position = 0
        for start, end, space in sorted(self.blanks):
            start = max(start, position)
            if end > start:
                parts += [self.text[position:start], space * (end - start)]
                position = end
        return "".join([*parts, self.text[position:]])

    def _close(self, end: int) -> None:
        """End the section being read."""
        if self.kind in ("thinking", "answer", "text"):
            if _WORD.search(self.text, self.begin, end) or not self.marks:
                self.sections.append(Section(self.begin, end, self.kind))  # type: ignore[arg-type]
        elif end > self.begin:
            if _WORD.search(self.text, self.begin, end):
                self.left_out[self.kind.replace("_", " ")] += 1
            self.blanks.append((self.begin, end, "\n"))

    def _boundary(self, mark: Mark, kind: str) -> None:
        self._close(mark.start)
        self.blanks.append((mark.start, mark.end, "\n"))
        self.begin, self.kind, self.closer = mark.end, kind, None

    def _end(self, start: int, why: str) -> None:
        self.end = start
        self.blanks.append((start, len(self.text), "\n"))
        if why:
            self.notes.append(f"{why}: the chain ends before it")

    def _stripped_header(self) -> None:
        found = _STRIPPED_HEADER.match(self.text)
        if found:
            kind = kind_of_role(found["harmony"] or found["line"]) or "text"
            self.thinking = kind == "thinking"
            self._boundary(Mark(found.start(), found.end(), "header"), kind)

    def _header(self, mark: Mark, index: int) -> int:
        """Read a message's header, from its first mark to where its text begins; returns the next mark's index."""
        first, words, recipient = mark, [mark.word] if mark.word else [], ""
        end = mark.end
        while mark.kind != "message":
            follows = self.marks[index] if index < len(self.marks) else None
            gap = self.text[
                mark.end : min(mark.end + _LONGEST_HEADER + 1, follows.start if follows else len(self.text))
            ]
            joins = ("message",) if mark.kind == "role" else ("message", "header", "role", "nothing")
            if follows and follows.kind in joins and len(gap) <= _LONGEST_HEADER and "\n" not in gap.strip():
                found = _RECIPIENT.search(gap)
                recipient = found[1] if found else recipient
                words += [*_WORDS.findall(gap.partition("to=")[0])[:1], *([follows.word] if follows.word else [])]
                mark, index, end = follows, index + 1, follows.end
                continue
            line = _HEADER_LINE.match(gap)
            if line and (mark.kind == "header" or not words) and kind_of_role(line["word"]):
                words.append(line["word"])
                end += line.end()
            elif mark.kind == "role" and (found := _RECIPIENT.match(gap.lstrip(" "))):
                recipient = found[1]
            break
        whole = Mark(first.start, end, first.kind)
        kinds = [kind for word in words if (kind := kind_of_role(word, recipient))]
        if "tool_result" in kinds:
            self._boundary(whole, "tool_result")
        elif kinds and kinds[0] in ("user", "system"):
            self._other_speaker(whole, kinds[0], index)
        else:
            kind = kinds[-1] if kinds else "text"
            self.thinking = self.thinking or kind == "thinking"
            self._boundary(whole, kind)
        return index

    def _other_speaker(self, header: Mark, speaker: str, index: int) -> None:
        self._close(header.start)
        self.begin, self.kind = header.start, "text"
        follows = self.marks[index] if index < len(self.marks) else None
        returns = follows and follows.kind == "tool_result" and not self.text[header.end : follows.start].strip()
        if speaker == "user" and self.sections and not returns:
            goes_on = _WORD.search(self.text, header.end)
            self._end(header.start, "the model goes on with a turn of the user's" if goes_on else "")
        else:
            self.blanks.append((header.start, header.end, "\n"))
            self.begin, self.closer = header.end, None
            self.kind = "text" if returns else f"{speaker}_message"

    def _tool(self, mark: Mark, index: int) -> None:
        inside = self.kind in ("tool_call", "tool_result")
        if mark.closing:
            self._boundary(mark, self.resume if inside else self.kind)
            self.called = mark.end if mark.kind == "tool_call" else -1
            return
        partner = self.same_next[index]
        closed = partner is not None and partner.closing
        if mark.plain and not closed and (mark.name in _EITHER or self._in_sentence(mark)):
            self._other(mark)  # "I can use <search> for it"
            return
        self.resume = self.resume if inside else self.kind
        self._boundary(mark, mark.kind)
        self.closer = mark.name if closed else None

    def _behind_call(self, mark: Mark) -> bool:
        """Whether a tag stands directly behind a tool's call: "<tool>…</tool><output>"."""
        behind = self.begin == self.called and not self.text[self.begin : mark.start].strip()
        return behind and mark.name in _RESULTS and not mark.closing

    def _think(self, mark: Mark) -> None:
        if mark.closing and not self.thinking:  # the opening mark stood in the prompt
            self.sections = [replace(one, kind="thinking") for one in self.sections]
            self.kind = "thinking"
        self.thinking = True
        self._boundary(mark, "text" if mark.closing else "thinking")

    def _answer(self, mark: Mark) -> None:
        """Tags around an answer set it apart, except in the middle of a sentence ("It is <answer>72</answer>.")."""
        if mark.closing and self.kind == "answer":
            self._boundary(mark, "text")
        elif mark.closing or self._in_sentence(mark):
            self.blanks.append((mark.start, mark.end, " "))
        else:
            self._boundary(mark, "answer")

    def _other(self, mark: Mark) -> None:
        if mark.kind == "unknown":
            self.unknown[self.text[mark.start : mark.end]] = None
        if self._in_sentence(mark):
            self.blanks.append((mark.start, mark.end, " "))
        else:
            self._boundary(mark, self.kind)

    def _text_end(self, mark: Mark, index: int) -> None:
        if "<s>" in self._line(mark):  # HTML: "<s>71</s> 72"
            self._other(mark)
            return
        self._boundary(mark, "text")
        position = mark.end
        for follows in self.marks[index : index + 10]:
            if self.text[position : follows.start].strip():
                break
            if follows.kind in ("header", "role", "tool_result"):
                return
            position = follows.end
        if self.sections and _WORD.search(self.text, position):
            name = self.text[mark.start : mark.end]
            self._end(mark.end, f"the model writes on behind {name}, which ends its text")

    def _in_sentence(self, mark: Mark) -> bool:
        line = self._line(mark, self.begin)
        return bool(line) and not _SENTENCE_END.search(line)

    def _line(self, mark: Mark, begin: int = 0) -> str:
        """What stands before a mark in its line."""
        return self.text[max(begin, mark.start - _LINE) : mark.start].rpartition("\n")[2].strip()


def _same_next(marks: Sequence[Mark]) -> list[Mark | None]:
    """For each mark the next one of its name."""
    found: list[Mark | None] = []
    latest: dict[str, Mark] = {}
    for mark in reversed(marks):
        found.append(latest.get(mark.name))
        latest[mark.name] = mark
    return found[::-1]


def _at_most(sections: list[Section]) -> list[Section]:
    if len(sections) <= _MOST_SECTIONS:
        return sections
    rest = sections[_MOST_SECTIONS - 1 :]
    return [*sections[: _MOST_SECTIONS - 1], Section(rest[0].start, rest[-1].end, "text")]
