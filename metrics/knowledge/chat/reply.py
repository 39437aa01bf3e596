"""Reads a chat server's reply: first the protocol around it, then the verdict in its text. Never guesses one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...numbers import is_finite
from ..types import Label

# Beyond this a reply is refused unread: a verdict fits in a hundredth of it.
MAX_REPLY_CHARACTERS = 20_000
_MAX_REASON = 500

LABELS: tuple[Label, ...] = ("supported", "contradicted", "insufficient")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "description": "one sentence that names the passage it rests on"},
        "verdict": {"type": "string", "enum": list(LABELS)},
        "probability": {"type": "number", "description": "that the claim is true given the passages, 0 to 1"},
    },
    "required": ["reason", "verdict", "probability"],
    "additionalProperties": False,
}
# For a judge that is to say right or wrong and nothing between.
TWO_WAY: dict[str, Any] = {
    **SCHEMA,
    "properties": {**SCHEMA["properties"], "verdict": {"type": "string", "enum": ["supported", "contradicted"]}},
}

_WORDS: dict[str, Label] = {
    "true": "supported",
    "yes": "supported",
    "supported": "supported",
    "false": "contradicted",
    "no": "contradicted",
    "contradicted": "contradicted",
    "refuted": "contradicted",
    "insufficient": "insufficient",
    "insufficient evidence": "insufficient",
    "not enough evidence": "insufficient",
    "not enough information": "insufficient",
}
_THOUGHT_END = "</think>"
_QUOTES = "\"'`*_ \t\r\n"


class BadReply(Exception):
    """The server answered, but not with a verdict; the text says what came instead."""


@dataclass(frozen=True)
class Finding:
    """A parsed verdict."""

    label: Label
    probability: float | None
    reason: str


def read_model(body: object) -> str | None:
    """The model that a decoded response says it is from; None where it does not say."""
    name = body.get("model") if isinstance(body, dict) else None
    return _one_line(name)[:200] if isinstance(name, str) and name.strip() else None


def read_usage(body: object) -> tuple[int | None, int | None]:
    """Prompt and completion tokens that a decoded response reports, None where it does not."""
    usage = body.get("usage") if isinstance(body, dict) else None
    usage = usage if isinstance(usage, dict) else {}
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def decode(body: str) -> object:
    """The response's JSON. Raises BadReply."""
    try:
        return json.loads(body)
    # RecursionError: a body of a million "[".
    except (ValueError, RecursionError) as error:
        raise BadReply(f"the response is not JSON: {shown(body)}") from error


def read_text(body: object) -> str:
    """The text of the first choice of a decoded chat completion. Raises BadReply saying what is there instead."""
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise BadReply(f"the response holds no chat completion: {shown(json.dumps(body))}")
    if message.get("refusal"):
        raise BadReply(f"the model refused: {shown(str(message['refusal']))}")
    finish = choice.get("finish_reason")
    if finish in ("length", "content_filter"):
        why = "max_tokens was reached" if finish == "length" else "the server's content filter stopped it"
        raise BadReply(f"the reply is incomplete: {why}")
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        raise BadReply("the reply is empty")
    return text


def read_verdict(text: str) -> Finding:
    """The verdict in a reply: one bare word, or a JSON object with `verdict` that ends the reply.

    "True." is supported, "False." contradicted. Thinking in front of the object is skipped, but whatever opens with a
    brace there must be JSON, and must not hold another verdict: a reply may quote hostile text. Anything else raises
    BadReply, and so does a reply that contradicts itself: "supported" with a probability below one half, "contradicted"
    with one above. Takes time linear in the length of the text, of which there may be `MAX_REPLY_CHARACTERS`.
    """
    if len(text) > MAX_REPLY_CHARACTERS:
        raise BadReply(f"the reply has {len(text)} characters, more than {MAX_REPLY_CHARACTERS}")
    answer = last_answer(text)
    word = _plain(answer) if len(answer) < 100 else ""
    if word in _WORDS:
        return Finding(_WORDS[word], None, "")
    findings = [_finding(found) for found in objects(answer) if "verdict" in found]
    if not findings:
        raise BadReply(f"the reply holds no verdict: {shown(text)}")
    if len({finding.label for finding in findings}) > 1:
        raise BadReply(f"the reply holds different verdicts: {shown(text)}")
    return findings[-1]


def read_two_way(text: str) -> Finding:
    """As `read_verdict`, of a judge that was asked for one of two: "insufficient" is no verdict of its."""
    finding = read_verdict(text)
    if finding.label == "insufficient":
        raise BadReply(f"the reply says neither supported nor contradicted: {shown(text)}")
    return finding


def last_answer(text: str) -> str:
    """What a reply says behind its thinking, without quotes and fences around it."""
    return text.rpartition(_THOUGHT_END)[2].strip(_QUOTES)


def objects(text: str) -> list[dict[str, Any]]:
    """The outermost JSON objects in `text`, the last of which must end it. Raises BadReply for what is malformed."""
    found: list[dict[str, Any]] = []
    end, start = 0, text.find("{")
    while start >= 0:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            raise BadReply(f"the reply is malformed JSON: {shown(text[start:])}") from error
        found.append(value)
        start = text.find("{", end)
    if found and text[end:].strip(_QUOTES):
        raise BadReply(f"the reply goes on after its JSON: {shown(text[end:])}")
    return found


def _without_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise BadReply(f"the reply gives a field twice: {shown(', '.join(key for key, _ in pairs))}")
    return out


_DECODER = json.JSONDecoder(object_pairs_hook=_without_duplicates)


def _plain(word: str) -> str:
    """Lower case, without quotes, closing full stop or doubled spaces."""
    return " ".join(word.strip(_QUOTES).rstrip(".!").strip(_QUOTES).casefold().split())


def _finding(found: dict[str, Any]) -> Finding:
    verdict = found["verdict"]
    if isinstance(verdict, bool):
        label: Label | None = "supported" if verdict else "contradicted"
    else:
        label = _WORDS.get(_plain(verdict)) if isinstance(verdict, str) else None
    if label is None:
        raise BadReply(f"the reply's verdict is {shown(repr(verdict))}, not one of {', '.join(LABELS)}")
    probability = _share(found.get("probability"))
    if probability is not None and (
        (label == "supported" and probability < 0.5) or (label == "contradicted" and probability > 0.5)
    ):
        raise BadReply(
            f"the reply contradicts itself: {label}, with probability {probability:g} that the claim is true"
        )
    reason = found.get("reason")
    return Finding(label, probability, _one_line(reason) if isinstance(reason, str) else "")


def _share(value: object) -> float | None:
    """A number from 0 to 1; anything else is no probability."""
    if is_finite(value) and 0 <= value <= 1:
        return float(value)
    return None


def _one_line(text: str) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text[: 4 * _MAX_REASON]).split())[:_MAX_REASON]


def shown(text: str) -> str:
    """The beginning of a text on one line, quoted, for an error."""
    return repr(_one_line(text)[:120])
