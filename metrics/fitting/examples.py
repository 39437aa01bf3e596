"""Chains as training examples: one token trie per chain, with the gold answer to be predicted after every prefix."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..contamination.question_hashes import question_hashes, split_questions
from ..engine.trie import Trie, build_trie
from ..errors import FitError
from ..likelihood import Unscored
from ..models.scorer_tokenizer import ScorerTexts
from ..names import unknown_name
from ..segment import BUILTIN_SPLITTERS, segment
from ..templates import TEMPLATES, PromptTemplate
from ..tokenization.spans import TokenSpan, encode
from ..trace import Trace
from .augment import altered
from .settings import FitSettings


@dataclass(frozen=True)
class Example:
    """One chain.

    Attributes:
        spans: the t+1 prefixes, each followed by the gold answer.
        trie: the spans merged, with weights such that the weighted sum of log-probabilities is the mean over prefixes
            of the mean over answer tokens.
    """

    spans: Sequence[TokenSpan]
    trie: Trie


@dataclass(frozen=True)
class Examples:
    """The data of a fit.

    Attributes:
        train, held_out: examples, altered copies included.
        chains: held-out chains without altered copies, on which the scorer is measured.
        questions, held_out_questions: question hashes.
        left_out: number of chains left out, by reason.
    """

    train: list[Example]
    held_out: list[Example]
    chains: list[Example]
    questions: list[str]
    held_out_questions: list[str]
    left_out: Counter[str]


def make_examples(
    traces: Sequence[Trace], texts: ScorerTexts, settings: FitSettings, exclude: frozenset[str] = frozenset()
) -> Examples:
    """Segment, augment and tokenize chains, and split them by question.

    Args:
        exclude: hashes of questions that must not be trained on.

    Raises:
        FitError: an unknown template or splitter, or no chain is left for training or for the held-out side.
    """
    if settings.template not in TEMPLATES:
        raise FitError(unknown_name("template", settings.template, TEMPLATES))
    if settings.splitter not in BUILTIN_SPLITTERS:
        raise FitError(unknown_name("splitter", settings.splitter, BUILTIN_SPLITTERS))
    template = TEMPLATES[settings.template]
    left_out: Counter[str] = Counter()
    chains: list[tuple[Trace, list[str]]] = []
    for trace, cut in zip(traces, segment(traces, settings.splitter), strict=True):
        if not trace.answers:
            left_out["no gold answer"] += 1
        elif not cut.steps:
            left_out["no steps in the response"] += 1
        elif not exclude.isdisjoint(question_hashes(trace)):
            left_out["its question is excluded"] += 1
        else:
            chains.append((trace, [step.text for step in cut.steps]))
    held = split_questions((question_hashes(trace)[0] for trace, _ in chains), settings.held_out, settings.seed)
    rng = random.Random(settings.seed)
    sides: dict[bool, list[Example]] = {False: [], True: []}
    whole: list[Example] = []
    hashes: dict[bool, set[str]] = {False: set(), True: set()}
    turn = rng.randrange(max(1, len(settings.augment)))
    for trace, steps in chains:
        own = question_hashes(trace)
        side = own[0] in held
        example = make_example(trace, steps, texts, template, settings.max_tokens)
        if isinstance(example, Unscored):
            left_out[example.reason] += 1
            continue
        hashes[side].update(own)
        sides[side].append(example)
        if side:
            whole.append(example)
        if settings.augment and rng.random() < settings.altered:
            kind = settings.augment[turn % len(settings.augment)]
            turn += 1
            copy = make_example(trace, altered(steps, kind, rng), texts, template, settings.max_tokens)
            if not isinstance(copy, Unscored):
                sides[side].append(copy)
    if not sides[False] or not sides[True]:
        raise FitError(
            f"{len(hashes[False])} questions to fit on and {len(hashes[True])} held out, of {len(traces)} chains; "
            f"both are needed. Left out: {_listed(left_out)}"
        )
    return Examples(sides[False], sides[True], whole, sorted(hashes[False]), sorted(hashes[True]), left_out)


def make_example(
    trace: Trace, steps: Sequence[str], texts: ScorerTexts, template: PromptTemplate, max_tokens: int
) -> Example | Unscored:
    """The example for a chain with these steps; Unscored if it is too long or its answer has no token."""
    gold = trace.answers[0].strip()
    requests = [template.render(trace.question, steps[:i], gold, texts.render_chat) for i in range(len(steps) + 1)]
    spans = encode(texts.tokenizer, requests, texts.max_tokens)
    if isinstance(spans, Unscored):
        return Unscored("longer than the scorer's context, or an answer without a token")
    trie = build_trie([_weighted(span, len(spans)) for span in spans])
    if len(trie.token) > max_tokens:
        return Unscored(f"more than {max_tokens} tokens")
    return Example(spans, trie)


def _weighted(span: TokenSpan, prefixes: int) -> TokenSpan:
    scored = span.n - span.start
    return replace(span, weights=np.full(scored, 1 / (scored * prefixes)))


def _listed(counts: Counter[str]) -> str:
    return "; ".join(f"{count} {reason}" for reason, count in counts.most_common()) or "none"
