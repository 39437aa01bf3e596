"""How long a response is and whether it ends mid-sentence, for runs that no scorer has cut into steps."""

from __future__ import annotations

from typing import Any

from ...metrics.answers.endings import ends_mid_sentence
from ...metrics.segment.sections import without_run_on

_TAIL = 2_000


def ending(response: Any) -> tuple[int | None, bool | None]:
    """(characters, whether it ends mid-sentence) of a response; (None, None) for what is no text.

    A model that, having answered, goes on with a question of its own has ended where the answer ends.
    """
    if not isinstance(response, str):
        return None, None
    text = without_run_on(response).rstrip()
    return len(response), ends_mid_sentence(text[-_TAIL:]) if text else False
