"""A number that cannot be computed is missing, and says why: it never turns into 0 or 1."""

from __future__ import annotations


class Missing(Exception):
    """Raised by a chain metric that cannot be computed for one chain; its text is the reason shown to the user."""

    @property
    def reason(self) -> str:
        return str(self)
