"""The likelihood backend `hf`: scores with a transformers causal LM through the token trie."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..contamination.overlap import scorer_card
from ..likelihood import Group, Request, Result, SpanScore, Unscored
from ..models.in_memory import ModelInMemory
from ..models.loading import LoadedModel, check_token_budget, from_memory, load, max_tokens
from ..models.quantization import batch_dependence
from ..models.scorer_tokenizer import ScorerTexts
from ..tokenization.spans import TokenSpan, check_tokenizer, encode
from .json_generation import JsonGenerator
from .scheduler import log_likelihoods, make_engine
from .statistics import EngineStatistics

log = logging.getLogger(__name__)


class HuggingFaceBackend:
    """See `LikelihoodBackend`. Raises ScorerError when the scorer cannot be loaded or has no fast tokenizer.

    Of a model in memory all but `token_budget` is as its owner loaded it.
    """

    def __init__(
        self,
        scorer: str | ModelInMemory,
        *,
        device: str = "auto",
        dtype: str = "auto",
        token_budget: int | str = "auto",
        revision: str | None = None,
        trust_remote_code: bool = False,
        quantization: str | None = None,
    ) -> None:
        check_token_budget(token_budget)
        if isinstance(scorer, ModelInMemory):
            self._loaded: LoadedModel = from_memory(scorer)
            source = scorer.source
        else:
            self._loaded = load(
                scorer,
                device=device,
                dtype=dtype,
                revision=revision,
                trust_remote_code=trust_remote_code,
                quantization=quantization,
            )
            source = self._loaded.source
        check_tokenizer(self._loaded.tokenizer)
        card = scorer_card(source, self._loaded.revision) if source is not None else None
        self._fit = card["id"] if card else None
        model = self._loaded.model
        self._texts = ScorerTexts(self._loaded.tokenizer, self._loaded.name, max_tokens(model.config))
        self._devices = {parameter.device for parameter in model.parameters()}
        self.engine = make_engine(model, token_budget)
        if self.engine.plan and (reason := batch_dependence(model.config)):
            self.engine.plan, self.engine.plain_reason = None, reason
            log.warning("%s is scored with one forward pass per prefix: %s", self._loaded.name, reason)
        self._generator: tuple[str, JsonGenerator] | None = None

    @property
    def max_tokens(self) -> int | None:
        """The model's context length in tokens; None if it has no fixed one."""
        return self._texts.max_tokens

    @property
    def computes_elsewhere(self) -> bool:
        return all(device.type != "cpu" for device in self._devices)

    def too_long(self, request: Request) -> str | None:
        return self._texts.too_long(request)

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        started = time.perf_counter()
        stats = self.engine.stats
        try:
            spans = [encode(self._loaded.tokenizer, group, self.max_tokens) if group else [] for group in groups]
            stats.tokenizing_seconds += time.perf_counter() - started
            usable = [i for i, group in enumerate(spans) if group and not isinstance(group, Unscored)]
            done(len(groups) - len(usable))
            sums = dict(zip(usable, log_likelihoods(self.engine, [spans[i] for i in usable], done), strict=True))  # type: ignore[arg-type]
        finally:
            stats.seconds += time.perf_counter() - started
            for device in self._devices:
                stats.note_memory(device)
        results = [_result(spans[i], sums.get(i)) for i in range(len(groups))]
        scored = [result for result in results if not isinstance(result, Unscored) and result]
        stats.groups += len(scored)
        stats.sequences += sum(map(len, scored))
        stats.scored_tokens += sum(span.n_tokens for result in scored for span in result)
        return list(results)

    def statistics(self) -> EngineStatistics:
        return replace(self.engine.stats)

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        return self._texts.render_chat(messages)

    def generate_json(
        self,
        prompts: Sequence[str],
        schema: Mapping[str, Any],
        max_tokens: int,
        done: Callable[[int], None],
        *,
        special_tokens: bool = True,
    ) -> list[str | Unscored]:
        """See `JsonGenerator`. Raises ScorerError when `llguidance` is missing, or cannot use tokenizer or schema."""
        key = json.dumps(schema, sort_keys=True)
        if self._generator is None or self._generator[0] != key:
            made = JsonGenerator(self.engine, self._loaded.tokenizer, self.max_tokens, schema)
            self._generator = (key, made)
        return self._generator[1].generate(prompts, max_tokens, done, special_tokens=special_tokens)

    def describe(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "scorer": self._loaded.name,
            "source": self._loaded.source,
            "revision": self._loaded.revision,
            "architecture": type(self._loaded.model).__name__,
            "dtype": self._loaded.dtype,
            "device": self._loaded.device,
            "passes": "trie" if self.engine.plan else "plain",
        }
        if self._fit:
            out["fit"] = self._fit
        if self._loaded.quantization:
            out["quantization"] = self._loaded.quantization
        if self.engine.plain_reason:
            out["plain_reason"] = self.engine.plain_reason
        return out

    def close(self) -> None:
        del self._loaded, self.engine, self._generator
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _result(
    spans: Sequence[TokenSpan] | Unscored, total: np.ndarray | Unscored | None
) -> Sequence[SpanScore] | Unscored:
    """One group's scores; `total` is None if the group was not sent to the engine."""
    if isinstance(spans, Unscored):
        return spans
    if isinstance(total, Unscored):
        return total
    values = [] if total is None else total.tolist()
    return [SpanScore(value, span.n - span.start, span.start) for value, span in zip(values, spans, strict=True)]
