"""What a run will cost, from the lengths of its chains: tokens and operations of the scoring LM, and time.

Chains are cut, written out and tokenized as for scoring; no weights are loaded and nothing is computed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...metrics import Gauge
from ...metrics.engine.trie import build_trie
from ...metrics.likelihood import Group, Result, SpanScore, Unscored
from ...metrics.models.loading import max_tokens, read_files
from ...metrics.models.scorer_tokenizer import ScorerTexts
from ...metrics.tokenization.spans import encode
from ..formats.sources import Source
from ..formats.windows import WINDOW, windows

# Dense bfloat16 matrix rates in TFLOP/s, of the vendors' data sheets (half of what they print "with sparsity").
ACCELERATORS: Mapping[str, float] = {
    "NVIDIA L4": 121,
    "NVIDIA A100": 312,
    "NVIDIA L40S": 362,
    "NVIDIA H100, H200": 989,
    "AMD MI300X": 1307,
}
_EXPERTS = re.compile(r"\bexperts\b")


@dataclass
class Work:
    """What the scoring LM has to do for some chains.

    Attributes:
        chains, unscored: with and without likelihoods.
        tokens: through the model; what sequences share counts once.
        alone: the same if every distinct sequence went through by itself.
        pairs: of a token and one before it that it attends to, or itself.
        parameters: of the model that take part in a token's pass.
        attention: operations for a pair, in all layers.
    """

    parameters: int
    attention: int
    chains: int = 0
    unscored: int = 0
    tokens: int = 0
    alone: int = 0
    pairs: int = 0

    @property
    def operations(self) -> float:
        """Floating-point operations: two for each parameter and token, and those of attention."""
        return 2.0 * self.parameters * self.tokens + float(self.attention) * self.pairs

    def chains_per_second(self, tflops: float, utilisation: float) -> float:
        return self.chains * tflops * 1e12 * utilisation / self.operations


def estimate(sources: Sequence[Source], options: Mapping[str, Any], limit: int | None) -> Work:
    """Read all chains. Raises ScorerError where the scorer's files cannot be read.

    Args:
        options: those of `Gauge`.
    """
    scorer = options.get("scorer", "smollm2")
    trusted = bool(options.get("trust_remote_code"))
    files = read_files(scorer, revision=options.get("revision"), trust_remote_code=trusted)
    work = Work(_parameters(files.config, trusted), _attention(files.config.get_text_config()))
    texts = ScorerTexts(files.tokenizer, scorer, max_tokens(files.config))
    counting = _Counting(texts, work)
    given = {**options, "backend": counting, "claims": [], "judges": [], "retriever": None}
    given |= {"splitter": options.get("splitter", "auto"), "preset": None, "endpoint": None}
    if given["splitter"] == "llm" or isinstance(given["splitter"], Mapping):  # nothing is asked here
        given["splitter"] = "auto"
    with Gauge(**given, progress=False) as gauge:
        for window in windows(sources, WINDOW, limit):
            before = work.chains
            gauge.score([entry.trace for entry in window.entries])
            work.unscored += len(window.entries) - (work.chains - before)
    return work


class _Counting:
    """A likelihood backend, and the factory of it, that counts what it is asked."""

    name = "estimate"

    def __init__(self, texts: ScorerTexts, work: Work) -> None:
        self._texts = texts
        self._work = work
        self.too_long = texts.too_long
        self.render_chat = texts.render_chat

    def __call__(self, scorer: str, **options: Any) -> _Counting:
        del scorer, options
        return self

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        out: list[Result] = []
        for group in groups:
            spans = encode(self._texts.tokenizer, group, self._texts.max_tokens)
            if isinstance(spans, Unscored):  # a chain that is tried again without what makes it so
                out.append(spans)
                continue
            trie = build_trie(spans)
            self._work.chains += 1
            self._work.tokens += len(trie.token)
            self._work.pairs += int((trie.depth + 1).sum())
            self._work.alone += sum(span.n - 1 for span in spans)
            out.append([SpanScore(-1.0, span.n - span.start, span.start) for span in spans])  # only counted
        done(len(groups))
        return out

    def describe(self) -> dict[str, Any]:
        return {"scorer": self._texts.name}

    def close(self) -> None:
        pass


def _parameters(config: Any, trusted: bool) -> int:
    """Those in matrix products: not the input embeddings, but for a head tied to them; of experts the share in use."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=trusted)
    embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = head is not None and head.weight is embeddings.weight
    text = config.get_text_config()
    experts = next(
        (
            getattr(text, name)
            for name in ("num_experts", "num_local_experts", "n_routed_experts")
            if getattr(text, name, None)
        ),
        1,
    )
    share = (getattr(text, "num_experts_per_tok", None) or experts) / experts
    total = sum(
        parameter.numel() * (share if _EXPERTS.search(name) else 1) for name, parameter in model.named_parameters()
    )
    return round(total) - (0 if tied else embeddings.weight.numel())


def _attention(config: Any) -> int:
    """Operations for a token and one that it attends to: a product of keys and one of values in each head and layer."""
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 4 * config.num_hidden_layers * config.num_attention_heads * head
