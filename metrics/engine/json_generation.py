"""Schema-constrained greedy JSON generation with the scoring LM: any causal LM, however small, writes valid JSON.

At each token a grammar made from the schema (`llguidance`) masks whatever would violate it. The content is only as good
as the LM.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import LogitsProcessorList, StoppingCriteriaList

from ..errors import ScorerError
from ..likelihood import Unscored
from ..optional_packages import is_installed, needs
from ..tokenization.spans import scalar_text
from .greedy import greedy
from .memory import unless_out_of_memory
from .scheduler import Engine

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

# Elements of a batch's logits and of the mask over them.
_LOGIT_ELEMENTS = 1 << 24
# After the prompts, a pass holds one token per row. On a CPU, whose token budget is small, more rows cost little time.
_TOKENS_PER_BUDGET = 8
_CPU_TOKENS = 16_384


class JsonGenerator:
    """Generates JSON for one schema with one model.

    Args:
        engine: the model and its token budget per pass. The budget sets the batch size and is halved on out-of-memory.
        tokenizer: the model's own fast tokenizer.
        max_context: the model's context length in tokens, or None.
        schema: a JSON schema. `maxLength` and `maxItems` bound the output.

    Raises:
        ScorerError: `llguidance` is not installed, or it cannot use the tokenizer or the schema.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: PreTrainedTokenizerBase,
        max_context: int | None,
        schema: Mapping[str, Any],
    ) -> None:
        if not is_installed("llguidance"):
            raise ScorerError(needs("generating with the scoring LM", "llguidance", "generation"))
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        self._engine = engine
        self._tokenizer = tokenizer
        self._max_context = max_context
        self._budget = max(engine.token_budget, min(_TOKENS_PER_BUDGET * engine.token_budget, _CPU_TOKENS))
        # White space between JSON tokens carries no information, and a small LM may write it endlessly.
        self._grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides={"whitespace_flexible": False})
        try:
            vocabulary = engine.model.config.get_text_config().vocab_size
            self._vocabulary = from_tokenizer(tokenizer, n_vocab=max(vocabulary, len(tokenizer)))  # type: ignore[arg-type]
        except (ValueError, RuntimeError, TypeError) as error:
            raise ScorerError(f"llguidance cannot use the scorer's tokenizer: {error}") from error
        if problem := LLMatcher.validate_grammar(self._grammar, self._vocabulary):
            raise ScorerError(f"llguidance cannot use the JSON schema: {problem}")

    def generate(
        self, prompts: Sequence[str], max_tokens: int, done: Callable[[int], None], *, special_tokens: bool
    ) -> list[str | Unscored]:
        """The JSON generated for each prompt; Unscored if it was cut off or the prompt is too long.

        Args:
            max_tokens: limit of generated tokens; JSON that is not complete by then is Unscored.
            done: called with a number of prompts whenever that many more are finished.
            special_tokens: let the tokenizer add its own special tokens (BOS); False for rendered chat templates.
        """
        out: list[str | Unscored] = [Unscored("not generated")] * len(prompts)
        queue: list[tuple[int, list[int]]] = []
        for i, prompt in enumerate(prompts):
            ids = self._encode(prompt, special_tokens)
            needed = len(ids) + max_tokens
            if self._max_context is not None and needed > self._max_context:
                out[i] = Unscored(
                    f"a prompt of {len(ids)} tokens and {max_tokens} to generate are more than the scorer's context of "
                    f"{self._max_context}"
                )
                done(1)
            elif not ids:
                out[i] = Unscored("an empty prompt")
                done(1)
            else:
                queue.append((i, ids))
        queue.sort(key=lambda item: len(item[1]))
        while queue:
            batch = self._take(queue, max_tokens)
            prompts_ids = [ids for _, ids in batch]
            texts = unless_out_of_memory(
                lambda ids=prompts_ids: self._batch(ids, max_tokens), self._engine.model.device
            )
            if texts is None:
                tokens = len(batch) * (len(batch[-1][1]) + max_tokens)
                if len(batch) > 1:
                    self._budget = tokens // 2
                    log.warning("out of memory on %d tokens: batches now hold %d", tokens, self._budget)
                    queue += batch
                    continue
                texts = [Unscored(f"out of memory on a single prompt of {len(batch[0][1])} tokens")]
            for (i, _), text in zip(batch, texts, strict=True):
                out[i] = text
            done(len(batch))
        return out

    def _encode(self, prompt: str, special_tokens: bool) -> list[int]:
        batch = self._tokenizer([scalar_text(prompt)], add_special_tokens=special_tokens, verbose=False)
        assert batch.encodings is not None
        (encoding,) = batch.encodings
        # A special token that the tokenizer appends (EOS) would end the text before anything is generated.
        own = np.flatnonzero(np.asarray(encoding.special_tokens_mask) == 0)
        return encoding.ids[: own[-1] + 1] if own.size else []

    def _take(self, queue: list[tuple[int, list[int]]], max_tokens: int) -> list[tuple[int, list[int]]]:
        """Pop the longest prompts that fit in one batch off the end of `queue`, which is sorted, longest last."""
        length = len(queue[-1][1]) + max_tokens
        vocabulary = self._engine.model.config.get_text_config().vocab_size
        rows = max(1, min(self._budget // length, _LOGIT_ELEMENTS // vocabulary, len(queue)))
        batch = queue[-rows:]
        del queue[-rows:]
        return batch

    def _batch(self, prompts: Sequence[list[int]], max_tokens: int) -> list[str | Unscored]:
        model, length = self._engine.model, max(map(len, prompts))
        pad = next(
            token for token in (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id, 0) if token is not None
        )
        ids = torch.full((len(prompts), length), int(pad))  # type: ignore[arg-type]
        seen = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):  # left padding: the generated text directly follows the prompt
            ids[row, length - len(prompt) :] = torch.tensor(prompt)
            seen[row, length - len(prompt) :] = 1
        guide = _Guide(self._vocabulary, self._grammar, len(prompts))
        plain = greedy(max_tokens, pad=pad, ends=[])
        with torch.inference_mode():
            model.generate(  # type: ignore[operator]
                ids.to(model.device),
                attention_mask=seen.to(model.device),
                generation_config=plain,
                logits_processor=LogitsProcessorList([guide.mask]),  # type: ignore[list-item]
                stopping_criteria=StoppingCriteriaList([guide.step]),  # type: ignore[list-item]
            )
        return guide.texts(max_tokens)


class _Guide:
    """One grammar matcher per row: masks tokens the schema forbids, consumes the chosen ones, tracks finished rows."""

    def __init__(self, vocabulary: Any, grammar: str, rows: int) -> None:
        from llguidance import LLMatcher

        self._vocabulary = vocabulary
        self._matchers = [LLMatcher(vocabulary, grammar) for _ in range(rows)]
        self._damaged = [False] * rows
        self._tokens: list[list[int]] = [[] for _ in range(rows)]

    def mask(self, _: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        allowed = np.ones(scores.shape, dtype=bool)
        for row, matcher in enumerate(self._matchers):
            if not matcher.is_stopped():
                bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8), bitorder="little")
                bits = bits[: scores.shape[1]].astype(bool)
                allowed[row, : len(bits)] = bits
                allowed[row, len(bits) :] = False
        # The grammar would let a model that computes nan write valid JSON: what it writes means nothing.
        odd = (torch.isnan(scores) | (scores == torch.inf)).any(dim=1).tolist()
        self._damaged = [before or now for before, now in zip(self._damaged, odd, strict=True)]
        scores = torch.nan_to_num(scores.float(), nan=torch.finfo(torch.float32).min)
        return scores.masked_fill(~torch.from_numpy(allowed).to(scores.device), -torch.inf)

    def step(self, ids: torch.Tensor, _: torch.Tensor, **__: Any) -> torch.Tensor:
        for row, (matcher, token) in enumerate(zip(self._matchers, ids[:, -1].tolist(), strict=True)):
            if not matcher.is_stopped():
                matcher.consume_token(token)
                self._tokens[row].append(token)
        return torch.tensor([matcher.is_stopped() for matcher in self._matchers], device=ids.device)

    def texts(self, max_tokens: int) -> list[str | Unscored]:
        out: list[str | Unscored] = []
        for matcher, tokens, damaged in zip(self._matchers, self._tokens, self._damaged, strict=True):
            if damaged:
                out.append(Unscored("the scoring LM gave a logit that is no number"))
            elif matcher.is_error():
                out.append(Unscored(f"llguidance failed: {matcher.get_error()[:200]}"))
            elif not matcher.is_accepting():
                out.append(Unscored(f"cut off: the JSON was not complete after {max_tokens} tokens"))
            else:
                out.append(self._vocabulary.decode_bytes(tokens).decode("utf-8", "replace"))
        return out
