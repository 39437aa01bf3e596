"""Prompts are text files: the shipped ones in the folder `prompt_texts` beside this module, or a user's own.

A file is plain text with placeholders such as `{claim}`. Lines `[system]`, `[user]` and `[assistant]` make turns of it,
which a chat template renders; without them the text is used as it stands. Lines at the top that begin with `#` are
comments, and white space at the end is left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...names import unknown_name

SHIPPED = Path(__file__).parent / "prompt_texts"
_ROLE = re.compile(r"^\[(system|user|assistant)\][ \t]*\n?", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Prompt:
    """One prompt file.

    Attributes:
        name: the shipped prompt's name, or the file's.
        text: the text of a prompt without turns; "" for one with turns.
        turns: (role, text) pairs in order; empty for a prompt without turns.
    """

    name: str
    text: str = ""
    turns: Sequence[tuple[str, str]] = ()

    def fill(self, values: Mapping[str, str]) -> Prompt:
        """The prompt with its placeholders replaced, in one pass: placeholders inside a value are left alone."""
        return Prompt(
            self.name, _fill(self.text, values), tuple((role, _fill(text, values)) for role, text in self.turns)
        )

    def digest(self) -> str:
        """16 hex digits of the text, for a result's provenance: another wording has others."""
        return hashlib.sha256(repr((self.text, self.turns)).encode("utf-8", "replace")).hexdigest()[:16]

    def messages(self) -> list[dict[str, str]]:
        """The turns as a chat template takes them."""
        return [{"role": role, "content": text} for role, text in self.turns]


def read_prompt(kind: str, given: str, placeholders: Sequence[str], optional: Sequence[str] = ()) -> Prompt:
    """The shipped prompt `<kind>_<given>.txt`, or the one in the file `given` (a path that ends in ".txt").

    Args:
        kind: what the prompt is for, the first part of the shipped files' names.
        placeholders: what the caller fills in; each must occur once, and no other.
        optional: what it fills in, too, where the prompt has it, once.

    Raises:
        ValueError: no such prompt, a file that cannot be read, or placeholders missing, repeated or unknown.
    """
    if not isinstance(given, str):
        raise ValueError(f"prompt {given!r}: expected a name or a path to a .txt file")
    known = {path.stem.removeprefix(f"{kind}_"): path for path in SHIPPED.glob(f"{kind}_*.txt")}
    if given not in known and not given.endswith(".txt"):
        raise ValueError(f"{unknown_name('prompt', given, known)}; or a path to a .txt file")
    path = known.get(given) or Path(given)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"prompt {given!r}: the file cannot be read ({error})") from error
    return _parse(given if given in known else path.stem, text, placeholders, optional)


def _parse(name: str, text: str, placeholders: Sequence[str], optional: Sequence[str]) -> Prompt:
    lines = text.splitlines(keepends=True)
    while lines and lines[0].startswith("#"):
        del lines[0]
    text = "".join(lines)
    found = _PLACEHOLDER.findall(text)
    for placeholder in [*placeholders, *(one for one in optional if one in found)]:
        if found.count(placeholder) != 1:
            raise ValueError(f"prompt {name!r}: expected {{{placeholder}}} once, found it {found.count(placeholder)}×")
    for placeholder in found:
        if placeholder not in (known := [*placeholders, *optional]):
            raise ValueError(f"prompt {name!r}: {unknown_name('placeholder', placeholder, known)}")
    before, *parts = _ROLE.split(text)
    if not parts:
        return Prompt(name, text=text.rstrip())
    if before.strip():
        raise ValueError(f"prompt {name!r}: text before the first turn: {before.strip()!r:.60}")
    return Prompt(name, turns=tuple((role, part.strip()) for role, part in zip(parts[::2], parts[1::2], strict=True)))


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match.group(1)], text)
