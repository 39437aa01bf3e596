"""Pairs the chains of two runs by question: by document id and text, by text, by its words; never by position."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ..contamination import question_hashes
from .record import Record, Run, cluster_of, question_hash

By = Literal["auto", "id", "question"]
_NO_TEXT = ""
WORDS = "the question's words"
# Signs that make another question of the same words.
_SIGNS = re.compile(r"[-−–+*×·/÷=<>≤≥^%]")
_SAME_SIGN = str.maketrans("−–×·÷", "--**/")


@dataclass(frozen=True)
class Pair:
    """One question with the chains of both runs; several per run if the question was sampled repeatedly.

    Attributes:
        cluster: questions with the same cluster (the same text, in any task) are resampled together.
    """

    task: str
    subject: str | None
    cluster: str
    base: Sequence[Record]
    tuned: Sequence[Record]


@dataclass(frozen=True)
class Pairing:
    """All pairs, and what could not be paired.

    Attributes:
        by: number of pairs by the key that matched them.
        only_base, only_tuned: questions found in one run only, by task.
        other_text: questions whose id is in both runs but with different texts; counted as unpaired.
        across_tasks: the runs share no task name, so pairing ignored tasks.
    """

    pairs: Sequence[Pair]
    by: Mapping[str, int]
    only_base: Mapping[str, int]
    only_tuned: Mapping[str, int]
    other_text: int = 0
    across_tasks: bool = False
    repeats: Mapping[str, int] = field(default_factory=dict)

    @property
    def unpaired(self) -> int:
        return sum(self.only_base.values()) + sum(self.only_tuned.values())


_Key = tuple[str, "str | None", str]  # task, document id, hash of the question
_Questions = dict[_Key, list[Record]]


def pair_runs(base: Run, tuned: Run, by: By = "auto") -> Pairing:
    """Pair two runs' questions.

    Args:
        by: `auto`: first by task, document id and text together, then the rest by task and text, then by task and the
            text's words and signs. `id`: by task and document id, ignoring the text. `question`: `auto` without ids. If
            the runs share no task name, tasks are left out of the key.

    A document id alone pairs only if `by` says so or a run holds no question texts: ids are often row numbers, and the
    same row number in another selection of rows is another question.
    """
    left, right = _questions(base.records), _questions(tuned.records)

    def words(key: _Key) -> str | None:
        return _words((left.get(key) or right[key])[0])

    across = not {key[0] for key in left} & {key[0] for key in right}
    pairs: list[Pair] = []
    found: Counter[str] = Counter()
    for name, key_of in _ways(by, across, words):
        used_left, used_right = _by_key(left, key_of), _by_key(right, key_of)
        for key, keys in used_left.items():
            if key is None or key not in used_right:
                continue
            ours = [record for one in keys for record in left.pop(one)]
            theirs = [record for one in used_right[key] for record in right.pop(one)]
            pairs.append(_pair(ours, theirs))
            found[name] += 1
    ids = {(key[0], key[1]) for key in right if key[1] is not None}
    return Pairing(
        pairs=pairs,
        by=dict(found),
        only_base=Counter(key[0] for key in left),
        only_tuned=Counter(key[0] for key in right),
        other_text=sum((key[0], key[1]) in ids for key in left),
        across_tasks=across and bool(pairs),
        repeats={run.name: most for run, most in ((base, _most(pairs, 0)), (tuned, _most(pairs, 1))) if most > 1},
    )


def by_subject(run: Run) -> Run:
    """The same run with each record's task replaced by its subject, if it has one."""
    return replace(run, records=[replace(one, task=one.subject or one.task) for one in run.records])


def _words(record: Record) -> str | None:
    """The words and signs of a question; None where options that its text does not list are a part of what is asked."""
    if not record.question.strip() or question_hash(record.question) != record.question_hash:
        return None
    signs = "".join(_SIGNS.findall(record.question)).translate(_SAME_SIGN)
    return f"{question_hashes.question_hash(record.question)} {signs}"


def _ways(by: By, across: bool, words: Callable[[_Key], str | None]):
    """Names and keys to try in order. A key function gives None for what it cannot pair."""

    def task(key: _Key) -> str | None:
        return None if across else key[0]

    def both(key: _Key):
        return None if key[1] is None or key[2] == _NO_TEXT else (task(key), key[1], key[2])

    def document(key: _Key):
        return None if key[1] is None else (task(key), key[1])

    def text(key: _Key):
        return None if key[2] == _NO_TEXT else (task(key), key[2])

    def alike(key: _Key):
        found = words(key)
        return None if found is None else (task(key), found)

    def document_without_text(key: _Key):
        return document(key) if key[2] == _NO_TEXT else None

    if by == "id":
        return [("document id", document)]
    if by == "question":
        return [("question text", text), (WORDS, alike)]
    return [
        ("document id and question text", both),
        ("question text", text),
        (WORDS, alike),
        ("document id, for want of a text", document_without_text),
    ]


def by_side(pairs: Iterable[Pair], sides: int, task: str | None) -> list[tuple[str, tuple[Sequence[Record], ...]]]:
    """(cluster, the chains of each run) of the questions of a task, or of all; `sides`: 1 for a run alone, else 2."""
    return [(pair.cluster, (pair.base, pair.tuned)[:sides]) for pair in pairs if task is None or pair.task == task]


def _questions(records: Iterable[Record]) -> _Questions:
    out: _Questions = defaultdict(list)
    for record in records:
        out[record.task, record.doc_id, record.question_hash if record.question.strip() else _NO_TEXT].append(record)
    return dict(out)


def _by_key(questions: _Questions, key_of) -> dict[object, list[_Key]]:
    out: dict[object, list[_Key]] = defaultdict(list)
    for key in questions:
        out[key_of(key)].append(key)
    out.pop(None, None)
    return dict(out)


def _pair(base: list[Record], tuned: list[Record]) -> Pair:
    first = base[0]
    subject = next((record.subject for record in (*base, *tuned) if record.subject), None)
    cluster = cluster_of(first.question, first.question_hash, first.task, first.doc_id)
    return Pair(first.task, subject, cluster, base, tuned)


def _most(pairs: Sequence[Pair], side: int) -> int:
    return max((len((pair.base, pair.tuned)[side]) for pair in pairs), default=0)
