"""`StepgaugeCallback`: at each evaluation of a training the model answers held-out questions, which are scored."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ...metrics import Gauge, ModelInMemory, ScorerError
from ...metrics.columns import table_columns
from ...metrics.comparison import Run, Settings
from ...metrics.errors import said
from ...metrics.models.in_memory import SELF
from ...metrics.models.loading import SMOLLM2
from ...metrics.printable import printable
from .answering import answer, as_prompt, undisturbed
from .evaluations import Evaluations
from .monitor import PREFIX, TRAP, accuracy, against, curves, decisive, told
from .questions import check_count, read_questions
from .running_trainer import running_trainer

log = logging.getLogger(__name__)


class StepgaugeCallback(TrainerCallback):
    """For transformers' Trainer and what is made from it, such as TRL's SFTTrainer and GRPOTrainer.

    At each evaluation the model under training answers the questions greedily; the answers are scored as
    `stepgauge score` would, written to `output_dir/stepgauge/step-000100`, and their means logged by the trainer as
    `stepgauge/accuracy`, `stepgauge/infogain_nats_before_answer` and so on, with `stepgauge/missing/…` for how many
    answers lack a number. Each evaluation is compared with the first, and with the one of highest accuracy before it,
    by the rule of `stepgauge compare`: where accuracy rose while reasoning fell (*trap*) a warning says so.

    Training is the same with it as without: random numbers and the model's modes are put back. An evaluation that fails
    is lost, with a warning that says why, and training goes on. A resumed training goes on with the evaluations that
    its output folder has up to the checkpoint's step.

    Of several processes the main one answers and scores, and the others wait for it. Weights that are sharded over
    processes (FSDP, DeepSpeed's stage 3) cannot answer; a warning says so.

    Args:
        questions: rows with `question` and `answer` (text, or several accepted ones; a worked solution that ends in
            "#### 72" or "The answer is 72." is read, too), and maybe `choices` (the question then lists them), `id`,
            `subject`, and `prompt`: a text, or messages, that the model is given in the place of the question.
            A question without one is put by the tokenizer's chat template where there is one, else as it is.
        gauge: how answers are scored; None: a `Gauge` with this `scorer`. Its columns are what is logged. A gauge with
            the scorer "self" is asked with the model under training as its scoring LM.
        scorer: instead of a gauge: a scoring LM, by default "smollm2", the same for all evaluations; or "self".
        n: how many questions, from the first; None: all.
        max_new_tokens: tokens at which an answer is cut off.
        batch_size: questions that are answered at once.
        until: texts at the first of which an answer ends, for models that do not end by themselves.
        stop: stop the training at a *trap* against the first evaluation.
        metrics: names of the numbers to log, `["all"]` for every one; None: those that every table shows.
        settings: of the comparison. With the scorer "self" gains do not decide, since the log-likelihoods of two models
            have no common scale.
        tokenizer: of the model; None: the trainer's `processing_class`.

    Raises:
        ValueError: a question, or an option, that is not valid; names it.
    """

    def __init__(
        self,
        questions: Iterable[Mapping[str, Any]],
        gauge: Gauge | None = None,
        *,
        scorer: str | None = None,
        n: int | None = None,
        max_new_tokens: int = 256,
        batch_size: int = 16,
        until: Sequence[str] = (),
        stop: bool = False,
        metrics: Sequence[str] | None = None,
        settings: Settings | None = None,
        tokenizer: Any = None,
    ) -> None:
        if gauge is not None and scorer is not None:
            raise ValueError(f"scorer {scorer!r}: the gauge has one; give a gauge or a scorer")
        for name, value in (("max_new_tokens", max_new_tokens), ("batch_size", batch_size)):
            check_count(name, value)
        if not isinstance(until, list | tuple) or not all(isinstance(one, str) and one for one in until):
            raise ValueError(f"until {until!r}: expected a list of texts, none of them empty")
        if not isinstance(stop, bool):
            raise ValueError(f"stop {stop!r}: expected True or False")
        self._questions = read_questions(questions, n)
        self._own_gauge = gauge is None
        self._gauge = gauge if gauge is not None else Gauge(scorer or SMOLLM2, progress=False)
        self._columns = table_columns(
            self._gauge.metric_info(), chosen=metrics, has_scorer=self._gauge.scorer is not None
        )
        self._max_new_tokens = max_new_tokens
        self._batch_size = batch_size
        self._until = tuple(until)
        self._stop = stop
        self._settings = settings or Settings()
        self._tokenizer = tokenizer
        self._accuracies: dict[int, float] = {}  # by step, of the evaluations of this training
        self._asked: set[int] = set()  # steps at which there was an evaluation, whatever came of it

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        del control, kwargs
        self._asked = set()
        if not state.is_world_process_zero:
            return
        if args.eval_strategy == "no" and not args.eval_on_start:
            log.warning(
                "stepgauge: no evaluation is configured, so no questions are asked; set eval_strategy='steps' and "
                "eval_steps, and eval_on_start=True so that the first is of the untrained model"
            )
        try:
            self._take_up(Evaluations(args.output_dir or "."), state.global_step)
        except Exception as error:  # no file of an earlier training is worth this one
            log.warning("stepgauge: earlier evaluations cannot be taken up: %s", printable(said(error)))

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        del kwargs
        step = state.global_step
        if step in self._asked:
            return  # the trainer evaluates several sets one after the other
        self._asked.add(step)
        trainer = running_trainer()
        found: tuple[dict[str, float], bool] = ({}, False)
        if state.is_world_process_zero:
            try:
                found = self._evaluate(trainer, Evaluations(args.output_dir or "."), step)
            except Exception as error:  # it costs this evaluation, not the training
                log.warning("stepgauge: step %d is not evaluated: %s", step, printable(said(error)))
                found = ({f"{PREFIX}failed": 1.0}, False)
        logs, stop = _of_main_process(trainer, found)
        # Not TRL's own `log`, which prints and saves its last completions each time.
        Trainer.log(trainer, logs)
        if stop:
            control.should_training_stop = True

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        del args, state, control, kwargs
        if self._own_gauge:
            self._gauge.close()

    def _take_up(self, evaluations: Evaluations, step: int) -> None:
        """Go on with the evaluations up to a step, and move others in the folder out of the way."""
        self._accuracies = {at: value for at, value in self._accuracies.items() if at <= step}
        for at in evaluations.steps() if step else ():  # else what is there is another training's
            if at <= step:
                self._accuracies[at] = accuracy(evaluations.read(at))
        if (aside := evaluations.put_aside(self._accuracies)) is not None:
            log.warning("stepgauge: evaluations of an earlier training are now in %s", printable(str(aside)))

    def _evaluate(self, trainer: Trainer, evaluations: Evaluations, step: int) -> tuple[dict[str, float], bool]:
        """The numbers to log, and whether to stop."""
        _check_whole(trainer)
        model: Any = trainer.accelerator.unwrap_model(trainer.model, keep_torch_compile=False)
        tokenizer = self._tokenizer or _tokenizer_of(trainer)
        prompts = [one.prompt or as_prompt(one.question, tokenizer) for one in self._questions]
        asked = {"max_new_tokens": self._max_new_tokens, "until": list(self._until)}
        with undisturbed(model):
            answers = answer(model, tokenizer, prompts, batch_size=self._batch_size, **asked)
            entries = [one.entry(given) for one, given in zip(self._questions, answers, strict=True)]
            with self._gauge_for(model, tokenizer, step) as gauge:
                group = evaluations.write(step, gauge, entries, asked)
        logs = curves(group, self._columns, sum(one.truncated for one in answers) / len(answers))
        now = evaluations.read(step)
        earlier = {at: value for at, value in self._accuracies.items() if at < step}
        self._accuracies = {**earlier, step: accuracy(now)}
        log.info("stepgauge: step %d: %s", step, told(logs, self._columns))
        try:
            verdicts, stop = self._compared(evaluations, step, now, earlier)
        except Exception as error:  # the evaluation stands
            log.warning("stepgauge: step %d is not compared: %s", step, printable(said(error)))
            return logs, False
        return {**logs, **verdicts}, stop

    def _compared(
        self, evaluations: Evaluations, step: int, now: Run, earlier: Mapping[int, float]
    ) -> tuple[dict[str, float], bool]:
        if not earlier:
            return dict(decisive(against(step, now, now, self._settings))), False
        first, best = min(earlier), max(earlier, key=lambda at: earlier[at])
        found = {at: against(at, evaluations.read(at), now, self._settings) for at in dict.fromkeys((first, best))}
        stop = self._stop and found[first].trap
        for at, one in found.items():
            level = logging.WARNING if one.trap or one.compared is None else logging.INFO
            log.log(
                level, "stepgauge: step %d against %s%s", step, one, "; training stops" if stop and at == first else ""
            )
        logs = dict(decisive(found[first]))
        for name, one in ((TRAP, found[first]), (f"{TRAP}_against_best", found[best])):
            if one.compared is not None:
                logs[PREFIX + name] = float(one.trap)
        return logs, stop

    @contextlib.contextmanager
    def _gauge_for(self, model: Any, tokenizer: Any, step: int) -> Iterator[Gauge]:
        if self._gauge.scorer == SELF:
            name = getattr(model.config, "_name_or_path", None) or None
            # The weights are other ones at each step: scores must not look as if one model had given them.
            under_training = ModelInMemory(model, tokenizer, name, revision=f"step-{step}")
            with self._gauge.with_scorer(under_training) as gauge:
                yield gauge
        else:
            yield self._gauge


def _check_whole(trainer: Trainer) -> None:
    """Raises ScorerError where no process holds all of the weights."""
    from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

    if trainer.is_fsdp_enabled or (trainer.is_deepspeed_enabled and is_deepspeed_zero3_enabled()):
        raise ScorerError(
            "the weights are sharded over processes (FSDP, DeepSpeed's stage 3), so none can answer alone"
        )


def _tokenizer_of(trainer: Trainer) -> Any:
    """Raises ScorerError where the trainer has none."""
    found: Any = trainer.processing_class
    if found is None:
        raise ScorerError(
            "the trainer has no tokenizer; give Trainer(processing_class=…) or a tokenizer to the callback"
        )
    return getattr(found, "tokenizer", found)  # a processor of text and images holds one


def _of_main_process(trainer: Trainer, found: tuple[dict[str, float], bool]) -> tuple[dict[str, float], bool]:
    """What the main process found, in all: they stop together."""
    if trainer.accelerator.num_processes == 1:
        return found
    from accelerate.utils import broadcast_object_list

    shared: list[Any] = [found]
    broadcast_object_list(shared, from_process=0)
    return shared[0]
