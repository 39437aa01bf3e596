"""Fits a scoring LM to a domain: trains it to predict the gold answer from every prefix of a chain.

Ton et al. (arXiv 2411.11984) estimate the answer's distribution with such a *supervisor* model; an off-the-shelf LM is
the special case without training.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..contamination.card import CARD, read_card
from ..contamination.question_hashes import question_hash, question_hashes
from ..errors import FitError
from .settings import AUGMENTATIONS, FitSettings

if TYPE_CHECKING:
    from .training import fit

__all__ = ["AUGMENTATIONS", "CARD", "FitError", "FitSettings", "fit", "question_hash", "question_hashes", "read_card"]


def __getattr__(name: str) -> Any:
    if name != "fit":  # only `fit` needs torch; reading a card must work without it
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return importlib.import_module(".training", __name__).fit
