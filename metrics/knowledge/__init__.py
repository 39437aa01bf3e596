"""The Knowledge Index: claims in steps, evidence for them, verdicts on them."""

from .base import ClaimExtractor, Judge, Retriever, Surroundings
from .types import Claim, ExtractionFailed, Passage, Verdict

__all__ = [
    "Claim",
    "ClaimExtractor",
    "ExtractionFailed",
    "Judge",
    "Passage",
    "Retriever",
    "Surroundings",
    "Verdict",
]
