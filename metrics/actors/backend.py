"""The likelihood backend `hf` in Ray actors: one on each of several devices, or one that somebody else made."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..engine.statistics import EngineStatistics
from ..errors import OutOfMemory, ScorerError, StepgaugeError
from ..likelihood import Group, Request, Result, Unscored
from ..models.loading import read_texts
from .actor import Answer, ScorerActor
from .batches import batches
from .quiet_ray import connect, disconnect

log = logging.getLogger(__name__)

# Ray starts an actor's process again and gives it once more what it had in hand.
TRIED_TWICE = {"max_restarts": -1, "max_task_retries": 1}


class ActorsBackend:
    """See `LikelihoodBackend` and `HuggingFaceBackend`, whose options it takes.

    Args:
        devices: torch devices of this machine, an actor on each; a device may be listed twice.
        there: an actor of somebody else's, asked in their place, with all groups of a call at once.

    Raises:
        ScorerError: Ray does not start, the scorer cannot be loaded, or would load differently on the devices.
    """

    def __init__(self, scorer: str, *, devices: Sequence[str], there: Any = None, **options: Any) -> None:
        # This process reads tokenizer and configuration first: mistakes are reported, and files converted, only once.
        read = {"device": list(devices), **options}
        if there is not None:  # the device is another process's, and maybe another machine's
            read = {name: options[name] for name in ("revision", "trust_remote_code") if name in options}
        self._texts = read_texts(scorer, **read)
        self._device = ",".join(devices)
        self._whole = there is not None
        self._one_call = threading.Lock()
        self._work, self._seconds = EngineStatistics(), 0.0
        self._actors: list[Any] = []
        if self._whole:
            self._make, self._end = (lambda: [there]), (lambda: None)
        else:
            _warn_of_ranks(self._device)
            self._make = lambda: _start(scorer, devices, options)
            connect()
            self._end = weakref.finalize(self, _end, self._actors)
        try:
            self._description = self._begin()
        except BaseException:
            self._end()
            raise

    @property
    def computes_elsewhere(self) -> bool:
        """Never for one of several processes that ask the same actor: they share their machine's cores already."""
        return not self._whole and not any(name.partition(":")[0] == "cpu" for name in self._device.split(","))

    def _begin(self) -> Mapping[str, Any]:
        """Start the actors, load the scorer in all of them at once, and return the description they agree on."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        self._actors += self._make()
        try:
            told = [self._taken(answer) for answer in ray.get([one.ask.remote("describe") for one in self._actors])]
        except RayTaskError as error:
            raise _cause(error) from error
        except RayError as error:
            log.debug("%s", error)
            raise ScorerError(f"scorer {self._texts.name!r}: its process died twice before it was loaded") from error
        for description in told:
            for name in sorted({*told[0], *description} - {"device"}):
                if description.get(name) != told[0].get(name):
                    one, other = (f"{each.get(name)!r} on {each['device']}" for each in (told[0], description))
                    raise ScorerError(
                        f"device {self._device!r}: {name} would be {one} and {other}, and the numbers would differ"
                    )
        return told[0]

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        started = time.perf_counter()
        try:
            return self._deal("score", groups, [_cost(group) for group in groups], {}, done)
        finally:
            self._seconds += time.perf_counter() - started

    def generate_json(
        self,
        prompts: Sequence[str],
        schema: Mapping[str, Any],
        max_tokens: int,
        done: Callable[[int], None],
        *,
        special_tokens: bool = True,
    ) -> list[str | Unscored]:
        """See `HuggingFaceBackend.generate_json`."""
        options = {"schema": schema, "max_tokens": max_tokens, "special_tokens": special_tokens}
        return self._deal("generate_json", prompts, [float(len(prompt)) for prompt in prompts], options, done)

    def _deal(
        self,
        method: str,
        items: Sequence[Any],
        costs: Sequence[float],
        options: Mapping[str, Any],
        done: Callable[[int], None],
    ) -> list[Any]:
        """The result of `method` for each item, in order.

        A batch whose actor died twice is tried item by item; one whose actor dies twice again is Unscored.

        Raises:
            OutOfMemory: not a single item fits in memory.
            Any other exception of `method`, once the actors have finished what they have in hand.
        """
        import ray
        from ray.exceptions import RayError, RayTaskError

        if not items:
            return []
        results: dict[int, Any] = {}
        out_of_memory: OutOfMemory | None = None
        held: dict[Any, tuple[Any, list[int]]] = {}
        with self._one_call:
            if not self._actors:  # they ended at Ctrl-C
                self._begin()
            free = list(self._actors)
            todo = deque([list(range(len(items)))] if self._whole else batches(costs, len(free)))
            try:
                while todo or held:
                    while todo and free:
                        actor, batch = free.pop(), todo.popleft()
                        held[actor.work.remote(method, [items[i] for i in batch], options)] = actor, batch
                    (asked,), _ = ray.wait(list(held))
                    actor, batch = held.pop(asked)
                    free.append(actor)
                    try:
                        results.update(zip(batch, self._taken(ray.get(asked)), strict=True))
                    except RayTaskError as error:
                        cause = _cause(error)
                        if not isinstance(cause, OutOfMemory):
                            raise cause from error
                        out_of_memory = cause
                        results.update(dict.fromkeys(batch, Unscored(str(cause))))
                    except RayError as error:  # its process was killed or crashed
                        log.debug("%s", error)
                        log.warning("a scorer's process died twice with %d groups in hand", len(batch))
                        if len(batch) > 1:
                            todo.extendleft([i] for i in reversed(batch))
                            continue
                        results[batch[0]] = Unscored("the scorer's process died twice with this in hand")
                    done(len(batch))
            except Exception:
                if held:
                    ray.wait(list(held), num_returns=len(held))
                raise
            except BaseException:  # such as Ctrl-C
                if not self._whole:
                    _kill(self._actors)
                raise
        if out_of_memory and all(isinstance(result, Unscored) for result in results.values()):
            raise out_of_memory
        return [results[i] for i in range(len(items))]

    def _taken(self, answer: Answer) -> Any:
        for logger, level, text in answer.said:
            logging.getLogger(logger).log(level, "%s", text)
        self._work += answer.work
        return answer.value

    @property
    def max_tokens(self) -> int | None:
        """The model's context length in tokens; None if it has no fixed one."""
        return self._texts.max_tokens

    def too_long(self, request: Request) -> str | None:
        return self._texts.too_long(request)

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        return self._texts.render_chat(messages)

    def statistics(self) -> EngineStatistics:
        """The sum of the actors' counts; seconds are this process's wall-clock time, not a sum over actors."""
        return replace(self._work, seconds=self._seconds)

    def describe(self) -> dict[str, Any]:
        return {**self._description, **({} if self._whole else {"device": self._device})}

    def close(self) -> None:
        self._end()


