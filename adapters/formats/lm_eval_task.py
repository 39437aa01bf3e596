"""Reads question, gold answer and options of an lm-eval document as its task does, without the task's data set.

The results file holds the task's configuration. Somebody else may have written that file, so its templates are rendered
in Jinja's sandbox, and the Python functions that it holds as source text are never run: they are looked up in the
registered task of the same name.
"""

from __future__ import annotations

import ast
import functools
import json
import logging
import re
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import jinja2
import regex
from jinja2.sandbox import SandboxedEnvironment
from lm_eval.api.task import ConfigurableTask

from ...metrics.errors import Missing
from ...metrics.step_limit import step_limit
from ..gold import field_options
from ..lm_eval.documents import given_passages, gold_and_choices, question_text, without_cue
from ..lm_eval.inherit import complete
from ..lm_eval.options import KEY
from .entries import Unreadable
from .lm_eval_metrics import ResponseMetrics
from .options import TEMPLATES, OptionError, Settings

log = logging.getLogger(__name__)

_SECONDS = 1.0  # for one of a template's regular expressions, which may take exponential time


def regex_replace(string: str, pattern: str, repl: str, count: int = 0) -> str:
    """lm-eval's filter of that name. Raises TimeoutError."""
    return regex.sub(pattern, repl, string, count=count, timeout=_SECONDS)


_SANDBOX = SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
_SANDBOX.filters["regex_replace"] = regex_replace

_KEYS = ("doc_to_text", "doc_to_target", "doc_to_choice")
# How lm-eval writes a function into the results file: its source, or what `str` makes of it.
_FUNCTION = re.compile(r"\s*(?:@|def |async def |class )|<function |functools\.partial\(")
_LAMBDA = re.compile(r"\blambda\b[^{}\n]{0,200}:")
_LONGEST_FIELD = 200_000


class FinishedTask(ConfigurableTask):
    """A task that only reads documents: no data set, no model.

    Args:
        config: `doc_to_text`, `doc_to_target` and `doc_to_choice`: templates, values, or functions of this process.
        templates: our options of the same purpose; they win.
    """

    def __init__(self, config: Mapping[str, Any], templates: Mapping[str, str]) -> None:
        # Without super().__init__(), which would load the data set.
        self._templates = templates
        self._has_choices = config.get("doc_to_choice") is not None
        given = {name: config.get(name) for name in _KEYS}
        if "choices" in templates:
            given["doc_to_choice"] = templates["choices"]
        self._config = SimpleNamespace(**given)  # type: ignore[assignment]

    def doc_to_text(self, doc: Any, doc_to_text: Any = None) -> Any:
        del doc_to_text
        value = self._value(self._config.doc_to_text, doc)
        return int(value) if isinstance(value, str) and value.isdigit() and self._has_choices else value

    def doc_to_target(self, doc: Any, doc_to_target: Any = None) -> Any:
        del doc_to_target
        if "gold" in self._templates:
            return render(self._templates["gold"], doc)
        template = self._config.doc_to_target
        value = self._value(template, doc)
        if isinstance(template, str) and template not in doc and isinstance(value, str):
            if value.isdigit() and self._has_choices:
                return int(value)
            if len(value) > 1 and value[0] == "[" and value[-1] == "]":
                return _literal(value, value)
        return value

    def doc_to_choice(self, doc: Any, doc_to_choice: Any = None) -> Any:
        del doc_to_choice
        template = self._config.doc_to_choice
        if isinstance(template, Mapping):
            return list(template.values())
        value = self._value(template, doc)
        if isinstance(value, str):
            value = _literal(value, None)
            if not isinstance(value, list | tuple):
                raise ValueError(f"the options must be a list, got {value!r:.80}")
        return value

    def question(self, doc: Mapping[str, Any]) -> str:
        if "question" in self._templates:
            return str(render(self._templates["question"], doc)).strip()
        return question_text(self, doc, None)

    def passages(self, doc: Mapping[str, Any]) -> list[Any] | None:
        if "passages" not in self._templates:
            return None
        return given_passages({"passages": render(self._templates["passages"], doc)}, "passages")

    def _value(self, template: Any, doc: Mapping[str, Any]) -> Any:
        if callable(template):
            return template(doc)
        return render(template, doc) if isinstance(template, str) else template


