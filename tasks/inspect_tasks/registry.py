"""Loaded by the entry point group `inspect_ai`: importing a scorer or task registers it with Inspect."""

from ...adapters.inspect.announced_scanners import announce_scanners
from ...adapters.inspect.scorers import infogain, knowledge, reasoning, reliance
from .embedded import demo, gsm8k
from .financial import finqa, mmlu_pro_business, mmlu_pro_economics, tatqa
from .medical import medmcqa, medqa, mmlu_pro_health, pubmedqa
from .with_reasoning import with_reasoning

__all__ = [
    "demo",
    "finqa",
    "gsm8k",
    "infogain",
    "knowledge",
    "medmcqa",
    "medqa",
    "mmlu_pro_business",
    "mmlu_pro_economics",
    "mmlu_pro_health",
    "pubmedqa",
    "reasoning",
    "reliance",
    "tatqa",
    "with_reasoning",
]

announce_scanners()
