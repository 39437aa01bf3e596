"""Control texts: the same number of other steps in place of a chain's own, to measure what their content contributes.

Each control is a function of question and chain (`foreign` also of the pool of other chains), never of the order of
chains or of chance. `control_metrics` (gain_over.py) compares the gains of chain and control.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ..answers.finals import commit_of
from ..answers.matching import AnswerMatcher
from ..chain import Control
from ..likelihood import Unscored
from ..names import unknown_name
from ..trace import Step, Trace, steps_before_answer, steps_before_own_answer
from .other_chains import ForeignSteps

CONTROLS = ("filler", "foreign", "shuffled")

# No digit, no option letter, no "yes", "no" or "answer": lines that fit into any chain and give no answer away.
FILLER_LINES = (
    "Let us look at this carefully.",
    "This needs some thought.",
    "We go on from here.",
    "It is worth taking a moment over this.",
    "Let me think about it some more.",
    "There are several things to keep in mind.",
    "We should read the question closely.",
    "Now we continue with the next part.",
    "This is a common kind of problem.",
    "Let us go through it in order.",
    "Everything that is needed has been given.",
    "It helps to write things down.",
    "We keep in mind what was asked.",
    "Let us take stock of where we are.",
    "That deserves a closer look.",
    "Here we have to be careful.",
    "We can approach this in the usual way.",
    "Let me put this in other words.",
    "The details matter in such cases.",
    "Now let us move forward.",
    "It is good to stay organised.",
    "We have seen similar questions before.",
    "Let us not rush ahead.",
    "This part follows the one before.",
    "I want to make sure that nothing is overlooked.",
    "We can build on what came earlier.",
    "Let us consider the situation as a whole.",
    "A clear head is useful at this stage.",
    "Thinking aloud can make things easier.",
    "We are making progress.",
    "Let me go over that again.",
    "There is more to be said about this.",
)


def control_names(given: object) -> tuple[str, ...]:
    """The option `controls`, each name once. Raises ValueError for what is no list and for an unknown name."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ValueError(f"controls {given!r:.80}: expected a list of names")
    for name in given:
        if name not in CONTROLS:
            raise ValueError(unknown_name("control", name, CONTROLS))
    return tuple(dict.fromkeys(given))


def make_controls(
    names: Sequence[str], trace: Trace, steps: Sequence[Step], foreign: ForeignSteps | None
) -> list[Control]:
    """The controls of one chain.

    Args:
        names: which of `CONTROLS`.
        foreign: the pool of other chains' steps; needed only for `foreign`.
    """
    if not names:
        return []  # before the search for the answer, which takes longer than all the rest
    before = steps_before_answer(steps)
    own = steps_before_own_answer(steps, commit_of(steps, trace)) if steps else 0
    return controls_of(names, trace, [step.text for step in steps], (before, own), foreign)


def controls_of(
    names: Sequence[str], trace: Trace, texts: Sequence[str], counts: tuple[int, int], foreign: ForeignSteps | None
) -> list[Control]:
    """The controls in the place of these texts.

    Args:
        trace: its answers are the ones that no control states.
        counts: steps before the answer, and before the chain's own.
    """
    before, own = counts
    matcher = AnswerMatcher(trace.answers, trace.question, trace.choices)
    out = []
    for name in names:
        if name == "foreign":
            assert foreign is not None
            out.append(_foreign(trace, matcher, (len(texts), before, own), foreign))
        elif name == "filler":
            # Keyed by the question, so that two models' chains for it get the same lines and compare with less noise.
            whole = filler_lines(trace.question, matcher, len(texts))
            first, first_own = (whole if isinstance(whole, Unscored) else whole[:count] for count in (before, own))
            out.append(Control(name, whole, first, (), first_own))
        else:
            parts = (texts, texts[:before], texts[:own])
            whole, first, first_own = (shuffled(part, trace.hash) for part in parts)
            out.append(Control(name, whole, first, (), first_own))
    return out


def filler_lines(key: str, matcher: AnswerMatcher, count: int) -> list[str] | Unscored:
    """`count` neutral lines in an order determined by `key`; every line is used once before any repeats."""
    lines = [line for line in FILLER_LINES if not matcher.states(line)]
    if not lines:
        return Unscored("every filler line states the gold answer")
    out: list[str] = []
    while len(out) < count:
        out += _ordered(lines, f"{key} filler {len(out)}")
    return out[:count]


def shuffled(texts: Sequence[str], key: str) -> list[str] | Unscored:
    """The same texts in a different order, determined by `key`."""
    if len(set(texts)) < 2:
        return Unscored("fewer than two different steps to shuffle")
    out = _ordered(texts, f"{key} shuffled")
    return out if out != list(texts) else [*texts[1:], texts[0]]


def _foreign(trace: Trace, matcher: AnswerMatcher, counts: tuple[int, int, int], steps: ForeignSteps) -> Control:
    whole, before, own = counts
    found, chains = steps.draw(trace, matcher, whole)

    def first(count: int) -> Sequence[str] | Unscored:
        if count <= len(found):
            return found[:count]
        return Unscored(
            f"{count} steps of other questions are needed, {len(found)} are at hand: score more chains together"
        )

    return Control("foreign", first(whole), first(before), chains, first(own))


def _ordered(texts: Sequence[str], key: str) -> list[str]:
    """A permutation that depends only on `key`; the same on every platform and Python version."""
    return [text for _, text in sorted((_digest(f"{key} {i}"), text) for i, text in enumerate(texts))]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
