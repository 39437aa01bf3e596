"""What a plugin's part must and can do is declared as protocols, from which the part need not derive.

`likelihood.py` declares them for backends, `knowledge/base.py` for claim extractors, retrievers and judges.
"""

from __future__ import annotations

import copy
import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from types import UnionType
from typing import Any, TypeGuard, TypeVar, get_args, get_origin, get_type_hints

from .errors import THIRD_PARTY, StepgaugeError, said

Ability = TypeVar("Ability")
Made = TypeVar("Made")

# What people give where a protocol declares the type; texts are collections, too, but none that is meant.
_MEANT: Mapping[Any, Any] = {frozenset: Collection, float: (int, float)}


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
    """Refuse a part that lacks what its kind must have, or has an ability under a misspelt name.

    What a part has besides is its own affair. Taken for misspelt is only what is one slip of the keys from an ability
    that the part lacks (a letter left out or too much, two swapped) and could be that ability: a method for a method, a
    value of the declared type for a value. A judge's own text `label` is no misspelt set of `labels`.

    Args:
        who: names the part in the message.
        kind: a protocol that the part must meet.
        abilities: protocols that it may meet.

    Raises:
        ValueError: names what the part lacks, and the nearest name that it has instead; or what looking at it raised.
    """
    try:
        wrong = _lack(part, kind) or _slip(part, kind, abilities)
    except THIRD_PARTY as error:  # a property of a third party's
        raise ValueError(f"{who}: it cannot be looked at: {said(error)}") from error
    if wrong:
        raise ValueError(f"{who}: {wrong}")


def _lack(part: object, kind: type) -> str | None:
    required = _declared(kind)
    for name, is_method in required.items():
        if not hasattr(part, name) or (is_method and not callable(getattr(part, name))):
            near = difflib.get_close_matches(name, _own(part, required), n=1)
            return f"it has {_misspelt(near[0], name) if near else f'no {name!r}'}"
    return None


def _slip(part: object, kind: type, abilities: Sequence[type]) -> str | None:
    declared = {name: ability for ability in abilities for name in _declared(ability)}
    own = _own(part, {**_declared(kind), **declared})
    for name, ability in declared.items():
        if not hasattr(part, name):
            for given in own:
                if _one_slip(given, name) and _could_be(inspect.getattr_static(part, given, None), name, ability):
                    return f"it has {_misspelt(given, name)}"
    return None


def _own(part: object, declared: Collection[str]) -> list[str]:
    return [name for name in dir(part) if not name.startswith("_") and name not in declared]


def _one_slip(given: str, meant: str) -> bool:
    short, long = sorted((given, meant), key=len)
    if len(short) == len(long):
        swapped = (short[:i] + short[i + 1] + short[i] + short[i + 2 :] for i in range(len(short) - 1))
        return given != meant and long in swapped
    return len(long) == len(short) + 1 and any(short == long[:i] + long[i + 1 :] for i in range(len(long)))


def _could_be(value: object, name: str, ability: type) -> bool:
    """Whether something, not evaluated where it is a property, could be what a protocol declares under a name."""
    if _declared(ability)[name]:
        return callable(value) or isinstance(value, classmethod | staticmethod)
    if isinstance(value, str):
        return False
    hint = get_type_hints(ability)[name]
    kinds: Sequence[Any] = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return any(isinstance(value, _MEANT.get(kind, kind)) for kind in [get_origin(kind) or kind for kind in kinds])


def _misspelt(given: str, meant: str) -> str:
    return f"{given!r}; did you mean {meant!r}?"


def _declared(protocol: type) -> dict[str, bool]:
    """The names that a protocol declares, with whether each is a method."""
    names = [*inspect.get_annotations(protocol), *vars(protocol)]
    return {name: callable(vars(protocol).get(name)) for name in names if not name.startswith("_")}
