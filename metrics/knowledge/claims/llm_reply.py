"""The JSON in which a step's claims are written down: its schema, and a strict reader of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..chat.reply import MAX_REPLY_CHARACTERS, BadReply, last_answer, objects, shown

# More than any sentence that states one fact. A text that long was not ended but cut, or ran in circles.
MAX_CLAIM, MAX_QUERY = 400, 200


@dataclass(frozen=True)
class Extracted:
    """One claim as it was written down, with its query."""

    text: str
    query: str


def schema(most: int | None = None) -> dict[str, Any]:
    """The JSON schema of a reply. With `most`, it bounds numbers and lengths, which not every server takes."""
    claim: dict[str, Any] = {"type": "string", "description": "one self-contained sentence"}
    query: dict[str, Any] = {"type": "string", "description": "what to search a reference work for"}
    claims: dict[str, Any] = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"claim": claim, "query": query},
            "required": ["claim", "query"],
            "additionalProperties": False,
        },
    }
    if most is not None:
        claim |= {"minLength": 1, "maxLength": MAX_CLAIM}
        query |= {"maxLength": MAX_QUERY}
        claims["maxItems"] = most
    return {"type": "object", "properties": {"claims": claims}, "required": ["claims"], "additionalProperties": False}


def read_claims(text: str, most: int) -> Sequence[Extracted]:
    """The claims in a reply, each once: a JSON object with `claims` that ends the reply.

    Thinking in front of it is skipped. Raises BadReply for anything else: another form, more than `most` claims, one
    that is empty or as long as a text that was cut off, or objects that hold different claims.
    """
    if len(text) > MAX_REPLY_CHARACTERS:
        raise BadReply(f"the reply has {len(text)} characters, more than {MAX_REPLY_CHARACTERS}")
    found = [one["claims"] for one in objects(last_answer(text)) if "claims" in one]
    if not found:
        raise BadReply(f"the reply holds no claims: {shown(text)}")
    if any(other != found[0] for other in found):
        raise BadReply(f"the reply holds different claims: {shown(text)}")
    claims = found[0]
    if not isinstance(claims, list):
        raise BadReply(f"the reply's claims are {shown(repr(claims))}, not a list")
    if len(claims) > most:
        raise BadReply(f"the reply holds {len(claims)} claims, more than the {most} that were asked for")
    return tuple(dict.fromkeys(_claim(one) for one in claims))


def _claim(found: object) -> Extracted:
    if not isinstance(found, Mapping):
        raise BadReply(f"the reply's claim is {shown(repr(found))}, not an object")
    text, query = _text(found, "claim", MAX_CLAIM), _text(found, "query", MAX_QUERY)
    if not text:
        raise BadReply(f"the reply holds an empty claim: {shown(repr(dict(found)))}")
    return Extracted(text, query or text)


def _text(found: Mapping[str, object], field: str, longest: int) -> str:
    value = found.get(field)
    if not isinstance(value, str):
        raise BadReply(f"the reply's {field} is {shown(repr(value))}, not a text")
    if len(value) >= longest:
        raise BadReply(f"the reply's {field} has {len(value)} characters, {longest} or more: {shown(value)}")
    return " ".join(value.split())
