"""The likelihood backend `hf` on several devices: a Ray actor on each, which loads the scorer for itself."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..engine.statistics import EngineStatistics
from ..errors import OutOfMemory, ScorerError, StepgaugeError
from ..likelihood import Group, Request, Result, Unscored
from ..models.loading import read_texts
from .actor import Answer, ScorerActor
from .batches import batches
from .quiet_ray import connect, disconnect

log = logging.getLogger(__name__)

# An actor that dies this often without answering in between is not started again.
_DEATHS = 3


@dataclass(eq=False)
class _Device:
    """A torch device and its actor. `deaths`: since its last answer. `given_up`: why it is not started again."""

    name: str
    actor: Any = None
    deaths: int = 0
    given_up: str | None = None


class ActorsBackend:
    """See `LikelihoodBackend` and `HuggingFaceBackend`, whose options it takes.

    Args:
        devices: torch devices of this machine, an actor on each; a device may be listed twice.

    Raises:
        ScorerError: Ray does not start, the scorer cannot be loaded, or would load differently on the devices.
    """

    def __init__(self, scorer: str, *, devices: Sequence[str], **options: Any) -> None:
        self._names = ",".join(devices)
        # This process reads tokenizer and configuration first: mistakes are reported, and files converted, only once.
        self._texts = read_texts(scorer, device=list(devices), **options)
        if int(os.environ.get("WORLD_SIZE") or 1) > 1:
            log.warning(
                "device %r in each of %s data-parallel processes: each of them loads the scorer on all of these "
                "devices; with device='auto' each takes its own",
                self._names,
                os.environ["WORLD_SIZE"],
            )
        self._scorer, self._options = scorer, options
        self._devices = [_Device(name) for name in devices]
        self._one_call = threading.Lock()
        self._work, self._seconds = EngineStatistics(), 0.0
        connect()
        self._end = weakref.finalize(self, _end, self._devices)
        try:
            self._description = self._load(self._devices)
        except BaseException:
            self._end()
            raise

    def _load(self, devices: Sequence[_Device]) -> Mapping[str, Any]:
        """Start actors, load the scorer in all of them at once, and return the description they agree on."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        for device in devices:
            self._start(device)
        asked = [device.actor.ask.remote("describe") for device in devices]
        try:
            told = [self._taken(device, ray.get(one)) for device, one in zip(devices, asked, strict=True)]
        except RayTaskError as error:
            raise _cause(error, self._names) from error
        except RayError as error:
            raise ScorerError(
                f"scorer {self._texts.name!r}: {_died(error, self._names)} before it was loaded"
            ) from error
        for device, description in zip(devices, told, strict=True):
            for name in sorted({*told[0], *description} - {"device"}):
                if description.get(name) != told[0].get(name):
                    raise ScorerError(
                        f"device {self._names!r}: {name} would be {told[0].get(name)!r} on {devices[0].name} and "
                        f"{description.get(name)!r} on {device.name}, and the numbers would differ"
                    )
        return told[0]

    def _start(self, device: _Device) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        # The device is named by the user: Ray has nothing to choose, and hides no other from the process.
        make = ray.remote(num_cpus=0, num_gpus=0, scheduling_strategy=here)(ScorerActor)
        level = logging.getLogger(__package__).getEffectiveLevel()
        options = {**self._options, "device": device.name}
        device.actor = make.remote(self._scorer, options, _threads(self._devices, device), level)

    def _taken(self, device: _Device, answer: Answer) -> Any:
        for logger, level, text in answer.said:
            logging.getLogger(logger).log(level, "%s (on %s)", text, device.name)
        self._work += answer.work
        device.deaths = 0
        return answer.value

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

        What a dead actor had in hand is tried again, item by item; one whose actor dies again is Unscored.

        Raises:
            OutOfMemory: not a single item fits in memory.
            Any other exception of `method`, once the actors have finished what they have in hand.
        """
        if not items:
            return []
        with self._one_call:
            devices = [device for device in self._devices if device.given_up is None]
            if not devices:
                why = "; ".join(dict.fromkeys(str(device.given_up) for device in self._devices))
                raise ScorerError(f"device {self._names!r}: no actor is left: {why}")
            if ended := [device for device in devices if device.actor is None]:
                self._load(ended)
            hand = _Hand(deque(batches(costs, len(devices))), deaths=[0] * len(items))
            try:
                while hand.todo or hand.held:
                    for device in devices:
                        if hand.todo and device.given_up is None and device not in hand.busy:
                            batch = hand.todo.popleft()
                            asked = device.actor.work.remote(method, [items[i] for i in batch], options)
                            hand.held[asked] = (device, batch)
                    if not hand.held:
                        break  # every actor is given up
                    found = self._answered(hand)
                    hand.results.update(found)
                    done(len(found))
            except Exception:
                _wait(hand.held)
                raise
            except BaseException:  # such as Ctrl-C
                _kill(self._devices)
                raise
        if lost := [i for i in range(len(items)) if i not in hand.results]:
            reason = f"no actor is left; the last one: {devices[-1].given_up}"
            log.warning("%d of %d are not scored: %s", len(lost), len(items), reason)
            hand.results.update((i, Unscored(reason)) for i in lost)
            done(len(lost))
        results = [hand.results[i] for i in range(len(items))]
        if hand.out_of_memory and all(isinstance(result, Unscored) for result in results):
            raise OutOfMemory(hand.out_of_memory)
        return results

    def _answered(self, hand: _Hand) -> Mapping[int, Any]:
        """Wait for the next answer; the results it brings, by index."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        (asked,), _ = ray.wait(list(hand.held))
        device, batch = hand.held.pop(asked)
        try:
            return dict(zip(batch, self._taken(device, ray.get(asked)), strict=True))
        except RayTaskError as error:
            cause = _cause(error, device.name)
            if not isinstance(cause, OutOfMemory):
                raise cause from error
            hand.out_of_memory = str(cause)
            return dict.fromkeys(batch, Unscored(str(cause)))
        except RayError as error:
            why = _died(error, device.name)
        self._start_again(device, why)
        for i in batch:
            hand.deaths[i] += 1
        if len(batch) == 1 and hand.deaths[batch[0]] > 1:
            return {batch[0]: Unscored(f"{why}, twice with this in hand")}
        hand.todo.extendleft([i] for i in reversed(batch))
        return {}

    def _start_again(self, device: _Device, why: str) -> None:
        """A new actor, which loads the scorer as it is asked; none where one after the other died."""
        device.actor = None
        device.deaths += 1
        if device.deaths < _DEATHS:
            log.warning("%s; what it had in hand is tried again", why)
            self._start(device)
        else:
            log.warning("%s; it is not started again", why)
            device.given_up = why

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
        return {**self._description, "device": self._names}

    def close(self) -> None:
        self._end()


