"""Makes text from models safe for the page: cuts long texts, escapes markup, keeps JSON inside its script element."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import Any

from markupsafe import Markup, escape

from ...metrics.printable import clean

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def clip(text: object, limit: int) -> str:
    """Cleaned text cut to `limit` characters; a note at its end counts the characters left out."""
    whole = str(text)
    if len(whole) <= limit:
        return clean(whole)
    return f"{clean(whole[:limit])} … [{len(whole) - limit:,} more characters left out]"


def one_line(text: object, limit: int) -> str:
    """Cleaned text on one line, for a table cell; an ellipsis marks a cut."""
    whole = str(text)
    short = " ".join(clean(whole[: 4 * limit]).split())
    return short if len(short) <= limit and len(whole) <= 4 * limit else short[: limit - 1] + "…"


def finite(value: Any, digits: int = 6) -> float | None:
    """A number for JSON, to `digits` significant digits; None for nan, infinities and None."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def json_block(value: Any) -> Markup:
    """Strict JSON that is safe inside `<script type="application/json">`, whatever strings it contains."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup("".join(_ESCAPES.get(char, char) for char in text))


def with_code(text: str) -> Markup:
    """Escaped text in which `names` between backticks are marked up as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # an unpaired backtick
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part) for i, part in enumerate(parts)
    )


def csp_hash(source: str) -> str:
    """The Content-Security-Policy source that allows exactly this inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
