"""Is a model as sure as it is right, and does it abstain where it should? Imports `comparison` and `repeats`."""

from .results import Calibration, CalibrationRow
from .table import calibration_of
from .tasks import calibrations_of

__all__ = ["Calibration", "CalibrationRow", "calibration_of", "calibrations_of"]
