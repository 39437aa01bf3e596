"""Finds the trainer that calls a callback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..callers import local_of_a_caller

if TYPE_CHECKING:
    from transformers import Trainer


def running_trainer() -> Trainer:
    """The trainer that calls the method of a callback which calls this. Raises RuntimeError where none does.

    transformers tells a callback nothing of the trainer, and only the trainer's own `log` reaches both the history and
    everything that shows it; a trainer does not exist yet where its callbacks are made.
    """
    from transformers import Trainer

    if (found := local_of_a_caller("self", lambda one: isinstance(one, Trainer))) is not None:
        return found
    raise RuntimeError(
        "StepgaugeCallback: no running Trainer of transformers is found; give it as one of its callbacks"
    )
