"""Documents and tool results of a chat are given passages, whichever API wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stepgauge import Gauge
from stepgauge.adapters.formats.chat import reader
from stepgauge.adapters.formats.entries import Unreadable, Where
from stepgauge.adapters.formats.passages import MAX_PASSAGES
from stepgauge.adapters.formats.sources import Source

TABLE = "| | 2019 | 2018 |\n|---|---|---|\n| Other | 44.1 | 56.7 |"
ASKED: dict[str, Any] = {"role": "user", "content": "What was Other in 2019?"}
LOOKS = {"role": "assistant", "content": "I look."}
BLOCK = {"type": "text", "text": TABLE}
SAID: dict[str, Any] = {"role": "assistant", "content": "Other was 44.1 in 2019.\nOther was 65.7 in 2018."}


class _Settings:
    turns = None


def passages(row: dict[str, Any]) -> Any:
    source = Source.__new__(Source)
    object.__setattr__(source, "settings", _Settings())
    [entry] = reader(source)(Where(Path("chats.jsonl"), 1), {"answer": "44.1", **row})
    return entry.trace.meta.get("passages"), entry


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"messages": [ASKED, SAID], "passages": [TABLE]}, "document 1"),
        ({"messages": [ASKED, SAID], "passages": [{"id": "10-K, page 4", "text": TABLE}]}, "10-K, page 4"),
        ({"messages": [ASKED, SAID], "documents": [{"id": "d7", "data": {"title": "10-K", "snippet": TABLE}}]}, "d7"),
        (
            {"messages": [ASKED, SAID], "documents": [{"title": "T", "table": [["", "2019"], ["Other", 44.1]]}]},
            "T",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "document",
                                "title": "10-K",
                                "source": {"type": "text", "media_type": "text/plain", "data": TABLE},
                            },
                            {"type": "text", "text": ASKED["content"]},
                        ],
                    },
                    SAID,
                ]
            },
            "10-K",
        ),
        (
            {"messages": [ASKED, LOOKS, {"role": "tool", "content": TABLE}, SAID]},
            "tool result 1",
        ),
        (
            {
                "messages": [
                    ASKED,
                    {"role": "assistant", "content": [{"type": "tool_use", "name": "read", "input": {}}]},
                    {"role": "user", "content": [{"type": "tool_result", "content": [BLOCK]}]},
                    SAID,
                ]
            },
            "tool result 1",
        ),
    ],
    ids=["texts", "named", "cohere", "rows", "attached", "tool", "tool-block"],
)
def test_evidence_comes_with_the_chat_and_verdicts_name_it(row: dict[str, Any], name: str) -> None:
    found, entry = passages(row)
    assert [one["id"] for one in found] == [name]
    assert not any("not read" in note for note in entry.notes)
    gauge = Gauge(scorer=None, claims=["figures"], judges=["table"], retriever="given", splitter="lines")
    [score] = gauge.score([entry.trace])
    verdicts = [verdict for step in score.steps for verdict in step.verdicts]
    assert verdicts[-2].label == "supported"
    assert verdicts[-2].evidence[0].id == f"{name}: table 1, row 'Other', column '2019'"


def test_a_chat_without_documents_has_no_passages() -> None:
    assert passages({"messages": [ASKED, SAID]})[0] is None


def test_too_many_tool_results_are_cut_with_a_note() -> None:
    tools = [{"role": "tool", "content": f"result {i}"} for i in range(MAX_PASSAGES + 5)]
    found, entry = passages({"messages": [ASKED, *tools, SAID]})
    assert len(found) == MAX_PASSAGES
    assert any(f"only the first {MAX_PASSAGES}" in note for note in entry.notes)


@pytest.mark.parametrize("wrong", ["text", [3], [{"id": "x"}]])
def test_documents_that_are_none_are_named(wrong: Any) -> None:
    with pytest.raises(Unreadable, match="field 'documents'"):
        passages({"messages": [ASKED, SAID], "documents": json.loads(json.dumps(wrong))})
