"""What a chat model is shown of one claim: a JSON object with the claim and its passages, between two fences."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..types import Claim, Passage
from .fencing import defuse, fence
from .injection import without_orders

# Enough for a dozen passages. A claim of a megabyte is refused before it is paid for.
MAX_MESSAGE_CHARACTERS = 60_000


def claim_message(claim: Claim, passages: Sequence[Passage]) -> str:
    """The user message. JSON keeps each text within its field, the fence keeps all of it apart from instructions.

    Orders to the judge are left out of the claim. A claim that is nothing else stands as it is: it is the judge's to
    leave it unasked.
    """
    text, _ = without_orders(claim.text)
    shown = [{"title": defuse(passage.title), "text": defuse(passage.text)} for passage in passages]
    return fence(json.dumps({"claim": defuse(text or claim.text), "passages": shown}, ensure_ascii=False, indent=1))
