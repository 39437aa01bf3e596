"""Claims of which a user knows the passages of a corpus that they are about, to try its search and floors on."""

from __future__ import annotations

from pathlib import Path

from ..formats.options import OptionError
from .files import file_rows


def read_known_claims(path: Path) -> list[tuple[str, list[str], str]]:
    """Claim, ids of its passages or documents, and where each stands, from JSON Lines, JSON or CSV.

    Fields: `claim`, a text; `passage`, an id or, in JSON, a list of ids.

    Raises:
        OptionError: names file, row and field.
    """
    out = []
    for number, row in file_rows(path, ("claim", "passage")):
        where = f"{path}, row {number}"
        claim, ids = row.get("claim"), row.get("passage")
        if not isinstance(claim, str) or not claim.strip():
            raise OptionError(f"{where}, field 'claim': expected text, got {claim!r:.80}")
        listed = ids if isinstance(ids, list) else [ids]
        named = [one.strip() for one in listed if isinstance(one, str) and one.strip()]
        if not named or len(named) < len(listed):
            raise OptionError(f"{where}, field 'passage': expected an id or a list of ids, got {ids!r:.80}")
        out.append((claim, named, where))
    if not out:
        raise OptionError(f"{path}: no claim in it")
    return out
