"""What the likelihood engine did: tokens asked for, tokens computed, padding, time and memory."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

try:
    import resource
except ImportError:  # Windows has no such module, and the peak stays unknown
    resource = None

# Linux counts the resident set in KiB, macOS in bytes.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024

# How the line in logs begins.
ENGINE_LINE = "engine: "


@dataclass
class EngineStatistics:
    """Counts over all calls so far.

    Attributes:
        groups: chains (or other groups of sequences, such as a claim's for the judge `lm`) scored.
        sequences: token sequences they asked for.
        sequence_tokens: tokens of all these sequences, which the naive way would compute one by one.
        scored_tokens: tokens whose log-probability was asked for.
        unique_tokens: nodes of the tries, each shared token once.
        computed_tokens: tokens that went through the model, those computed anew for a further tile included.
        padding_tokens: places in the forward passes that held no token.
        passes: forward passes.
        seconds: wall-clock time in the engine, tokenizing included.
        tokenizing_seconds: the part of it that tokenizing took; of several processes, the sum of theirs.
        peak_bytes: on CUDA the most memory allocated at once, else the most that the process ever held; of several
            devices or processes, the largest of theirs; 0: unknown.
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

    def __add__(self, other: EngineStatistics) -> EngineStatistics:
        """Both together; the larger of the peaks."""
        counts = {field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        return EngineStatistics(**{**counts, "peak_bytes": max(self.peak_bytes, other.peak_bytes)})

    def since(self, before: EngineStatistics | None) -> EngineStatistics:
        """What came after `before`, an earlier state (None: nothing was counted yet); the peak is the present one."""
        if before is None:
            return replace(self)
        counts = {field.name: getattr(self, field.name) - getattr(before, field.name) for field in fields(self)}
        return EngineStatistics(**{**counts, "peak_bytes": self.peak_bytes})

    def reset(self) -> None:
        """Start counting anew."""
        for field in fields(self):
            setattr(self, field.name, type(getattr(self, field.name))())

    def note_memory(self, device: torch.device) -> None:
        """Take the present peak of `device` into account."""
        if device.type == "cuda":
            import torch

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
        if not self.computed_tokens:
            return f"{ENGINE_LINE}nothing was computed"
        peak = f", peak memory {self.peak_bytes / 2**30:.2f} GiB" if self.peak_bytes else ""
        return (
            f"{ENGINE_LINE}{self.groups:,} groups, {self.sequences:,} sequences of {self.sequence_tokens:,} tokens, "
            f"{self.scored_tokens:,} of them scored; {self.unique_tokens:,} unique, {self.computed_tokens:,} computed "
            f"({self.saved_ratio:.1f}× fewer) in {self.passes:,} passes, padding {100 * self.padding_share:.1f} %; "
            f"{self.seconds:.1f} s ({self.tokenizing_seconds:.1f} s tokenizing), "
            f"{self.tokens_per_second:,.0f} tokens/s{peak}"
        )
