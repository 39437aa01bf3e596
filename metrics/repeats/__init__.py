"""Several responses to each question: does a model know the answer, or hit it now and then? Imports `comparison`."""

from .of_runs import repeats_in
from .results import Cells, Estimate, RepeatRow, Repeats

__all__ = ["Cells", "Estimate", "RepeatRow", "Repeats", "repeats_in"]
