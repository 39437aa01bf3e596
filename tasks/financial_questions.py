"""A common form for questions about financial reports, used by both frameworks' tasks: TAT-QA and FinQA.

Tables become passages in Markdown beside the paragraphs, so that the judge `table` finds them and names their cells.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..metrics.answers.extraction import extract_answer
from ..metrics.knowledge.tables.amounts import Amount, amounts
from ..metrics.knowledge.tables.grid import as_markdown

# What TAT-QA's `answer_type` says of questions whose answer is worked out.
WORKED_OUT = ("arithmetic", "count")
_SCALES = {"": 1, "percent": 1, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_LIKE_A_YEAR = re.compile(r"[-−]?[1-9]\d{3}")  # an answer is an amount, and no year
_FEW_DIGITS = Fraction(1, 200)  # half of the second decimal, which the data sets round to


@dataclass(frozen=True)
class FinancialQuestion:
    """A question about a report.

    Attributes:
        passages: the table and the paragraphs, each `{id, title, text}`; they name document and place.
        answer: as a reader writes it: "-12.14%", "592 thousand", "yes".
        values: the numbers that count as right, in the unit of `answer`; empty where the answer is no number.
    """

    id: str
    text: str
    passages: tuple[dict[str, str], ...]
    answer: str
    values: tuple[Fraction, ...] = ()
    scale: int = 1
    percent: bool = False

    @property
    def context(self) -> str:
        """The passages as the prompt shows them."""
        return "\n\n".join(passage["text"] for passage in self.passages)

    def to_row(self) -> dict[str, Any]:
        """JSON-ready; `restored` makes an equal question of it."""
        values = [str(value) for value in self.values]
        passages = [dict(passage) for passage in self.passages]
        return {**vars(self), "question": self.text, "passages": passages, "values": values}

    @classmethod
    def restored(cls, row: Mapping[str, Any]) -> FinancialQuestion:
        """The question that `to_row` wrote."""
        values = tuple(Fraction(value) for value in row["values"])
        of = {name: row[name] for name in ("id", "text", "answer", "scale", "percent")}
        return cls(passages=tuple(row["passages"]), values=values, **of)

    def is_right(self, response: str) -> bool:
        """Whether the answer that a response announces is this one; see `stated_amount`."""
        announced = extract_answer(response)
        if not self.values:
            return (announced or "").strip(" .*").casefold() == self.answer.casefold()
        found = stated_amount(response)
        return found is not None and any(self._equals(found, value) for value in self.values)

    def _equals(self, found: Amount, value: Fraction) -> bool:
        if found.scale != 1 and self.scale != 1:
            stated, gold, unit = found.value * found.scale, value * self.scale, found.unit * found.scale
        else:
            stated, gold, unit = found.value, value, found.unit
        if found.percent and not self.percent and self.scale == 1:
            return False
        return abs(stated - gold) <= max(min(unit, abs(gold) / 50) / 2, _FEW_DIGITS * min(self.scale, found.scale))


def stated_amount(response: str) -> Amount | None:
    """The first amount in the answer that a response announces; None where it announces none."""
    announced = (extract_answer(response) or "").strip()
    if _LIKE_A_YEAR.fullmatch(announced):
        announced = f"{announced[:-3]},{announced[-3:]}"
    return next(amounts(announced), None)


def tatqa_passages(document: Mapping[str, Any], where: str) -> tuple[dict[str, str], ...]:
    """The table and paragraphs of one TAT-QA document. Raises ValueError naming the document and the field."""
    table, paragraphs = document.get("table"), document.get("paragraphs")
    if not isinstance(table, Mapping) or not _is_grid(table.get("table")):
        raise ValueError(f"{where}, field 'table': expected {{uid, table: rows of texts}}, got {table!r:.80}")
    if not isinstance(paragraphs, Sequence) or not all(isinstance(p, Mapping) and "text" in p for p in paragraphs):
        raise ValueError(f"{where}, field 'paragraphs': expected a list of {{text}}, got {paragraphs!r:.80}")
    name = str(table.get("uid") or where)[:8]
    texts = [{"id": f"{name}, paragraph {i}", "title": "", "text": str(p["text"])} for i, p in enumerate(paragraphs, 1)]
    grid = {"id": f"{name}, table", "title": "", "text": as_markdown(table["table"])}
    return (grid, *[text for text in texts if text["text"].strip()])


def read_tatqa(documents: Sequence[Mapping[str, Any]], source: str) -> Iterator[FinancialQuestion]:
    """TAT-QA's questions whose answer is worked out (`WORKED_OUT`), of its published JSON.

    Raises ValueError naming document, question and field.
    """
    for number, document in enumerate(documents, 1):
        where = f"{source}, document {number}"
        if not isinstance(document, Mapping) or not isinstance(document.get("questions"), Sequence):
            raise ValueError(f"{where}, field 'questions': expected a list, got {document!r:.80}")
        passages = tatqa_passages(document, where)
        for one in document["questions"]:
            if one.get("answer_type") not in WORKED_OUT:
                continue
            of = f"{where}, question {one.get('uid')!r}"
            scale = str(one.get("scale") or "")
            if scale not in _SCALES:
                raise ValueError(f"{of}, field 'scale': expected one of {', '.join(_SCALES)}, got {scale!r:.40}")
            value = _number(one.get("answer"), of)
            unit = "%" if scale == "percent" else f" {scale}" if scale else ""
            yield FinancialQuestion(
                str(one.get("uid")),
                str(one["question"]),
                passages,
                f"{float(value):,.12g}{unit}" if value.denominator != 1 else f"{int(value):,}{unit}",
                (value,),
                _SCALES[scale],
                scale == "percent",
            )


def read_finqa(row: Mapping[str, Any], where: str) -> FinancialQuestion:
    """One row of FinQA: of its published JSON (`qa: {question, answer, exe_ans}`), or of the hub's (`question`,
    `answer`, `final_result` beside `pre_text`, `post_text` and `table`).

    Raises ValueError naming the row and the field.
    """
    qa: Mapping[str, Any] = row.get("qa") if isinstance(row.get("qa"), Mapping) else row  # type: ignore[assignment]
    if not isinstance(qa.get("question"), str):
        raise ValueError(f"{where}, field 'question': expected text, got {qa.get('question')!r:.80}")
    if not _is_grid(row.get("table")):
        raise ValueError(f"{where}, field 'table': expected rows of texts, got {row.get('table')!r:.80}")
    result = qa.get("exe_ans", qa.get("final_result"))
    answer = str(qa.get("answer") or "").strip() or str("" if result is None else result).strip()
    if not answer:
        raise ValueError(f"{where}: expected an answer in 'answer', 'exe_ans' or 'final_result'")
    name = str(row.get("id") or where)
    passages = [{"id": f"{name}, table", "title": "", "text": as_markdown(row["table"])}]
    for field, of in (("pre_text", "before the table"), ("post_text", "behind the table")):
        text = row.get(field) or ()
        lines = [text] if isinstance(text, str) else list(text)
        joined = "\n".join(line for line in map(str, lines) if line.strip(" ."))
        if joined:
            passages.append({"id": f"{name}, text {of}", "title": "", "text": joined})
    stated = list(amounts(answer))
    percent = len(stated) == 1 and stated[0].percent
    values = [one.value for one in stated[:1]] if len(stated) == 1 else []
    try:
        exact = Fraction(str(result))
        values.append(exact * 100 if percent else exact)
    except (ValueError, ZeroDivisionError):
        pass  # "yes", "no"
    if answer.casefold() in ("yes", "no"):
        values = []
    return FinancialQuestion(name, qa["question"], tuple(passages), answer, tuple(values), 1, percent)


def read_documents(path: Path) -> list[Any]:
    """The list in a JSON file, packed with gzip or not. Raises ValueError naming the file, OSError."""
    try:
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        content = json.loads(text)
    except (ValueError, gzip.BadGzipFile, EOFError) as error:
        raise ValueError(f"{path}: expected JSON ({error})") from error
    if not isinstance(content, list):
        raise ValueError(f"{path}: expected a list of documents, got {type(content).__name__}")
    return content


def _number(value: Any, where: str) -> Fraction:
    try:
        return Fraction(str(value).replace(",", "").strip("$% "))
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{where}, field 'answer': expected a number, got {value!r:.60}") from error


def _is_grid(rows: object) -> bool:
    return (
        isinstance(rows, Sequence)
        and len(rows) > 0
        and all(isinstance(row, Sequence) and not isinstance(row, str) for row in rows)
    )
