"""Reads chats in OpenAI's form, one a line: `messages`, and the gold answer under one of several names.

The question is the last user message; what the assistant wrote after it is the chain. Reasoning that a server returned
in a field of its own (`reasoning_content`, `reasoning`) comes first, in the `<think>` tags that a model without a
reasoning parser would have written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...metrics import Trace
from ...metrics.answers.extraction import extract_answer
from ..gold import field_options, gold_answers
from .entries import Entry, Unreadable, Where, subject_of
from .sources import Source
from .traces import accuracies

GOLD = ("answer", "target", "ideal", "expected", "label", "reference")
_IDS = ("id", "custom_id", "doc_id")
_REASONING = ("reasoning_content", "reasoning")


def recognises(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("messages"), list)


def reader(source: Source):
    """A function that reads one row."""
    del source

    def read(where: Where, row: Mapping[str, Any]) -> list[Entry]:
        question, response = _question_and_response(row.get("messages"))
        answers, options = _gold_and_options(row)
        doc_id = next((row[name] for name in _IDS if isinstance(row.get(name), str | int)), None)
        try:
            trace = Trace(
                question=question,
                response=response,
                answer=answers or None,
                choices=options,
                model_answer=extract_answer(response),
                id=str(where.row if doc_id is None else doc_id),
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
                no_gold=None if answers else f"no gold answer under {', '.join(GOLD)}",
            )
        ]

    return read


def _question_and_response(messages: Any) -> tuple[str, str]:
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        raise Unreadable("field 'messages' is no list of messages", f"got {messages!r:.80}")
    roles = [message.get("role") for message in messages]
    if "user" not in roles:
        raise Unreadable("no user message, hence no question")
    asked = len(roles) - 1 - roles[::-1].index("user")
    written = [
        part for message in messages[asked + 1 :] if message.get("role") == "assistant" for part in _parts(message)
    ]
    if not written:
        raise Unreadable("no assistant text after the last user message")
    return _content(messages[asked]), "\n\n".join(written)


def _parts(message: Mapping[str, Any]) -> list[str]:
    thoughts = next((value for name in _REASONING if isinstance(value := message.get(name), str) and value.strip()), "")
    visible = _content(message)
    return [*([f"<think>\n{thoughts.strip()}\n</think>"] if thoughts else []), *([visible] if visible.strip() else [])]


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Unreadable("a message's content is no text", f"got {content!r:.80}")
    texts = [part.get("text") for part in content if isinstance(part, Mapping)]
    return "\n".join(part for part in texts if isinstance(part, str))


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
