"""What the entry point group `inspect_ai` loads: importing a scorer or task registers it with Inspect."""

from ...tasks.inspect_medical import medmcqa, medqa, mmlu_pro_health, pubmedqa
from ...tasks.inspect_tasks import demo, gsm8k
from ...tasks.inspect_with_reasoning import with_reasoning
from .scorers import infogain, knowledge, reasoning

__all__ = [
    "demo",
    "gsm8k",
    "infogain",
    "knowledge",
    "medmcqa",
    "medqa",
    "mmlu_pro_health",
    "pubmedqa",
    "reasoning",
    "with_reasoning",
]
