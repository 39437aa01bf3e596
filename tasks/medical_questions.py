"""A common form for medical questions from various files and hub data sets, used by both frameworks' tasks."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..metrics.answers.extraction import resolve_choice

LETTERS = "ABCDEFGHIJ"  # MMLU-Pro has up to ten options
DECISIONS = ("yes", "no", "maybe")

# The fields that say which option is right, unambiguous ones first: MMLU-Pro has `answer` and `answer_index`,
# MedQA's own files have the text in `answer` and the letter in `answer_idx`.
_ANSWER_FIELDS = ("answer_index", "answer_idx", "label", "cop", "answer")
_INLINE = re.compile(r"\n\s{0,8}(?:Answer Choices|Options)\s?:\s{0,8}", re.IGNORECASE)


@dataclass(frozen=True)
class Question:
    """A question with lettered options.

    Attributes:
        id: the row's id, or else its number.
        text: the question without its options.
        options: two to ten texts.
        answer: the right option's letter.
        category: the row's subject ("health"); "" if it has none.
    """

    id: str
    text: str
    options: tuple[str, ...]
    answer: str
    category: str = ""

    @property
    def gold(self) -> str:
        """The right option's text."""
        return self.options[LETTERS.index(self.answer)]


@dataclass(frozen=True)
class AbstractQuestion:
    """A question about an abstract, to be answered with yes, no or maybe.

    Attributes:
        passages: the abstract's sections, each `{id, title, text}`; the title is the section's label.
        answer: "yes", "no" or "maybe".
    """

    id: str
    text: str
    passages: tuple[dict[str, str], ...]
    answer: str

    @property
    def abstract(self) -> str:
        """The texts of the sections, one per line."""
        return "\n".join(passage["text"] for passage in self.passages)


def read_question(row: Mapping[str, Any], where: str) -> Question:
    """Read a multiple-choice row.

    Question: `question`, or MedQA's `sent1`. Options: `options` or `choices` (a list, or a mapping by letter), MedQA's
    `ending0` …, MedMCQA's `opa` …, or inside the question after "Answer Choices:", as "(A) … (B) …". Answer:
    `answer_index`, `answer_idx`, `label`, `cop` or `answer`: a 0-based index, a letter, or an option's text, alone or
    in a list. A single capital letter is an option's letter, even where some option's text is that letter.

    Args:
        where: names the row in messages, such as "rows.jsonl, row 3".

    Raises:
        ValueError: names the row and the field.
    """
    text = _text(row, ("question", "sent1"), where)
    options = _options(row, where)
    if options is None:
        text, options = _inline_options(text, where)
    if not 2 <= len(options) <= len(LETTERS):
        raise ValueError(f"{where}: expected 2 to {len(LETTERS)} options, got {len(options)}: {options!r:.120}")
    for letter, option in zip(LETTERS, options, strict=False):
        if not option:
            raise ValueError(f"{where}: option {letter} is empty")
    return Question(_id(row, where), text, tuple(options), _letter(row, options, where), str(row.get("category") or ""))


def read_abstract_question(row: Mapping[str, Any], where: str) -> AbstractQuestion:
    """Read a PubMedQA row: from the hub (`context: {contexts, labels}`), from the published file (`CONTEXTS`,
    `LABELS`), or a plain one with `passages` or `context` (a text, or a list of texts or of `{id, title, text}`).

    Raises:
        ValueError: names the row and the field.
    """
    identity = _id(row, where)
    decision = _text(row, ("final_decision", "answer"), where).casefold()
    if decision not in DECISIONS:
        raise ValueError(
            f"{where}, field 'final_decision' or 'answer': expected yes, no or maybe, got {decision!r:.80}"
        )
    name, given = _first(row, ("CONTEXTS", "contexts", "passages", "context"), where)
    labels = row.get("LABELS") or ()
    if isinstance(given, Mapping):
        given, labels = given.get("contexts"), given.get("labels") or ()
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, Sequence) or not given:
        raise ValueError(f"{where}, field {name!r}: expected a text or a list of passages, got {given!r:.80}")
    passages = tuple(
        _passage(entry, f"{identity}-{number}", labels[number - 1] if number <= len(labels) else "", where)
        for number, entry in enumerate(given, 1)
    )
    return AbstractQuestion(identity, _text(row, ("QUESTION", "question"), where), passages, decision)


