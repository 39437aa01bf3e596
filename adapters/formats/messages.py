"""Reads the messages of a chat, whoever's API wrote them: who speaks, thinking, visible text, and what was not read.

Servers put thinking into fields of their own, into blocks, into lists inside blocks; names differ, so they are read by
the words in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ...metrics.segment.marks import kind_of_role
from ...metrics.segment.sections import is_tool_result, with_thinking
from .entries import Unreadable

Speaker = Literal["human", "model", "tool", "other"]
PartKind = Literal["text", "thinking", "hidden", "call", "result", "document", "unknown"]

_DEPTH = 8
_SETTINGS = re.compile(r"effort|budget|tokens?$|format|signature|config|enabled|_ids?$|level|duration|time|reason$")
_KINDS: tuple[tuple[PartKind, re.Pattern[str]], ...] = (
    ("hidden", re.compile(r"redact|encrypt|summary_text|(?:reasoning|thinking|thought).{0,3}summary")),
    (
        "result",
        re.compile(r"(?:tool|function|code|search|interpreter|computer|shell|mcp).{0,30}(?:result|output|response)"),
    ),
    ("call", re.compile(r"tool_?use|tool_?call|function_?call|_call$|^executable_?code$")),
    ("thinking", re.compile(r"think|thought|reasoning|^cot$|tool_plan|scratchpad|monologue")),
    ("text", re.compile(r"^(?:text|input_text|output_text|refusal|markdown|content)$")),
)
_INSTEAD_OF_CONTENT = ("parts", "value", "text", "message")  # Gemini, ShareGPT, others, Cohere
# Fields of a message that hold nothing of what was said in it.
_NO_WORDS = frozenset(
    {
        *("role", "from", "type", "name", "id", "object", "index", "date", "model", "status", "source", "provider"),
        *("finish_reason", "stop_reason", "stop_sequence", "usage", "logprobs", "metadata", "weight", "prefix"),
        *("created", "created_at", "cache_control", "annotations", "audio", "tool_call_id", "tool_use_id"),
        *("provider_specific_fields", "additional_kwargs", "response_metadata"),
    }
)
_TEXT_FIELDS = (
    *("text", "thinking", "reasoning", "thought", "reasoning_content", "reasoning_text", "reasoningText"),
    *("reasoningContent", "content", "refusal", "value"),
)


_RESULT_FIELDS = ("content", "output", "result", "text", "response")


@dataclass
class Message:
    """One message.

    Attributes:
        text: what it shows, or, where the model speaks, all that it wrote, thinking in `<think>` tags.
        returns: it holds what a tool returned.
        hidden: parts of the thinking that came encrypted or redacted.
        thinks: whether it holds thinking that can be read.
        not_read: names of the parts and fields that were not understood.
        results: the texts that tools returned in it.
        documents: the texts of documents attached to it, each behind its title.
    """

    speaker: Speaker
    text: str = ""
    returns: bool = False
    hidden: int = 0
    thinks: bool = False
    not_read: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    documents: list[tuple[str, str]] = field(default_factory=list)


def read_messages(messages: Any) -> list[Message]:
    """Raises Unreadable where there is no list of messages, or a message's content is no text."""
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        raise Unreadable("field 'messages' is no list of messages", f"got {messages!r:.80}")
    read: list[Message] = []
    for message in messages:
        one = _read(message)
        if one.speaker == "human":
            behind_model = any(other.speaker == "model" for other in read)
            one.returns = one.returns or is_tool_result(one.text, behind_model=behind_model)
        read.append(one)
    return read


def _read(message: Mapping[str, Any]) -> Message:
    out = Message(_speaker(message))
    content_field = next((name for name in ("content", *_INSTEAD_OF_CONTENT) if message.get(name)), "content")
    content = message.get(content_field)
    if content is not None and not isinstance(content, str | list | Mapping):
        raise Unreadable("a message's content is no text", f"got {content!r:.80}")
    parts: list[tuple[PartKind, str]] = []
    for name, value in message.items():
        if name == content_field or str(name) in _NO_WORDS or not isinstance(value, str | list | Mapping) or not value:
            continue
        if name == "summary" and "role" not in message:  # of the reasoning, which is hidden
            parts += _parts(value, "hidden")
            continue
        kind = _kind(name)
        if kind in ("thinking", "hidden") or name == "refusal" or (kind == "text" and "role" not in message):
            parts += _parts(value, kind or "text")
        elif (
            (kind is None or name in _INSTEAD_OF_CONTENT)
            and value != content
            and not _SETTINGS.search(str(name).lower())
        ):
            parts.append(("unknown", f"field {str(name)[:40]!r}"))
    named = message.get("type", message.get("from"))
    parts += _parts(content, "text" if "role" in message else _kind(named) or "text")
    out.returns = any(kind == "result" for kind, _ in parts)
    out.documents = list(_documents(content))
    if out.speaker == "tool":
        out.results = [text for kind, text in parts if kind in ("text", "result") and text]
    else:
        out.results = [text for kind, text in parts if kind == "result" and text]
    out.hidden = sum(kind == "hidden" for kind, _ in parts)
    out.thinks = any(kind == "thinking" for kind, _ in parts)
    out.not_read = [text for kind, text in parts if kind == "unknown"]
    if out.speaker == "model":
        out.text = _written(parts)
    else:
        out.text = "\n".join(text for kind, text in parts if kind == "text")
    return out


