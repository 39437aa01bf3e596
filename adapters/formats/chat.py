"""Reads chats in OpenAI's form, one a line: `messages`, and the gold answer under one of several names.

The question is the last message that a human wrote; what the assistant wrote after it is the chain, thinking first in
its turn, in the `<think>` tags that a model without a reasoning parser would have written. With `turns=all` the first
such message is the question, and later ones are context. What tools returned is context in whoever's message it stands;
with documents that are attached it becomes the chain's given passages (the retriever `given`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...metrics import Trace
from ...metrics.answers.extraction import extract_answer
from ...metrics.segment.sections import context_note, without_run_on
from ..gold import field_options, gold_answers
from .entries import Entry, Unreadable, Where, identifier, should_abstain_in, subject_of
from .messages import read_messages
from .passages import MAX_PASSAGES, attached, passages_in
from .sources import Source
from .traces import accuracies

GOLD = ("answer", "target", "ideal", "expected", "label", "reference")
_DOCUMENTS = ("passages", "documents")
_IDS = ("id", "custom_id", "doc_id")


def recognises(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("messages"), list)


def reader(source: Source):
    """A function that reads one row."""
    turns = source.settings.turns or "last"

    def read(where: Where, row: Mapping[str, Any]) -> list[Entry]:
        chat = _chat(
            row.get("messages"), turns, [one for name in _DOCUMENTS for one in passages_in(row.get(name), name)]
        )
        answers, options = _gold_and_options(row)
        doc_id = next((found for name in _IDS if (found := identifier(row.get(name))) is not None), None)
        try:
            trace = Trace(
                question=chat.question,
                response=chat.response,
                answer=answers or None,
                choices=options,
                model_answer=extract_answer(without_run_on(chat.response)),
                id=str(where.row if doc_id is None else doc_id),
                meta={"passages": chat.passages} if chat.passages else {},
            )
        except (TypeError, ValueError) as error:
            raise Unreadable("not a question with an answer", str(error)) from error
        task, model = row.get("task"), row.get("model")
        return [
            Entry(
                where,
                trace,
                task=task if isinstance(task, str) else None,
                model=model if isinstance(model, str) else None,
                doc_id=doc_id,
                accuracy=accuracies(row.get("accuracy", row.get("correct"))),
                subject=subject_of(row),
                notes=chat.notes,
                no_gold=None if answers else f"no gold answer under {', '.join(GOLD)}",
                should_abstain=should_abstain_in(row, row.get("metadata"), row.get("meta")),
            )
        ]

    return read


@dataclass(frozen=True)
class _Chat:
    question: str
    response: str
    notes: tuple[str, ...]
    passages: list[dict[str, Any]]


def _chat(raw: Any, turns: str, given: Sequence[dict[str, Any]] = ()) -> _Chat:
    messages = read_messages(raw)
    asked = [index for index, one in enumerate(messages) if one.speaker == "human" and not one.returns]
    if not asked:
        raise Unreadable("no user message, hence no question")
    at = asked[0] if turns == "all" else asked[-1]
    question, later = messages[at], messages[at + 1 :]
    if not question.text.strip():
        raise Unreadable("the question is empty", ", ".join(question.not_read))
    written = [one for one in later if one.speaker == "model"]
    hidden = sum(one.hidden for one in written)
    if hidden and not any(one.thinks for one in written):
        raise Unreadable("the reasoning is hidden", f"{hidden} part(s) of it came redacted, encrypted or as a summary")
    response = "\n\n".join(one.text for one in written if one.text.strip())
    if not response:
        raise Unreadable("no assistant text after the user's question")
    notes: list[str] = []
    if at != asked[0]:
        earlier = sum(one.speaker == "model" for one in messages[:at])
        notes.append(f"{earlier} assistant turn(s) before the last user message are left out (turns=last)")
    if len(written) > 1:
        notes.append(f"the chain is {len(written)} assistant turns")
    context = {
        "tool result": sum(one.returns or one.speaker == "tool" for one in later),
        "later user message": sum(one.speaker == "human" and not one.returns for one in later),
    }
    if any(context.values()):
        notes.append(context_note(context))
    if hidden:
        notes.append(f"{hidden} part(s) of the reasoning came redacted, encrypted or as a summary, and are no steps")
    for whose, some in (("the question", [question]), ("the response", written)):
        names = dict.fromkeys(name for one in some for name in one.not_read)
        if names:
            notes.append(f"of {whose}, this was not read: {', '.join(names)}")
    passages = [*given, *attached(messages)]
    if len(passages) > MAX_PASSAGES:
        notes.append(f"of {len(passages)} documents and tool results only the first {MAX_PASSAGES} are evidence")
    return _Chat(question.text, response, tuple(notes), passages[:MAX_PASSAGES])


def _gold_and_options(row: Mapping[str, Any]) -> tuple[list[str], Sequence[str] | None]:
    """The accepted answers and the options: those under `choices`, or in fields that the gold answer is one of."""
    value = next((row[name] for name in GOLD if row.get(name) is not None), None)
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float | None) for one in values):
        raise Unreadable("the gold answer is no text", f"got {value!r:.80}")
    declared = bool(row.get("choices"))
    options, labels = field_options(row)
    if declared and options is None:
        raise Unreadable("field 'choices' is no list of texts", f"got {row['choices']!r:.80}")
    if options is not None:
        try:
            answers = gold_answers(values, options, labels)
        except ValueError as error:
            if declared:
                raise Unreadable("the gold answer is none of the options", str(error)) from error
        else:
            if answers or declared:
                return answers, options
    return gold_answers(values), None