def make_actor(scorer: str, options: Mapping[str, Any], threads: int | None, **placed: Any) -> Any:
    """An actor that loads the scorer as it is first asked. `placed`: what Ray is told of its place and resources."""
    import ray

    level = logging.getLogger(__package__).getEffectiveLevel()
    return ray.remote(**TRIED_TWICE, **placed)(ScorerActor).remote(scorer, options, threads, level)


def _start(scorer: str, devices: Sequence[str], options: Mapping[str, Any]) -> list[Any]:
    import ray

    here = ray.get_runtime_context().get_node_id()
    # The devices are named: Ray has nothing to choose, and hides no device from a process that asks it for none.
    placed = {"num_cpus": 0, "num_gpus": 0, "label_selector": {"ray.io/node-id": here}}
    return [make_actor(scorer, {**options, "device": one}, _threads(devices, one), **placed) for one in devices]


def _end(actors: list[Any]) -> None:
    _kill(actors)
    disconnect()


def _kill(actors: list[Any]) -> None:
    import ray

    while actors:
        actor = actors.pop()
        if ray.is_initialized():
            ray.kill(actor)


def _cause(error: Any) -> Exception:
    """What an actor raised. Another's error by its name, since this process need not know its type."""
    log.debug("%s", error)
    if isinstance(error.cause, StepgaugeError):
        return error.cause
    return RuntimeError(f"{type(error.cause).__name__}: {error.cause}")


def _warn_of_ranks(device: str) -> None:
    if int(os.environ.get("WORLD_SIZE") or 1) > 1:
        log.warning(
            "device %r in each of %s data-parallel processes: each of them loads the scorer on all of these devices; "
            "with device='auto' each takes its own",
            device,
            os.environ["WORLD_SIZE"],
        )


def _cost(group: Group) -> float:
    """Estimated cost in characters through the model: the longest text, plus each span that branches off it."""
    longest = max((request.length for request in group), default=0)
    return longest + sum(request.length - request.start for request in group if request.start)


def _threads(devices: Sequence[str], device: str) -> int | None:
    """Threads per actor: those on the CPU share its cores, unless the user set the number of threads."""
    if device != "cpu" or "OMP_NUM_THREADS" in os.environ:
        return None
    import torch

    return max(1, torch.get_num_threads() // list(devices).count("cpu"))
