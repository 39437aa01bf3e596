"""Starts Ray as a library is used: without a dashboard, without a word on the terminal, and telling nobody outside."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from typing import Any

from ..errors import ScorerError
from ..optional_packages import is_installed, needs

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # an actor that asks Ray for no GPU sees all of them
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed",  # we say so ourselves, in one line
}
_lock = threading.Lock()
_users = 0
_ours = False


def check_ray(who: str) -> None:
    """Raises ScorerError where Ray is not installed."""
    if not is_installed("ray"):
        raise ScorerError(needs(who, "Ray", "ray"))


def connect(address: str = "local", **options: Any) -> None:
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
            quiet: Mapping[str, Any] = {"include_dashboard": False} if address == "local" else {}
            try:
                ray.init(address, configure_logging=False, log_to_driver=False, **quiet, **options)
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                where = "on this machine" if address == "local" else f"at {address!r}"
                raise ScorerError(f"Ray {where} does not run: {' '.join(str(error).split())}") from error
            _ours = True
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
