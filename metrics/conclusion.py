"""What scored chains say in plain words: a few sentences below a table of many, one below each that is shown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .columns import EVIDENCE_COLUMNS
from .controls.gain_over import GAIN_OVER
from .infogain import BEFORE
from .knowledge.arithmetic.judge import EQUATION
from .knowledge.policy import POLICIES
from .models.in_memory import SELF
from .printable import printable
from .reliance.claims import claim_in
from .score import ARITHMETIC_ONLY, ChainScore, judged_kinds

_GAIN = f"infogain_nats{BEFORE}"
_OVER = tuple(f"{GAIN_OVER}{name}{BEFORE}" for name in ("filler", "foreign", "shuffled"))
_NECESSARY = f"necessary_share{BEFORE}"
_NUMBERS = (_GAIN, "ki", "ki_coverage", *EVIDENCE_COLUMNS, *_OVER)
_LEVEL = 0.95
_LARGEST = 1e100  # a number beyond it cannot be computed with
_FOR_DEMOS = "smollm2"  # as benchmarks/validity measured
_TEXT = 60  # characters of a step that are quoted


class Interval(NamedTuple):
    """The mean over n questions and its 95 % interval (of a t distribution); the bounds are nan with one question."""

    n: int
    mean: float
    low: float
    high: float


class Misled(NamedTuple):
    """A step that a judge contradicts and that raises the gold answer's likelihood all the same."""

    gain: float
    chain: str
    number: int
    text: str


