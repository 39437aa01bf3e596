"""Undoes what Inspect's `multiple_choice(shuffle=…)` does to a sample: it replaces what the model wrote by "ANSWER: B".

The model saw the options in another order than the dataset's. Afterwards the solver rewrites prompt and completion as
if it had not; what was written stands in the model event alone, with the letters of the order that the model saw.
"""

from __future__ import annotations

import copy
import re
import string
from collections.abc import Callable, Iterable, Sequence

from inspect_ai.event import Event, ModelEvent
from inspect_ai.model import ChatMessageAssistant, ContentReasoning, ContentText
from inspect_ai.solver import TaskState

Events = Callable[[], Iterable[Event]]

_REWRITTEN = re.compile(r"ANSWER: (?:[A-Z\d]{1,3}(?:, [A-Z\d]{1,3}){0,99})?")
_ANSWER = re.compile(r"\bANSWER\s?:\s?[*$(\[]{0,3}([A-Z](?:\s?(?:(?:,|and)\s?)?[A-Z]){0,25})(?![a-z])", re.IGNORECASE)
_SHORTEST = 4  # characters of an option whose text is told from a letter


class Unreadable(Exception):
    """What the model wrote cannot be had; the message says why."""


def may_be_rewritten(completion: str, has_options: bool) -> bool:
    """Whether a completion has the form that the solver leaves behind: then the sample's events must be looked at."""
    return has_options and _REWRITTEN.fullmatch(completion) is not None


def as_written(state: TaskState, options: Sequence[str], events: Events) -> tuple[TaskState, list[str]]:
    """The sample with the last turn as the model wrote it, letters in the dataset's order; and notes.

    The sample itself where nothing was rewritten.

    Args:
        options: their texts in the dataset's order.
        events: gives the sample's events; called where the completion may be a rewritten one.

    Raises:
        Unreadable: it was rewritten, and there is no model event, or the order that it saw cannot be told.
    """
    completion = state.output.completion
    if state.output.empty or not may_be_rewritten(completion, bool(options)):
        return state, []
    event = _written(state, events())
    if event is None:
        if any(choice.original_position != place for place, choice in enumerate(state.choices)):
            raise Unreadable("there is no model event that would say what the model wrote")
        return state, []
    if event.output.completion.strip() == completion.strip():
        return state, []
    order = _order(_prompt(event), options)
    if order is None:
        raise Unreadable("the order in which the model saw the options cannot be read from its prompt")
    message, mapped, left = _mapped(event.output.message, options, order)
    if _letters(message.text) != _letters(completion):
        raise Unreadable("the letter that it ends with is not the one that the model wrote")
    out = copy.copy(state)
    out.output = event.output.model_copy(deep=True)
    out.output.choices[0].message = message
    out.output.completion = message.text
    out.messages = [*state.messages[:-1], message]
    seen = "".join(string.ascii_uppercase[place] for place in order)
    note = f"the model saw the options in another order ({seen}); letters put back into the dataset's order: {mapped}"
    if left:
        note += f"; left as they are, since they may be no options: {left}"
    return out, [note]


def _written(state: TaskState, events: Iterable[Event]) -> ModelEvent | None:
    """The event of the turn that is the sample's output."""
    calls = [one for one in events if isinstance(one, ModelEvent) and not one.output.empty]
    own = [one for one in calls if one.output.message.id and one.output.message.id == state.output.message.id]
    return next(reversed(own or [one for one in calls if one.role is None]), None)


def _prompt(event: ModelEvent) -> str:
    return next((message.text for message in reversed(event.input) if message.role == "user"), "")


def _order(prompt: str, options: Sequence[str]) -> list[int] | None:
    """Which option, by its place in the dataset, stood in each place of a prompt's list."""
    if len(options) > len(string.ascii_uppercase):
        return None
    order: list[int] = []
    for place, letter in enumerate(string.ascii_uppercase[: len(options)]):
        below = f"\n{string.ascii_uppercase[place + 1]}) " if place + 1 < len(options) else ""
        found = [
            index
            for index, option in enumerate(options)
            if index not in order and f"\n{letter}) {option}{below}" in f"\n{prompt}"
        ]
        if not found:
            return None
        order.append(max(found, key=lambda index: len(options[index])))
    return order


def _letters(text: str) -> set[str]:
    last = next(reversed(list(_ANSWER.finditer(text))), None)
    return set() if last is None else set(re.sub(r"AND|[^A-Z]", "", last[1].upper()))


def _mapped(
    message: ChatMessageAssistant, options: Sequence[str], order: Sequence[int]
) -> tuple[ChatMessageAssistant, int, int]:
    """The message with letters in the dataset's order; how many were changed, and how many may have been meant, too."""
    letters = string.ascii_uppercase[: len(options)]
    to = {letters[place]: letters[index] for place, index in enumerate(order)}
    to |= {one.lower(): other.lower() for one, other in to.items()}
    find, lone = _patterns(options, letters)
    mapped = left = 0

    def put_back(match: re.Match[str]) -> str:
        nonlocal mapped
        name = match.lastgroup
        if name is None:  # an option's own text
            return match[0]
        start, end = match.start(name) - match.start(), match.end(name) - match.start()
        said = re.sub(r"and|or|[A-Za-z]", lambda one: to.get(one[0], one[0]), match[name])
        mapped += len(re.sub(r"and|or|[^A-Za-z]", "", match[name]))
        return match[0][:start] + said + match[0][end:]

    def read(text: str) -> str:
        nonlocal left
        left += len(lone.findall(find.sub("", text)))
        return find.sub(put_back, text)

    out = message.model_copy(deep=True)
    if isinstance(out.content, str):
        out.content = read(out.content)
    else:
        for part in out.content:
            if isinstance(part, ContentText):
                part.text = read(part.text)
            elif isinstance(part, ContentReasoning):
                part.reasoning = read(part.reasoning)
    return out, mapped, left


def _patterns(options: Sequence[str], letters: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What names options by letters, options' own texts before it; and what else may be such a letter."""
    own = sorted({re.escape(option) for option in options if len(option) >= _SHORTEST}, key=len, reverse=True)
    own = [f"(?i:{option})" for option in own]
    one = f"[{letters}]"
    several = rf"{one}(?:\s?(?:(?:,|and|or|&|/)\s?)?{one}){{0,25}}"
    named = (
        rf"(?i:\banswers?)\s?(?::|(?i:is))\s?[*$(\[]{{0,3}}(?P<said>{several}|[{letters.lower()}](?=\s*$))(?![\w'])",
        rf"(?i:\b(?:options?|choices?|letters?|answers?|alternatives?))\s[*(\[\"']{{0,3}}(?P<named>{several})(?![\w'])",
        rf"(?<![\w)\]}}])[(\[](?P<bracketed>{one})[)\]]",
        rf"^[ \t]*(?:[-*][ \t]+)?\*{{0,2}}(?P<label>{one})[.:)]",
        rf"(?<![\w(])(?P<listed>{one})\)",
        rf"\\boxed\{{(?P<boxed>{one})\}}",
    )
    rest = "".join(letter for letter in letters if letter not in "AI")
    lone = re.compile(rf"(?<![\w'’.])[{rest}](?![\w'’])" if rest else r"(?!)")
    return re.compile("|".join([*own, *named]), re.MULTILINE), lone
