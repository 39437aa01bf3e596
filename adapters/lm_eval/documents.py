"""Reads question, gold answer and options from a document as its lm-eval task does."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from lm_eval.api.task import ConfigurableTask, Task
from lm_eval.utils import apply_template

from ...metrics.answers.extraction import announced, gold_from_suffix, last_boxed, resolve_choice
from ...metrics.errors import Missing

# The last line of a prompt if it is only a cue for the answer: "A:", "Answer:", "Step-by-Step Answer:", "解答:",
# "Let's think step by step.", or a cue followed by that sentence. Applied to one short line, never to the whole text.
_CUE = re.compile(
    r"(?:[^\s:：]+(?: [^\s:：]+){0,2} ?[:：])?\s*(?:let['’]?s think step[ -]by[ -]step[.:…]*)?", re.IGNORECASE
)
_LONGEST_CUE = 80

# Fields that hold the options in multiple-choice data sets, tried if the task does not name one.
_CHOICE_FIELDS = ("choices", "options", "endings")
# Others give each option a field of its own: "A", "B", …; "option_0", "option_1", …; "choice1", "choice2", …
_ONE_FIELD_EACH = (
    string.ascii_uppercase,
    *(
        [f"{name}{i}" for i in range(first, first + 26)]
        for name in ("option_", "choice", "solution")
        for first in (0, 1)
    ),
)
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
    """Accepted answers, with the one to measure first, and the options of a multiple-choice question.

    The gold answer is the `gold` option, or `doc_to_target`: a text (for a worked solution the answer at its end), an
    index or letter into the options (then the option's text), or a list of these. The options are the `choices` option,
    `doc_to_choice`, or a field `choices`, `options` or `endings`, or fields "A", "B", …, "option_0", …, "choice1", …,
    "solution0", …; fields count only if the gold answer is one of them.

    Raises:
        Missing: the document holds no gold answer, or one that is not among the options.
    """
    try:
        target = task.doc_to_target(doc) if gold is None and task is not None else render(gold or "", doc)
        options, labels, declared = _options(task, doc, choices)
    except (ValueError, TypeError, KeyError, IndexError, jinja2.TemplateError) as error:
        raise Missing(f"no gold answer: {type(error).__name__}: {error}") from error
    targets = list(target) if isinstance(target, list | tuple) else [target]
    targets = [item for item in targets if item is not None and str(item).strip()]
    if not targets:
        raise Missing("no gold answer in the document")
    if options:
        try:
            return [_option(item, options, labels) for item in targets], options
        except ValueError as error:
            if declared:
                raise Missing(f"gold answer: {error}") from error
    if isinstance(task, ConfigurableTask) and gold is None and isinstance(task.config.doc_to_target, int):
        raise Missing(f"no gold answer: doc_to_target is the number {target} for every document")  # IFEval
    return [answer_in(str(item)) for item in targets], None


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


def answer_in(target: str) -> str:
    r"""The final answer in a target that may be a worked solution.

    "… #### 72", "… \boxed{72}" and "The answer is 72." (all of the target, or its last line) give "72"; any other text
    is the answer itself.
    """
    if "####" in target:
        return gold_from_suffix(target)
    text = target.strip()
    return last_boxed(text) or announced(text) or announced(text.rpartition("\n")[2]) or text


def _options(
    task: Task | None, doc: Mapping[str, Any], template: str | None
) -> tuple[list[str] | None, list[str] | None, bool]:
    """The options' texts, their labels if the data set has any, and whether task or user declared the options."""
    texts, labels = _field_options(doc)
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


def _field_options(doc: Mapping[str, Any]) -> tuple[list[str] | None, list[str] | None]:
    for name in _CHOICE_FIELDS:
        value = doc.get(name)
        labels = None
        if isinstance(value, Mapping) and "text" in value:  # ARC: {"text": [...], "label": [...]}
            value, labels = value["text"], value.get("label")
        if isinstance(value, Sequence) and len(value) > 1 and all(isinstance(text, str) and text for text in value):
            return list(value), list(labels) if labels else None
    for names in _ONE_FIELD_EACH:
        given: list[str] = []
        for name in names:
            if not isinstance(text := doc.get(name), str) or not text:
                break
            given.append(text)
        if len(given) > 1:
            return given, None
    return None, None


def _option(target: Any, options: Sequence[str], labels: Sequence[str] | None) -> str:
    if isinstance(target, str) and labels and target.strip() in labels:
        return options[labels.index(target.strip())]
    return resolve_choice(int(target) if isinstance(target, bool) else target, options)


def _literal(option: str, text: str) -> list[Any]:
    """Parse the list that a template rendered to."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"option {option!r} must give a list, got {text!r:.80}") from error
    if not isinstance(value, list | tuple):
        raise ValueError(f"option {option!r} must give a list, got {text!r:.80}")
    return list(value)