class Conclusion:
    """Sums chains up and concludes from them. Several chains of a question count as one, by their mean.

    Attributes:
        misled: the contradicted step that gains most; None while there is none that gains.
    """

    def __init__(self) -> None:
        self._chains = self._gaining = self._without = 0
        self._right: dict[str, list[float]] = {}
        self._values: dict[str, dict[str, list[float]]] = {name: {} for name in _NUMBERS}
        self._reasons: Counter[str] = Counter()
        self._kinds: set[str] = set()
        self._policies: dict[str, None] = {}
        self._scorers: Counter[str] = Counter()
        self._own: dict[str, list[float]] = {}
        self._necessary: dict[str, list[float]] = {}
        self._claims: Counter[str | None] = Counter()
        self.misled: Misled | None = None

    def add(self, score: ChainScore, *, question: str, accuracy: float | None = None) -> None:
        """Add a chain.

        Args:
            question: what it is a repeat of.
            accuracy: 1 where its answer is right, 0 where it is wrong; None or nan where nobody says. Where any chain
                has another number (a BLEU score, a mean), nothing is said of how many are right.
        """
        self._chains += 1
        if accuracy is not None and not math.isnan(accuracy):
            self._right.setdefault(question, []).append(accuracy)
        for name in _NUMBERS:
            value = score.metrics.get(name, math.nan)
            if abs(value) <= _LARGEST:  # never so for nan
                self._values[name].setdefault(question, []).append(value)
        gain = score.metrics.get(_GAIN, math.nan)
        if not abs(gain) <= _LARGEST:
            self._without += 1
            self._reasons[score.missing.get(_GAIN, "no reason given")] += 1
        else:
            self._gaining += gain > 0
            self._scorers[_named(score.provenance)] += 1
        self._kinds |= judged_kinds(score)
        self._policies[str(score.provenance.get("policy"))] = None
        if (own := _own_gain(score)) is not None:
            self._claims[claim_in(score.provenance)] += 1
            self._own.setdefault(question, []).append(own)
            self._necessary.setdefault(question, []).append(score.metrics.get(_NECESSARY, math.nan))
        self._look_at(score)

    def sentences(self) -> list[str]:
        """The conclusion. Empty without chains."""
        if not self._chains:
            return []
        return [
            *self._of_accuracy(),
            self._of_gains(),
            self._of_knowledge(),
            *self._of_evidence(),
            *self._of_reliance(),
            *self._of_misled(),
            self._of_basis(),
        ]

    def _look_at(self, score: ChainScore) -> None:
        for number, step in enumerate(score.steps, 1):
            wrong = any(verdict.label == "contradicted" for verdict in step.verdicts)
            if wrong and step.gain > (self.misled.gain if self.misled else 0):
                self.misled = Misled(step.gain, score.id or f"{self._chains}", number, step.text)

    def _of_accuracy(self) -> list[str]:
        found = _interval(self._right)
        whole = all(value in (0, 1) for repeats in self._right.values() for value in repeats)
        return [] if found is None or not whole else [f"{found.mean:.0%} right."]

    def _of_gains(self) -> str:
        found = _interval(self._values[_GAIN])
        if found is None:
            (reason, _), *_ = self._reasons.most_common(1)
            return f"Whether the steps help cannot be told: {printable(reason)}."
        raised = "lower" if found.mean >= 0 else "raise"
        said = (
            f"Before the answer is stated, the steps {raised} the scorer's surprise at the gold answer by "
            f"{abs(found.mean):.2f} nats ({self._gaining:,} of {self._chains - self._without:,} chains gain)"
        )
        return f"{said}: {_effect(found)}."

    def _of_knowledge(self) -> str:
        ki, coverage = (_interval(self._values[name]) for name in ("ki", "ki_coverage"))
        if ki is None:
            return "No step could be checked against an external source."
        basis = f" ({ARITHMETIC_ONLY})" if self._kinds == {EQUATION} else ""
        said = f"On average {ki.mean:.0%} of a chain's checkable steps hold{basis}"
        if any(name in POLICIES and POLICIES[name].unchecked_step == "consistent" for name in self._policies):
            said = (
                f"On average {ki.mean:.0%} of a chain's steps hold{basis}, with what cannot be checked counted as right"
            )
        said += "" if coverage is None else f"; {coverage.mean:.0%} of its steps are checkable"
        return f"{said}.{self._only('ki', 'such a step')}"

    def _of_evidence(self) -> list[str]:
        shares = [_interval(self._values[name]) for name in EVIDENCE_COLUMNS]
        if not all(shares):
            return []
        supported, contradicted, open_ = (share.mean for share in shares if share)
        policies = [POLICIES[name].in_words() for name in self._policies if name in POLICIES]
        made = f" (ki, {'; '.join(policies)})" if policies else ""
        return [
            f"Of a chain's claims judged by evidence {supported:.0%} are supported, {contradicted:.0%} contradicted, "
            f"{open_:.0%} not covered{made}.{self._only(EVIDENCE_COLUMNS[0], 'such a claim')}"
        ]

    def _only(self, name: str, what: str) -> str:
        """How many chains a mean rests on, where they are not all: the chains at the end are no basis of it."""
        having = sum(map(len, self._values[name].values()))
        if having == self._chains:
            return ""
        return f" Only {having:,} of {self._chains:,} chains {'has' if having == 1 else 'have'} {what}."

    def _of_reliance(self) -> list[str]:
        own, necessary = _interval(self._own), _interval(self._necessary)
        if own is None or necessary is None or math.isnan(necessary.mean):
            return []
        likelier = "likelier" if own.mean >= 0 else "less likely"
        claims = " and ".join(str(one) for one in self._claims)
        return [
            f"The steps before it make the chain's own answer {abs(own.mean):.2f} nats {likelier}, and it loses "
            f"without {necessary.mean:.0%} of them ({claims})."
        ]

    def _of_misled(self) -> list[str]:
        if self.misled is None:
            return []
        gain, chain, number, text = self.misled
        shown = text if len(text) <= _TEXT else f"{text[:_TEXT]}…"
        return [printable(f"Step {number} of chain {chain} is contradicted, and gains {gain:+.2f} nats: “{shown}”.")]

    def _of_basis(self) -> str:
        unscored = f", {self._without:,} of them without a gain" if self._without else ""
        chains = f"{self._chains:,} chain{'' if self._chains == 1 else 's'}{unscored}"
        if not self._values[_GAIN]:
            return f"This rests on {chains}."
        scorer = " and ".join(self._scorers)
        return f"This rests on {chains}, and on {scorer} as the scorer: {self._strength()}."

    def _strength(self) -> str:
        """Whether the scoring LM can tell the steps from what controls put in their place."""
        for name in _OVER:
            found = _interval(self._values[name])
            if found is None or math.isnan(found.low):
                continue
            control = name.removeprefix(GAIN_OVER).removesuffix(BEFORE)
            said = f"real steps gain {found.mean:+.2f} nats over {control} ones"
            return f"{said}, so it can use them" if found.low > 0 else f"{said}, so it may be too weak to use them"
        if all(_FOR_DEMOS in name.casefold() for name in self._scorers):
            return "for a demo; before the answer it tells right from wrong chains hardly better than chance"
        return "whether it is strong enough is not known (controls=filler shows it)"


