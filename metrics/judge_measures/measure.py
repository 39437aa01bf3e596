"""What was measured of one judge on one set of labelled claims."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..printable import printable
from ..strict_json import without_nan

_TEXT = 80  # characters of a judge's or a set's name


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval: all nan where it cannot be computed, the bounds alone where they cannot."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def of(cls, three: Sequence[float | None]) -> Estimate:
        """From what `three` gave."""
        value, low, high = map(_number, three)
        return cls(value, low, high)

    def three(self) -> Any:
        """Value and bounds as strict JSON has them: None for nan."""
        return without_nan([self.value, self.low, self.high])

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "–"
        if math.isnan(self.low) or math.isnan(self.high):
            return two_places(self.value)
        return f"{two_places(self.value)} [{two_places(self.low)}, {two_places(self.high)}]"


def two_places(value: float) -> str:
    """A share without the zero before its point: .71, 1.00; a dash for nan."""
    if math.isnan(value):
        return "–"
    text = f"{value:.2f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


@dataclass(frozen=True)
class Measure:
    """A judge on a set of labelled claims. Shares are between 0 and 1; intervals draw whole documents.

    Attributes:
        judge, on: the judge's name, and the set's or the file's.
        claims: claims or steps with a label; of these `right` are right and `unscored` got no score from the judge.
        documents: what they come from: claims of one document are no independent evidence.
        auroc: chance that a right claim scores above a wrong one.
        threshold: fitted on half of the documents; a claim that scores at least this is called right.
        fitted: `precision` and `recall` of the right claims and `recall_wrong` of the wrong ones at that threshold, on
            the other half.
        as_set: the same of the labels that the judge gives, as it is set, and `decided`, the share it calls either.
        brier: mean squared difference of the judge's probability and the truth.
        moved: share of verdicts that another wording (`reworded`) or a hidden order to the judge (`ordered`) changed,
            and that an order made "supported" (`obeyed`).
        said: {true label: {judge's label, or "none": claims}}.
        cost: `seconds` a claim; of servers `calls` and `tokens` a claim, too.
        missing: {name of a number: why there is none}.
        made: when (a date), with what (`stepgauge`'s version, the judge's options), and `data`, the digest of all
            labelled claims, of which some may have been drawn.
    """

    judge: str
    on: str
    claims: int
    right: int
    unscored: int
    documents: int
    auroc: Estimate
    threshold: float = math.nan
    fitted: Mapping[str, Estimate] = field(default_factory=dict)
    as_set: Mapping[str, Estimate] = field(default_factory=dict)
    brier: Estimate = Estimate()
    moved: Mapping[str, Estimate] = field(default_factory=dict)
    said: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: nan becomes null. `from_dict` restores an equal measure."""
        return without_nan(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measure:
        """Restore what `to_dict` wrote. Raises KeyError, TypeError, ValueError on other input."""
        return cls(
            judge=str(data["judge"]),
            on=str(data["on"]),
            claims=int(data["claims"]),
            right=int(data["right"]),
            unscored=int(data["unscored"]),
            documents=int(data["documents"]),
            auroc=_estimate(data["auroc"]),
            brier=_estimate(data["brier"]),
            fitted=_estimates(data["fitted"]),
            as_set=_estimates(data["as_set"]),
            moved=_estimates(data["moved"]),
            threshold=_number(data["threshold"]),
            said={str(truth): dict(row) for truth, row in dict(data["said"]).items()},
            cost={str(name): _number(value) for name, value in dict(data["cost"]).items()},
            missing={str(name): str(why) for name, why in dict(data["missing"]).items()},
            made=dict(data["made"]),
        )

    def brief(self) -> dict[str, Any]:
        """What goes into the provenance of scores: enough for the line below a table."""
        date = str(self.made.get("date", ""))
        return {
            "on": self.on,
            "claims": self.claims,
            "unscored": self.unscored,
            "auroc": self.auroc.three(),
            "date": date,
        }


def line_of(brief: Mapping[str, Any]) -> str | None:
    """`AUROC .71 [.66, .76] on scifact, 200 claims`; None for what `Measure.brief` did not write.

    Claims that the judge failed on, or passed, are told apart: the AUROC does not rest on them.
    """
    try:
        auroc = Estimate.of(brief["auroc"])
        on, claims, unscored = printable(brief["on"])[:_TEXT], int(brief["claims"]), int(brief.get("unscored", 0))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    what = f"AUROC {auroc}" if not math.isnan(auroc.value) else "no AUROC"
    without = f", {unscored:,} of them without a score" if unscored else ""
    return f"{what} on {on}, {claims:,} claims{without}"


def _estimate(data: Mapping[str, Any]) -> Estimate:
    return Estimate(*(_number(data[name]) for name in ("value", "low", "high")))


def _estimates(data: Mapping[str, Any]) -> dict[str, Estimate]:
    return {str(name): _estimate(one) for name, one in data.items()}


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
