"""A scoring LM that is in memory already: the model under test, or one in training."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ScorerError
from ..tokenization.spans import check_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# What the scorer is called where the model under test scores its own chains.
SELF = "self"
NEEDS_A_RUN = (
    f"scorer {SELF!r}: the model under test scores its own chains while lm-eval or Inspect holds it in memory (their "
    "model `hf`); here there is none. Name the model"
)


@dataclass(frozen=True, eq=False)
class ModelInMemory:
    """A transformers causal LM, given to `Gauge(scorer=…)` in the place of a name. It is neither copied nor freed.

    Attributes:
        model: the LM, in evaluation mode; one of peft is scored with its adapters active.
        tokenizer: its tokenizer, a fast one. A copy is used, so that the owner may use it at the same time.
        source: which model it is, for provenance: a hub id, a folder; None: one without a name.
        adapters: what was trained beside it and is part of `model` now: folders or hub ids, for provenance.
        name: what results call the scorer.
        revision: of `source`, for provenance.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    source: str | None = None
    adapters: Sequence[str] = ()
    name: str = SELF
    revision: str | None = None

    def check(self) -> None:
        """Raises ScorerError where it is no transformers model, or has no tokenizer that `encode` could use."""
        from transformers import PreTrainedModel, PreTrainedTokenizerBase

        for what, found, expected in (
            ("model", self._inner, PreTrainedModel),
            ("tokenizer", self.tokenizer, PreTrainedTokenizerBase),
        ):
            if not isinstance(found, expected):
                raise ScorerError(
                    f"scorer {self.name!r}: its {what} is a {type(found).__name__}, expected a {expected.__name__} of "
                    "transformers"
                )
        check_tokenizer(self.tokenizer)

    def parts(self) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        """The model without what is wrapped around it, and a tokenizer that nobody else uses. Raises like `check`."""
        self.check()
        # A fast tokenizer changes its state as it encodes, and raises where two threads use it.
        return self._inner, copy.deepcopy(self.tokenizer)

    @property
    def _inner(self) -> Any:
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
