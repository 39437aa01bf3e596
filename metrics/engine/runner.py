"""`Engine`, the model with its batch size and attention, and `Limits`, what else bounds one forward pass."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from transformers import PreTrainedModel

from .statistics import EngineStatistics
from .tree_attention import AttentionPlan

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """Limits of one forward pass, besides the token budget.

    Attributes:
        row: largest trie, in tokens, that is scored whole in one row. The mask takes the square of that.
        tile: most branch tokens run together against a trunk. Each attends to the tile and to the trunk.
        mask: most elements of an attention mask.
        logits: most logits kept from one pass, in elements.
    """

    row: int
    tile: int
    mask: int = 1 << 25
    logits: int = 1 << 26


@dataclass
class Engine:
    """A causal LM with its attention plan and batch size.

    Attributes:
        token_budget: tokens (rows x length) per forward pass. An out-of-memory error halves it permanently.
        limits: the other limits of a pass.
        plan: how masks are made, or None if every sequence goes through the model by itself.
        plain_reason: why `plan` is None.
        stats: what has been computed so far.
    """

    model: PreTrainedModel
    token_budget: int
    limits: Limits
    plan: AttentionPlan | None = None
    plain_reason: str | None = None
    stats: EngineStatistics = field(default_factory=EngineStatistics)

    @property
    def row(self) -> int:
        """The largest trie, in tokens, that is scored whole."""
        return min(self.limits.row, self.token_budget)

    @property
    def tile(self) -> int:
        """The most branch tokens run together."""
        return min(self.limits.tile, self.token_budget)

    @property
    def most_logits(self) -> int:
        """The most positions of one pass whose logits are kept."""
        return max(1, self.limits.logits // self.model.config.get_text_config().vocab_size)

    def shrink(self, tokens: int) -> None:
        """Halve the budget permanently after a pass of `tokens` tokens ran out of memory."""
        self.token_budget = max(1, tokens // 2)
        log.warning("out of memory on %d tokens: token_budget is now %d", tokens, self.token_budget)
