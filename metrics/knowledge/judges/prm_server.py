"""A step verifier on a pooling server: vLLM's `/pooling`, which returns the head's output at each token or each step.

Tokens are sent, so that the server reads what the layout here wrote. Nothing is sent but to the address that the user
named.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ...likelihood import Unscored
from ...numbers import is_finite
from ...servers.batch import Batch
from ...servers.client import CallFailed, Client
from ...servers.options import Connection
from .prm_layout import Laid

# 32k tokens with two outputs each, and some room.
_MOST_BYTES = 64_000_000
_OFF = 0.02  # how far the probabilities of one token may be from 1 together: servers round to bfloat16


class PoolingServer:
    """Asks for chains one by one, several at once.

    Args:
        model: its name there.
        right: which of the outputs means right.
    """

    def __init__(self, who: str, model: str, options: Connection, right: int) -> None:
        self._model = model
        self._right = right
        root = str(options.base_url).rstrip("/").removesuffix("/v1")
        self._client = Client(who, root, options.api_key(), options.retrying(), most_bytes=_MOST_BYTES)
        self._pool = ThreadPoolExecutor(options.concurrency, thread_name_prefix="stepgauge-prm")

    def right(self, chains: Sequence[Laid], done: Callable[[int], None]) -> list[list[float] | Unscored]:
        """p(right) of each place of each chain, or why there is none. Never raises for what a server did."""
        batch = Batch()
        asked: list[Future[list[float] | Unscored]] = []
        try:
            asked = [self._pool.submit(self._ask, chain, batch) for chain in chains]
            found = []
            for future in asked:
                found.append(future.result())
                done(1)
            return found
        except BaseException:  # an interrupt: what is not under way is not begun
            batch.stopped.set()
            for future in asked:
                future.cancel()
            raise

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def _ask(self, chain: Laid, batch: Batch) -> list[float] | Unscored:
        if reason := batch.why_stopped():
            return Unscored(reason)
        body = {"model": self._model, "input": list(chain.ids), "task": "token_classify", "use_activation": True}
        try:
            reply = self._client.post("/pooling", body, batch.stopped)
        except CallFailed as failure:
            batch.failed(str(failure))
            return Unscored(str(failure))
        batch.answered()
        try:
            return [self._of(row) for row in _rows(reply, chain)]
        except _BadReply as error:
            return Unscored(str(error))

    def _of(self, row: Sequence[float]) -> float:
        if len(row) > 1 and abs(sum(row) - 1) > _OFF:
            raise _BadReply(
                f"the server's {len(row)} outputs of a token add up to {sum(row):.3g}: they are no probabilities of "
                "labels; start it with the labels' tokens in returned_token_ids"
            )
        if self._right >= len(row):
            raise _BadReply(f"the server gives {len(row)} outputs of a token; output {self._right} was to mean right")
        return row[0] if len(row) == 1 else row[self._right]


class _BadReply(Exception):
    """The text says what came in place of probabilities."""


def _rows(reply: str, chain: Laid) -> list[list[float]]:
    """The outputs at the chain's places. The server gives those of all tokens, or of the steps' marks alone."""
    try:
        body: Any = json.loads(reply)
        rows: Any = body["data"][0]["data"]
        if not isinstance(rows, list):
            raise TypeError("no list")
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise _BadReply(f"the server's reply is no pooling response: {reply[:120]!r}") from error
    if len(rows) == len(chain.ids):
        rows = [rows[place] for place in chain.places]
    elif len(rows) != len(chain.places):
        raise _BadReply(
            f"the server gives outputs of {len(rows)} tokens; the chain has {len(chain.ids)} tokens and "
            f"{len(chain.places)} steps"
        )
    return [_row(row) for row in rows]


def _row(row: Any) -> list[float]:
    values = row if isinstance(row, list) else [row]
    for value in values:
        if not is_finite(value) or not 0 <= value <= 1:
            raise _BadReply(f"the server's output {str(value)[:40]!r} is no probability")
    if not values:
        raise _BadReply("the server gives no output of a token")
    return [float(value) for value in values]
