"""Citations of American cases ("347 U.S. 483"), read by eyecite (Free Law Project, BSD-2), an optional package."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import StepgaugeError
from ...optional_packages import is_installed, needs

# eyecite takes about 10 ms for a thousand characters.
_READ = 20_000


class CasesError(StepgaugeError, ValueError):
    """Cases cannot be read."""


def check_cases() -> None:
    """Raises CasesError, naming the extra, where eyecite is not installed."""
    if not is_installed("eyecite"):
        raise CasesError(needs("claim extractor 'citations' with cases", "eyecite", "law"))


def find_cases(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and corrected citation of each full case citation in the first 20,000 characters."""
    from eyecite import get_citations
    from eyecite.models import FullCaseCitation

    for citation in get_citations(text[:_READ]):
        if isinstance(citation, FullCaseCitation):
            yield *citation.span(), citation.corrected_citation()
