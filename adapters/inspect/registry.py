"""What the entry point group `inspect_ai` loads: importing a scorer or task registers it with Inspect."""

from ...tasks.inspect_tasks import demo, gsm8k
from .scorers import infogain, knowledge, reasoning

__all__ = ["demo", "gsm8k", "infogain", "knowledge", "reasoning"]
