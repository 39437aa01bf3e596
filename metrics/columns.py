"""Which numbers a table shows by default and in what order: one place for every table.

What a number is (unit, direction, one sentence of meaning) stands beside its formula, in its `ChainMetric`; `METRICS`
collects them. `stepgauge metrics` and docs/metrics.md print both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .abstention.metric import ABSTENTION_METRICS
from .chain import ChainMetric
from .controls.copy_model import COPY_METRICS
from .controls.gain_over import control_metrics
from .controls.texts import CONTROLS
from .infogain import BEFORE, INFOGAIN_METRICS, REFERENCE_METRICS
from .ki import EVIDENCE_METRICS, FAILURE_METRICS, KI_METRICS
from .names import unknown_name
from .own_option import OWN_OPTION_METRICS
from .reliance.metric import RELIANCE_METRICS, own_gain_metrics
from .reliance.regrown_metric import REGROWN_METRICS

# Computed for every chain.
ALWAYS = (*INFOGAIN_METRICS, *COPY_METRICS, *OWN_OPTION_METRICS, *KI_METRICS, *FAILURE_METRICS, *ABSTENTION_METRICS)
# Computed where an option asks for them. All but the first and those of `regrow` need a scoring LM.
WITH_OPTION: Mapping[str, Sequence[ChainMetric]] = {
    "judges that need evidence": EVIDENCE_METRICS,
    "variant=reference": REFERENCE_METRICS,
    **{f"controls={name}": control_metrics([name]) for name in CONTROLS},
    "reliance": RELIANCE_METRICS,
    **{f"reliance, controls={name}": own_gain_metrics([name]) for name in CONTROLS},
    "regrow": REGROWN_METRICS,
}
_OPTIONAL = {metric.name: metric for metrics in WITH_OPTION.values() for metric in metrics}
_OF_RELIANCE = {one.name for option, metrics in WITH_OPTION.items() if "reliance" in option for one in metrics}
_REGROWN = {one.name for one in REGROWN_METRICS}
# Every number of stepgauge's own by name; plugins bring others.
METRICS: Mapping[str, ChainMetric] = {**{metric.name: metric for metric in ALWAYS}, **_OPTIONAL}

# Of what options add every table shows all, but of reliance and of what is written anew these alone.
RELIANCE_COLUMNS = (
    f"early_answer_area{BEFORE}",
    f"necessary_share{BEFORE}",
    f"true_thinking{BEFORE}",
)
REGROWN_COLUMNS = ("answer_kept_share", "answer_kept_share_unchanged", "mistake_effect")
# The five numbers that every table shows beside accuracy; these three need a scoring LM.
GAIN_COLUMNS = (f"infogain_nats{BEFORE}", "infogain_nats", "infogain")  # Inspect's scorer `infogain`
EVIDENCE_COLUMNS = tuple(metric.name for metric in EVIDENCE_METRICS)  # beside these, where evidence was judged
KNOWLEDGE_COLUMNS = ("ki", "ki_coverage")  # Inspect's scorer `knowledge`
CHAIN_COLUMNS = (*GAIN_COLUMNS, *KNOWLEDGE_COLUMNS)  # lm-eval, `score`, Inspect's scorer `reasoning`
ALL = "all"  # the option `metrics` with this value shows every number
# A chain in `show`.
SHOW_COLUMNS = (f"infogain_nats{BEFORE}", "infogain_nats", "leak_share", "infogain", *KNOWLEDGE_COLUMNS)
# A control's gain means little without the gain it is set against, and what copying alone gains.
CONTROL_COLUMNS = ("infogain_nats", f"infogain_nats{BEFORE}", "copy_gain_nats", f"copy_gain_nats{BEFORE}")
# The report's table of runs and the facts on a chain's page.
REPORT_RUN_COLUMNS = (f"infogain_nats{BEFORE}", "infogain_nats", *KNOWLEDGE_COLUMNS, "n_steps")
REPORT_CHAIN_COLUMNS = (f"infogain_nats{BEFORE}", "infogain_nats", "infogain", "entropy_drop_bits", "ki", "ki_coverage")

_OF_RESPONSE = ("n_steps", "commit_step", *(metric.name for metric in ABSTENTION_METRICS))
_OF_CLAIMS = tuple(metric.name for metric in (*KI_METRICS, *FAILURE_METRICS))
_OF_TEXT = ("answer_step", *(metric.name for metric in COPY_METRICS))
_OF_OPTIONS = tuple(
    metric.name
    for metric in (*INFOGAIN_METRICS, *OWN_OPTION_METRICS)
    if metric.name.startswith(("entropy_drop", "gold_probability", "own_probability"))
)

_SHOWN: Mapping[str, Sequence[str]] = {
    "lm-eval": CHAIN_COLUMNS,
    "Inspect": CHAIN_COLUMNS,
    "score": CHAIN_COLUMNS,
    "show": (*SHOW_COLUMNS, "n_steps"),
    "report": (*REPORT_RUN_COLUMNS, *REPORT_CHAIN_COLUMNS),
}


def table_columns(
    known: Iterable[str],
    usual: Sequence[str] = CHAIN_COLUMNS,
    *,
    chosen: Sequence[str] | None = None,
    has_scorer: bool = True,
) -> list[str]:
    """The columns of a table, by name, in order.

    Args:
        known: names of all numbers that the chains have.
        usual: the table's own columns.
        chosen: what the user asked for instead of the usual columns and those that options add; `all` for every one.
        has_scorer: whether a scoring LM computes likelihoods; without one, columns that need them are left out.

    Raises:
        ValueError: a chosen name that no number has; says which is nearest.
    """
    known = list(known)
    if chosen and ALL in chosen:
        return known
    for name in chosen or ():
        if name not in known:
            raise ValueError(unknown_name("metric", name, [*known, ALL]))
    options = [name for name in known if _is_added(name)]
    if not has_scorer:
        usual = [name for name in usual if name not in GAIN_COLUMNS]
        options = [name for name in options if name in _REGROWN or name in EVIDENCE_COLUMNS]
    default = [*usual, *options]
    return list(dict.fromkeys([*(chosen or default), *_of_plugins(known)]))


def shows_reliance(columns: Iterable[str]) -> bool:
    """Whether any of the columns is a number of reliance."""
    return any(name in _OF_RELIANCE for name in columns)


def shows_regrown(columns: Iterable[str]) -> bool:
    """Whether any of the columns is a number of ends that were written anew."""
    return any(name in _REGROWN for name in columns)


def shows_evidence(columns: Iterable[str]) -> bool:
    """Whether any of the columns is a share of the claims judged by evidence."""
    return any(name in EVIDENCE_COLUMNS for name in columns)


def added_columns(known: Iterable[str]) -> list[str]:
    """Of the numbers that a chain has, those that every table shows since an option or a plugin added them."""
    known = list(known)
    return [*(name for name in known if _is_added(name)), *_of_plugins(known)]


def shown_in(name: str) -> list[str]:
    """The doors whose tables show a number by default; those added by an option or a plugin are shown in each."""
    return [door for door, columns in _SHOWN.items() if name in columns or _is_added(name) or name not in METRICS]


def default_order() -> list[str]:
    """Every number that some table shows by default, once."""
    return list(dict.fromkeys(name for columns in _SHOWN.values() for name in columns))


def unit_of(name: str) -> str:
    """The unit of a chain's number; "" for one of a plugin, whose scores may be here without it."""
    return METRICS[name].unit if name in METRICS else ""


def needs_of(name: str) -> str:
    """What a chain must have for a number of stepgauge's own, and what must run: "" where the response is enough."""
    if name in _OF_RESPONSE:
        return ""
    if name in _OF_CLAIMS:
        return "claims, judges"
    if name in EVIDENCE_COLUMNS:
        return "claims, judges that need evidence"
    if name in _OF_TEXT:
        return "gold answer"
    if name in _OF_RELIANCE:
        return "scoring LM, own answer"
    if name in _REGROWN:
        return "model under test, own answer"
    options = ", answer options" if name in _OF_OPTIONS else ""
    return f"scoring LM, gold answer{options}"


def _is_added(name: str) -> bool:
    if name in _OF_RELIANCE or name in _REGROWN:
        return name in RELIANCE_COLUMNS or name in REGROWN_COLUMNS
    return name in _OPTIONAL


def _of_plugins(known: Iterable[str]) -> list[str]:
    return [name for name in known if name not in METRICS]
