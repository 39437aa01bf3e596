"""Strategies for what a model or a damaged disk may give us, and the CPU time that reading it may take."""

from __future__ import annotations

import copy
import gc
import json
import math
import time
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

# What parsers look for, alone or in long rows: quadratic time shows where a search starts again at each of them.
_FRAGMENTS = [
    *" \n\t.,;:!?-+*/=<>|&%$#@^_~`'\"()[]{}\\0aA1",
    *("1+1=", "1 + 1 = 2. ", "1/", "0.", "1,000", "1e9", "-1", "²", "½", "×", "√", "°C ", "m/s "),
    *("\\boxed{", "\\frac{", "\\text{", "$$", "\\(", "\\[", "\\sqrt", "^{", "_{", "\\begin{align}", "&=", "\\\\"),
    *("<think>", "</think>", "<answer>", "</answer>", "<|im_end|>", "<tool_call>", "[INST]", "<step>", "####"),
    *("Step 1: ", "1. ", "- ", "* ", "## ", "```\n", "| a | b |\n", "|---|\n", "> ", "---\n", "Question: ", "\n\n"),
    *("The answer is ", "Answer: ", "So ", "(A) ", "A) ", "yes ", "no ", "Thus, ", "final answer", "option B", "one "),
    *('{"verdict": "supported"}', '{"claims": [', '{"claim": "x", ', '{"a": ', "[[", "supported", "True."),
    *("\ud800", "\udfff", "\x00", "\r", "\u2028", "\u202e", "\ufeff", "\u0300", "。", "ไ", "١", "𝟙", "🙂", "ﬀ", "İ"),
]


def texts(longest: int) -> st.SearchStrategy[str]:
    """Texts of up to `longest` characters, made of runs."""
    times = st.sampled_from([1, 1, 2, 7, 300, 5_000])
    run = st.tuples(st.sampled_from(_FRAGMENTS) | st.text(max_size=5), times).map(lambda one: one[0] * one[1])
    return st.lists(st.lists(run, max_size=4).map("".join) | run, max_size=8).map(lambda all: "".join(all)[:longest])


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


VALUES = st.one_of(
    st.sampled_from(
        [None, True, -1, 0, 10**30, 10**400, -(10**400), 1e308, math.nan, math.inf, "", "A", "2", "\ud800"]
    ),
    st.sampled_from(
        [[], {}, [[]], {"a": 1}, [None], ["a", 1], {"text": ["a", "b"]}, {"role": "user"}, {"type": "text"}]
    ),
    st.sampled_from([_nested(50), _nested(99), _nested(900), {"a": _nested(200)}]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
)


@st.composite
def changed(draw: st.DrawFn, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One of the rows, with up to three of its parts replaced, taken away or doubled."""
    row = copy.deepcopy(draw(st.sampled_from(rows)))
    for _ in range(draw(st.integers(0, 3))):
        here: Any = row
        while True:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(here[key], dict | list) and draw(st.booleans()):
                here = here[key]
                continue
            what = draw(st.sampled_from(["replace", "replace", "remove", "wrap"]))
            if what == "remove":
                del here[key]
            else:
                here[key] = [here[key], here[key]] if what == "wrap" else copy.deepcopy(draw(VALUES))
            break
    return row


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes with some of them changed, cut off, or others put between."""
    out = bytearray(data)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(out) - 1)))
        what = draw(st.sampled_from(["flip", "cut", "insert", "drop"]))
        if what == "flip" and out:
            out[at] ^= 1 << draw(st.integers(0, 7))
        elif what == "cut":
            del out[at:]
        elif what == "drop":
            del out[at : at + draw(st.integers(1, 40))]
        else:
            out[at:at] = draw(
                st.sampled_from([b"\0", b"\xff", b"\n", b"{", b"}", b"[", b"garbage", b"\0" * 64, b'"', b","])
            )
    return bytes(out)


def as_json(row: Any) -> str:
    """JSON as Python writes it, NaN and huge numbers included, also where it is nested deeply."""
    try:
        return json.dumps(row)
    except RecursionError:
        return "{}"


def timed(call: Callable[[], Any], size: int, *, start: float = 0.2, per_kilobyte: float = 0.03) -> Any:
    """Call it; fails where it takes more CPU time than `size` characters may. A slow first try gets a second one."""
    for last in (False, True):
        gc.disable()
        before = time.thread_time()
        try:
            result = call()
        finally:
            took = time.thread_time() - before
            gc.enable()
        if took <= start + per_kilobyte * size / 1000:
            break
        assert not last, f"{took:.2f} s of CPU time for {size:,} characters"
    return result
