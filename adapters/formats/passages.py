"""The documents and tool results of a chat as given passages, which the retriever `given` offers to judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .entries import Unreadable
from .messages import Message

MAX_PASSAGES = 200
_TEXTS = ("text", "content", "snippet", "data")


def passages_in(value: Any, field: str) -> Iterator[dict[str, Any]]:
    """A row's documents: texts, or mappings with `text` (or `content`, `snippet`) or `table`, an `id` and a `title`.

    Raises Unreadable naming the field.
    """
    if value is None:
        return
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise Unreadable(f"field {field!r} is no list of documents", f"got {value!r:.80}")
    for number, one in enumerate(value, 1):
        if isinstance(one, str):
            yield {"id": f"document {number}", "title": "", "text": one}
            continue
        outer: Mapping[str, Any] = one if isinstance(one, Mapping) else {}
        inner = outer["data"] if isinstance(outer.get("data"), Mapping) else outer  # Cohere
        text = next((inner[key] for key in _TEXTS if isinstance(inner.get(key), str)), None)
        table = inner.get("table")
        if text is None and table is None:
            raise Unreadable(f"field {field!r}, document {number}: no text", f"got {one!r:.80}")
        title = str(inner.get("title") or outer.get("title") or "")
        name = str(outer.get("id") or inner.get("id") or title or f"document {number}")
        yield {"id": name, "title": title, **({"text": text} if text is not None else {"table": table})}


def attached(messages: Sequence[Message]) -> Iterator[dict[str, Any]]:
    """The documents attached to messages and what tools returned, in reading order."""
    documents = results = 0
    for message in messages:
        for title, text in message.documents:
            documents += 1
            yield {"id": title or f"attached document {documents}", "title": title, "text": text}
        for text in message.results:
            results += 1
            yield {"id": f"tool result {results}", "title": "", "text": text}
