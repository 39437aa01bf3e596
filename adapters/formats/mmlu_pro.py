"""Reads MMLU-Pro's own output: a JSON array of questions with the model's response and the letter extracted from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...metrics import Trace
from .entries import Entry, Unreadable, Where, identifier, should_abstain_in, subject_of
from .sources import Source

_RESPONSES = ("generated_text", "model_outputs")
_MODEL = re.compile(r"model_outputs_(?P<model>.+?)_\d+shots?")


def recognises(row: Mapping[str, Any]) -> bool:
    return {"question_id", "options", "answer"} <= set(row) and any(name in row for name in _RESPONSES)


def reader(source: Source):
    """A function that reads one row. The model's name is taken from the file's."""
    named = _MODEL.match(source.path.name)
    model = named["model"] if named else None

    def read(where: Where, row: Mapping[str, Any]) -> list[Entry]:
        options, gold = row.get("options"), row.get("answer_index")
        if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
            raise Unreadable("field 'options' is no list of texts", f"got {options!r:.80}")
        letters = [chr(ord("A") + index) for index in range(len(options))]
        if not isinstance(gold, int) or isinstance(gold, bool):
            gold = letters.index(row["answer"]) if row.get("answer") in letters else -1
        if not 0 <= gold < len(options):
            raise Unreadable("the gold answer is none of the options", f"{row.get('answer')!r:.80}")
        question, response = row.get("question"), next((row[name] for name in _RESPONSES if name in row), None)
        if not isinstance(response, str):
            raise Unreadable("the model's output is no text", f"got {response!r:.80} under {' and '.join(_RESPONSES)}")
        listed = (f"{letter}. {option}" for letter, option in zip(letters, options, strict=True))
        pred = row.get("pred")
        try:
            trace = Trace(
                question="\n".join([question, *listed]),  # type: ignore[list-item]
                response=response,
                answer=options[gold],
                choices=options,
                model_answer=pred if isinstance(pred, str) else None,
                id=str(row.get("question_id")),
                meta={"category": row.get("category")},
            )
        except (TypeError, ValueError) as error:
            raise Unreadable("not a question with options", str(error)) from error
        return [
            Entry(
                where,
                trace,
                task="mmlu_pro",
                model=model,
                doc_id=identifier(row.get("question_id")),
                # A row without a letter counts as wrong here. MMLU-Pro's own script draws a letter at random for it.
                accuracy={"correct": float(pred == letters[gold])},
                subject=subject_of(row),
                should_abstain=should_abstain_in(row),
                notes=() if pred else ("no answer could be read from the model's output; it counts as wrong",),
            )
        ]

    return read
