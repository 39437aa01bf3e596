"""Shows one chain's scores in a score's `explanation`, which Inspect's log viewer renders as Markdown."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from ...metrics import ChainScore, StepScore
from ...metrics.printable import printable
from ...metrics.render import chain_table

SHOWN_STEPS = 200
SHOWN_CHARACTERS = 1000


def explain(score: ChainScore, metrics: Sequence[str]) -> str:
    """The step table, then why any of `metrics` is missing, then notes, as one code block.

    A long chain is cut for display; `Score.metadata` holds all of it.
    """
    table = chain_table(_excerpt(score)).rstrip()
    lines = [table]
    if len(score.steps) > SHOWN_STEPS:
        lines.append(f"  the first {SHOWN_STEPS} of {len(score.steps)} steps; the metadata holds all")
    for name in metrics:
        reason = f"no {name}: {score.missing.get(name)}"
        if name in score.missing and reason not in table:
            lines.append(f"  {reason}")
    lines += [f"  note: {note}" for note in score.notes]
    return fenced("\n".join(lines))


def fenced(text: str) -> str:
    """`text` as a Markdown code block.

    Nothing a model wrote can turn into markup in there: the fence is longer than any run of backticks in the text,
    and characters that would move a terminal's cursor or reverse the reading direction are replaced.
    """
    text = "\n".join(map(printable, text.split("\n")))
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


@dataclasses.dataclass(frozen=True)
class _Excerpt(ChainScore):
    """A chain score with fewer steps that still knows how many there were."""

    all_steps: int = 0

    @property
    def n_steps(self) -> int:
        return self.all_steps


def _excerpt(score: ChainScore) -> ChainScore:
    fields = {field.name: getattr(score, field.name) for field in dataclasses.fields(score)}
    fields["steps"] = [_shortened(step) for step in score.steps[:SHOWN_STEPS]]
    return _Excerpt(**fields, all_steps=score.n_steps)


def _shortened(step: StepScore) -> StepScore:
    if len(step.text) <= SHOWN_CHARACTERS:
        return step
    return dataclasses.replace(step, text=step.text[:SHOWN_CHARACTERS] + " …")
