"""Whether a text ends mid-sentence, as responses do that a limit cut off."""

from __future__ import annotations

from .announcing import is_final_answer

_ENDS = (".", "!", "?", "…", "。", "！", "？", "．", "।", "۔", "؟", "}", "]")
_BEHIND = "\"'”’)]*_`$ \t\r\n"


def ends_mid_sentence(text: str, *, announces: bool | None = None) -> bool:
    """Whether a text ends neither at the end of a sentence nor with an answer.

    Args:
        text: not blank; its last line is looked at.
        announces: whether its end only announces an answer, where that is known; None: as its last line says.
    """
    last = text.rstrip().rpartition("\n")[2]
    if last.rstrip(_BEHIND).endswith(_ENDS):
        return False
    return not (is_final_answer(last) if announces is None else announces)
