"""Helpers around transformers' `from_pretrained`: the exceptions it raises, and how to silence it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

# Which exception a damaged folder raises depends on the damaged file; broken JSON even gives TypeError and KeyError.
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
    """Turn off transformers' progress bars, which would disturb ours and clutter logs."""
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
