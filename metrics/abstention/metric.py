"""The chain metric `abstained`: 1 where the response abstains, 0 where it answers, missing where that is open."""

from __future__ import annotations

from ..chain import Chain, ChainMetric
from ..errors import Missing
from .rule import of_trace


def abstained(chain: Chain) -> float:
    found = of_trace(chain.trace) if chain.stance is None else chain.stance
    if found.outcome == "undetermined":
        raise Missing(UNDETERMINED + found.why)
    return float(found.outcome == "abstained")


UNDETERMINED = "undetermined: "
ABSTENTION_METRICS = (
    ChainMetric(
        "abstained",
        abstained,
        None,
        "share",
        'Share of the responses that give no answer ("I don\'t know", a refusal), among those of which that can be '
        "told: one that was cut off or is empty is undetermined.",
    ),
)
