"""What numbers of reliance may be taken for: it hangs on who the scoring LM is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..models.in_memory import SELF

CAUSAL = "causal for this model"
CONTENT = "content, not causation"


def claim_of(scorer: object) -> str:
    """What a scorer's numbers of reliance say: only where the model that wrote the chain scores it, what drives it."""
    return CAUSAL if scorer == SELF else CONTENT


def claim_in(provenance: Mapping[str, Any]) -> str | None:
    """What a score's provenance says of its numbers of reliance; None where it has none."""
    about = provenance.get("reliance")
    claim = about.get("claim") if isinstance(about, Mapping) else None
    return claim if claim in _WHY else None


def claim_lines(claims: Iterable[str | None]) -> list[str]:
    """What stands below a table with numbers of reliance: a line, or one for each claim."""
    return [f"reliance: {claim} ({_WHY[claim]})" for claim in dict.fromkeys(claims) if claim is not None]


def regrown_lines(provenances: Iterable[Mapping[str, Any]]) -> list[str]:
    """What stands below a table with numbers of ends that were written anew: a line, where there are any."""
    return [_REGROWN] if any(isinstance(one.get("regrown"), Mapping) for one in provenances) else []


_REGROWN = f"ends written anew: {CAUSAL} (the model under test wrote them itself)"
_WHY = {
    CAUSAL: "the model under test scored its own chains",
    CONTENT: "the scorer is not known to be the model that wrote the chains",
}
