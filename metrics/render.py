"""A scored chain as a table for people: text, gain, running log-probability as a bar, claims and verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .columns import EVIDENCE_COLUMNS, SHOW_COLUMNS, added_columns
from .controls.gain_over import GAIN_OVER
from .infogain import BEFORE
from .judge_measures.lines import judge_lines
from .knowledge.policy import POLICIES
from .knowledge.types import Verdict
from .printable import clean, printable
from .reliance.claims import claim_in, claim_lines, regrown_lines
from .score import ARITHMETIC_ONLY, ChainScore, StepScore, arithmetic_only
from .text_table import Column, folded, text_table

_BAR_WIDTH = 12
_CLAIMS_BESIDE = 110  # columns from which claims have a column of their own
_BARS = 80  # columns from which there is room for bars
_ANSWER = 200  # characters of the chain's own answer
_SHOWN_PASSAGES = 3
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ANSWERS = {name: name.removeprefix("claims_").replace("_", " ") for name in EVIDENCE_COLUMNS}
_MARKS = {"supported": "✓", "contradicted": "✗", "insufficient": "?"}


def chain_table(score: ChainScore, *, question: str = "", width: int = 120) -> str:
    """One chain as plain text, at most `width` columns wide.

    The bar shows p(answer | question, steps so far) per answer token, exp(l_i / N): empty is 0, full is 1. In a narrow
    table claims stand below their step; in a very narrow one there is no bar, and a line says so. With reliance there
    are columns of what the own answer, before it is stated, loses without a step, and of its true-thinking score.
    """
    claims_beside, bars = width >= _CLAIMS_BESIDE, width >= _BARS
    reliance = bool(score.own_log_likelihoods)
    bars = bars and (not reliance or claims_beside)
    columns = [
        Column("#", right=True),
        Column("step" if claims_beside else "step, claim → verdict", wraps=True),
        Column("gain\nnats", right=True),
        Column("gold\nlog p" if reliance else "log p", right=True),
        *([Column("own answer\ndeletion", right=True), Column("true\nthinking", right=True)] if reliance else []),
        *([Column("p per token", min_width=_BAR_WIDTH)] if bars else []),
        *([Column("claim → verdict", wraps=True)] if claims_beside else []),
    ]
    rows: list[list[str]] = []
    per_token = score.log_likelihoods_per_token
    if per_token:
        first = [_bar(per_token[0])] if bars else []
        blank = ["", ""] if reliance else []
        rows.append(["0", "(question alone)", "", f"{score.log_likelihoods[0]:.2f}", *blank, *first])
    for i, step in enumerate(score.steps, 1):
        text, claims = _step_text(step), _claims(step.verdicts)
        if claims and not claims_beside:
            text = "\n".join([text, *(f"  {line}" for line in claims.split("\n"))])
        bar = [_bar(per_token[i] if i < len(per_token) else math.nan)] if bars else []
        gain, log_p = _number(step.gain, "+.2f"), _number(step.log_likelihood, ".2f")
        relied = (
            [_number(step.deletion_nats_before_answer, "+.2f"), _number(step.true_thinking, ".2f")] if reliance else []
        )
        rows.append([str(i), text, gain, log_p, *relied, *bar, *([claims] if claims_beside else [])])
    needed = _CLAIMS_BESIDE if reliance else _BARS
    below = [] if bars else [f"(the bars of p per token need {needed} columns)"]
    below += [_summary(score), *judge_lines([score]), *_added(score)]
    if reliance:
        below.append(f"own answer: {printable(score.own_answer or '')[:_ANSWER]}")
        below += claim_lines([claim_in(score.provenance)])
    below += [*_regrown(score), *regrown_lines([score.provenance])]
    lines = folded(printable(question), width) if question else []
    lines += text_table(columns, rows, width)
    lines += [line for text in below for line in folded(clean(text), width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _step_text(step: StepScore) -> str:
    flags = [flag for flag, on in (("final answer", step.kind == "final_answer"), ("leak", step.states_answer)) if on]
    return printable(step.text) + (f"  [{', '.join(flags)}]" if flags else "")


def _claims(verdicts: Sequence[Verdict]) -> str:
    lines = []
    for verdict in verdicts:
        mark = _MARKS[verdict.label] if verdict.label else "!" if verdict.failed else "?"
        said = verdict.label or f"{'unscored' if verdict.failed else 'uncheckable'}: {verdict.error}"
        lines.append(f"{mark} {printable(verdict.claim.text)} → {printable(said + _grounds(verdict))}")
    return "\n".join(lines)


def _grounds(verdict: Verdict) -> str:
    """What a verdict rests on: the passages with the judge's probability, or what an equation comes to."""
    if verdict.label is None:
        return ""
    if not verdict.evidence:
        return f" ({verdict.reason})" if verdict.reason and verdict.label != "supported" else ""
    shown = ", ".join(passage.id for passage in verdict.evidence[:_SHOWN_PASSAGES])
    more = len(verdict.evidence) - _SHOWN_PASSAGES
    ids = f"{shown} and {more} more" if more > 0 else shown
    return f" ({ids})" if verdict.probability is None else f" (p {verdict.probability:.2f}; {ids})"