@dataclass
class _Hand:
    """The state of one call: batches to deal and in hand, results by index, how often each item's actor died."""

    todo: deque[list[int]]
    deaths: list[int]
    held: dict[Any, tuple[_Device, list[int]]] = field(default_factory=dict)
    results: dict[int, Any] = field(default_factory=dict)
    out_of_memory: str | None = None

    @property
    def busy(self) -> list[_Device]:
        return [device for device, _ in self.held.values()]


def _end(devices: Sequence[_Device]) -> None:
    _kill(devices)
    disconnect()


def _kill(devices: Sequence[_Device]) -> None:
    import ray

    for device in devices:
        if device.actor is not None and ray.is_initialized():
            ray.kill(device.actor)
        device.actor = None


def _wait(held: Mapping[Any, object]) -> None:
    import ray

    if held:
        ray.wait(list(held), num_returns=len(held))


def _cause(error: Any, device: str) -> Exception:
    """What an actor raised. Of another's error the name, since its type need not be known here."""
    cause = error.cause
    log.debug("on %s: %s", device, error)
    if isinstance(cause, StepgaugeError):
        return cause
    return RuntimeError(f"on {device}: {type(cause).__name__}: {cause}")


def _died(error: Exception, device: str) -> str:
    log.debug("on %s: %s", device, error)
    hint = "killed or crashed, as it is when the machine's memory runs out"
    return f"the scorer's process on {device} died ({hint})"


def _cost(group: Group) -> float:
    """Estimated cost in characters through the model: the longest text, plus each span that branches off it."""
    longest = max((len(request.text) for request in group), default=0)
    return longest + sum(len(request.text) - request.start for request in group if request.start)


def _threads(devices: Sequence[_Device], device: _Device) -> int | None:
    """Threads per actor: those on the CPU share its cores, unless the user set the number of threads."""
    if device.name != "cpu" or "OMP_NUM_THREADS" in os.environ:
        return None
    import torch

    return max(1, torch.get_num_threads() // sum(one.name == "cpu" for one in devices))
