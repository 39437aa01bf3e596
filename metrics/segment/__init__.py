"""Reading a response into sections, and cutting those into reasoning steps."""

from .auto import CHOSEN
from .base import Span, Splitter
from .choosing import splitter_of
from .segmentation import BUILTIN_SPLITTERS, Segmentation, auto_choices, flagged, prepare, segment

__all__ = [
    "BUILTIN_SPLITTERS",
    "CHOSEN",
    "Segmentation",
    "Span",
    "Splitter",
    "auto_choices",
    "flagged",
    "prepare",
    "segment",
    "splitter_of",
]
