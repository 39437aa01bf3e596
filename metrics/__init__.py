"""The metric core: InfoGain and the Knowledge Index of chains of thought. Imports no evaluation framework.

>>> from stepgauge.metrics import Gauge, Trace
>>> gauge = Gauge(scorer="smollm2")
>>> scores = gauge.score([Trace(question="…", response="…", answer="72")])
"""

from .chain import Chain, ChainMetric, Likelihoods
from .engine.statistics import EngineStatistics
from .errors import Missing, OutOfMemory, OverlapError, ScorerError, StepgaugeError
from .format_version import FormatError
from .gauge import Gauge
from .hookspecs import hookimpl
from .models.in_memory import ModelInMemory
from .score import ChainScore, ControlScore, StepScore
from .templates import ChatTemplate, PlainTemplate, PromptTemplate
from .trace import Step, Trace

__all__ = [
    "Chain",
    "ChainMetric",
    "ChainScore",
    "ChatTemplate",
    "ControlScore",
    "EngineStatistics",
    "FormatError",
    "Gauge",
    "Likelihoods",
    "Missing",
    "ModelInMemory",
    "OutOfMemory",
    "OverlapError",
    "PlainTemplate",
    "PromptTemplate",
    "ScorerError",
    "Step",
    "StepScore",
    "StepgaugeError",
    "Trace",
    "hookimpl",
]
