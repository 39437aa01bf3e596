"""The pool's side of one worker process: starts it, calls it, notices its death, ends it."""

from __future__ import annotations

import contextlib
import logging
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..engine.statistics import EngineStatistics
from ..errors import OutOfMemory, ScorerError
from .messages import Answer, Call, Done, Failure, Load, Said, receive, send

log = logging.getLogger(__name__)

# Ctrl-C reaches the whole process group, but the pool decides when its workers end. So workers ignore the signal, even
# before they import anything slow.
_CODE = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path[:] = {path!r}; "
    "from {module} import main; main()"
)
_RAISED = {error.__name__: error for error in (ScorerError, OutOfMemory)}
_SECONDS_TO_END = 5.0


class WorkerDied(Exception):
    """The process ended before it answered; the message gives its exit status."""


class WorkerProcess:
    """The worker of one device, including restarts after it died.

    Attributes:
        device: its torch device.
        deaths: how often it died since it last answered a call.
        given_up: why it is not restarted, or None.
    """

    def __init__(self, load: Load) -> None:
        self.device = str(load.options["device"])
        self.deaths = 0
        self.given_up: str | None = None
        self._load = load
        self._process: subprocess.Popen[bytes] | None = None
        self._past = EngineStatistics()
        self._statistics = EngineStatistics()

    @property
    def statistics(self) -> EngineStatistics:
        """The counts up to the last answer, summed over restarts."""
        return self._past + self._statistics

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process, which begins to load the scorer; `loaded` waits for it."""
        self._past, self._statistics = self.statistics, EngineStatistics()
        code = _CODE.format(path=sys.path, module=f"{__package__}.worker")
        self._process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._send(self._load)

    def loaded(self) -> Mapping[str, Any]:
        """Wait for the scorer; returns the backend's description. Raises WorkerDied, or what loading raised."""
        return self._receive(lambda _: None)

    def call(
        self, method: str, items: Sequence[Any], options: Mapping[str, Any], done: Callable[[int], None]
    ) -> list[Any]:
        """Call a method of the backend and return its result. Raises WorkerDied, or what the method raised."""
        self._send(Call(method, items, options))
        value = self._receive(done)
        self.deaths = 0
        return value

    def end(self) -> None:
        """End the process and wait for it; a busy process is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # whatever is left in the buffer cannot be delivered any more
                pipe.close()

    def _send(self, message: Load | Call) -> None:
        process = self._process
        if process is None:
            raise WorkerDied(f"on {self.device} was ended")
        assert process.stdin is not None
        try:
            send(process.stdin, message)
        except (OSError, ValueError) as error:
            raise self._died(process) from error

    def _receive(self, done: Callable[[int], None]) -> Any:
        process = self._process
        if process is None:
            raise WorkerDied(f"on {self.device} was ended")
        assert process.stdout is not None
        while True:
            try:
                message = receive(process.stdout)
            except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
                raise self._died(process) from error
            if isinstance(message, Done):
                done(message.count)
            elif isinstance(message, Said):
                logging.getLogger(message.logger).log(message.level, "%s (on %s)", message.text, self.device)
            elif isinstance(message, Failure):
                log.debug("worker process on %s:\n%s", self.device, message.trace)
                raise _RAISED.get(message.kind, _other(message, self.device))(message.text)
            else:
                assert isinstance(message, Answer)
                self._statistics = message.statistics
                return message.value

    def _died(self, process: subprocess.Popen[bytes]) -> WorkerDied:
        self.deaths += 1
        try:
            code = process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:  # it closed its pipes but still runs
            process.kill()
            code = process.wait()
        if code >= 0:
            return WorkerDied(f"on {self.device} ended with exit code {code}")
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = ", as it is when the machine's memory runs out" if name == "SIGKILL" else ""
        return WorkerDied(f"on {self.device} was ended by {name}{hint}")


def _other(failure: Failure, device: str) -> Callable[[str], Exception]:
    return lambda text: RuntimeError(f"on {device}: {failure.kind}: {text}")
