"""Every parser of what models write and every reader of files, on hostile input: no exception, and bounded CPU time."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import VALUES, as_json, changed, damaged, texts, timed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scoring import traces

from stepgauge.adapters.formats.detect import find_sources, items_of
from stepgauge.adapters.formats.entries import Entry, Passed, Skipped
from stepgauge.adapters.formats.options import OptionError
from stepgauge.adapters.gold import answer_in, gold_answers
from stepgauge.adapters.offline.out_folder import OutFolder, last_window
from stepgauge.adapters.offline.packed import Packer
from stepgauge.adapters.offline.run import row as written_row
from stepgauge.adapters.runs import load_runs
from stepgauge.adapters.runs.chains import scored_chains
from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.answers.extraction import extract_answer
from stepgauge.metrics.answers.finals import final_answers
from stepgauge.metrics.answers.matching import AnswerMatcher
from stepgauge.metrics.comparison import compare_runs
from stepgauge.metrics.knowledge.arithmetic.extractor import find_equations
from stepgauge.metrics.knowledge.chat.reply import BadReply, decode, read_text, read_verdict
from stepgauge.metrics.knowledge.claims.llm_reply import read_claims
from stepgauge.metrics.knowledge.claims.sentence import sentence_spans
from stepgauge.metrics.models.gguf_header import tensor_names
from stepgauge.metrics.numbers import find_numbers
from stepgauge.metrics.render import chain_table
from stepgauge.metrics.retrieval.errors import CorpusError
from stepgauge.metrics.retrieval.readers import Fields, find_source, read
from stepgauge.metrics.segment import BUILTIN_SPLITTERS, segment

pytestmark = pytest.mark.slow

LONGEST = 12_000
fuzz = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _refusing(read: Callable[[Any], object], *refusals: type[Exception]) -> Callable[[Any], None]:
    def call(given: Any) -> None:
        with contextlib.suppress(*refusals):
            read(given)

    return call


PARSERS: dict[str, Callable[[str], object]] = {
    **{
        f"splitter {name}": lambda text, one=one: segment([Trace("q", text, "2")], one)
        for name, one in BUILTIN_SPLITTERS.items()
    },
    "final answers": lambda text: final_answers([text, *text.split("\n")[:200]]),
    "extracted answer": extract_answer,
    "gold answer": answer_in,
    "gold matcher": lambda text: AnswerMatcher([text] if text.strip() else ["2"], text).states("The answer is 2."),
    "matched step": lambda text: AnswerMatcher(["x^2 + 1"], "q").states(text),
    "matched option": lambda text: AnswerMatcher(["a rat"], "q", ["a rat", "2"]).states(text),
    "numbers": find_numbers,
    "equations": find_equations,
    "sentences": lambda text: list(sentence_spans(text)),
    "verdict": _refusing(read_verdict, BadReply),
    "claims": _refusing(lambda text: read_claims(text, 5), BadReply),
    "response": _refusing(lambda text: read_text(decode(text.encode("utf-8", "replace").decode())), BadReply),
}


@pytest.mark.parametrize("name", PARSERS)
def test_parsers_of_model_text_raise_nothing_and_take_linear_time(name):
    @fuzz
    @given(texts(LONGEST))
    def check(text: str) -> None:
        timed(lambda: PARSERS[name](text), len(text))

    check()


@pytest.fixture(scope="module")
def gauge() -> Gauge:
    return Gauge(None)


def test_whole_chains_are_scored_in_linear_time(gauge):
    @fuzz
    @given(texts(4_000), texts(4_000), texts(300))
    def check(question: str, response: str, answer: str) -> None:
        trace = Trace(question, response, answer or None)
        timed(lambda: gauge.score([trace]), len(question + response + answer), start=1, per_kilobyte=0.1)

    check()


MMLU_PRO = {
    "question_id": 70,
    "question": "Which?",
    "options": ["Vitamin A", "Vitamin C"],
    "answer": "B",
    "answer_index": 1,
    "category": "health",
    "pred": "A",
    "generated_text": "The answer is (B).",
}
CHAT = {
    "id": "c",
    "model": "m",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "What is 2 plus 3?"}]},
        {"role": "assistant", "content": "2 + 3 = 5.", "reasoning_content": "Add.", "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": [{"type": "text", "text": "5"}], "tool_call_id": "1"},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "It is 5."}],
        },
    ],
    "answer": 5,
    "choices": ["5", "6"],
    "accuracy": {"exact": 1.0},
}
SAMPLE = {
    "doc_id": 0,
    "doc": {"question": "What is 2 plus 3?", "answer": "5", "choices": {"text": ["5", "6"], "label": ["A", "B"]}},
    "target": "5",
    "arguments": {"gen_args_0": {"arg_0": "Q: What is 2 plus 3?\nA:", "arg_1": {"until": []}}},
    "resps": [["2 + 3 = 5."]],
    "filtered_resps": ["5"],
    "filter": "none",
    "metrics": ["exact_match"],
    "exact_match": 1.0,
}
TRACE = traces(1, meta={"task": "t", "model": "m", "accuracy": {"exact": 1}, "doc_id": 3, "subject": "s"})[0]
ROWS = {"traces.jsonl": TRACE, "chat.jsonl": CHAT, "mmlu.json": MMLU_PRO, "samples_t.jsonl": SAMPLE}


def _log() -> bytes:
    turn = {"role": "assistant", "content": "3 * 24 = 72.", "source": "generate"}
    spec = {
        "run_id": "r",
        "created": "2025-02-07T00:00:00+00:00",
        "task": "t",
        "dataset": {},
        "model": "m",
        "config": {},
    }
    sample = {
        "id": 1,
        "epoch": 1,
        "input": "What is 3 * 24?",
        "target": "72",
        "messages": [{"role": "user", "content": "What is 3 * 24?", "source": "input"}, turn],
        "output": {"model": "m", "choices": [{"message": turn, "stop_reason": "stop"}]},
        "scores": {"match": {"value": "C", "answer": "72"}},
    }
    header = {"version": 2, "status": "success", "eval": spec, "plan": {"steps": []}, "results": {}, "stats": {}}
    return json.dumps({**header, "samples": [sample]}).encode()


def _packed(name: str, data: bytes) -> dict[str, bytes]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.jsonl", data)
    return {name: data, f"{name}.gz": gzip.compress(data), "in.zip": archive.getvalue()}


def _read_all(path: Path, gauge: Gauge, out: Path) -> None:
    """What `stepgauge score` does with a folder; the good file in it must come through."""
    found = [item for source in find_sources([str(path)]) for item in items_of(source)]
    assert all(isinstance(item, Entry | Skipped | Passed) for item in found)
    entries = [item for item in found if isinstance(item, Entry)]
    assert any(entry.where.file.endswith("good.jsonl") for entry in entries)
    scores = gauge.score([entry.trace for entry in entries])
    with OutFolder(out, {}, restart=True) as folder:
        rows = [written_row(entry, score, None) for entry, score in zip(entries, scores, strict=True)]
        folder.write_window(rows, [], window=1, last=True)


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.jsonl").write_text(json.dumps(traces(1)[0]) + "\n")
    return folder


@pytest.mark.parametrize("name", ROWS)
def test_changed_rows_cost_themselves_at_most(folder, gauge, name):
    pytest.importorskip("lm_eval")
    row = ROWS[name]

    @fuzz
    @given(changed([row]), st.booleans(), st.dictionaries(st.text(max_size=4), VALUES, max_size=1))
    def check(other: dict[str, Any], array: bool, more: dict[str, Any]) -> None:
        rows = [as_json(one) for one in (row, {**other, **more}, row)]
        text = f"[{', '.join(rows)}]" if array else "\n".join(rows)
        (folder / name).write_text(text, encoding="utf-8")
        timed(lambda: _read_all(folder, gauge, folder.parent / "out"), len(text), start=2)

    check()


@pytest.mark.parametrize("name", [*ROWS, "log.json"])
def test_damaged_files_cost_themselves_at_most(folder, gauge, name):
    pytest.importorskip("lm_eval" if name.startswith("samples") else "inspect_ai" if name == "log.json" else "json")
    data = _log() if name == "log.json" else (json.dumps(ROWS[name]) + "\n").encode() * 3
    files = {name: data} if name == "log.json" else _packed(name, data)

    @settings(fuzz, max_examples=40 if name == "log.json" else 100)
    @given(st.data())
    def check(draw: st.DataObject) -> None:
        for old in folder.iterdir():
            if old.name != "good.jsonl":
                old.unlink()
        called = draw.draw(st.sampled_from(list(files)))
        (folder / called).write_bytes(draw.draw(damaged(files[called])))
        timed(lambda: _read_all(folder, gauge, folder.parent / "out"), len(data), start=2)

    check()


@pytest.mark.parametrize("packed", [False, True], ids=["format 1", "packed"])
def test_changed_scores_cost_their_rows_at_most(tmp_path, gauge, packed):
    given_traces = [Trace.from_dict(one) for one in traces(3)]
    entries = [Entry(_where(i), trace, task="t", model="m", doc_id=i) for i, trace in enumerate(given_traces)]
    rows = [written_row(entry, score, None) for entry, score in zip(entries, gauge.score(given_traces), strict=True)]
    if packed:
        rows = [*map(Packer().pack, rows)]
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text("".join(json.dumps(one) + "\n" for one in rows))

    @settings(fuzz, max_examples=150)
    @given(changed(rows))
    def check(other: dict[str, Any]) -> None:
        bad.write_text("".join(as_json(one) + "\n" for one in (*rows[:2], other)))
        with contextlib.suppress(OptionError):  # two models, a later format
            for record in scored_chains(bad):
                chain_table(record.score, question=record.question, width=100)
            runs = load_runs([f"a={good}", f"b={bad}"])
            compare_runs(*runs)

    check()


def _where(i: int) -> Any:
    from stepgauge.adapters.formats.entries import Where

    return Where("in.jsonl", i + 1)


def test_damaged_journals_give_a_window_or_none(tmp_path):
    row = {"response": "", "score": {"steps": [], "metrics": {}, "missing": {}, "provenance": {}}}
    with OutFolder(tmp_path, {}) as out:
        for window in (1, 2):
            out.write_window([row], [], window=window, last=window == 2)
    data = (tmp_path / "windows.jsonl").read_bytes()
    whole = [json.loads(line) for line in data.splitlines()]

    @settings(fuzz, max_examples=300)
    @given(damaged(data) | changed(whole).map(lambda one: as_json(one).encode() + b"\n"))
    def check(journal: bytes) -> None:
        (tmp_path / "windows.jsonl").write_bytes(journal)
        window, end = last_window(tmp_path)
        assert 0 <= end <= len(journal)
        assert window is None or {"sizes", "counts", "last"} <= set(window)

    check()


def test_damaged_gguf_headers_are_refused_in_linear_time(tmp_path):
    def text(value: bytes) -> bytes:
        return len(value).to_bytes(8, "little") + value

    pairs = text(b"general.architecture") + b"\x08\0\0\0" + text(b"llama")
    pairs += text(b"tokens") + b"\x09\0\0\0\x08\0\0\0" + (2).to_bytes(8, "little") + text(b"a") + text(b"b")
    header = b"GGUF\x03\0\0\0" + (1).to_bytes(8, "little") + (2).to_bytes(8, "little")
    tensor = text(b"w") + b"\x01\0\0\0" + (4).to_bytes(8, "little") + b"\0" * 12
    path = tmp_path / "a.gguf"
    path.write_bytes(header + pairs + tensor)
    assert len(tensor_names(path)) == 1

    @settings(fuzz, max_examples=300)
    @given(damaged(header + pairs + tensor))
    def check(data: bytes) -> None:
        path.write_bytes(data)
        timed(lambda: _refusing(tensor_names, ValueError)(path), len(data))

    check()


def test_damaged_corpora_are_refused_by_our_own_error(tmp_path):
    row = {"id": "a", "title": "t", "text": "Iron is a metal."}

    @fuzz
    @given(st.data())
    def check(draw: st.DataObject) -> None:
        name = draw.draw(st.sampled_from(["a.jsonl", "a.jsonl.gz", "a.md"]))
        data = (as_json(draw.draw(changed([row]))) + "\n").encode() * 2
        path = tmp_path / name
        path.write_bytes(draw.draw(damaged(gzip.compress(data) if name.endswith("gz") else data)))
        _refusing(lambda one: list(read(find_source(one), Fields())), CorpusError)(path)

    check()


def test_gold_answers_of_any_value_are_refused_or_read():
    @fuzz
    @given(st.lists(VALUES, max_size=3), st.none() | st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=4))
    def check(values: list[Any], options: list[str] | None) -> None:
        plain = [value for value in values if isinstance(value, str | int | float)]
        _refusing(lambda one: gold_answers(one, options), ValueError)(plain)

    check()
