"""Shows one chain's scores in a score's `explanation`, which Inspect's log viewer renders as Markdown."""

from __future__ import annotations

import re

from ...metrics import ChainScore
from ...metrics.render import chain_table


def explain(score: ChainScore) -> str:
    """The step table, and below it what is missing and why, as one code block.

    In a code block no text of the model's can turn into markup; the block is fenced with more backticks than occur
    in it, and characters that would move the cursor or reverse the reading direction are replaced.
    """
    lines = [chain_table(score)]
    lines += [f"{name} is missing: {reason}" for name, reason in score.missing.items()]
    lines += [f"note: {note}" for note in score.notes]
    return fenced("\n".join(lines))


_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def fenced(text: str) -> str:
    """`text` as a Markdown code block from which nothing in `text` can break out."""
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
