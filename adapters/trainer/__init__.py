"""Scores in a live training: a callback for transformers' Trainer, and a reward for TRL's GRPO.

May import all rooms up to `runs`: every evaluation is written as `stepgauge score` writes, and read back from there.
"""

from .callback import StepgaugeCallback
from .reward import InfoGainReward, StepCredit

__all__ = ["InfoGainReward", "StepCredit", "StepgaugeCallback"]
