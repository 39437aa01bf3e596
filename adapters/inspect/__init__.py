"""Inspect scorers; Inspect finds them by name (`stepgauge/reasoning`) through `registry`."""

from .dataframes import steps_df
from .scorers import infogain, knowledge, reasoning, reliance
from .viewer import viewer_config
from .with_reasoning import with_reasoning

__all__ = ["infogain", "knowledge", "reasoning", "reliance", "steps_df", "viewer_config", "with_reasoning"]
