"""Helpers around transformers' `from_pretrained`: the exceptions it raises, and how to silence it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# Which exception a damaged folder raises depends on the damaged file, and on the libraries that check it: broken JSON
# gives TypeError and KeyError, a field of the wrong type an error of huggingface_hub's, zero heads a ZeroDivisionError.
LOAD_ERRORS = (Exception,)

MOST_LAYERS = 10_000


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


def first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no further message"]
    # Libraries that check types write a heading first, which ends in a colon.
    said = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    return f"{type(error).__name__}: {said[:300]}"
