"""Reads question, gold answer and options from a document as its lm-eval task does."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from lm_eval.api.task import ConfigurableTask, Task
from lm_eval.utils import apply_template

from ...metrics.errors import Missing
from ..gold import field_options, gold_answers

# The last line of a prompt if it is only a cue for the answer: "A:", "Answer:", "Step-by-Step Answer:", "解答:",
# "Let's think step by step.", or a cue followed by that sentence. Applied to one short line, never to the whole text.
_CUE = re.compile(
    r"(?:[^\s:：]+(?: [^\s:：]+){0,2} ?[:：])?\s*(?:let['’]?s think step[ -]by[ -]step[.:…]*)?", re.IGNORECASE
)
_LONGEST_CUE = 80

_LABEL = re.compile(r"\(?([A-Za-z])[).:]?")


def render(template: str, doc: Mapping[str, Any]) -> Any:
    """The document's field of that name, or the Jinja template rendered over the document.

    Raises:
        ValueError: the template is malformed or refers to a field the document lacks; lists the document's fields.
    """
    if template in doc:
        return doc[template]
    try:
        return apply_template(template, dict(doc))
    except jinja2.TemplateError as error:
        raise ValueError(f"template {template!r:.120}: {error}; the document has {', '.join(doc)}") from error


def without_cue(prompt: str) -> str:
    """A prompt without trailing cue lines ("Answer:"); keeps at least one line."""
    text = prompt.rstrip()
    while True:
        head, newline, last = text.rpartition("\n")
        if not newline or not head.strip() or len(last) > _LONGEST_CUE or not _CUE.fullmatch(last.strip()):
            return text
        text = head.rstrip()


def question_text(task: Task | None, doc: Mapping[str, Any], template: str | None) -> str:
    """The question put to the model: the `question` option, or `doc_to_text` without few-shot examples and cue."""
    if template is not None or task is None:
        return str(render(template or "", doc)).strip()
    text = task.doc_to_text(doc)
    if isinstance(text, int) and isinstance(task, ConfigurableTask):  # with several inputs: an index into the choices
        text = task.doc_to_choice(doc)[text]
    return without_cue(str(text)).strip()


def gold_and_choices(
    task: Task | None, doc: Mapping[str, Any], gold: str | None, choices: str | None
) -> tuple[list[str], list[str] | None]:
    """Accepted answers, and the options of a multiple-choice question.

    The gold answer is the `gold` option, or `doc_to_target`: a text (for a worked solution the answer at its end), an
    index or letter into the options (then the option's text), or a list of these. The options are the `choices` option,
    `doc_to_choice`, or fields of the document (`gold.field_options`); fields count only if the gold answer is one of
    them.

    Raises:
        Missing: the document holds no gold answer, or one that is not among the options.
    """
    try:
        target = task.doc_to_target(doc) if gold is None and task is not None else render(gold or "", doc)
        options, labels, declared = _options(task, doc, choices)
    except (ValueError, TypeError, KeyError, IndexError, jinja2.TemplateError) as error:
        raise Missing(f"no gold answer: {type(error).__name__}: {error}") from error
    targets = list(target) if isinstance(target, list | tuple) else [target]
    if options:
        try:
            if answers := gold_answers(targets, options, labels):
                return answers, options
        except ValueError as error:
            if declared:
                raise Missing(f"gold answer: {error}") from error
    answers = gold_answers(targets)
    if not answers:
        raise Missing("no gold answer in the document")
    if isinstance(task, ConfigurableTask) and gold is None and isinstance(task.config.doc_to_target, int):
        raise Missing(f"no gold answer: doc_to_target is the number {target} for every document")  # IFEval
    return answers, None


def given_passages(doc: Mapping[str, Any], template: str) -> list[Any]:
    """The passages that come with the question, for the retriever `given`: texts, or mappings `{id, title, text}`.

    Raises:
        ValueError: the `passages` option does not give a list of these.
    """
    value = render(template, doc)
    if isinstance(value, str):
        value = _literal("passages", value)
    if not isinstance(value, Sequence) or not all(isinstance(entry, str | Mapping) for entry in value):
        raise ValueError(f"option 'passages' must give a list of texts or of {{id, title, text}}, got {value!r:.80}")
    return list(value)


def _options(
    task: Task | None, doc: Mapping[str, Any], template: str | None
) -> tuple[list[str] | None, Sequence[Any] | None, bool]:
    """The options' texts, their labels where the data set has some, and whether task or user declared the options."""
    texts, labels = field_options(doc)
    if template is not None:
        value = render(template, doc)
        if isinstance(value, str):
            value = _literal("choices", value)
    elif isinstance(task, ConfigurableTask) and task.config.doc_to_choice is not None:
        value = task.doc_to_choice(doc)
    else:
        return texts, labels, False
    declared = [str(option) for option in value]
    if texts and len(texts) == len(declared) and all(_LABEL.fullmatch(option.strip()) for option in declared):
        return texts, declared, True  # `doc_to_choice: ["A", "B", "C", "D"]`: the texts are in the document
    return declared, None, True


def _literal(option: str, text: str) -> list[Any]:
    """Parse the list that a template rendered to."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"option {option!r} must give a list, got {text!r:.80}") from error
    if not isinstance(value, list | tuple):
        raise ValueError(f"option {option!r} must give a list, got {text!r:.80}")
    return list(value)
