"""Finds the marks that set a response's sections apart: special tokens, tags, and what is left of them.

Marks are read by a rule for their form (`<|…|>`, `<|…>`, `<…|>`, `<｜…｜>`, `[|…|]`, `◁…▷`, reserved tokens such as
`<unused94>`) and by the words in their names, so that those of a model nobody has seen yet are read, too. Tags in plain
angle or square brackets may be anything (HTML, a list in Python), so there the name must be a known one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "thinking",  # what the model thinks
    "answer",  # what it delivers
    "tool_call",
    "tool_result",
    "header",  # opens a message's header: a role or channel stands behind it
    "role",  # names the role of what follows
    "message",  # ends a header
    "turn_end",
    "text_end",  # the end of all that the model had to say
    "label",  # an agent's "Action:" and the like; `word` is the kind of what follows
    "nothing",  # says nothing about sections: begin of text, padding
    "unknown",
]

_MARK = re.compile(
    r"<(?P<slash>/?)[|｜](?P<pipes>[^\s<>|｜][^<>|｜\n]{0,60}(?:[|｜]\w{1,40}(?:\s[^<>\n]{0,200})?|[|｜])?)>"
    r"|<(?P<half>/?[A-Za-z_]{3,40})\|>"
    r"|\[\|(?P<bars>/?[A-Za-z_]{3,40})\|\]"
    r"|◁(?P<triangles>/?[A-Za-z_]{3,40})▷"
    r"|<(?P<reserved>(?:unused|extra_id_|SPECIAL_|reserved_?|ctrl)\d{1,5})>"
    r"|&lt;(?P<escaped>/?[A-Za-z][A-Za-z_-]{0,30})&gt;"
    r"|\[(?P<capitals>/?[A-Z]{2,12}(?:_[A-Z]{2,12}){1,4})\]"
    r"|(?P<folded><details\s[^<>\n]{0,80}\btype=[\"']?(?:reasoning|thinking)\b[^<>\n]{0,80}>(?:\s{0,8}<summary>[^<\n]{0,80}</summary>)?)"
    r"|<<(?P<system>/?SYS)>>"
    r"|\](?P<tilde>~!?b)[\[\]]|\[(?P<tilde_end>e~)\["  # MiniMax
    r"|\[(?P<square>/?(?i:THINK|INST|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|AVAILABLE_TOOLS|SYSTEM_PROMPT|gMASK)|/?(?:THINKING|REASONING|SCRATCHPAD))\]"
    r"|<(?P<tag>/?(?:[A-Za-z]{2,12}:)?[A-Za-z][A-Za-z_-]{0,30})(?:[=\s][^<>\n]{0,200})?>"
    r"|assistant(?P<bare>analysis|commentary|final)"
)
_SENDER = re.compile(r"[A-Za-z_]{1,30}(?:\.\w{1,40})?[ ]to=$")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _phrases(listed: str) -> frozenset[str]:
    return frozenset(listed.split("|"))


_QUOTES = "`'\"“”‘’«»"

_THINKING = _words(
    "think thinking thought thoughts reasoning reason reflection rethink scratchpad analysis cot "
    "inner monologue plan planning"
)
_ANSWER = _words("answer solution response final output conclusion summary text box")
_TOOL = _words("tool tools toolcall function functions action search python interpreter invoke execute code plugin")
_RESULT = _words("result results output outputs response responses observation observations content")
_ASSISTANT = _words("assistant model chatbot ai bot gpt")
_USER = _words("user human inst")
_SYSTEM = _words("system developer sys")
_TOOL_ROLE = _words("tool function functions ipython observation environment interpreter")
_AROUND_A_ROLE = _words("im hy start begin open prefix end stop close suffix message turn role header")
_BEGIN, _END = _words("begin start open prefix"), _words("end stop close suffix")

# Names as they are written in plain brackets, without namespace.
_TAGS: dict[str, Kind] = {
    **dict.fromkeys(
        _words(
            "think thinking thought thoughts thought_process reasoning reflection rethink scratchpad "
            "scratch_pad analysis inner_monologue inner_thoughts internal_monologue chain_of_thought cot "
            "plan planning"
        ),
        "thinking",
    ),
    **dict.fromkeys(
        _words("answer final_answer final output response result solution conclusion final_response"),
        "answer",
    ),
    **dict.fromkeys(
        _words(
            "tool_call tool_calls toolcall tool_code tool_use function_call function_calls function invoke "
            "search execute_code tool python"
        ),
        "tool_call",
    ),
    **dict.fromkeys(
        _words(
            "tool_response tool_responses tool_result tool_results tool_output tool_outputs function_result "
            "function_results function_response function_output observation information search_result "
            "search_results code_output interpreter"
        ),
        "tool_result",
    ),
    **dict.fromkeys(_words("start_of_turn role"), "header"),
    **dict.fromkeys(_words("end_of_turn step summary caption"), "turn_end"),
    **dict.fromkeys(_words("eos end_of_text endoftext eod"), "text_end"),
    **dict.fromkeys(_words("bos pad sop eop unk co"), "nothing"),
}
_ROLE_TAGS = {"INST": "user", "/INST": "assistant", "SYS": "system", "SYSTEM_PROMPT": "system"}
# Structure, by the name's words without "id" and "token".
_STRUCTURE: dict[str, Kind] = {
    **dict.fromkeys(
        _phrases("im start|start header|header start|start of turn|turn|start of role|start|channel"),
        "header",
    ),
    **dict.fromkeys(_phrases("end header|header end|end of role|message|im sep|im middle|sep"), "message"),
    **dict.fromkeys(
        _phrases("im end|eot|eom|end|return|call|end of turn|endofturn|turn end|role end|assistant end|stop"),
        "turn_end",
    ),
    **dict.fromkeys(
        _phrases("endoftext|end of text|eos|end of sentence|end of document|eod|end of sequence"), "text_end"
    ),
    **dict.fromkeys(
        _phrases(
            "begin of text|startoftext|start of text|bos|begin of sentence|pad|constrain|begin of document|bom|sop"
        ),
        "nothing",
    ),
}


@dataclass(frozen=True)
class Mark:
    """A mark in the text.

    Attributes:
        closing: it ends the section that a mark of the same name opens.
        name: what it says, in lower case and without "begin", "end" and the like; a pair shares it.
        word: the role or channel that a mark of the kind `role` names.
        plain: it is a tag in plain brackets, which may be spoken of as well as used.
    """

    start: int
    end: int
    kind: Kind
    closing: bool = False
    name: str = ""
    word: str = ""
    plain: bool = False


def find_marks(text: str) -> Iterator[Mark]:
    """The marks of `text` in order. One that stands in quotes or backticks is spoken of, not used."""
    folded = False
    for match in _MARK.finditer(text):
        before, after = text[max(0, match.start() - 1) : match.start()], text[match.end() : match.end() + 1]
        if before and before in _QUOTES and after and after in _QUOTES:
            continue
        mark = _bare(text, match) if match["bare"] else _mark(match)
        folded = folded or match["folded"] is not None
        if folded and match[0].lower() == "</details>":
            mark, folded = Mark(match.start(), match.end(), "thinking", closing=True, name="details"), False
        if mark is not None:
            yield mark


def _bare(text: str, match: re.Match[str]) -> Mark:
    """A header of harmony without its tokens: "…assistantfinal…", "…functions.calc to=assistantcommentary…"."""
    start = match.start()
    sender = _SENDER.search(text[max(0, start - 80) : start])
    if sender:
        return Mark(start - len(sender[0]), match.end(), "role", word="tool")
    return Mark(start, match.end(), "role", word=match["bare"])


def _mark(match: re.Match[str]) -> Mark | None:
    form, name = match.lastgroup or "", match[match.lastgroup or 0]
    start, end = match.span()
    if form == "reserved":
        return Mark(start, end, "header", name="reserved")
    if form == "folded":  # Open WebUI
        return Mark(start, end, "thinking", name="details")
    if form == "escaped":
        return _tag(start, end, name)
    if form == "capitals":
        found = _by_words(name.lower().strip("/").split("_"), name.startswith("/"))
        marked = found is not None and found[0] in ("thinking", "tool_call", "tool_result")
        return Mark(start, end, *found) if found and marked else None
    if form in ("tilde", "tilde_end"):
        return Mark(start, end, {"~b": "header", "~!b": "nothing", "e~": "turn_end"}[name])  # type: ignore[arg-type]
    if form in ("square", "system") and name.upper() in _ROLE_TAGS:
        return Mark(start, end, "role", word=_ROLE_TAGS[name.upper()])
    if form in ("tag", "square", "system"):
        return _tag(start, end, name)
    slash = bool(match["slash"]) or name.startswith("/")
    words = [word for word in re.findall(r"[a-z]+", name.lower()) if word not in ("token", "dsml")]
    half_open = form == "pipes" and name[-1] not in "|｜"
    found = _by_words(words, slash or form == "half")
    if found is None:
        # "<|x|>" is an absolute value; an unknown name half open ("a <|b>") may be an operator.
        return (
            None if half_open or form == "half" or max(map(len, words), default=0) < 3 else Mark(start, end, "unknown")
        )
    kind, closing, base, word = found
    return Mark(start, end, kind, closing, base, word)


def _by_words(words: list[str], closing: bool) -> tuple[Kind, bool, str, str] | None:
    """(kind, closing, name, word) of a special token; None where its words say nothing."""
    name = " ".join(word for word in words if word != "id")
    if name in _STRUCTURE:
        kind = _STRUCTURE[name]
        return ("turn_end" if closing and kind == "header" else kind), closing, name, ""
    has = set(words)
    closing = closing or bool(has & _END)
    base = " ".join(word for word in words if word not in _BEGIN | _END | {"of", "section"})
    if has & _TOOL or has & {"observation"}:
        if len(has - _BEGIN - {"of"}) == 1 and has & _TOOL_ROLE:
            return "role", False, base, "tool"
        return ("tool_result" if has & _RESULT else "tool_call"), closing, base, ""
    if has & _THINKING:
        return "thinking", closing, base, ""
    if has - _AROUND_A_ROLE - _ASSISTANT - _USER - _SYSTEM - _TOOL_ROLE:
        return ("answer", closing, base, "") if has & _ANSWER else None
    for words_of_role, word in ((_ASSISTANT, "assistant"), (_USER, "user"), (_SYSTEM, "system"), (_TOOL_ROLE, "tool")):
        if has & words_of_role:
            return ("turn_end" if closing else "role"), closing, base, word
    return None


def _tag(start: int, end: int, name: str) -> Mark | None:
    """A tag in plain brackets; None for HTML and whatever else is no mark."""
    if name in ("s", "/s"):  # "<s>"; HTML's is rare beside it
        return Mark(start, end, "text_end" if name == "/s" else "nothing")
    closing = name.startswith("/")
    plain = name.lstrip("/").rpartition(":")[2].lower()
    if re.match(r"(?:start|begin|end|stop)_[a-z]+_", plain):  # "<start_function_call>", closed by "<end_…>"
        found = _by_words(plain.split("_"), closing)
        if found is not None and found[0] in ("thinking", "tool_call", "tool_result"):
            return Mark(start, end, *found)
    kind = _TAGS.get(plain) or _by_compound(name.lstrip("/").rpartition(":")[2])
    if plain in ("gmask", "available_tools"):
        kind = "nothing"
    if plain == "tool_content":
        kind = "tool_result"
    if plain == "co" or kind in ("turn_end", "text_end", "nothing"):
        return Mark(start, end, kind or "nothing", name=plain)
    if kind is None:
        return None
    if kind == "header" and closing:
        kind = "message"
    return Mark(start, end, kind, closing, plain, plain=True)


def _by_compound(name: str) -> Kind | None:
    """What a tag of several words marks, by the words: "<deep_think>", "<my-final-answer>", "<execute_python>"."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    has = {word.lower() for word in words}
    if len(words) < 2:
        return None
    if words[0] == "execute":
        return "tool_call"
    if has & _THINKING:
        return "thinking"
    return "answer" if "answer" in has else None


RoleKind = Literal["thinking", "answer", "text", "tool_call", "tool_result", "user", "system"]


def kind_of_role(word: str, recipient: str = "") -> RoleKind | None:
    """What is said in a role or channel; None for a word that is neither.

    Args:
        recipient: whom the message is for, in harmony: a tool, or the assistant.
    """
    plain = word.lower()
    head = re.split(r"[._-]", plain)[0]
    if head in _TOOL_ROLE or recipient == "assistant":
        return "tool_result"
    if recipient and recipient not in ("user", "all"):
        return "tool_call"
    if plain in _THINKING:
        return "thinking"
    if plain in _ASSISTANT or plain == "commentary":
        return "text"
    if plain in _ANSWER:
        return "answer"
    if plain in _USER:
        return "user"
    return "system" if plain in _SYSTEM else None