def _speaker(message: Mapping[str, Any]) -> Speaker:
    """By its role; items of OpenAI's Responses API and LangChain's messages have a type instead."""
    named = message.get("role", message.get("from", message.get("type")))
    if "role" not in message and (kind := _kind(named)) is not None:
        return "tool" if kind == "result" else "model"
    names: dict[str | None, Speaker] = {"user": "human", "text": "model", "tool_result": "tool"}
    return names.get(kind_of_role(str(named)), "other")


def _written(parts: Sequence[tuple[PartKind, str]]) -> str:
    """A turn in the order in which it was written: thinking may follow text again."""
    turns: list[tuple[list[str], list[str]]] = [([], [])]
    for kind, text in parts:
        if kind == "thinking":
            if turns[-1][1]:
                turns.append(([], []))
            turns[-1][0].append(text)
        elif kind == "text":
            turns[-1][1].append(text)
    written = [with_thinking(thoughts, "\n".join(visible)) for thoughts, visible in turns]
    return "\n\n".join(text for text in written if text.strip())


def _parts(value: Any, inside: PartKind, depth: int = 0) -> Iterator[tuple[PartKind, str]]:
    """What a field or block holds, in order; of a part that is not understood, its name."""
    if isinstance(value, str):
        if value.strip():
            yield inside, value
    elif isinstance(value, list) and depth < _DEPTH:
        for one in value:
            yield from _parts(one, inside, depth + 1)
    elif isinstance(value, Mapping):
        yield from _part(value, inside, depth)
    elif value is not None:
        yield "unknown", f"a part {value!r:.40}"


def _part(part: Mapping[str, Any], inside: PartKind, depth: int) -> Iterator[tuple[PartKind, str]]:
    named = part.get("type")
    kind = _kind(named) if named else next((found for name in part if (found := _kind(name))), None)
    if kind == "text" and (inside == "thinking" or part.get("thought") is True):
        kind = "thinking"
    if named == "document" and any(True for _ in _documents(part)):
        yield "document", ""
    elif kind == "result":
        yield kind, "\n".join(text for name in _RESULT_FIELDS for text in _texts(part.get(name), depth))
    elif kind == "call":
        yield kind, ""
    elif kind in ("text", "thinking"):
        texts = list(_texts(part, depth))
        if texts:
            for text in texts:
                yield kind, text
        elif kind == "thinking" and any(value for name, value in part.items() if name not in ("type", "id")):
            yield "hidden", ""
    elif kind == "hidden":
        yield "hidden", ""
    else:
        yield (
            "unknown",
            f"a part of type {str(named)[:40]!r}" if named else f"a part with {', '.join(map(str, part))[:40]}",
        )


def _documents(content: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Title and text of the documents attached to a message, as Anthropic's and Cohere's blocks have them."""
    if isinstance(content, list) and depth < _DEPTH:
        for one in content:
            yield from _documents(one, depth + 1)
    elif isinstance(content, Mapping) and content.get("type") == "document":
        title = content.get("title") or content.get("id")
        for name in ("source", "document"):
            inner = content.get(name)
            body = inner if isinstance(inner, Mapping) else {"text": inner}
            if body.get("type", "text") in ("text", "content"):
                texts = [text for key in ("data", "content", "text") for text in _texts(body.get(key), depth)]
                if texts:
                    yield str(title or ""), "\n".join(texts)


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, list) and depth < _DEPTH:
        for one in value:
            yield from _texts(one, depth + 1)
    elif isinstance(value, Mapping) and depth < _DEPTH:
        found = next((value[name] for name in _TEXT_FIELDS if value.get(name)), None)
        yield from _texts(found, depth + 1)


def _kind(name: object) -> PartKind | None:
    """What a part or field holds, by the words in its name; None where they say nothing."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name)).lower().replace(".", "_").replace("-", "_")
    if name is None or _SETTINGS.search(plain):
        return None
    return next((kind for kind, pattern in _KINDS if pattern.search(plain)), None)
