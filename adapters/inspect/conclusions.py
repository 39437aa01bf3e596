"""What the chains of each task say, printed when its run ends: Inspect's panel holds numbers alone."""

from __future__ import annotations

import functools
import shutil
import textwrap

from inspect_ai.hooks import Hooks, RunEnd, SampleEnd, TaskEnd, hooks
from inspect_ai.util import display_type

from ...metrics.conclusion import Conclusion
from ...metrics.judge_measures.lines import Judges
from ...metrics.printable import printable
from ..grades import accuracy_of
from ..scored import is_chain, restore


@functools.cache
def print_conclusions() -> None:
    """From now on print a conclusion when a run ends.

    The hook is made by the first chain that is scored, not when Inspect loads our entry point: Inspect announces every
    hook that it finds at its start, also to those whose tasks do not use stepgauge.
    """

    @hooks(name="conclusions", description="Says in words what the chains of a task show.")
    class Conclusions(Hooks):
        def __init__(self) -> None:
            self._of_task: dict[str, Conclusion] = {}
            self._judges: dict[str, Judges] = {}
            self._said: dict[str, list[str]] = {}

        async def on_sample_end(self, data: SampleEnd) -> None:
            sample = data.sample
            for score in (sample.scores or {}).values():
                if is_chain(score.metadata):
                    conclusion = self._of_task.setdefault(data.eval_id, Conclusion())
                    chain = restore(score.metadata, "metadata")
                    conclusion.add(
                        chain, question=str(sample.id), accuracy=next(iter(accuracy_of(sample).values()), None)
                    )
                    self._judges.setdefault(data.eval_id, Judges()).add(chain)
                    break

        async def on_task_end(self, data: TaskEnd) -> None:
            if conclusion := self._of_task.pop(data.eval_id, None):
                title = f"{data.log.eval.task} ({data.log.eval.model})"
                said = self._said.setdefault(data.run_id, [])
                said.append(f"{title}: {' '.join(conclusion.sentences())}")
                said += self._judges.pop(data.eval_id, Judges()).lines()

        async def on_run_end(self, data: RunEnd) -> None:
            said = self._said.pop(data.run_id, [])
            if said and display_type() != "none":
                width = shutil.get_terminal_size().columns
                print("\n".join(["", *(textwrap.fill(printable(text), width) for text in said)]))