def render(template: str, doc: Mapping[str, Any]) -> Any:
    """The document's field of that name, or the template rendered over the document in a sandbox, for a while."""
    if template in doc:
        return doc[template]
    with step_limit(template):
        return _compiled(template).render(**doc)


@functools.lru_cache(maxsize=64)
def _compiled(template: str) -> jinja2.Template:
    return _SANDBOX.from_string(template)


def _literal(text: str, otherwise: Any) -> Any:
    try:
        return ast.literal_eval(text) if len(text) < _LONGEST_FIELD else otherwise
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return otherwise


class DocumentReader:
    """Question, gold answer, options and passages of one task's documents.

    Args:
        task: the task's name.
        config: its configuration from the results file; None: there is no such file.
    """

    def __init__(self, task: str, config: Mapping[str, Any] | None, settings: Settings) -> None:
        self.config = dict(config or {})
        ours = self.config.get(KEY)
        ours = ours if isinstance(ours, Mapping) else {}
        dumped = {name: ours[name] for name in TEMPLATES if isinstance(ours.get(name), str)}
        self._given = settings.templates
        templates = {**dumped, **settings.templates}
        missing = self._missing(templates)
        self._registered = False
        if missing:
            self._look_up(task, settings.base, missing)
        self._name = task
        self._base = settings.base
        self._task = FinishedTask(self.config, templates)
        self._asks = "question" in templates or self.config.get("doc_to_text") is not None
        self._judges = "gold" in templates or self.config.get("doc_to_target") is not None
        self._checked = False

    def _missing(self, templates: Mapping[str, str]) -> list[str]:
        """Keys whose value is not there or is a function's source; what a template of ours stands in for is not."""
        stands_in = {"doc_to_text": "question", "doc_to_target": "gold", "doc_to_choice": "choices"}
        needed = [name for name in _KEYS if stands_in[name] not in templates]
        sources = [name for name in needed if _is_function(self.config.get(name))]
        for name in sources:
            self.config[name] = None
        absent = [name for name in needed if name != "doc_to_choice" and self.config.get(name) is None]
        return list(dict.fromkeys([*sources, *absent]))

    @functools.cached_property
    def metrics(self) -> ResponseMetrics:
        """The run's filters and metrics, for each response by itself."""
        process = self.config.get("process_results")
        if process is not None and not callable(process):
            process = None
            try:
                process = complete({"task": self._name, KEY: {"base": self._base or self._name}}).get("process_results")
            # As in `_look_up`: a task's YAML runs imports of its own.
            except Exception as error:
                log.info("task %r: its function process_results is not at hand (%.200s)", self._name, error)
        return ResponseMetrics(self._task, self.config, process if callable(process) else None)

    def _look_up(self, task: str, base: str | None, missing: Sequence[str]) -> None:
        try:
            registered = complete({"task": task, KEY: {"base": base or task}})
        # A task's YAML runs imports of its own, so anything may come of it; the prompt is read instead, and a note
        # in every row says so.
        except Exception as error:
            if base is not None:
                raise OptionError(f"--set base={base}: {error}") from error
            log.warning(
                "task %r: how its documents are read is not at hand, and lm-eval cannot say (%.200s); "
                "the prompt is read instead",
                task,
                error,
            )
            return
        self._registered = True
        for name in _KEYS if not self.config.get("task") else missing:
            self.config[name] = registered.get(name)

    def read(
        self, doc: Mapping[str, Any], prompt: str | None, target: Any
    ) -> tuple[str, list[str] | None, list[str] | None, list[Any] | None, str | None, tuple[str, ...]]:
        """(question, accepted answers, options, passages, why there is no gold answer, notes) of one document.

        Args:
            prompt: what the model was given; read where the configuration does not say how to ask.
            target: the row's own `target`; likewise.

        Raises:
            Unreadable: no question.
            OptionError: a template that the user gave does not fit the first document.
        """
        notes: list[str] = []
        self._check(doc)
        question = self._question(doc, prompt, notes)
        answers = choices = no_gold = None
        try:
            if self._judges:
                answers, choices = gold_and_choices(self._task, doc, None, None)
            else:
                notes.append("the gold answer was read from the row's `target`")
                answers, choices = gold_and_choices(_Targets(target, doc, self._task), doc, None, None)
        except Missing as problem:
            no_gold = problem.reason
        # A registered task's function may raise anything on a document that is not quite its own.
        except Exception as error:
            no_gold = f"no gold answer: {type(error).__name__}: {error}"
        try:
            passages = self._task.passages(doc)
        except (ValueError, TypeError, KeyError, jinja2.TemplateError) as error:
            raise Unreadable("no passages", str(error)) from error
        return question, answers, choices, passages, no_gold, tuple(notes)

    def _question(self, doc: Mapping[str, Any], prompt: str | None, notes: list[str]) -> str:
        problem = "the results file is not beside the samples file, or does not say"
        if self._asks:
            try:
                question = self._task.question(doc)
            except Exception as error:  # as above; a template may divide by zero, too
                problem = f"{type(error).__name__}: {error}"
            else:
                if not self._registered or prompt is None or question in prompt:
                    return question
                problem = "the registered task's prompt is not the one of this run"
        if prompt is None:
            raise Unreadable("no question", problem)
        notes.append(f"the question was read from the prompt, without what stands before its last example ({problem})")
        return question_in(prompt, doc, self.config)

    def _check(self, doc: Mapping[str, Any]) -> None:
        """Render the user's own templates over the first document, so that a mistake shows at once."""
        if self._checked:
            return
        self._checked = True
        for name, template in self._given.items():
            try:
                render(template, doc)
            except Exception as error:  # whatever a template runs into is the template's mistake
                raise OptionError(
                    f"--set {name}={template!r:.120}: {error}; the document has {', '.join(map(str, doc))}"
                ) from error


