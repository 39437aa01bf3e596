"""Several responses to each question: does a model know the answer, or hit it now and then? Imports `comparison`."""

from .results import Cells, Estimate, RepeatRow, Repeats
from .table import repeats_of

__all__ = ["Cells", "Estimate", "RepeatRow", "Repeats", "repeats_of"]