def of_one_chain(score: ChainScore) -> str:
    """What one chain says, in a sentence: whether its steps help the scorer, and whether they hold."""
    return f"{_gain_of_one(score)}; {_checked_of_one(score)}."


def _gain_of_one(score: ChainScore) -> str:
    gain = score.metrics.get(_GAIN, math.nan)
    if math.isnan(gain):
        return f"Whether the steps help cannot be told ({printable(score.missing.get(_GAIN, 'no reason given'))})"
    stated = score.metrics.get("answer_step", math.nan)
    until = "The steps make" if math.isnan(stated) else f"Before step {stated:.0f} states it, the steps make"
    return f"{until} the gold answer {abs(gain):.2f} nats {'likelier' if gain >= 0 else 'less likely'}"


def _checked_of_one(score: ChainScore) -> str:
    labels = [{verdict.label for verdict in step.verdicts} for step in score.steps]
    wrong = [number for number, found in enumerate(labels, 1) if "contradicted" in found]
    if wrong:
        which = ", ".join(map(str, wrong))
        return f"step {which} is contradicted" if len(wrong) == 1 else f"steps {which} are contradicted"
    checked = sum("supported" in found for found in labels)
    return f"{checked} of {len(labels)} steps could be checked, and none is wrong" if checked else "no step was checked"


def _own_gain(score: ChainScore) -> float | None:
    """What the steps before the own answer add to its log-likelihood, in nats; None without reliance or such steps."""
    before = sum(not math.isnan(step.deletion_nats_before_answer) for step in score.steps)
    levels = score.own_log_likelihoods
    return levels[before] - levels[0] if before and before < len(levels) else None


def _interval(by_question: Mapping[str, Sequence[float]]) -> Interval | None:
    values = [math.fsum(repeats) / len(repeats) for repeats in by_question.values()]
    if not values:
        return None
    n, mean = len(values), math.fsum(values) / len(values)
    if n == 1:
        return Interval(n, mean, math.nan, math.nan)
    from scipy.special import stdtrit

    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, (1 + _LEVEL) / 2)) * spread / math.sqrt(n)
    return Interval(n, mean, mean - half, mean + half)


def _effect(found: Interval) -> str:
    if math.isnan(found.low):
        return "one question shows no more"
    if found.low > 0:
        return "they help"
    if found.high < 0:
        return "they do not help"
    return f"no clear effect (gain {found.mean:+.2f}, 95 % interval {found.low:+.2f} to {found.high:+.2f})"


def _named(provenance: Mapping[str, Any]) -> str:
    scorer = provenance.get("scorer")
    return f"the model itself ({_short(provenance.get('source'))})" if scorer == SELF else _short(scorer)


def _short(scorer: object) -> str:
    """A model's name without the folders before it."""
    text = str(scorer or "an unnamed model").rstrip("/")
    return printable(text.rpartition("/")[2] or text)
