"""The options of a fit and their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import FitError
from ..names import unknown_name

AUGMENTATIONS = ("drop", "shuffle", "filler")


@dataclass(frozen=True)
class FitSettings:
    """Options of a fit.

    Attributes:
        scorer: the LM to start from, as in `Gauge`.
        epochs: maximum passes over the chains; training stops earlier once the held-out loss no longer falls.
        lr: peak learning rate; None: 2e-4 for adapters, 5e-5 for weights.
        batch: chains per update.
        rows: chains per forward pass.
        lora: train low-rank adapters and merge them into the weights at the end.
        layers: train only this many of the upper layers; None: all.
        held_out: share of the questions held out for early stopping.
        evaluations: evaluations of the held-out loss per epoch.
        patience: evaluations without improvement before training stops.
        augment: kinds of altered copies, which teach the scorer when steps carry nothing.
        altered: altered copies per chain, from 0 to 1; the kinds take turns.
        max_tokens: chains with a longer token trie are left out, and counted.
        template, splitter, revision, device, trust_remote_code: as in `Gauge`; use those that scoring will use.
        gradient_checkpointing: recompute activations instead of storing them; None: on accelerators only.
        seed: for the split, the order, the altered copies and the adapters.
    """

    scorer: str = "smollm2"
    epochs: float = 3
    lr: float | None = None
    batch: int = 16
    rows: int = 4
    lora: bool = False
    layers: int | None = None
    held_out: float = 0.1
    evaluations: int = 2
    patience: int = 2
    augment: tuple[str, ...] = AUGMENTATIONS
    altered: float = 0.5
    max_tokens: int = 2048
    template: str = "plain"
    splitter: str = "auto"
    revision: str | None = None
    device: str = "auto"
    trust_remote_code: bool = False
    gradient_checkpointing: bool | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.augment:
            if name not in AUGMENTATIONS:
                raise FitError(unknown_name("augmentation", name, AUGMENTATIONS))
        for name, least in (("batch", 1), ("rows", 1), ("evaluations", 1), ("patience", 1), ("max_tokens", 2)):
            if getattr(self, name) < least:
                raise FitError(f"{name} {getattr(self, name)!r}: expected {least} or more")
        if not self.epochs > 0:
            raise FitError(f"epochs {self.epochs!r}: expected more than 0")
        if self.lr is not None and not self.lr > 0:
            raise FitError(f"lr {self.lr!r}: expected more than 0")
        if not 0 < self.held_out < 1:
            raise FitError(
                f"held_out {self.held_out!r}: expected a share of the questions, more than 0 and less than 1"
            )
        if not 0 <= self.altered <= 1:
            raise FitError(f"altered {self.altered!r}: expected copies per chain, 0 to 1")
        if self.layers is not None and self.layers < 1:
            raise FitError(f"layers {self.layers!r}: expected 1 or more")
        if self.lora and self.layers is not None:
            raise FitError("lora and layers exclude each other: adapters leave the weights of all layers alone")

    @property
    def peak_lr(self) -> float:
        return self.lr if self.lr is not None else 2e-4 if self.lora else 5e-5
