"""Plain names for the numbers of the page, and what each means, as the core says it where the number is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...metrics.columns import METRICS
from ...metrics.comparison.measures import CONFOUNDERS, OUTCOMES

ACCURACY = "accuracy"

_BEFORE, _OWN = ", before the answer", ", before its own answer"
_NAMES: Mapping[str, str] = {
    "infogain_nats_before_answer": "Gain before the answer",
    "infogain_nats": "Gain of the whole chain",
    "infogain_nats_before_own_answer": "Gain before its own answer",
    "infogain_nats_without_final": "Gain without the closing answer",
    "infogain": "Gain as published",
    "infogain_before_answer": f"Gain as published{_BEFORE}",
    "infogain_same_length": "Gain as published, same length",
    **{f"gain_over_{name}_before_own_answer": f"Gain over {name} text{_OWN}" for name in ("filler", "foreign")},
    "gain_over_shuffled_before_own_answer": f"Gain over shuffled steps{_OWN}",
    "reasons_first": "Reasons before it answers",
    "supported_before_own_answer": f"Supported steps{_OWN}",
    "entropy_drop_bits": "Doubt between the options removed",
    "entropy_drop_bits_before_answer": f"Doubt between the options removed{_BEFORE}",
    "entropy_drop_bits_per_token": "Doubt removed, per token",
    "entropy_drop_bits_per_token_before_answer": f"Doubt removed, per token{_BEFORE}",
    "informative_share": "Steps that gain",
    "ki": "Consistent steps (KI)",
    "ki_coverage": "Checkable steps",
    "claims_supported": "Supported claims",
    "claims_contradicted": "Contradicted claims",
    "claims_not_covered": "Claims not covered",
    "early_answer_area": "Own answer decided late",
    "early_answer_area_before_answer": f"Own answer decided late{_OWN}",
    "post_hoc_share": "Own answer as sure before the steps",
    "post_hoc_share_before_answer": f"Own answer as sure before the steps{_OWN}",
    "necessary_share": "Necessary steps",
    "necessary_share_before_answer": f"Necessary steps{_OWN}",
    "true_thinking": "True thinking",
    "true_thinking_before_answer": f"True thinking{_OWN}",
    "mistake_effect": "Answers that a mistake changes",
    "answer_kept_share": "Answer kept behind a mistake",
    "answer_kept_share_unchanged": "Answer kept behind the step as it was",
    "n_steps": "Steps",
    "tokens": "Tokens",
    "abstained": "Abstained",
    "undetermined": "Undetermined",
    "ppl_0": "Surprise at the answer before any step",
    "question_length": "Question length",
    "truncated": "Cut off",
    "unfinished": "Ends mid-sentence",
    "answer_stating_share": "Steps with the answer",
}
_MEASURES = {measure.key: measure for measure in (*OUTCOMES, *CONFOUNDERS)}
# The names that are no words of a sentence: those are said plainly in another number's meaning.
_CODES = [name for name in _NAMES if "_" in name or name in ("infogain", "ki")]
_NUMBERS = re.compile("|".join(rf"\b{name}\b" for name in _CODES))

# What is no number of the core's, and so has its meaning here.
_WORDS: Mapping[str, tuple[str, str]] = {
    ACCURACY: ("Accuracy", "Whether the final answer was right, as the run itself counted."),
    "chain": (
        "Chain and step",
        "A model's response to a question is a chain; it is read as steps, one after the other.",
    ),
    "scorer": (
        "Scoring LM",
        "A language model that reads the question and the steps and says how likely the gold answer is. It is not the "
        "model that answered.",
    ),
    "gain": (
        "Gain, nats",
        "By how much a step raises the scoring LM's log-likelihood of the gold answer: at 1 nat it becomes 2.7 times "
        "as likely, at 0 nothing changes, below 0 it becomes less likely.",
    ),
    "ppl": (
        "Perplexity, PPL",
        "How open the gold answer is to the scoring LM: at 1 it is certain of it, at 100 as unsure as among 100 tokens "
        "that are equally likely.",
    ),
    "chance": (
        "Chance of the answer",
        "The probability that the scoring LM gives the gold answer at that point, per token of the answer.",
    ),
    "option": ("Chance of the right option", "The same, among the options of a multiple-choice question."),
    "contradicted": (
        "Contradicted, supported",
        "What a judge says of a claim in a step, against arithmetic or a source. Where the evidence does not decide, "
        "the step does not count as checkable.",
    ),
    "leak": (
        "States the answer",
        "A step before the final answer that writes the gold answer down. Such a step explains most of the gain of a "
        "whole chain, so the gain before it is the fairer measure of the reasoning.",
    ),
    "unscored": (
        "Unscored",
        "The likelihoods are missing, or the judge of a claim failed. Missing numbers are left out of means; they are "
        "never 0 or 1.",
    ),
    "agreement": (
        "Agreement",
        "Of the verdicts that you marked on this page, the share that you agree with. It speaks of the judge, not of "
        "the model, and only of what was marked.",
    ),
}
_COMPARED: Mapping[str, tuple[str, str]] = {
    "interval": (
        "95\u00a0% interval",
        "Of the difference between the runs, of each row by itself. Questions of one text are resampled together.",
    ),
    "p": ("p", "Two-sided paired permutation test, of the rows that decide."),
    "holm": ("Holm p", "The same p, corrected for testing several rows at once."),
}


@dataclass(frozen=True)
class Entry:
    """A term of the page: its key, its plain name, its name in files where it is a number, and what it means."""

    key: str
    name: str
    code: str
    meaning: str


def plain_name(name: str) -> str:
    """The plain name of a number; its own name where it has none, as of a plugin."""
    return _NAMES.get(name, name)


def entries(numbers: Iterable[str], *, compared: bool) -> list[Entry]:
    """The glossary: these numbers, then the page's words. A number whose meaning is not known here is left out.

    Args:
        compared: whether the page compares runs, and so needs the words of its tests.
    """
    words = {**_WORDS, **(_COMPARED if compared else {})}
    return [
        *(Entry(name, plain_name(name), name, _meaning(name)) for name in dict.fromkeys(numbers) if _meaning(name)),
        *(Entry(key, name, "", meaning) for key, (name, meaning) in words.items()),
    ]


def _meaning(name: str) -> str:
    about = METRICS.get(name) or _MEASURES.get(name)
    return "" if about is None else _NUMBERS.sub(lambda found: _quoted(found[0]), about.description)


def in_plain_words(text: str, labels: Mapping[str, str]) -> str:
    """A sentence of a comparison with the labels of its rows, in backticks or bare, replaced by their plain names.

    Args:
        labels: {label: measure}.
    """
    known = {
        label: measure
        for label, measure in labels.items()
        if measure in _NAMES and label.casefold() != _NAMES[measure].casefold()
    }
    if not known:
        return text
    any_of = "|".join(re.escape(label) for label in sorted(known, key=len, reverse=True))
    pattern = re.compile(rf"`({any_of})`|(?<![\w`])({any_of})(?![\w`])")
    return pattern.sub(lambda found: _quoted(known[found[1] or found[2]]), text)


def _quoted(name: str) -> str:
    return f"“{_NAMES[name]}”"
