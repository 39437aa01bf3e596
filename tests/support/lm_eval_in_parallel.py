"""`stepgauge` with a model `hf-parallel`: lm-eval's `hf`, data-parallel on the CPU, too. Run by `accelerate launch`.

lm-eval 0.4.13 takes rank and world size from accelerate only where there are several GPUs: on the CPU each process of
its `hf` answers every document. This class takes them always.
"""

from __future__ import annotations

import sys
from typing import Any

from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks._index import TaskIndex

from stepgauge.adapters.cli import main


@register_model("hf-parallel")
class ParallelLM(HFLM):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        accelerator = getattr(self, "accelerator", None)
        if accelerator is not None:
            self._rank, self._world_size = accelerator.process_index, accelerator.num_processes


if __name__ == "__main__":
    # The test names its task by path: nothing is to be looked up among the 14,000 that lm-eval would read first.
    TaskIndex.build = staticmethod(lambda *_, **__: {})
    sys.exit(main())
