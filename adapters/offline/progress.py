"""Shows the progress of a run: on a terminal a bar with the time left, elsewhere an occasional line."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence

from tqdm import tqdm

from ..formats.sources import Source

log = logging.getLogger(__name__)

_EVERY = 30.0  # seconds between lines


class Progress:
    """Measures progress in bytes of input, or in chains if `--limit` sets their number.

    Bytes are used because the number of rows in a file is unknown before it has been read.
    """

    def __init__(self, sources: Sequence[Source], limit: int | None = None, *, bar: bool | None = None) -> None:
        self._sources = sources
        self._limit = limit
        self._total = limit or sum(source.size for source in sources)
        self._chains = 0
        self._resumed_at = 0
        self._started = self._said = time.monotonic()
        self._shows = sys.stderr.isatty() if bar is None else bar
        self._bar: tqdm | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def passed_over(self, chains: int) -> None:
        """Note that an earlier run scored these chains; they do not count towards the speed."""
        self._chains += chains
        self._resumed_at = self._done()
        self._started = time.monotonic()

    def show(self) -> None:
        """Show the bar, starting after the chains that were passed over so far."""
        if self._shows and self._bar is None:
            self._bar = tqdm(
                total=self._total,
                initial=self._resumed_at,
                desc="scoring",
                unit="chain" if self._limit else "B",
                unit_scale=not self._limit,
                dynamic_ncols=True,
            )

    def scored(self, chains: int) -> None:
        """Note that these chains are on disk."""
        self._chains += chains
        self.show()
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self._chains:,} chains", refresh=False)
            self._bar.update(self._done() - self._bar.n)
            return
        now = time.monotonic()
        if now - self._said >= _EVERY:
            self._said = now
            log.info("%s", self._line(now))

    def _done(self) -> int:
        return min(self._chains, self._total) if self._limit else sum(source.done for source in self._sources)

    def _line(self, now: float) -> str:
        done = self._done()
        fresh = done - self._resumed_at
        left = (now - self._started) * (self._total - done) / fresh if fresh > 0 else None
        eta = "" if left is None else f", {int(left // 3600)}:{int(left // 60 % 60):02}:{int(left % 60):02} left"
        return f"{self._chains:,} chains, {100 * done / max(1, self._total):.0f} % of the input{eta}"