def _bar(per_token: float) -> str:
    """The probability of an answer token, from its log-likelihood in nats."""
    if math.isnan(per_token):
        return ""
    # Accepted answers of which one begins another may add up to more than 1.
    eighths = round(math.exp(min(0.0, per_token)) * _BAR_WIDTH * 8)
    full, part = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[part] if part else "")


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)


def _added(score: ChainScore) -> Iterator[str]:
    """A line for each number that an option or a plugin added, with its form before the answer; why one is missing."""
    names = added_columns(score.metrics)
    if shares := [name for name in names if name in EVIDENCE_COLUMNS]:
        said = "  ".join(f"{_ANSWERS[name]} {_number(score.metrics[name], '.3f')}" for name in shares)
        yield f"claims by evidence: {said}"
        if reason := score.missing.get(shares[0]):
            yield printable(f"  no {', '.join(shares)}: {reason}")
        elif policy := POLICIES.get(str(score.provenance.get("policy"))):
            yield f"  ki, {policy.in_words()}"
        names = [name for name in names if name not in shares]
    for name in names:
        if name.endswith(BEFORE) and name.removesuffix(BEFORE) in names:
            continue  # stands beside the whole chain's
        form = "+.3f" if name.startswith(GAIN_OVER) else ".3f"
        labels = {key: said for key, said in ((name, name), (name + BEFORE, "before the answer")) if key in names}
        yield printable("  ".join(f"{said} {_number(score.metrics[key], form)}" for key, said in labels.items()))
        yield from (printable(f"  no {key}: {score.missing[key]}") for key in labels if key in score.missing)


def _regrown(score: ChainScore) -> Iterator[str]:
    """A line for each step behind which the model under test wrote the end anew."""
    for number, step in enumerate(score.steps, 1):
        ends = [
            _end("with a mistake", step.answer_after_mistake, step.answer_kept, step.no_answer_after_mistake),
            _end("unchanged", step.answer_after_unchanged, step.answer_kept_unchanged, step.no_answer_after_unchanged),
        ]
        if said := [end for end in ends if end is not None]:
            yield f"written anew behind step {number}: {'; '.join(said)}"


def _end(which: str, answer: str | None, kept: bool | None, why: str | None) -> str | None:
    if answer is None:
        return None if why is None else f"{which} no answer ({printable(why)})"
    return f"{which} {printable(answer)[:_ANSWER]!r} ({'kept' if kept else 'changed'})"


def _summary(score: ChainScore) -> str:
    said = {
        name: f"{'before the answer' if name.endswith(BEFORE) else name} "
        f"{_number(score.metrics.get(name, math.nan), '.3f')}"
        for name in SHOW_COLUMNS
    }
    basis = f" ({ARITHMETIC_ONLY})" if arithmetic_only([score]) else ""
    lines = [
        f"{said['infogain_nats']}  {said[f'infogain_nats{BEFORE}']}  {said['leak_share']}{_leak(score)}",
        said["infogain"],
        f"{said['ki']}{basis}  {said['ki_coverage']}  n_steps {'–' if 'n_steps' in score.missing else score.n_steps}",
    ]
    alike: dict[str, list[str]] = {}
    for name in SHOW_COLUMNS:
        if name in score.missing:
            alike.setdefault(score.missing[name], []).append(name)
    return "\n".join([*lines, *(f"  no {', '.join(names)}: {reason}" for reason, names in alike.items())])


def _leak(score: ChainScore) -> str:
    step = score.metrics.get("answer_step", math.nan)
    return "" if math.isnan(step) else f" (step {step:.0f})"
