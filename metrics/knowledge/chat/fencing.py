"""Fences text from models, so that a prompt can quote it without obeying it: hostile text cannot close its fence."""

from __future__ import annotations

import re

FENCE = "```"

# What could close the fence.
_BACKTICKS = re.compile(r"`{3,}")
# What a tokenizer or a chat template could read as one of its own marks: <|im_end|>, </s>, <start_of_turn>, <｜User｜>…
_ANGLE = re.compile(r"<(?=[|｜/!?A-Za-z_])")
# … and [INST], [/INST], [SEP].
_BRACKET = re.compile(r"\[(?=/?[A-Z_]{2,40}\])")
# Control characters but tab and newline, lone surrogates (they have no UTF-8), invisible direction marks, and the
# invisible "tag" letters, which spell text that a person who audits the prompt does not see.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


def fence(text: str) -> str:
    """`text` between two lines of three backticks, changed so that it can neither close them nor pass for markup.

    Runs of three or more backticks become two, a space is put behind the opening bracket of whatever looks like a
    chat-template mark ("<|im_end|>" becomes "< |im_end|>"; "p < 0.05" stays), carriage returns become newlines, and
    invisible characters become U+FFFD. The same text gives the same result; the cost is linear in its length.
    """
    return f"{FENCE}\n{defuse(text)}\n{FENCE}"


def defuse(text: str) -> str:
    """What `fence` puts between its two lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text)
    text = _BACKTICKS.sub("``", text)
    text = _ANGLE.sub("< ", text)
    return _BRACKET.sub("[ ", text)
