"""What the knowledge core passes around: claims, passages, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Label = Literal["supported", "contradicted", "insufficient"]

# The kind of a claim that cannot be understood by itself, nor by rule from what stands before it: no judge is asked.
UNRESOLVED = "unresolved"
NO_JUDGE = "none"  # stands for the judge in the verdict on a claim that no judge of the panel takes


@dataclass(frozen=True)
class Claim:
    """Something a step asserts that an external source could confirm or contradict.

    Attributes:
        text: the claim, as it stands in the response or rewritten to be self-contained.
        step: index of its step, from 0.
        start, end: character span in the response it was read from, half open.
        kind: what sort of claim it is; judges take the kinds they know ("equation", "sentence", …).
        query: what to ask a retriever, or None when the claim needs no evidence.
        standalone: the text with what a pronoun, "the patient" or an option's letter in it stands for put in by rule
            ("Warfarin increases …" for "It increases …"); "" where the text was left as it is.
        note: one line on how the claim was read, where a reader should know: why it is of kind `UNRESOLVED`, why a
            rewritten text was not taken.
    """

    text: str
    step: int
    start: int
    end: int
    kind: str
    query: str | None = None
    standalone: str = ""
    note: str = ""


@dataclass(frozen=True)
class ExtractionFailed:
    """Stands among a trace's claims for a step whose claims could not be extracted, and says why.

    The step is left unscored: that nothing was extracted is no sign that it asserts nothing.
    """

    step: int
    reason: str


@dataclass(frozen=True)
class Passage:
    """A piece of evidence with where it came from and the retriever's score."""

    id: str
    text: str
    title: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Verdict:
    """One judge's verdict on one claim.

    Attributes:
        label: supported, contradicted, insufficient (the evidence does not decide), or None: the judge failed, or no
            judge takes the claim.
        judge: the judge's name; `NO_JUDGE` where none takes the claim.
        probability: the judge's probability that the claim is supported, where it has one.
        evidence: the passages it was shown.
        reason: one line for a person ("48/2 = 24").
        error: why there is no label; set exactly when `label` is None.
    """

    claim: Claim
    label: Label | None
    judge: str
    probability: float | None = None
    evidence: Sequence[Passage] = ()
    reason: str = ""
    error: str | None = None

    def __post_init__(self) -> None:
        if (self.label is None) != (self.error is not None):
            raise ValueError(f"a verdict has a label or an error, not both or neither: {self!r:.200}")

    @property
    def failed(self) -> bool:
        """Whether whoever was to find or judge the claim could not; a claim that nobody takes is no failure."""
        return self.label is None and self.judge != NO_JUDGE
