"""`InfoGainReward` for TRL's GRPO: how much likelier the gold answer is after a chain than after the question."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...metrics import ChainScore, Gauge, Missing, Trace
from ...metrics.infogain import BEFORE
from ...metrics.models.loading import SMOLLM2
from ...metrics.names import unknown_name
from ...metrics.numbers import is_finite
from ...metrics.trace import steps_before_answer
from ..formats.entries import Unreadable
from ..formats.messages import read_messages
from ..gold import gold_answers

log = logging.getLogger(__name__)

PER = ("chain", "step", "step_token", "answer_token")


@dataclass(frozen=True)
class StepCredit:
    """What one step gains.

    Attributes:
        text: the step, `completion[start:end]` without surrounding white space.
        start, end: character span in the completion; of a conversational one in its assistant messages' text.
        gain: by how much the step makes the gold answer likelier, nats.
    """

    text: str
    start: int
    end: int
    gain: float


class InfoGainReward:
    """A reward function for TRL: `GRPOTrainer(reward_funcs=[InfoGainReward()], …)`.

    The reward of a completion is `infogain_nats_before_answer`: log p(gold answer | question, steps before the first
    that states it) - log p(gold answer | question), in nats, as the scoring LM has it. What cannot be computed is None,
    which TRL leaves out of a group's mean, never 0: a completion whose first step states the answer, one without steps
    or gold answer, one that cannot be scored. The share of those is logged as `stepgauge/reward_missing`.

    A reward of its own says nothing of whether answers are right, and a chain that states its answer at once is left
    out rather than punished: give GRPO a reward for right answers beside it.

    Args:
        gauge: how completions are scored; None: a `Gauge` with this `scorer` and without claims.
        scorer: instead of a gauge: a scoring LM, by default "smollm2". It should not be the model that is trained,
            which would learn to write what it finds likely itself.
        per: "chain"; or the reward divided by the number of "step"s, by the tokens of the steps ("step_token"), or by
            those of the gold answer ("answer_token").
        epsilon: rewards within ±epsilon count as 0.
        clip: rewards are cut off at ±clip; None: they are not.
        question, answer, choices: columns of the data set. Without such a question column the question is the prompt:
            its text, or its last user message. Choices are optional.

    Raises:
        ValueError: an option that is not valid; when called, a data set without the answer's column, or a column of
            another length than the completions.
    """

    def __init__(
        self,
        gauge: Gauge | None = None,
        *,
        scorer: str | None = None,
        per: str = "chain",
        epsilon: float = 0.0,
        clip: float | None = None,
        question: str = "question",
        answer: str = "answer",
        choices: str = "choices",
    ) -> None:
        if gauge is not None and scorer is not None:
            raise ValueError(f"scorer {scorer!r}: the gauge has one; give a gauge or a scorer")
        if gauge is not None and gauge.target != "gold":
            raise ValueError(f"gauge: its target is {gauge.target!r}, and the reward is for the gold answer")
        if per not in PER:
            raise ValueError(unknown_name("per", per, PER))
        if not is_finite(epsilon) or epsilon < 0:
            raise ValueError(f"epsilon {epsilon!r}: expected a number of nats, 0 or more")
        if clip is not None and (not is_finite(clip) or clip <= epsilon):
            raise ValueError(f"clip {clip!r}: expected a number of nats above epsilon ({epsilon:g}), or None")
        self._gauge = gauge if gauge is not None else Gauge(scorer or SMOLLM2, claims=[], judges=[], progress=False)
        if self._gauge.scorer is None:
            raise ValueError("gauge: it has no scoring LM, which this reward needs")
        self._metric = f"infogain_nats{'' if per == 'chain' else f'_per_{per}'}{BEFORE}"
        self._epsilon, self._clip = epsilon, clip
        self._columns = {"question": question, "answer": answer, "choices": choices}
        self._said: set[str] = set()
        self.__name__ = self._metric  # TRL logs rewards/NAME/mean

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        *,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """The reward of each completion, None for a missing one.

        Args:
            prompts, completions: n texts each, or n lists of messages.
            log_metric: TRL's, for the share of missing rewards.
            columns: the data set's, of n values each; TRL passes further arguments, which are not looked at.
        """
        rewards: list[float | None] = []
        why: Counter[str] = Counter()
        for score in self._scores(prompts, completions, columns):
            if isinstance(score, Missing):
                rewards.append(None)
                why[score.reason] += 1
            elif (reason := score.missing.get(self._metric)) is not None:
                rewards.append(None)
                why[reason] += 1
            else:
                rewards.append(self._bounded(score.metrics[self._metric]))
        for reason, count in why.items():
            if reason not in self._said:
                self._said.add(reason)
                log.warning("%s: no reward for %d of %d completions: %s", self.__name__, count, len(rewards), reason)
        if log_metric is not None and rewards:
            log_metric("stepgauge/reward_missing", why.total() / len(rewards))
        return rewards

    def step_credit(
        self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any
    ) -> list[list[StepCredit] | None]:
        """Of each completion the steps before the answer with what each gains, as `__call__` is given them.

        TRL's reward functions give one number a completion; these are for a trainer of one's own. Without `per`, their
        gains add up to the reward, but for `epsilon` and `clip`, which hold for each step. None for a missing reward.
        """
        found: list[list[StepCredit] | None] = []
        for score in self._scores(prompts, completions, columns):
            if isinstance(score, Missing) or self._metric in score.missing:
                found.append(None)
                continue
            steps = score.steps[: steps_before_answer(score.steps)]
            found.append([StepCredit(one.text, one.start, one.end, self._bounded(one.gain)) for one in steps])
        return found

    def _bounded(self, gain: float) -> float:
        if abs(gain) <= self._epsilon:
            return 0.0
        return gain if self._clip is None else max(-self._clip, min(self._clip, gain))

    def _scores(
        self, prompts: Sequence[Any], completions: Sequence[Any], columns: Mapping[str, Any]
    ) -> list[ChainScore | Missing]:
        answers = columns.get(self._columns["answer"])
        if answers is None:
            raise ValueError(
                f"{self.__name__}: the data set has no column {self._columns['answer']!r} with gold answers; it has "
                f"{', '.join(columns) or 'none'}"
            )
        questions, choices = (columns.get(self._columns[name]) for name in ("question", "choices"))
        for name, column in (("question", questions), ("answer", answers), ("choices", choices)):
            if column is not None and len(column) != len(completions):
                raise ValueError(
                    f"{self.__name__}: the column {self._columns[name]!r} has {len(column)} values for "
                    f"{len(completions)} completions"
                )
        traces: list[Trace | Missing] = []
        for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
            try:
                asked = _asked(prompt) if questions is None else questions[i]
                traces.append(_trace(asked, _written(completion), answers[i], None if choices is None else choices[i]))
            except Missing as reason:
                traces.append(reason)
        scores = iter(self._gauge.score([one for one in traces if isinstance(one, Trace)]))
        return [next(scores) if isinstance(one, Trace) else one for one in traces]


def _trace(question: str, response: str, answer: Any, choices: Sequence[str] | None) -> Trace:
    """Raises Missing where they make no chain that could be scored."""
    try:
        golds = gold_answers(answer if isinstance(answer, list | tuple) else [answer], choices)
        return Trace(question, response, golds or None, choices)
    except (TypeError, ValueError) as error:
        raise Missing(str(error)) from error


def _asked(prompt: Any) -> str:
    """A prompt's text, or its last user message. Raises Missing."""
    if isinstance(prompt, str):
        return prompt
    try:
        asked = [one.text for one in read_messages(prompt) if one.speaker == "human" and not one.returns]
    except Unreadable as error:
        raise Missing(str(error)) from error
    if not asked:
        raise Missing("the prompt has no user message")
    return asked[-1]


def _written(completion: Any) -> str:
    """A completion's text, or that of its assistant messages. Raises Missing."""
    if isinstance(completion, str):
        return completion
    try:
        return "\n\n".join(one.text for one in read_messages(completion) if one.speaker == "model" and one.text.strip())
    except Unreadable as error:
        raise Missing(str(error)) from error
