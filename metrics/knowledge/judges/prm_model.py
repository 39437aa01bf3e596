"""A step verifier's forward passes on this machine: p(right) at the given places of token sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ...models.devices import pick_device
from .checkpoint import batched, load_model, padded, positions
from .prm_layout import Laid


class StepModel:
    """The checkpoint `source`, loaded whole.

    Args:
        kind: see `prm_layout.LAYOUTS`.
        right: the output that means right; for label tokens it is the first of `labels`.
        labels: the vocabulary's tokens for right and wrong, where there are any.

    Raises:
        ValueError: the checkpoint cannot be loaded, or its weights are incomplete.
    """

    def __init__(
        self,
        who: str,
        source: str,
        kind: str,
        *,
        right: int,
        labels: Sequence[int] | None,
        padding: int | None,
        revision: str | None,
        trust_remote_code: bool,
        device: str,
        dtype: str,
        batch_size: int,
    ) -> None:
        self._who = who
        self._right = right
        self._labels = labels
        self._padding = 0 if padding is None else padding
        self._batch_size = batch_size
        self._model = load_model(
            who,
            _loader(who, source, kind, revision, trust_remote_code),
            source,
            revision=revision,
            device=pick_device(device),
            dtype=dtype,
            expected="a checkpoint that was trained to judge steps",
            trust_remote_code=trust_remote_code,
        )
        self.positions = positions(self._model)

    def right(self, chains: Sequence[Laid], done: Callable[[int], None]) -> list[list[float]]:
        """p(right) of each place of each chain; nan where the model's output is."""
        lengths = [len(chain.ids) for chain in chains]
        out: dict[int, list[float]] = {}
        forward = lambda batch: self._forward([chains[i] for i in batch])  # noqa: E731
        for i, row in batched(self._who, lengths, self._batch_size, forward):
            out[i] = row
            done(1)
        return [out[i] for i in range(len(chains))]

    @torch.inference_mode()
    def _forward(self, chains: Sequence[Laid]) -> list[list[float]]:
        longest = max(len(chain.ids) for chain in chains)
        rows = {
            "input_ids": [padded(chain.ids, longest, self._padding) for chain in chains],
            "attention_mask": [padded([1] * len(chain.ids), longest, 0) for chain in chains],
        }
        inputs: dict[str, Any] = {
            name: torch.tensor(values, device=self._model.device) for name, values in rows.items()
        }
        if self._labels is None:
            found = self._outputs(self._model(**inputs))
            picked = [found[i, list(chain.places)] for i, chain in enumerate(chains)]
        else:
            # Only where a label is read: a tensor of all tokens and the whole vocabulary takes gigabytes.
            places = sorted({place for chain in chains for place in chain.places})
            column = {place: n for n, place in enumerate(places)}
            kept = torch.tensor(places, device=self._model.device)
            logits = self._model(**inputs, use_cache=False, logits_to_keep=kept).logits
            pair = logits[..., list(self._labels)]
            picked = [pair[i, [column[place] for place in chain.places]] for i, chain in enumerate(chains)]
        return [self._probabilities(one).tolist() for one in picked]

    @staticmethod
    def _outputs(output: Any) -> torch.Tensor:
        """Chains × tokens × outputs. Code that comes with a checkpoint may return a plain tuple."""
        return output.logits if hasattr(output, "logits") else output[0]

    def _probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        logits = logits.float()
        if logits.shape[-1] == 1:
            return torch.sigmoid(logits[..., 0]).cpu()
        return torch.softmax(logits, dim=-1)[..., self._right].cpu()


def _loader(who: str, source: str, kind: str, revision: str | None, trust_remote_code: bool) -> Any:
    """What has the `from_pretrained` that builds the verifier."""
    import transformers

    if kind == "token-classification":
        return transformers.AutoModelForTokenClassification
    if kind in ("label-tokens", "label-turns"):
        return transformers.AutoModelForCausalLM
    if trust_remote_code:
        return transformers.AutoModel
    config = transformers.AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
    return _with_separator_head(who, source, config)


def _with_separator_head(who: str, source: str, config: Any) -> Any:
    """A class for a decoder with Qwen2.5-Math-PRM's head: two linear layers, a ReLU between, at every token.

    The published checkpoints come with code of their own for it. None of that code is needed, and none is run.
    """
    from transformers import AutoModel, PreTrainedModel

    body: Any = AutoModel._model_mapping.get(type(config), None)  # type: ignore[attr-defined]
    if body is None:
        raise ValueError(
            f"{who}, model {source!r}: no decoder of type {getattr(config, 'model_type', None)!r} is known"
        )
    family = next(one for one in body.__mro__[1:] if issubclass(one, PreTrainedModel))

    class WithSeparatorHead(family):
        base_model_prefix = "model"

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.model = body(config)
            width, outputs = config.hidden_size, config.num_labels
            linear = torch.nn.Linear
            self.score = torch.nn.Sequential(linear(width, width), torch.nn.ReLU(), linear(width, outputs))
            self.post_init()

        def forward(self, **inputs: Any) -> tuple[torch.Tensor]:
            return (self.score(self.model(**inputs, use_cache=False)[0]),)

    return WithSeparatorHead