class _Targets(FinishedTask):
    """Stands in for a task whose gold answer is known by the row's `target` only, which lm-eval writes as text."""

    def __init__(self, target: Any, doc: Mapping[str, Any], task: FinishedTask) -> None:
        choices = task._config.doc_to_choice
        super().__init__({"doc_to_choice": choices}, {})
        self._target = target
        if isinstance(target, str) and target.startswith("[") and target.endswith("]"):
            self._target = _literal(target, target)
        if isinstance(target, str) and target.isdigit() and (choices is not None or _is_index(target, doc)):
            self._target = int(target)

    def doc_to_target(self, doc: Any, doc_to_target: Any = None) -> Any:
        del doc, doc_to_target
        return self._target


def _is_index(target: str, doc: Mapping[str, Any]) -> bool:
    options, _ = field_options(doc)
    return options is not None and target not in options and len(target) < 3 and int(target) < len(options)


def _is_function(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    # "lambda" may well stand in a question; but then the text is a template, and says where the question goes.
    return _FUNCTION.search(value) is not None or ("{{" not in value and _LAMBDA.search(value) is not None)


def prompt_text(argument: Any) -> str | None:
    """The text of a request's first argument: a prompt, or a chat as a list of messages or as JSON of one."""
    if isinstance(argument, list) and len(argument) == 1 and isinstance(argument[0], str):
        return prompt_text(argument[0])
    if isinstance(argument, list):
        said = [message.get("content") for message in argument if isinstance(message, Mapping)]
        return "\n\n".join(content for content in said if isinstance(content, str)) or None
    if not isinstance(argument, str):
        return None
    if argument.startswith('[{"role"'):
        try:
            return prompt_text([*json.loads(argument), {}])
        except (ValueError, RecursionError):
            return argument
    return argument


def question_in(prompt: str, doc: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """The last question of a prompt: from the last few-shot delimiter before the document's longest text on."""
    delimiter = config.get("fewshot_delimiter")
    delimiter = delimiter if isinstance(delimiter, str) and delimiter else "\n\n"
    texts = sorted((value for value in doc.values() if isinstance(value, str) and value.strip()), key=len, reverse=True)
    at = next((found for text in texts if (found := prompt.rfind(text.strip())) >= 0), None)
    start = prompt.rfind(delimiter, 0, len(prompt) if at is None else at)
    text = prompt if start < 0 else prompt[start + len(delimiter) :]
    return without_cue(text).strip() or prompt.strip()
