"""What was asked of a server that runs the scoring LM, what it computed, and how well it repeats itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..engine.statistics import ENGINE_LINE, EngineStatistics


@dataclass
class ServedStatistics(EngineStatistics):
    """As `EngineStatistics`, with requests as passes.

    Attributes:
        unique_tokens: tokens sent: each distinct sequence once, retries and what was asked twice included.
        computed_tokens: those that the server did not take from its cache, as far as it says.
        repeated: sequences asked twice to see the noise.
        noise_nats: the largest difference between the log-likelihoods of two answers to one sequence.
    """

    LARGEST: ClassVar[tuple[str, ...]] = ("peak_bytes", "noise_nats")

    repeated: int = 0
    noise_nats: float = 0.0

    def summary(self) -> str:
        noise = (
            f"{self.repeated} sequences asked twice differ by at most {self.noise_nats:.2g} nats"
            if self.repeated
            else "nothing was asked twice, so the server's noise is unknown"
        )
        return (
            f"{ENGINE_LINE}{self.groups:,} groups, {self.sequences:,} sequences of {self.sequence_tokens:,} tokens, "
            f"{self.scored_tokens:,} of them scored; {self.passes:,} requests of {self.unique_tokens:,} tokens, "
            f"of which the server computed {self.computed_tokens:,}; "
            f"{self.seconds:.1f} s ({self.tokenizing_seconds:.1f} s tokenizing), "
            f"{self.tokens_per_second:,.0f} tokens/s; {noise}"
        )
