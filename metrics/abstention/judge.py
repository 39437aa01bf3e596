"""The abstention judge: asks a model of an OpenAI-compatible server whether a response answers or abstains.

Question and response leave this machine for the `base_url` that the user names; nothing else does: the judge sees no
gold answer and not whether the question should have been left unanswered. A call that fails leaves the response
undetermined, with the error.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..answers.abstaining import EMPTY, Outcome, Stance
from ..knowledge.chat.batch import Chat, Totals, make_chat
from ..knowledge.chat.fencing import defuse, fence
from ..knowledge.chat.injection import without_orders
from ..knowledge.chat.reply import BadReply, last_answer, objects, shown
from ..knowledge.chat.server_options import ServerOptions
from ..likelihood import Unscored
from ..names import unknown_name
from ..trace import Trace
from .rule import visible

log = logging.getLogger(__name__)

WHO = "judge 'abstention'"
_OUTCOMES: Mapping[str, Outcome] = {"answers": "answered", "abstains": "abstained", "undetermined": "undetermined"}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "description": "one sentence"},
        "verdict": {"type": "string", "enum": list(_OUTCOMES)},
    },
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
_MAX_REPLY = 20_000
_QUESTION, _BEGINNING, _END = 8_000, 2_000, 12_000  # characters that are shown


class AbstentionJudge:
    """Judges responses in parallel; its name is "openai:" and the model."""

    def __init__(self, model: str, chat: Chat[Stance, Totals]) -> None:
        self.name = f"openai:{model}"
        self._chat = chat

    def judge(self, traces: Sequence[Trace]) -> list[Stance]:
        """A stance per trace, in order. Never raises for what a server or a model did."""
        found = self._chat.ask([_message(trace) for trace in traces], "responses", lambda _: None)
        log.info("judge %s of abstention so far: %s", self.name, self._chat.totals.spent())
        return [
            EMPTY
            if one is None
            else Stance("undetermined", f"{WHO}: {one.reason}")
            if isinstance(one, Unscored)
            else one
            for one in found
        ]

    def close(self) -> None:
        """Stop the workers and close the connections and the cache."""
        self._chat.close()


def make_judge(given: str | Mapping[str, Any]) -> AbstentionJudge | None:
    """The judge that the gauge's option `abstention` asks for; None for "rule".

    Raises:
        ValueError: an option that is not known or wrong, or the `openai` package is not installed.
    """
    if given == "rule":
        return None
    if not isinstance(given, Mapping) or given.get("name") != "openai":
        name = given.get("name") if isinstance(given, Mapping) else given
        raise ValueError(unknown_name("abstention", str(name), ("rule", "openai")))
    options = {name: value for name, value in given.items() if name != "name"}
    known = [field.name for field in dataclasses.fields(ServerOptions)]
    for name in options:
        if name not in known:
            raise ValueError(f"{WHO}: {unknown_name('option', name, known)}")
    server = ServerOptions(**options)
    chat = make_chat(
        WHO,
        server,
        prompt=("abstention", "openai"),
        cache_folder="abstention",
        schema=("verdict", _SCHEMA),
        read=read_stance,
        totals=Totals(),
    )
    return AbstentionJudge(str(server.model), chat)


def _message(trace: Trace) -> str | None:
    """The user message: JSON keeps each text within its field, the fence keeps it apart from instructions."""
    response = visible(trace.response)
    if not response:
        return None
    if len(response) > _BEGINNING + _END:
        response = f"{response[:_BEGINNING]}\n[…]\n{response[-_END:]}"
    response = without_orders(response)[0]
    texts = {"question": defuse(trace.question[-_QUESTION:]), "response": defuse(response)}
    return fence(json.dumps(texts, ensure_ascii=False, indent=1))


def read_stance(text: str) -> Stance:
    """The verdict in a reply: the JSON object that ends it. Raises BadReply for anything else."""
    if len(text) > _MAX_REPLY:
        raise BadReply(f"the reply has {len(text)} characters, more than {_MAX_REPLY}")
    found = [one["verdict"] for one in objects(last_answer(text)) if "verdict" in one]
    if len(set(map(str, found))) != 1 or not isinstance(found[0], str) or found[0] not in _OUTCOMES:
        raise BadReply(f"the reply holds no one verdict of {', '.join(_OUTCOMES)}: {shown(text)}")
    outcome = _OUTCOMES[found[0]]
    return Stance(outcome, f"{WHO} says so" if outcome == "undetermined" else "")
