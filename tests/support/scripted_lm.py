"""An lm-eval model that answers from a script, and the shortest way to run a task with it."""

from __future__ import annotations

import functools
import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import lm_eval.models  # noqa: F401  # lm-eval finds its own models only where nothing was registered before them
import torch
from datasets import Dataset
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager
from torch.utils import collect_env

# Each run describes the machine, asking pip and ten other programs, which takes longer than all else: once is enough.
collect_env.get_pretty_env_info = functools.cache(collect_env.get_pretty_env_info)


class ScriptedLM(LM):
    """Answers each prompt by the script entry whose key occurs last in it, its n-th response at the n-th asking.

    With `world_size` 2 it plays rank 0 of two whose other rank has `longer_by` more requests and sends back nothing:
    lm-eval then pads rank 0, and everything gathered goes through pickle.
    """

    def __init__(self, script: dict[str, Sequence[Any]], world_size: int = 1, longer_by: int = 0) -> None:
        super().__init__()
        self._script = script
        self._asked: Counter[str] = Counter()
        self._world_size = world_size
        self._longer_by = longer_by
        self._device = torch.device("cpu")
        self.n_requests = 0

    def generate_until(self, requests: list[Any]) -> list[Any]:
        self.n_requests += len(requests)
        return [self._answer(request.args[0]) for request in requests]

    def _answer(self, prompt: str) -> Any:
        # The question asked stands last, few-shot examples before it; the empty key takes what no other does.
        key = max(self._script, key=lambda key: prompt.rfind(key) if key else -0.5)
        assert key in prompt, prompt
        responses = self._script[key]
        self._asked[key] += 1
        return responses[(self._asked[key] - 1) % len(responses)]

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        return [(-1.0, False) for _ in requests]

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        return [-1.0 for _ in requests]

    def all_gather(self, tensor: torch.Tensor) -> torch.Tensor:
        return torch.stack([tensor, tensor + self._longer_by])

    def gather_object(self, obj: Any, dst: int = 0) -> list[Any]:  # noqa: ARG002
        return [pickle.loads(pickle.dumps(obj))]

    def barrier(self) -> None:
        pass


def documents(rows: list[dict[str, Any]]) -> Callable[..., dict[str, Dataset]]:
    """For a task's `custom_dataset`: a data set that is not read from a file."""
    return lambda **_: {"test": Dataset.from_list(rows)}


def evaluate(lm: LM, *tasks: Any, **options: Any) -> dict[str, Any]:
    """`simple_evaluate` without lm-eval's own tasks, whose index takes seconds to build."""
    manager = options.pop("task_manager", None) or TaskManager(
        include_defaults=False, include_path=options.pop("include_path", None), metadata=options.pop("metadata", None)
    )
    results = simple_evaluate(lm, tasks=list(tasks), task_manager=manager, bootstrap_iters=10, **options)
    assert results is not None
    return dict(results)


def rows(results: dict[str, Any], task: str, pipeline: str) -> dict[str, Any]:
    """`{metric: value}` of one pipeline."""
    return {
        name.rpartition(",")[0]: value
        for name, value in results["results"][task].items()
        if name.endswith(f",{pipeline}")
    }
