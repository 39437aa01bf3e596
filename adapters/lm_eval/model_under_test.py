"""For `scorer: self` and for `regrow`: the model that the running evaluation asks, where lm-eval holds it in memory."""

from __future__ import annotations

from typing import Any

from lm_eval.api.model import LM

from ...metrics import ModelInMemory, ScorerError
from ...metrics.models.in_memory import SELF
from ..callers import local_of_a_caller


def model_under_test() -> ModelInMemory:
    """The model of the `lm_eval.evaluate` that calls a task, which calls this.

    Raises:
        ScorerError: it is not of lm-eval's kind `hf`, so that its weights are not in this process.
    """
    lm = running_model(f"scorer {SELF!r}")
    try:
        model, tokenizer = lm.model, lm.tokenizer  # of `hf` and its subclasses; `--use_cache` passes them through
    except AttributeError as error:
        raise ScorerError(
            f"scorer {SELF!r}: the model under test is a {type(getattr(lm, 'lm', lm)).__name__}, and only lm-eval's "
            "`hf` holds its weights here; name the scorer, and for one on a server its backend"
        ) from error
    adapters = [part for part in (getattr(lm, "peft", None), getattr(lm, "delta", None)) if isinstance(part, str)]
    found = ModelInMemory(model, tokenizer, _source(lm, model), adapters, revision=getattr(lm, "revision", None))
    found.check()  # raises for a model of another library
    return found


def running_model(who: str) -> Any:
    """The `LM` of the running evaluation, in its cache where it has one.

    lm-eval tells a task nothing of it: it is a variable of the function that runs the tasks.

    Args:
        who: what needs it, for the message.

    Raises:
        ScorerError: there is none.
    """
    # `--use_cache` wraps it in a class that is no LM.
    found = local_of_a_caller("lm", lambda one: isinstance(one, LM) or isinstance(getattr(one, "lm", None), LM))
    if found is not None:
        return found
    raise ScorerError(f"{who}: no running evaluation of lm-eval is found, and so no model under test")


def _source(lm: Any, model: Any) -> str | None:
    given = getattr(lm, "pretrained", None)
    return (given if isinstance(given, str) else getattr(model.config, "_name_or_path", None)) or None
