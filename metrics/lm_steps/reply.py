"""The JSON in which an LM says where steps begin: its schema, and a strict reader of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ..knowledge.chat.reply import MAX_REPLY_CHARACTERS, BadReply, last_answer, objects, shown


def schema(most: int | None = None) -> dict[str, Any]:
    """The JSON schema of a reply. With `most`, it bounds the numbers, which not every server takes."""
    number: dict[str, Any] = {"type": "integer", "description": "the number of a piece at which a step begins"}
    begins: dict[str, Any] = {"type": "array", "items": number}
    if most is not None:
        number |= {"minimum": 1, "maximum": most}
        begins |= {"minItems": 1, "maxItems": most}
    return {"type": "object", "properties": {"begins": begins}, "required": ["begins"], "additionalProperties": False}


def read_begins(text: str) -> tuple[int, ...]:
    """The numbers in a reply, a JSON object with `begins` that ends it.

    Thinking in front of it is skipped. Raises BadReply for anything else: another form, no number, numbers that do not
    rise, or objects that hold different ones.
    """
    if len(text) > MAX_REPLY_CHARACTERS:
        raise BadReply(f"the reply has {len(text)} characters, more than {MAX_REPLY_CHARACTERS}")
    found = [one["begins"] for one in objects(last_answer(text)) if "begins" in one]
    if not found:
        raise BadReply(f"the reply does not say where steps begin: {shown(text)}")
    if any(other != found[0] for other in found):
        raise BadReply(f"the reply says different things of where steps begin: {shown(text)}")
    begins = found[0]
    if not isinstance(begins, list) or not begins:
        raise BadReply(f"the reply's beginnings are {shown(repr(begins))}, not a list of numbers")
    for number in begins:
        if not isinstance(number, int) or isinstance(number, bool):
            raise BadReply(f"the reply's beginning {shown(repr(number))} is no whole number")
    if begins[0] < 1 or any(later <= earlier for earlier, later in pairwise(begins)):
        raise BadReply(f"the reply's beginnings are not rising numbers of pieces: {shown(repr(begins))}")
    return tuple(begins)
