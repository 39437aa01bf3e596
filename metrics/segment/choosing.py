"""Finds the splitter that a user names, with the options given for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..abilities import call_factory
from ..names import lookup, unknown_name
from .base import Splitter


def splitter_of(
    given: str | Mapping[str, Any] | Splitter,
    splitters: Mapping[str, Splitter],
    around: Any,
    whose: Callable[[str], str] = lambda _: "",
) -> Splitter:
    """The splitter to use.

    Args:
        given: a name among `splitters`, {"name": …, option: value}, or a splitter.
        around: what is offered to a splitter that is configured (`knowledge.base.Surroundings`).
        whose: " of DISTRIBUTION" for a third party's splitter, by name.

    Raises:
        ValueError: an unknown name or option, or an option of its that is wrong.
    """
    options: dict[str, Any] = {}
    if isinstance(given, Mapping):
        options = dict(given)
        name = options.pop("name", None)
        if not isinstance(name, str):
            raise ValueError(f"splitter {given!r:.80}: expected a name, or options with a 'name'")
    elif isinstance(given, str):
        name = given
    elif isinstance(given, Splitter):
        return given
    else:
        raise ValueError(f"splitter {given!r:.80}: expected a name, options with a 'name', or a Splitter")
    found = lookup("splitter", splitters, name)
    if found.configure is None:
        if options:
            raise ValueError(f"splitter {name!r} takes no options, and was given {next(iter(options))!r:.80}")
        return found
    parameters = inspect.signature(found.configure).parameters
    allowed = [key for key, one in parameters.items() if one.kind == one.KEYWORD_ONLY]
    for option in options:
        if option not in allowed:
            raise ValueError(f"splitter {name!r}: {unknown_name('option', option, allowed)}")
    return call_factory(f"splitter {name!r}{whose(name)}", found.configure, around, **options)
