"""Starts Ray as a library is used: without a dashboard, without a word on the terminal, and telling nobody outside."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ScorerError
from ..optional_packages import is_installed, needs

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # an actor that asks Ray for no GPU sees all of them
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # of its C++ part, which writes on the terminal
    # Of a process that was killed, where that costs anything, we speak ourselves.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed|so the task will be retried",
}
_lock = threading.Lock()
_users = 0
_ours = False


def check_ray(who: str) -> None:
    """Raises ScorerError where Ray is not installed."""
    if not is_installed("ray"):
        raise ScorerError(needs(who, "Ray", "ray"))


def connect(address: str = "local") -> None:
    """Start Ray on this machine, or join the cluster at `address`; what is running in this process already is used.

    Every call must be followed by one of `disconnect`. Raises ScorerError where Ray cannot be started or reached.
    """
    global _ours, _users
    # Ray reads these as it is imported or started. A user who wants otherwise has set them.
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    with _lock:
        if not ray.is_initialized():
            logging.getLogger("ray").setLevel(logging.ERROR)
            terminated = signal.getsignal(signal.SIGTERM)
            quiet: Mapping[str, Any] = {"include_dashboard": False} if address == "local" else {}
            try:
                with _stderr_closed():  # to say that it keeps to that level
                    ray.init(address, configure_logging=False, log_to_driver=False, **quiet)
            except Exception as error:  # Ray raises bare ones, too
                where = "on this machine" if address == "local" else f"at {address!r}"
                raise ScorerError(f"Ray {where} does not run: {' '.join(str(error).split())}") from error
            _ours = True
            if terminated is not None and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, terminated)  # Ray sets its own
        _users += 1


def disconnect() -> None:
    """The last of those that called `connect` ends what the first started."""
    global _ours, _users
    with _lock:
        _users -= 1
        if _ours and not _users:
            import ray

            _ours = False
            ray.shutdown()


@contextlib.contextmanager
def _stderr_closed() -> Iterator[None]:
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
