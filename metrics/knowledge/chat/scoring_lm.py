"""The gauge's scoring LM as one that writes JSON, for parts that ask it where no server is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ...abilities import can
from ...errors import ScorerError
from ...likelihood import LikelihoodBackend, Unscored, WritesJson
from ...optional_packages import is_installed, needs
from ..base import Surroundings
from .prompts import Prompt, read_prompt
from .reply import BadReply
from .server_options import ServerOptions

T = TypeVar("T")


def check_scoring_lm(who: str, around: Surroundings, options: ServerOptions, to: str) -> None:
    """Raises ValueError where there is no scoring LM that could write, or an option concerns a server.

    Args:
        to: what the LM is asked for ("extract with").
    """
    if given := [name for name in options.given() if name != "max_tokens"]:
        raise ValueError(
            f"{who}, option {given[0]}: it concerns a server, and none is named; give its base_url, or leave the "
            f"option out to {to} the scoring LM"
        )
    if around.scorer is None:
        raise ValueError(f"{who}: the gauge has no scoring LM (scorer=None); give a scorer, or base_url and model")
    if not is_installed("llguidance"):
        raise ValueError(needs(who, "llguidance to write with the scoring LM", "generation"))


def read_lm_prompt(who: str, kind: str, prompt: str, fields: Sequence[str]) -> Prompt:
    """The prompt, which ends where the LM's own turn begins. Raises ValueError where it does not."""
    read = read_prompt(kind, prompt, fields)
    if read.turns and read.turns[-1][0] != "assistant":
        raise ValueError(f"{who}, prompt {prompt!r}: expected an [assistant] turn at the end")
    return read


def json_writer(backend: LikelihoodBackend) -> WritesJson:
    """Raises ScorerError where it cannot generate."""
    if can(backend, WritesJson):
        return backend
    raise ScorerError(
        "the likelihood backend cannot generate (it has no method generate_json); "
        "use the backend 'hf', or name a server with base_url and model"
    )


def written_out(prompt: Prompt, backend: LikelihoodBackend) -> str:
    """A filled prompt as the LM is given it; JSON begins on a line of its own, where prompt files lose white space."""
    return backend.render_chat(prompt.messages()) if prompt.turns else f"{prompt.text}\n"


def read_reply(text: str | Unscored, read: Callable[[str], T]) -> T | Unscored:
    """What the LM wrote, or why that cannot be used."""
    if isinstance(text, Unscored):
        return text
    try:
        return read(text)
    except BadReply as error:
        return Unscored(str(error))
