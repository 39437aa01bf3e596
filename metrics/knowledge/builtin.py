"""stepgauge's own claim extractor and judge, registered like any plugin's."""

from __future__ import annotations

from collections.abc import Callable

from ..hookspecs import hookimpl
from .arithmetic import ARITHMETIC
from .base import ClaimExtractor, Judge, Surroundings
from .exact import ExactJudge


@hookimpl
def register_claim_extractors(register: Callable[[ClaimExtractor], None]) -> None:
    register(ARITHMETIC)


@hookimpl
def register_judges(register: Callable[[str, Callable[..., Judge]], None]) -> None:
    register(ExactJudge.name, _exact)


def _exact(around: Surroundings) -> Judge:
    del around
    return ExactJudge()
