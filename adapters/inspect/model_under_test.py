"""For `scorer: self`: the model that is being evaluated, where Inspect holds it in memory."""

from __future__ import annotations

from typing import Any

from inspect_ai.model import Model, get_model
from inspect_ai.model._model import active_model

from ...metrics import ModelInMemory, ScorerError
from ...metrics.models.in_memory import SELF


def is_known() -> bool:
    """Whether there is a model under test by now: a scorer may be made before."""
    return active_model() is not None


def model_under_test(tested: Model | None = None) -> ModelInMemory:
    """The model of the task that calls this, or the one that is given.

    Raises:
        ScorerError: there is none, or it is not of Inspect's provider `hf`: its weights are not in this process.
    """
    if tested is None and not is_known():
        raise ScorerError(f"scorer {SELF!r}: no model is being evaluated; name the scorer")
    tested = tested or get_model()
    api: Any = tested.api
    try:
        found = ModelInMemory(api.model, api.tokenizer, api.model.config._name_or_path or api.model_name)
    except AttributeError as error:
        raise ScorerError(
            f"scorer {SELF!r}: the model under test is {tested!s}, and only Inspect's provider `hf` holds its weights "
            "here; name the scorer, and for one on a server its backend"
        ) from error
    found.check()  # raises for a model of another library
    return found
