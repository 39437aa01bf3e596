"""What the likelihood engine did: tokens asked for, tokens computed, padding, time and memory."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, fields

import torch

try:
    import resource
except ImportError:  # Windows has no such module, and the peak stays unknown
    resource = None

# Linux counts the resident set in KiB, macOS in bytes.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass
class EngineStatistics:
    """Counts over all calls so far.

    Attributes:
        groups: chains (or other groups of sequences) scored.
        sequences: token sequences they asked for.
        sequence_tokens: tokens of all these sequences, which the naive way would compute one by one.
        scored_tokens: tokens whose log-probability was asked for.
        unique_tokens: nodes of the tries, each shared token once.
        computed_tokens: tokens that went through the model, those computed anew for a further tile included.
        padding_tokens: places in the forward passes that held no token.
        passes: forward passes.
        seconds: wall-clock time in the engine, tokenizing included.
        tokenizing_seconds: the part of it that tokenizing took.
        peak_bytes: on CUDA the most memory allocated at once, else the most that the process ever held; 0: unknown.
    """

    groups: int = 0
    sequences: int = 0
    sequence_tokens: int = 0
    scored_tokens: int = 0
    unique_tokens: int = 0
    computed_tokens: int = 0
    padding_tokens: int = 0
    passes: int = 0
    seconds: float = 0.0
    tokenizing_seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def saved_ratio(self) -> float:
        """Tokens of all sequences per token computed; 1 when nothing was saved, nan before the first pass."""
        return self.sequence_tokens / self.computed_tokens if self.computed_tokens else float("nan")

    @property
    def padding_share(self) -> float:
        """Padding in all places of the forward passes; nan before the first pass."""
        places = self.computed_tokens + self.padding_tokens
        return self.padding_tokens / places if places else float("nan")

    @property
    def tokens_per_second(self) -> float:
        """Computed tokens per second in the engine; nan before the first pass."""
        return self.computed_tokens / self.seconds if self.seconds else float("nan")

    def reset(self) -> None:
        """Start counting anew."""
        for field in fields(self):
            setattr(self, field.name, type(getattr(self, field.name))())

    def note_memory(self, device: torch.device) -> None:
        """Take the present peak of `device` into account."""
        if device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(device)
        elif resource is None:
            return
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
        self.peak_bytes = max(self.peak_bytes, peak)

    def to_dict(self) -> dict[str, float]:
        """All counts and the three ratios, as JSON takes them."""
        ratios = {name: getattr(self, name) for name in ("saved_ratio", "padding_share", "tokens_per_second")}
        return {**asdict(self), **ratios}

    def summary(self) -> str:
        """One line for a log or a terminal."""
        return (
            f"{self.groups} chains, {self.sequences} sequences of {self.sequence_tokens} tokens "
            f"({self.unique_tokens} unique), {self.computed_tokens} computed ({self.saved_ratio:.1f}× fewer), "
            f"padding {100 * self.padding_share:.1f} %, {self.passes} passes, {self.seconds:.1f} s, "
            f"{self.tokens_per_second:.0f} tokens/s, peak memory {self.peak_bytes / 2**30:.2f} GiB"
        )
