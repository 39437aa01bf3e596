"""Reading a response into sections, and cutting those into reasoning steps."""

from .base import Span, Splitter
from .segmentation import BUILTIN_SPLITTERS, Segmentation, segment

__all__ = ["BUILTIN_SPLITTERS", "Segmentation", "Span", "Splitter", "segment"]
