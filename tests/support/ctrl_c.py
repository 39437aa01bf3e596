"""Ctrl-C in the middle of something in this process."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def pressing_ctrl_c(when: Callable[[], bool]) -> Iterator[None]:
    """Once, as soon as `when` says so, and not after the block."""
    over = threading.Event()

    def press() -> None:
        while not over.is_set():
            if when():
                os.kill(os.getpid(), signal.SIGINT)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
