"""The data embedded in the page: a row of numbers for every question, and the texts of as many questions as fit."""

from __future__ import annotations

import base64
import gzip
import json
import math
import string
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from ...metrics.answers.option_list import without_letters
from ...metrics.answers.own_option import option_named
from ...metrics.columns import REPORT_CHAIN_COLUMNS, unit_of
from ...metrics.comparison.record import Record, Run
from ...metrics.knowledge.types import Verdict
from ...metrics.printable import clean
from ...metrics.score import StepScore
from .glossary import plain_name
from .question_rows import RIGHT, Row, accuracy, contradicted, leaks, metric, unscored
from .sanitize import clip, finite, one_line

EXCERPT = 160  # characters of a question in the table
QUESTION, ANSWER, STEP, CLAIM, REASON, PASSAGE = 8000, 1000, 4000, 1000, 600, 2000  # characters on a chain's page
STEPS, CLAIMS, PASSAGES = 300, 20, 5  # of a chain, of a step, of a claim
_LEVEL = 9

# The fields of a chain in a row, by position; table.js has the same list.
_NUMBERS = ("infogain_nats", "infogain_nats_before_answer", "ki", "ki_coverage")


@dataclass(frozen=True)
class Details:
    """The chains' texts, packed.

    Attributes:
        packed: base64 of gzipped JSON Lines, one per question.
        n: number of questions whose texts are included.
        of: number of all questions.
    """

    packed: str
    n: int
    of: int


def pack(data: bytes) -> str:
    """Base64 of the gzipped bytes; deterministic."""
    return base64.b64encode(gzip.compress(data, _LEVEL, mtime=0)).decode()


def table(
    rows: Sequence[Row], runs: Sequence[Run], accuracy_name: str | None, added: Sequence[str] = ()
) -> dict[str, Any]:
    """The table's numbers as JSON: names once, then a row per question.

    Args:
        added: names of the numbers that options and plugins added; plain names and units of all are included.

    A row is {"t": task, "s": subject (indices into the names; -1 for none), "q": excerpt, "r": a list per run of
    [accuracy, infogain_nats, infogain_nats_before_answer, ki, ki_coverage, steps, flags], or null}.
    """
    tasks: dict[str, int] = {}
    subjects: dict[str, int] = {}
    out = []
    for row in rows:
        record = row.any
        subject = next((chain.subject for chain in row.chains if chain is not None and chain.subject), None)
        out.append(
            {
                "t": tasks.setdefault(record.task, len(tasks)),
                "s": -1 if not subject else subjects.setdefault(subject, len(subjects)),
                "q": one_line(record.question or record.doc_id or "", EXCERPT),
                "r": [None if chain is None else _numbers(chain, accuracy_name) for chain in row.chains],
            }
        )
    return {
        "runs": [one_line(run.name, 120) for run in runs],
        "tasks": [one_line(name, 120) for name in tasks],
        "subjects": [one_line(name, 120) for name in subjects],
        "accuracy": None if accuracy_name is None else one_line(accuracy_name, 60),
        "right": RIGHT,
        "numbers": {name: [plain_name(name), unit_of(name)] for name in (*REPORT_CHAIN_COLUMNS, *added)},
        "rows": out,
    }


def details(rows: Sequence[Row], accuracy_name: str | None, added: Sequence[str], budget: int) -> Details:
    """The texts of as many questions as fit in `budget` characters, most relevant first (see `by_weight`)."""
    shown = (*REPORT_CHAIN_COLUMNS, *added)
    packer = zlib.compressobj(_LEVEL, wbits=31)  # 31: gzip format, without a time stamp
    packed = bytearray()
    n = 0
    for index in by_weight(rows, accuracy_name):
        line = json.dumps(
            _question(index, rows[index], shown, accuracy_name),
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        )
        data = (line + "\n").encode()
        # The compressor buffers output that is not counted yet, so count the next line uncompressed: at worst a little
        # space stays unused.
        if (len(packed) + min(len(data), 100_000)) * 4 / 3 > budget:
            break
        packed += packer.compress(data)
        if n % 8 == 7:
            packed += packer.flush(zlib.Z_SYNC_FLUSH)
        n += 1
    packed += packer.flush()
    return Details(base64.b64encode(bytes(packed)).decode(), n, len(rows))


