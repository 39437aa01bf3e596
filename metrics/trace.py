"""The input: one question with a model's response and the gold answer (`Trace`), cut into `Step`s."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

StepKind = Literal["reasoning", "final_answer"]


@dataclass(frozen=True)
class Step:
    """One reasoning step.

    Attributes:
        text: `response[start:end]`, without surrounding white space.
        start, end: character span in `Trace.response`, half open.
        kind: `final_answer` where the step only gives an answer ("The answer is 72", `\\boxed{72}`, "#### 72", a
            closing sentence that says the last result again), whichever answer it gives; else `reasoning`.
        states_answer: the step announces the gold answer, or holds it as a result where the question does not hold it:
            it leaks the answer.
    """

    text: str
    start: int
    end: int
    kind: StepKind = "reasoning"
    states_answer: bool = False


class Flagged(Protocol):
    """What a `Step` and a `StepScore` have in common."""

    @property
    def kind(self) -> StepKind: ...
    @property
    def states_answer(self) -> bool: ...


def steps_before_own_answer(steps: Sequence[Flagged], commit: int | None) -> int:
    """Steps before the first that announces an answer, states the gold one, or states the chain's own: 0 to t - 1.

    Where there is none of these, the last step is taken for it, so that it does not matter how an answer is worded.

    Args:
        steps: one or more.
        commit: index of the step with which the chain commits itself to its own answer (`commit_index`), if any.
    """
    last = len(steps) - 1 if commit is None else min(commit, len(steps) - 1)
    given = (i for i, step in enumerate(steps[:last]) if step.states_answer or step.kind == "final_answer")
    return next(given, last)


def steps_before_answer(steps: Sequence[Flagged]) -> int:
    """Number of steps before the first that states the gold answer; all of them if none does.

    A step that only announces an answer does not end them by itself: where it announces another one it leaks nothing.
    """
    return next((i for i, step in enumerate(steps) if step.states_answer), len(steps))


@dataclass(frozen=True)
class Trace:
    """One question, the response to score, and the gold answer.

    Attributes:
        question: what the model under test was asked, as text.
        response: the whole chain of thought, final answer included.
        answer: the gold answer, or several accepted ones. What is measured is the likelihood of all different ones
            together; each counts when steps are searched for a leaked answer. None: no gold answer; metrics that need
            one are missing, KI is not.
        choices: the options' texts of a multiple-choice question, or None. Each accepted answer must then be one of
            them; options of the same text count as one.
        model_answer: the model's own final answer, where an adapter has extracted it.
        id: any string that names the chain in results and error messages.
        meta: anything JSON that should travel with the chain (subject, document id, given passages…).

    Raises:
        TypeError, ValueError: a field of the wrong type, or an answer that is not among the choices; the message
            names the trace and the field.
    """

    question: str
    response: str
    answer: str | Sequence[str] | None = None
    choices: Sequence[str] | None = None
    model_answer: str | None = None
    id: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("question", "response"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(self._problem(name, f"expected text, got {getattr(self, name)!r:.80}"))
        for name in ("answer", "choices"):
            value = getattr(self, name)
            if value is None or (isinstance(value, str) and name == "answer"):
                continue
            if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
                raise TypeError(self._problem(name, f"expected a list of texts, got {value!r:.80}"))
            object.__setattr__(self, name, tuple(value))
        if self.choices is not None:
            if len(self.choices) < 2:
                raise ValueError(self._problem("choices", f"expected two or more options, got {len(self.choices)}"))
            for answer in self.answers:
                if answer not in self.choices:
                    raise ValueError(
                        self._problem("answer", f"{answer!r:.80} is not one of the choices {self.choices!r:.200}")
                    )

    def _problem(self, name: str, what: str) -> str:
        return f"trace {self.id!r}, field {name!r}: {what}"

    @property
    def answers(self) -> tuple[str, ...]:
        """All accepted gold answers that hold any text, in the order given."""
        given = () if self.answer is None else (self.answer,) if isinstance(self.answer, str) else self.answer
        return tuple(answer for answer in given if answer.strip())

    @property
    def distinct_answers(self) -> tuple[str, ...]:
        """The accepted answers as the scoring LM reads them: without surrounding white space, each once."""
        return tuple(dict.fromkeys(answer.strip() for answer in self.answers))

    @property
    def hash(self) -> str:
        """Hex digest of what is scored: question, response, answers and choices."""
        parts = [self.question, self.response, list(self.answers), list(self.choices or ())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `Trace.from_dict` restores an equal trace."""
        out = asdict(self)
        for name in ("answer", "choices"):
            if isinstance(out[name], tuple):
                out[name] = list(out[name])
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Trace:
        """Restore what `to_dict` wrote. Raises ValueError on an unknown field, TypeError on a missing one."""
        unknown = sorted(set(data) - set(cls.__dataclass_fields__))
        if unknown:
            known = ", ".join(cls.__dataclass_fields__)
            raise ValueError(f"trace {data.get('id')!r}: unknown field {unknown[0]!r}; known: {known}")
        return cls(**data)
