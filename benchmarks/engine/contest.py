"""Prepares the methods that `benchmarks.engine.infogain` times: chooses settings, loads peers, warms all of them up."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from stepgauge.metrics.engine.huggingface import HuggingFaceBackend

from . import methods as methods
from . import peers as peers
from .methods import Groups, Values
from .rounds import Measured
from .tokens import Counts, token_spans

if TYPE_CHECKING:
    from stepgauge.metrics.likelihood import Request

PUBLISHED, BATCHED, CACHED, LM_EVAL, OURS = "published", "batched", "cached", "lm-eval", "ours"
MINICONS, CTRANSLATE2 = "minicons", "ctranslate2"
FLOOR, FLOOR_BATCHES = "floor", "floor, batched"
OTHERS = (PUBLISHED, BATCHED, CACHED, LM_EVAL, MINICONS, CTRANSLATE2)
# The reference for the others' numbers on a set is the first of these that ran on it.
REFERENCES = (PUBLISHED, CACHED, BATCHED, LM_EVAL, OURS)
LABELS = {
    PUBLISHED: "(a) published: a pass per prefix",
    BATCHED: "(b) padded batches of prefixes",
    CACHED: "(c) one by one, KV cache",
    LM_EVAL: "(d) lm-eval HFLM",
    MINICONS: "minicons",
    CTRANSLATE2: "ctranslate2",
    OURS: "(e) stepgauge",
    FLOOR: "floor: a row a chain",
    FLOOR_BATCHES: "floor: even batches",
}
_BUDGETS = {"cpu": (512, 1024, 2048), "cuda": (8192, 16384, 65536)}
_BATCH_SIZES = {"cpu": (1, 4, 16), "cuda": (1, 8, 32)}
# lm-eval holds the logits of all positions twice, so batches are limited to this many positions.
_HARNESS_PLACES = {"cpu": 4096, "cuda": 32768}
_SAMPLE_TOKENS = {"cpu": 4000, "cuda": 60000}


@dataclass(frozen=True)
class Limits:
    """How much of a slow method is run.

    Attributes:
        rounds: rounds for every method that is fast enough.
        patience: tokens that a method may compute on a set over all its rounds; it always gets at least one round.
        at_most: a method that would compute more than this many tokens in one round is left out.
    """

    rounds: int
    patience: int
    at_most: int

    def rounds_for(self, tokens: int) -> int:
        """The rounds for a method that computes this many tokens; 0: leave it out."""
        return 0 if tokens > self.at_most else max(1, min(self.rounds, self.patience // max(1, tokens)))


class Contest:
    """All methods under one scorer.

    Attributes:
        settings: the settings chosen for (b) and (d), to be printed.
        absent: a line for each peer that is not installed.
    """

    def __init__(self, backend: HuggingFaceBackend, sets: Mapping[str, Groups], skip: Collection[str]) -> None:
        self.backend, self.model, self.tokenizer = backend, backend.engine.model, backend._loaded.tokenizer
        self._kind = "cpu" if self.model.device.type == "cpu" else "cuda"
        self.settings: dict[str, int] = {}
        self.absent: list[str] = []
        self._runs: dict[str, Callable[[Groups], Values]] = {}
        sample = self._sample(sets)
        both = self.model, self.tokenizer
        if PUBLISHED not in skip:
            self._runs[PUBLISHED] = partial(methods.published, *both)
        self.budget = _BUDGETS[self._kind][1]
        if BATCHED not in skip:
            choices = {n: partial(methods.batched, *both, budget=n) for n in _BUDGETS[self._kind]}
            self.budget = self.settings["tokens a batch in (b)"] = _fastest(choices, sample)
            self._runs[BATCHED] = choices[self.budget]
        if CACHED not in skip:
            self._runs[CACHED] = partial(methods.cached, *both)
        if LM_EVAL not in skip:
            self._add(LM_EVAL, lambda: self._lm_eval(sample))
        for name, make in ((MINICONS, peers.minicons), (CTRANSLATE2, peers.ctranslate2)):
            if name not in skip:
                self._add(name, partial(make, *both, self.budget))
        self._runs[OURS] = partial(methods.ours, backend)
        for run in self._runs.values():
            run([group[:2] for group in sample[:1]])

    def enter(self, groups: Groups, counts: Sequence[Counts], limits: Limits) -> tuple[list[Measured], dict[str, int]]:
        """The methods to run on these chains, and the token counts of those that are left out."""
        every, unique = (sum(getattr(count, name) for count in counts) for name in ("all_tokens", "unique"))
        entered, left_out = [], {}
        for name, run in self._runs.items():
            tokens = unique if name in (CACHED, OURS) else every
            if rounds := limits.rounds if name == OURS else limits.rounds_for(tokens):
                entered.append(Measured(name, partial(run, groups), tokens, rounds))
            else:
                left_out[name] = tokens
        floors = {FLOOR: partial(methods.floor_by_chain, self.model, counts)}
        if len(counts) > 1:
            floors[FLOOR_BATCHES] = partial(methods.floor_in_batches, self.model, counts, self.budget)
        entered += [Measured(name, run, unique, limits.rounds) for name, run in floors.items()]
        return entered, left_out

    def _add(self, name: str, make: Callable[[], Callable[[Groups], Values]]) -> None:
        try:
            self._runs[name] = make()
        except ImportError as error:
            self.absent.append(f"{name} is left out: {error}")

    def _lm_eval(self, sample: Groups) -> Callable[[Groups], Values]:
        score = partial(peers.lm_eval_harness(self.model, self.tokenizer), places=_HARNESS_PLACES[self._kind])
        choices = {size: partial(score, batch_size=size) for size in _BATCH_SIZES[self._kind]}
        best = self.settings["batch size in (d)"] = _fastest(choices, sample)
        return choices[best]

    def _sample(self, sets: Mapping[str, Groups]) -> list[list[Request]]:
        """Every n-th request of each chain, with about as many tokens from each set."""
        share = _SAMPLE_TOKENS[self._kind] // len(sets)
        sample = []
        for groups in sets.values():
            tokens = sum(len(span.ids) for requests in groups for span in token_spans(self.tokenizer, requests))
            sample += [list(requests[:: 1 + tokens // share]) for requests in groups]
        return sample


def _fastest(choices: Mapping[int, Callable[[Groups], Any]], sample: Groups) -> int:
    seconds = {}
    for setting, run in choices.items():
        run([sample[0][:1]])
        started = time.perf_counter()
        run(sample)  # gives its numbers on the CPU, so the device is done
        seconds[setting] = time.perf_counter() - started
    print("  ".join(f"{setting}: {value:.2f} s" for setting, value in seconds.items()), file=sys.stderr)
    return min(seconds, key=seconds.__getitem__)
