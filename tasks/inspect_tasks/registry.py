"""Loaded by the entry point group `inspect_ai`: importing a scorer or task registers it with Inspect."""

from ...adapters.inspect.announced_scanners import announce_scanners
from ...adapters.inspect.scorers import infogain, knowledge, reasoning, reliance
from .embedded import demo, gsm8k
from .financial import finqa, mmlu_pro_business, mmlu_pro_economics, tatqa
from .legal import diversity, hearsay, lsat, mmlu_pro_law, personal_jurisdiction
from .medical import medmcqa, medqa, mmlu_pro_health, pubmedqa
from .with_reasoning import with_reasoning

__all__ = [
    "demo",
    "diversity",
    "finqa",
    "gsm8k",
    "hearsay",
    "infogain",
    "knowledge",
    "lsat",
    "medmcqa",
    "medqa",
    "mmlu_pro_business",
    "mmlu_pro_economics",
    "mmlu_pro_health",
    "mmlu_pro_law",
    "personal_jurisdiction",
    "pubmedqa",
    "reasoning",
    "reliance",
    "tatqa",
    "with_reasoning",
]

announce_scanners()
