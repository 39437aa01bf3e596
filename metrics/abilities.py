"""What a plugin's part must and can do is declared as protocols, from which the part need not derive.

`likelihood.py` declares them for backends, `knowledge/base.py` for claim extractors, retrievers and judges.
"""

from __future__ import annotations

import copy
import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeGuard, TypeVar

from .errors import THIRD_PARTY, StepgaugeError, said

Ability = TypeVar("Ability")
Made = TypeVar("Made")

_ALIKE = 0.8  # how alike a name must be to one that the part may have


def can(part: object, ability: type[Ability]) -> TypeGuard[Ability]:
    """Whether a part has everything that a protocol declares.

    Unlike `isinstance`, it asks the part's `__getattr__`, too: a part may wrap another.
    """
    return all(hasattr(part, name) for name in _declared(ability))


def is_ours(function: object) -> bool:
    """Whether a function, method or class is stepgauge's own code, and not a third party's."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__module__", None)).partition(".")[0] == __name__.partition(".")[0]


def copies(function: object, *given: Any) -> tuple[Any, ...]:
    """What a function is given: a third party's gets copies, so that it changes nothing that others are given."""
    return given if is_ours(function) else copy.deepcopy(given)


def call_factory(who: str, function: Callable[..., Made], *given: Any, **options: Any) -> Made:
    """What a part's factory makes or says.

    Raises ValueError naming `who` where a third party's raises what is no error of ours, or calls `sys.exit`: the run
    must not end with exit code 0.
    """
    try:
        return function(*given, **options)
    except StepgaugeError:
        raise
    except THIRD_PARTY as error:
        if is_ours(function) and not isinstance(error, SystemExit):
            raise
        raise ValueError(f"{who}: {said(error)}") from error


def check_part(who: str, part: object, kind: type, *abilities: type) -> None:
    """Refuse a part that lacks what its kind must have, or has something that is all but called like an ability.

    Args:
        who: names the part in the message.
        kind: a protocol that the part must meet.
        abilities: protocols that it may meet.

    Raises:
        ValueError: names what the part lacks, and the nearest name that it has instead.
    """
    required = _declared(kind)
    optional = {name: method for ability in abilities for name, method in _declared(ability).items()}
    own = [name for name in dir(part) if not name.startswith("_") and name not in {*required, *optional}]
    for name, is_method in required.items():
        if not hasattr(part, name) or (is_method and not callable(getattr(part, name))):
            near = difflib.get_close_matches(name, own, n=1)
            raise ValueError(f"{who}: it has {_misspelt(near[0], name) if near else f'no {name!r}'}")
    for name, is_method in optional.items():
        alike = [one for one in own if callable(inspect.getattr_static(part, one, None)) == is_method]
        if not hasattr(part, name) and (near := difflib.get_close_matches(name, alike, n=1, cutoff=_ALIKE)):
            raise ValueError(f"{who}: it has {_misspelt(near[0], name)}")


def _misspelt(given: str, meant: str) -> str:
    return f"{given!r}; did you mean {meant!r}?"


def _declared(protocol: type) -> dict[str, bool]:
    """The names that a protocol declares, with whether each is a method."""
    names = [*inspect.get_annotations(protocol), *vars(protocol)]
    return {name: callable(vars(protocol).get(name)) for name in names if not name.startswith("_")}
