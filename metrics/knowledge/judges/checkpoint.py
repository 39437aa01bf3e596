"""What judges that run a classifier share: loading it with all of its weights, batches that fit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch

from ...models.from_pretrained import quiet, unused_weights
from ...models.loading import pick_dtype

log = logging.getLogger(__name__)


def load_model(
    who: str,
    auto: Any,
    source: str,
    *,
    revision: str | None,
    device: str,
    dtype: str,
    expected: str,
    trust_remote_code: bool = False,
    **options: Any,
) -> Any:
    """A checkpoint's model in `eval` mode on the device, loaded by `auto` (a class with `from_pretrained`).

    Args:
        who: begins every error ("judge 'nli'").
        expected: what the checkpoint should have been, for the error where its weights are incomplete.

    Raises:
        ValueError: it cannot be loaded, lacks weights, or has some that its configuration leaves unused.
    """
    try:
        with quiet():
            model, report = auto.from_pretrained(
                source,
                revision=revision,
                trust_remote_code=trust_remote_code,
                use_safetensors=True,  # a pickle can run whatever code its author likes
                dtype=pick_dtype(dtype, device),
                output_loading_info=True,
                **options,
            )
        model.to(device).eval()
    except Exception as error:  # a damaged folder raises anything, down to TypeError and KeyError from its JSON
        raise _not_loaded(who, source, error) from error
    # transformers fills what a checkpoint lacks with random numbers, such as the whole classifier of a plain encoder.
    if absent := sorted(report["missing_keys"]):
        raise ValueError(
            f"{who}, model {source!r}: its weights lack {len(absent)} tensors, the first is {absent[0]!r}; "
            f"expected {expected}"
        )
    if left_out := unused_weights(model, report["unexpected_keys"]):
        raise ValueError(
            f"{who}, model {source!r}: {len(left_out)} tensors of its weights are left unused by its "
            f"configuration, the first is {left_out[0]!r}; expected a config.json that fits the weights"
        )
    return model


def load_tokenizer(who: str, source: str, *, revision: str | None, trust_remote_code: bool = False) -> Any:
    """A checkpoint's fast tokenizer. Raises ValueError where there is none, or it cannot be loaded."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=trust_remote_code)
    except Exception as error:  # see above
        raise _not_loaded(who, source, error) from error
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(f"{who}, model {source!r}: its tokenizer has no fast version, which is needed here")
    return tokenizer


def positions(model: Any) -> int | None:
    """Positions that the model has embeddings for; None for relative and rotary positions, which have no end."""
    for module in model.modules():
        table = getattr(module, "position_embeddings", None)
        if isinstance(table, torch.nn.Embedding):
            # RoBERTa and its kin count from behind the padding index.
            return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return None


def batched(
    who: str, lengths: Sequence[int], size: int, forward: Callable[[Sequence[int]], Iterable[Any]]
) -> Iterator[tuple[int, Any]]:
    """(index, row) of each item, the longest first, in batches that are halved when memory runs out.

    Args:
        forward: one row per index of a batch.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    done = 0
    while done < len(order):
        batch = order[done : done + size]
        try:
            rows = forward(batch)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size = max(1, size // 2)
            log.warning("out of memory; %s goes on with batches of %d", who, size)
            torch.cuda.empty_cache()
            continue
        yield from zip(batch, rows, strict=True)
        done += len(batch)


def padded(values: Sequence[int], length: int, padding: int) -> list[int]:
    return [*values, *[padding] * (length - len(values))]


def _not_loaded(who: str, source: str, error: Exception) -> ValueError:
    return ValueError(f"{who}, model {source!r} could not be loaded: {type(error).__name__}: {error}")
