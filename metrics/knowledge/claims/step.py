"""The claim extractor `steps`: each step, as it stands, is one claim. For judges of steps (`judges/prm.py`)."""

from __future__ import annotations

from collections.abc import Sequence

from ...trace import Step, Trace
from ..base import ClaimExtractor
from ..types import Claim

STEP = "step"


def _extract(traces: Sequence[Trace], steps: Sequence[Sequence[Step]]) -> list[list[Claim]]:
    del traces
    return [[Claim(step.text, i, step.start, step.end, STEP) for i, step in enumerate(own)] for own in steps]


STEPS_AS_CLAIMS = ClaimExtractor("steps", _extract)
