"""The event loop of all requests, in a thread of its own.

What waits there can be ended at any moment; a thread that waits for a connection, a handshake or a server's answer
cannot.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def start(coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Run it in the event loop, from any thread; `cancel` of what is returned ends it."""
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="stepgauge-servers", daemon=True).start()
    return asyncio.run_coroutine_threadsafe(coroutine, _loop)


def _forget() -> None:
    """In a forked child the loop's thread is the parent's, and the lock may have been held by another one."""
    global _loop, _lock
    _loop, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
