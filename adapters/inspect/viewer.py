"""Colours for our columns in the sample list of Inspect's log viewer, which shows them as heat maps."""

from __future__ import annotations

from typing import Any

from inspect_ai.viewer import ScoreColorScale, TaskSamplesView, ViewerConfig

from ...metrics.chain import ChainMetric
from ...metrics.columns import METRICS

_PALETTES = {True: "good-high", False: "good-low", None: "neutral"}


def viewer_config(own: ViewerConfig | None = None) -> ViewerConfig:
    """A task's viewer configuration with a colour scale for each of our numbers: `Task(…, viewer=viewer_config())`.

    Shares are coloured from 0 to 1, other numbers from the least to the greatest in the log; the direction is that of
    `stepgauge metrics`.

    Args:
        own: what the task has; a colour that it sets itself stays.
    """
    own = own or ViewerConfig()
    views = own.task_samples_view or TaskSamplesView(name="stepgauge")
    coloured = [_coloured(view) for view in views] if isinstance(views, list) else _coloured(views)
    return own.model_copy(update={"task_samples_view": coloured})


def _coloured(view: TaskSamplesView) -> TaskSamplesView:
    scales: dict[str, Any] = {name: _scale(metric) for name, metric in METRICS.items()}
    return view.model_copy(update={"score_color_scales": {**scales, **(view.score_color_scales or {})}})


def _scale(metric: ChainMetric) -> ScoreColorScale:
    low, high = (0.0, 1.0) if metric.unit == "share" else (None, None)
    return ScoreColorScale(palette=_PALETTES[metric.higher_is_better], min=low, max=high)  # type: ignore[arg-type]
