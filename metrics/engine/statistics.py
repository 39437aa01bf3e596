"""What the likelihood engine did: tokens asked for, tokens computed, padding, time and memory."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar, TypeVar

if TYPE_CHECKING:
    import torch

try:
    import resource
except ImportError:  # Windows has no such module; the peak stays unknown there
    resource = None

# Linux reports the resident set in KiB, macOS in bytes.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024

# The prefix of the log line.
ENGINE_LINE = "engine: "

Self = TypeVar("Self", bound="EngineStatistics")


@dataclass
class EngineStatistics:
    """Counts over all calls so far.

    Attributes:
        groups: scored chains, or other groups of sequences (the judge `lm` scores one group per claim).
        sequences: token sequences in these groups.
        sequence_tokens: tokens in all sequences: what one forward pass per sequence would compute.
        scored_tokens: tokens whose log-probability was requested.
        unique_tokens: nodes of the tries: shared tokens counted once.
        computed_tokens: tokens that went through the model, including those recomputed for another tile.
        padding_tokens: positions in the forward passes that held no token.
        passes: forward passes.
        seconds: wall-clock time in the engine, tokenizing included.
        tokenizing_seconds: the share of that time spent tokenizing; summed over processes.
        peak_bytes: on CUDA the peak of allocated memory, else the peak resident size of the process; the largest over
            devices or processes; 0: unknown.
    """

    # Counts of which two runs together have the larger, and a part of a run has what there is at its end.
    LARGEST: ClassVar[tuple[str, ...]] = ("peak_bytes",)

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
        """Sequence tokens per computed token; 1 if nothing was saved, nan before the first pass."""
        return self.sequence_tokens / self.computed_tokens if self.computed_tokens else float("nan")

    @property
    def padding_share(self) -> float:
        """Padding as a share of all positions in the forward passes; nan before the first pass."""
        places = self.computed_tokens + self.padding_tokens
        return self.padding_tokens / places if places else float("nan")

    @property
    def tokens_per_second(self) -> float:
        """Computed tokens per second in the engine; nan before the first pass."""
        return self.computed_tokens / self.seconds if self.seconds else float("nan")

    def __add__(self: Self, other: Self) -> Self:
        """The sum of both; of the `LARGEST` the larger."""
        mine, others = vars(self), vars(other)
        return type(self)(
            **{
                name: max(mine[name], others[name]) if name in self.LARGEST else mine[name] + others[name]
                for name in mine
            }
        )

    def since(self: Self, before: Self | None) -> Self:
        """The counts since `before`, an earlier state (None: since the start); the `LARGEST` are the current ones."""
        if before is None:
            return replace(self)
        return type(self)(
            **{
                name: value if name in self.LARGEST else value - vars(before)[name]
                for name, value in vars(self).items()
            }
        )

    def reset(self) -> None:
        """Set all counts to zero."""
        for field in fields(self):
            setattr(self, field.name, type(getattr(self, field.name))())

    def note_memory(self, device: torch.device) -> None:
        """Update the peak from the current peak of `device`."""
        if device.type == "cuda":
            import torch

            peak = torch.cuda.max_memory_allocated(device)
        elif resource is None:
            return
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
        self.peak_bytes = max(self.peak_bytes, peak)

    def to_dict(self) -> dict[str, float]:
        """All counts and the three ratios, ready for JSON."""
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
