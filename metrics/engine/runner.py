"""The model that runs, with all that bounds one forward pass: `Engine` and its `Limits`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from transformers import PreTrainedModel

from .statistics import EngineStatistics
from .tree_attention import AttentionPlan

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How much goes into one forward pass, besides the token budget.

    Attributes:
        row: tokens up to which a trie goes through whole, in one row. Its mask costs the square of them.
        tile: branch tokens that go together against a trunk. Each attends to all of the tile and to the trunk.
        mask: elements of one attention mask.
        logits: elements of the logits kept of one pass.
    """

    row: int
    tile: int
    mask: int = 1 << 25
    logits: int = 1 << 26


@dataclass
class Engine:
    """A causal LM with its way of attending and its batch size.

    Attributes:
        token_budget: tokens (rows x length) per forward pass. Halved for good after an out-of-memory error.
        limits: what else bounds a pass.
        plan: how masks are made, or None when every sequence goes through the model by itself.
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
        """Tokens up to which a trie goes through whole."""
        return min(self.limits.row, self.token_budget)

    @property
    def tile(self) -> int:
        """Branch tokens that go together."""
        return min(self.limits.tile, self.token_budget)

    @property
    def most_logits(self) -> int:
        """Places of one pass whose logits are kept."""
        return max(1, self.limits.logits // self.model.config.get_text_config().vocab_size)

    def shrink(self, tokens: int) -> None:
        """Halve the budget for good, after a pass of `tokens` ran out of memory."""
        self.token_budget = max(1, tokens // 2)
        log.warning("out of memory on %d tokens: token_budget is now %d", tokens, self.token_budget)
