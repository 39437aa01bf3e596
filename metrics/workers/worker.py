"""A worker process of a pool: loads the scorer on its device and answers calls until the pool is gone.

It is started as a fresh interpreter, not through multiprocessing, which would rerun the user's main script in each
worker.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import traceback
from typing import IO, Any

from .messages import Answer, Call, Done, Failure, Load, Said, receive, send


def main() -> None:
    """Exchange messages with the pool over stdin and stdout. What libraries print is redirected to stderr."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, calls), daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        serve(calls, answers)


def _read(requests: IO[bytes], calls: queue.SimpleQueue[Any]) -> None:
    """Queue incoming calls. Once the pool's process is gone, exit at once, even in the middle of a pass."""
    try:
        while True:
            calls.put(receive(requests))
    finally:
        os._exit(0)


def serve(calls: queue.SimpleQueue[Any], answers: IO[bytes]) -> None:
    """Load the scorer and answer calls. Raises BrokenPipeError when nobody reads the answers."""
    load: Load = calls.get()
    logging.basicConfig(level=load.log_level, handlers=[_Forward(answers)], force=True)
    try:
        backend = _load(load)
        send(answers, Answer(backend.describe(), backend.statistics()))
    except Exception as error:  # the pool raises it again in the user's process
        send(answers, _failure(error))
        return
    while True:
        call: Call = calls.get()
        try:
            value = getattr(backend, call.method)(
                call.items, done=lambda count: send(answers, Done(count)), **call.options
            )
        except BrokenPipeError:
            raise
        except Exception as error:  # as above
            send(answers, _failure(error))
        else:
            send(answers, Answer(value, backend.statistics()))


def _load(load: Load) -> Any:
    import torch

    from ..engine.huggingface import HuggingFaceBackend

    if load.threads is not None:
        torch.set_num_threads(load.threads)
    if str(load.options["device"]).startswith("cuda"):
        torch.cuda.set_device(
            torch.device(load.options["device"])
        )  # otherwise a stray tensor would open a CUDA context on cuda:0
    return HuggingFaceBackend(load.scorer, **load.options)


def _failure(error: Exception) -> Failure:
    return Failure(type(error).__name__, str(error), "".join(traceback.format_exception(error)))


class _Forward(logging.Handler):
    """Forwards log records to the pool's process, whose logging settings apply."""

    def __init__(self, answers: IO[bytes]) -> None:
        super().__init__()
        self._answers = answers

    def emit(self, record: logging.LogRecord) -> None:
        send(self._answers, Said(record.name, record.levelno, record.getMessage()))