def by_weight(rows: Sequence[Row], accuracy_name: str | None) -> list[int]:
    """Indices of all rows, those that a reader will look for first at the front.

    Takes turns between: largest loss of infogain_nats against the first run, right answers without gain, contradicted
    steps, steps that leak the answer, missing scores; then the rest in order.
    """
    nats, before, right = metric("infogain_nats"), metric("infogain_nats_before_answer"), accuracy(accuracy_name)
    losses: list[tuple[float, int]] = []
    empty, wrong, leaking, missing = [], [], [], []
    for index, row in enumerate(rows):
        base, chains = row.chains[0], [chain for chain in row.chains if chain is not None]
        if base is not None:
            change = min((nats(chain) - nats(base) for chain in row.chains[1:] if chain is not None), default=math.nan)
            if change < 0:
                losses.append((change, index))
        for chosen, is_so in ((wrong, contradicted), (leaking, leaks), (missing, unscored)):
            if any(is_so(chain) for chain in chains):
                chosen.append(index)
        if any(right(chain) >= RIGHT and before(chain) <= 0 for chain in chains):
            empty.append(index)
    lists = [[index for _, index in sorted(losses)], empty, wrong, leaking, missing]
    return list(dict.fromkeys([*_in_turn(lists), *range(len(rows))]))


def _in_turn(lists: Iterable[Sequence[int]]) -> Iterator[int]:
    for group in zip_longest(*lists):
        yield from (index for index in group if index is not None)


def _numbers(record: Record, accuracy_name: str | None) -> list[float | int | None]:
    flags = 4 * contradicted(record) + 2 * leaks(record) + unscored(record)  # in the order of what to read first
    values = [accuracy(accuracy_name)(record), *(metric(name)(record) for name in _NUMBERS)]
    return [*(finite(value, 4) for value in values), record.score.n_steps, flags]


def _question(index: int, row: Row, shown: Sequence[str], accuracy_name: str | None) -> dict[str, Any]:
    record = row.any
    return {
        "k": index,
        "id": one_line(record.doc_id or record.score.id or "", 120),
        "q": clip(record.question.strip(), QUESTION),
        "a": [clip(_with_option(answer, record.choices), ANSWER) for answer in record.answer[:10]],
        "r": [None if chain is None else _chain(chain, shown, accuracy_name) for chain in row.chains],
    }


def _chain(record: Record, shown: Sequence[str], accuracy_name: str | None) -> dict[str, Any]:
    score, answer = record.score, record.answer_under(accuracy_name)
    chances = [_probability(one) for one in score.log_likelihoods_per_token] or [None] * (len(score.steps) + 1)
    return {
        "m": None if answer is None else clip(_with_option(answer, record.choices), ANSWER),
        "cut": record.truncated,
        "p": chances[0],
        "x": {name: finite(score.metrics[name]) for name in shown if name in score.metrics},
        "why": {name: clip(reason, REASON) for name, reason in score.missing.items() if name in shown},
        "notes": [clip(note, REASON) for note in score.notes],
        "more": max(0, len(score.steps) - STEPS),
        "s": [_step(step, chance) for step, chance in zip(score.steps[:STEPS], chances[1:], strict=False)],
    }


def _with_option(answer: str, choices: Sequence[str] | None) -> str:
    """An answer that names an option, as the option's letter and text; any other as it is."""
    option = option_named(answer, choices) if choices else None
    if not choices or option is None or len(choices) > len(string.ascii_uppercase):
        return answer
    place = list(choices).index(option)
    return f"{string.ascii_uppercase[place]}. {without_letters(choices)[place]}"


def _probability(log_likelihood: float) -> float | None:
    """Of an answer token. Accepted answers of which one begins another may add up to more than 1."""
    return None if math.isnan(log_likelihood) else finite(math.exp(min(0.0, log_likelihood)), 4)


def _step(step: StepScore, chance: float | None) -> dict[str, Any]:
    out: dict[str, Any] = {
        "t": clip(step.text.strip(), STEP),
        "g": finite(step.gain, 4),
        "p": chance,
    }
    if step.kind == "final_answer":
        out["f"] = 1
    if step.states_answer:
        out["a"] = 1
    if math.isfinite(step.gold_probability):
        out["o"] = finite(step.gold_probability, 3)
    if step.verdicts:
        out["v"] = [_verdict(verdict) for verdict in step.verdicts[:CLAIMS]]
        if len(step.verdicts) > CLAIMS:
            out["vm"] = len(step.verdicts) - CLAIMS
    return out


def _verdict(verdict: Verdict) -> dict[str, Any]:
    out: dict[str, Any] = {
        "c": clip(verdict.claim.text, CLAIM),
        "k": clean(verdict.claim.kind[:60]),
        "l": verdict.label,
        "j": one_line(verdict.judge, 120),
        "p": finite(verdict.probability, 3),
        "y": clip(verdict.reason, REASON),
        "e": None if verdict.error is None else clip(verdict.error, REASON),
    }
    if verdict.evidence:
        out["ev"] = [
            {
                "id": one_line(passage.id, 200),
                "h": one_line(passage.title, 200),
                "s": finite(passage.score, 4),
                "t": clip(passage.text, PASSAGE),
            }
            for passage in verdict.evidence[:PASSAGES]
        ]
        if len(verdict.evidence) > PASSAGES:
            out["em"] = len(verdict.evidence) - PASSAGES
    return out
