"""What a chat model is shown of one claim: a JSON object with the claim, context and passages, between fences."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..types import Claim, Passage
from .context import NO_CONTEXT, Context
from .fencing import defuse, fence
from .injection import without_orders

# Enough for a dozen passages. A claim of a megabyte is refused before it is paid for.
MAX_MESSAGE_CHARACTERS = 60_000


def claim_message(claim: Claim, passages: Sequence[Passage], context: Context = NO_CONTEXT) -> str:
    """The user message. JSON keeps each text within its field, the fence keeps all of it apart from instructions.

    Orders to the judge are left out of the claim. A claim that is nothing else stands as it is: it is the judge's to
    leave it unasked. A context is shown where there is one (see `context_of`).
    """
    text, _ = without_orders(claim.text)
    shown = [{"title": defuse(passage.title), "text": defuse(passage.text)} for passage in passages]
    around = {name: defuse(value) for name, value in context._asdict().items()} if context else {}
    fields = {**around, "claim": defuse(text or claim.text), "passages": shown}
    return fence(json.dumps(fields, ensure_ascii=False, indent=1))
