"""How transformers' `from_pretrained` fails, and how it is kept quiet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

# What a damaged folder raises depends on which file is damaged, down to TypeError and KeyError from its JSON.
LOAD_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    ImportError,
    SafetensorError,
)


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' own progress bars, which would break into ours and into quiet logs."""
    from transformers.utils import logging as hf_logging

    shown = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            hf_logging.enable_progress_bar()


def first_line(error: BaseException) -> str:
    text = str(error).strip() or "no further message"
    return f"{type(error).__name__}: {text.splitlines()[0][:300]}"
