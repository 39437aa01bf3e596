"""What the two servers have in common for us: where they are, who they say they are, what one request is."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import ScorerError
from ..printable import printable
from ..servers.client import CallFailed, Client
from ..servers.stop import Stop
from ..tokenization.spans import TokenSpan
from .replies import BadReply, decode

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """What a server says of the model it runs.

    Attributes:
        model: the name to ask for.
        aliases: the names under which it may answer for that one.
        max_tokens: the longest sequence that can be asked about; None: it does not say.
        version, dtype, quantization: None where it does not say.
        weights: changes when the server is given other weights; None where it does not say.
        replays: whether a sequence's end can be replayed behind its beginning, which is then read from the cache.
        last_id: the id of the vocabulary's last row, by the model's configuration; None: unknown.
    """

    model: str
    aliases: frozenset[str] = frozenset()
    max_tokens: int | None = None
    version: str | None = None
    dtype: str | None = None
    quantization: str | None = None
    weights: str | None = None
    replays: bool = False
    last_id: int | None = None


@dataclass(frozen=True)
class Answer:
    """The log-probabilities of a sequence's tokens from the one at its `start`, and how many tokens that took.

    Attributes:
        values: (len(ids) - start,) in nats.
        computed: tokens that the server computed and did not take from its cache.
    """

    values: np.ndarray
    computed: int


class Dialect(Protocol):
    """What one kind of server is asked, and how its answers read. A sequence is asked about from its `start` on."""

    name: str

    def look(self, server: Server, names: Collection[str]) -> Served:
        """Who the server says it is. Raises ScorerError where it runs no model of one of the `names`."""
        ...

    def request(self, served: Served, sequence: TokenSpan) -> tuple[str, Mapping[str, Any]]:
        """Path and JSON body."""
        ...

    def read(self, served: Served, sequence: TokenSpan, reply: Mapping[str, Any]) -> Answer:
        """Raises BadReply unless the reply has a log-probability for each token that was asked about."""
        ...

    def stages(self, served: Served, chains: Sequence[Sequence[TokenSpan]]) -> list[list[list[tuple[int, int]]]]:
        """In which order chains' sequences are asked about.

        Returns lines of stages of places (chain, sequence in it). Lines are independent; a stage begins when the one
        before it in its line has been answered.
        """
        ...


class Server:
    """Asks one server things about itself. Errors are ScorerErrors that name it."""

    def __init__(self, who: str, root: str, client: Client) -> None:
        self.who = who
        self.root = root
        self._client = client
        self._stopped = Stop()

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path. Raises ScorerError."""
        try:
            return decode(self._client.get(path, self._stopped))
        except (CallFailed, BadReply) as error:
            raise ScorerError(f"{self.who}: {self.root}{path}: {error}") from error

    def get_if_told(self, *paths: str) -> dict[str, Any]:
        """The JSON object at the first path that the server has; empty where it has none. Raises ScorerError."""
        for path in paths:
            if (found := self._told(path, None)) is not None:
                return found
        return {}

    def post_if_told(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Like `get_if_told`, of one path, with a body."""
        return self._told(path, body) or {}

    def _told(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any] | None:
        try:
            if body is None:
                return decode(self._client.get(path, self._stopped))
            return decode(self._client.post(path, body, self._stopped))
        except (CallFailed, BadReply) as error:
            if isinstance(error, CallFailed) and error.status is None:  # it was not reached
                raise ScorerError(f"{self.who}: {self.root}{path}: {error}") from error
            log.debug("%s%s: %s", self.root, path, error)
            return None


def text_of(found: Mapping[str, Any], name: str) -> str | None:
    """A text that a server gives under a name, fit to be shown; None where it gives none."""
    value = found.get(name)
    return printable(value[:200]) if isinstance(value, str) and value.strip() else None


def not_served(who: str, names: Collection[str], found: Collection[str]) -> ScorerError:
    """The error for a server that runs another model."""
    serves = ", ".join(map(repr, found)) or "nothing that it names"
    return ScorerError(
        f"{who}: the server runs {serves:.300}, and not {' or '.join(map(repr, names))}. If it is the same model under "
        "another name, give that name: server={'model': …}"
    )