def unfolded(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The rows; a mapping that holds whole rows by id, as in PubMedQA's file, becomes those rows with their `id`."""
    for row in rows:
        inner = {key: value for key, value in row.items() if isinstance(value, Mapping) and _is_row(value)}
        if inner and len(inner) == len(row):
            yield from ({"id": key, **value} for key, value in inner.items())
        else:
            yield row


def _is_row(value: Mapping[str, Any]) -> bool:
    return "question" in value or "QUESTION" in value


# PQA-L, the labelled part of PubMedQA: the counts of each decision, and a hash of its sorted official test ids.
_PQA_L = {"yes": 552, "no": 338, "maybe": 110}
_TEST_IDS = "406e3b89eff577ed38571eca5a5819734a6f49ac0437d171b6c64e5c3cd195f8"


def official_test_ids(decisions: Mapping[str, str]) -> set[str]:
    """The ids of PubMedQA's official test set (500), out of all 1,000 labelled questions in their published order.

    The hub's rows do not mark them; the authors' `split_dataset.py` draws them with a fixed seed. For any other
    collection all ids are returned: then the user has made a selection.

    Args:
        decisions: yes, no or maybe by id.

    Raises:
        ValueError: these are the 1,000 questions, but in another order.
    """
    if Counter(decisions.values()) != _PQA_L:
        return set(decisions)
    shuffler = random.Random(0)
    chosen: list[str] = []
    for decision in DECISIONS:
        ids = [key for key, value in decisions.items() if value == decision]
        shuffler.shuffle(ids)
        chosen += ids[(len(ids) + 1) // 2 :]
    if hashlib.sha256("\n".join(sorted(chosen)).encode()).hexdigest() != _TEST_IDS:
        raise ValueError(
            "PubMedQA: these seem to be the 1,000 labelled questions, in another order or with other ids than "
            "published, so the official test set cannot be told; give the rows of the test set alone"
        )
    return set(chosen)


def _id(row: Mapping[str, Any], where: str) -> str:
    for name in ("id", "question_id", "pubid"):
        if row.get(name) not in (None, ""):
            return str(row[name])
    return where.rpartition("row ")[2]


def _first(row: Mapping[str, Any], names: Sequence[str], where: str) -> tuple[str, Any]:
    for name in names:
        if row.get(name) is not None:
            return name, row[name]
    wanted = " or ".join(repr(name) for name in names)
    raise ValueError(f"{where}: expected a field {wanted}, got the fields {', '.join(map(str, row))}")


def _text(row: Mapping[str, Any], names: Sequence[str], where: str) -> str:
    name, value = _first(row, names, where)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where}, field {name!r}: expected text, got {value!r:.80}")
    return value.strip()


def _options(row: Mapping[str, Any], where: str) -> list[str] | None:
    for name in ("options", "choices"):
        value = row.get(name)
        if value is None:
            continue
        if isinstance(value, Mapping) and "text" in value:  # ARC's form: {"text": […], "label": […]}
            value = value["text"]
        if isinstance(value, Mapping):
            # Arrow gives every row all keys that occur in the file, with None for missing values.
            value = [value[key] for key in sorted(value) if value[key] is not None]
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ValueError(f"{where}, field {name!r}: expected a list or a mapping by letter, got {value!r:.80}")
        return [_option(option, name, where) for option in value]
    for names in ([f"ending{number}" for number in range(len(LETTERS))], ["opa", "opb", "opc", "opd", "ope"]):
        found = [_option(row[name], name, where) for name in names if row.get(name) is not None]
        if found:
            return found
    return None


def _option(value: Any, name: str, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{where}, field {name!r}: expected options as texts, got {value!r:.80}")
    return str(value).strip()


def _inline_options(text: str, where: str) -> tuple[str, list[str]]:
    """Question and options of "… Answer Choices: (A) … (B) …"; each letter is searched for after the previous one."""
    head = next(iter(_INLINE.finditer(text)), None)
    if head is None:
        raise ValueError(
            f"{where}: no options: expected a field 'options' or 'choices', or 'Answer Choices: (A) … (B) …' "
            f"in the question, which ends {text[-60:]!r}"
        )
    listed, starts = text[head.end() :], []
    position = 0
    for letter in LETTERS:
        found = re.compile(rf"(?:^|(?<=\s))\({letter}\)\s").search(listed + " ", position)
        if found is None:
            break
        starts.append(found)
        position = found.end()
    ends = [match.start() for match in starts[1:]] + [len(listed)]
    options = [listed[match.end() : end].strip() for match, end in zip(starts, ends, strict=True)]
    return text[: head.start()].strip(), options


def _letter(row: Mapping[str, Any], options: Sequence[str], where: str) -> str:
    name, value = _first(row, _ANSWER_FIELDS, where)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != 1:
            raise ValueError(f"{where}, field {name!r}: expected one answer, got {value!r:.80}")
        value = value[0]
    if isinstance(value, str) and len(value.strip()) == 1 and value.strip() in LETTERS[: len(options)]:
        return value.strip()
    try:
        return LETTERS[options.index(resolve_choice(value, options))]
    except ValueError as error:
        raise ValueError(f"{where}, field {name!r}: {error}") from error


def _passage(entry: Any, identity: str, label: Any, where: str) -> dict[str, str]:
    given = entry if isinstance(entry, Mapping) else {"text": entry}
    passage = {
        "id": str(given.get("id") or identity),
        "title": str(given.get("title") or label or ""),
        "text": given.get("text"),
    }
    if not isinstance(passage["text"], str) or not passage["text"].strip():
        raise ValueError(f"{where}, passage {identity!r}: expected a text or {{id, title, text}}, got {entry!r:.80}")
    return {**passage, "text": passage["text"].strip()}
