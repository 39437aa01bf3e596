"""Keeps an API key out of what is kept: servers send keys back, in error messages, in echoed requests, in replies."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

MASK = "***"

_LEAST = 4  # characters; "x" is a key that says "no key", and masking it would leave no reply readable
_LEAST_INSIDE = 8  # characters of base64 that are not found by chance
_BACKSLASHES = 8  # JSON in JSON in JSON; bounded, so that the time is linear in the text


def masker(key: str | None) -> Callable[[str], str]:
    """A function that masks `key` in a text.

    It knows the key as it stands, with characters escaped as JSON (nested, too), URLs and HTML escape them, in hex and
    in base64, of which also what a longer text that holds the key has for it ("Basic user:key"). Takes time linear in
    the text.
    """
    if key is None or len(key) < _LEAST:
        return str
    data = key.encode("utf-8", "surrogatepass")
    plain = "".join(map(_character, key))
    inside = []
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        code = base64.b64encode(bytes(before) + data).decode()[first:last]
        if len(code) >= _LEAST_INSIDE:
            inside += [re.escape(code), re.escape(code.translate(str.maketrans("+/", "-_")))]
    pattern = re.compile("|".join([plain, f"(?i:{data.hex()})", *inside]))
    return lambda text: pattern.sub(MASK, text)


def _character(one: str) -> str:
    """Matches a character as it stands or as some notation escapes it."""
    code = ord(one)
    escapes = [rf"\\{{0,{_BACKSLASHES}}}{re.escape(one)}"]
    if code <= 0xFFFF:
        escapes.append(rf"\\{{1,{_BACKSLASHES}}}(?i:u{code:04x})")
    escapes.append("".join(f"(?i:%{byte:02x})" for byte in one.encode("utf-8", "surrogatepass")))
    escapes.append(rf"&#(?:{code}|(?i:x{code:x}));")
    return f"(?:{'|'.join(escapes)})"
