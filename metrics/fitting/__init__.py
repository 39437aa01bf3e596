"""Fitting a scoring LM to a domain: trained to predict the gold answer from every prefix of a chain.

Ton et al. (arXiv 2411.11984) estimate the answer's distribution with such a *supervisor* model; an LM as it comes is
the special case of no training.
"""

from ..contamination.card import CARD, read_card
from ..contamination.question_hashes import question_hash, question_hashes
from ..errors import FitError
from .settings import AUGMENTATIONS, FitSettings

__all__ = ["AUGMENTATIONS", "CARD", "FitError", "FitSettings", "question_hash", "question_hashes", "read_card"]
