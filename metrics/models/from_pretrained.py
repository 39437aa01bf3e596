"""Helpers around transformers' `from_pretrained`: the exceptions it raises, and how to silence it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# Which exception a damaged folder raises depends on the damaged file, and on the libraries that check it: broken JSON
# gives TypeError and KeyError, a field of the wrong type an error of huggingface_hub's, zero heads a ZeroDivisionError.
LOAD_ERRORS = (Exception,)

MOST_LAYERS = 10_000
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
_IN_BLOCK = re.compile(r"(?<=#)\.")
_WEIGHTS = ("weight", "bias")


@contextmanager
def quiet() -> Iterator[None]:
    """Turn off transformers' progress bars, which would disturb ours and clutter logs."""
    from transformers.utils import logging as hf_logging

    shown = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            hf_logging.enable_progress_bar()


def check_layers(config: PretrainedConfig, most: int) -> None:
    """Refuse a number of layers that would be built, one by one, long before weights are found to be missing.

    Raises ValueError.
    """
    layers = getattr(config.get_text_config(), "num_hidden_layers", None)
    if isinstance(layers, int) and layers > most:
        raise ValueError(f"the configuration says {layers:,} layers; there can be {most:,} at most")


def unused_weights(model: Any, unexpected: Iterable[str]) -> list[str]:
    """Tensors of a checkpoint that belong into the model's own layers, but that its configuration leaves out.

    Such a model computes, and means nothing: it has fewer layers than were trained (a wrong `num_hidden_layers`), or
    layers without the biases, norms or adapters they were trained with. The rule, for a tensor that was not used:

    - it is called like one of the model's own but for numbers (`layers.#.mlp.up_proj.weight`): refused;
    - it is the `weight` or `bias` of a layer that the model has, or stands inside one of the model's numbered blocks
      (`layers.#.self_attn.q_norm.weight`, `….lora_A.weight`): refused;
    - everything else may be left unused: other heads (`score.weight`, `v_head.…`, `mtp.…`), parts of a multimodal model
      (`model.visual.…`), buffers that are computed anew (`inv_freq`, `masked_bias`, an attention's `bias` that is a
      mask), the layers behind the last that predict further tokens (`num_nextn_predict_layers`), and what an
      architecture declares to transformers. Tied weights are the model's own under each of their names.
    """
    own = {_NUMBER.sub("#", name) for name, _ in model.named_parameters(remove_duplicate=False)}
    layers = {name.rpartition(".")[0] for name in own if name.rpartition(".")[2] in _WEIGHTS}
    blocks = {name[: match.start()] for name in own for match in _IN_BLOCK.finditer(name)}
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    names = [name for name in unexpected if not _predicts_more(name, model.config)]
    there = {_NUMBER.sub("#", name) for name in names} | own

    def left_out(name: str) -> bool:
        layer, _, last = name.rpartition(".")
        if name in own:
            return True
        if last not in _WEIGHTS or (last == "bias" and f"{layer}.weight" not in there):
            return False
        return layer in layers or any(name[: match.start()] in blocks for match in _IN_BLOCK.finditer(name))

    # A checkpoint of a model with a head names the body's tensors with a prefix that the body alone goes without.
    return sorted(name for name in names if any(map(left_out, _forms(_NUMBER.sub("#", name), prefix))))


def _predicts_more(name: str, config: Any) -> bool:
    first, more = getattr(config, "num_hidden_layers", None), getattr(config, "num_nextn_predict_layers", None)
    found = re.search(r"\blayers\.(\d+)\.", name)
    return bool(isinstance(first, int) and isinstance(more, int) and found and first <= int(found[1]) < first + more)


def _forms(name: str, prefix: str) -> tuple[str, ...]:
    return (name, name.removeprefix(prefix)) if name.startswith(prefix) and len(prefix) > 1 else (name,)


def first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no further message"]
    # Libraries that check types write a heading first, which ends in a colon.
    said = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    return f"{type(error).__name__}: {said[:300]}"
