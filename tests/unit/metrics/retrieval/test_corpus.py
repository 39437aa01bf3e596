"""Corpora: what is read, how it is cut, and that only a complete, undamaged corpus ever opens."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from corpora import HashEncoder, build, chunks_of, contents, jsonl
from repo import REPO
from sweeps import sweep

from stepgauge.adapters.cli import main
from stepgauge.metrics.retrieval.chunks import chunk
from stepgauge.metrics.retrieval.corpus import Corpus
from stepgauge.metrics.retrieval.encoders import DenseOptions
from stepgauge.metrics.retrieval.errors import CorpusError
from stepgauge.metrics.retrieval.manifest import damaged_files
from stepgauge.metrics.retrieval.readers import Fields, find_source, read
from stepgauge.metrics.retrieval.store import StoreWriter, TextStore

SAMPLE = Path(str(files("stepgauge.tasks"))) / "samples" / "corpus"
ROWS = [
    {"id": "a", "title": "Heart", "text": "The heart pumps blood."},
    {"id": "b", "title": "Lung", "text": "Lungs take up oxygen."},
]


def documents(path: Path, **fields):
    return [(doc.id, doc.title, doc.text) for doc in read(find_source(path), Fields(**fields))]


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_recursively_in_path_order_plain_and_gzipped(tmp_path):
    jsonl(tmp_path / "b.jsonl.gz", ROWS[1:])
    jsonl(tmp_path / "a" / "x.jsonl", ROWS[:1])
    jsonl(tmp_path / ".hidden" / "x.jsonl", ["broken"])
    (tmp_path / "README.md").write_text("# About\nthis folder")
    assert documents(tmp_path) == [tuple(row.values()) for row in ROWS]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"id": "n_1", "title": "T", "content": "inner", "contents": "T. inner"}, "inner"),
        ({"id": "n_1", "title": "T", "contents": "T. inner"}, "T. inner"),
        ({"id": "n_1", "title": "T", "text": "own", "content": "inner"}, "own"),
    ],
)
def test_medrag_rows_are_read_by_their_own_field_names(tmp_path, row, text):
    jsonl(tmp_path / "chunk" / "Book.jsonl", [row])
    jsonl(tmp_path / "other.jsonl", ["not read, because there is a folder chunk\n"])
    assert documents(tmp_path) == [("n_1", "T", text)]


def test_named_fields_replace_the_usual_ones(tmp_path):
    row = {"id": 7, "source": "NIH", "question": "Why?", "answer": "So.", "text": "no", "title": "no"}
    path = jsonl(tmp_path / "x.jsonl", [row])
    assert documents(path, title="question", text="answer") == [("7", "Why?", "So.")]
    assert documents(path, id="source, id", text="answer") == [("NIH/7", "no", "So.")]
    assert documents(path, id=":row", text="answer") == [("x.jsonl:1", "no", "So.")]


def test_text_and_markdown_files_are_documents_named_by_their_path(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "notes.txt").write_text("Ünïcode text", encoding="utf-8")
    (tmp_path / "page.md").write_text("intro\n\n## The heart\npumps", encoding="utf-8-sig")
    assert documents(tmp_path) == [
        ("page.md", "The heart", "intro\n\n## The heart\npumps"),
        ("sub/notes.txt", "notes", "Ünïcode text"),
    ]


@pytest.mark.parametrize(
    ("line", "fields", "says"),
    [
        ('{"id": "x", "text"\n', {}, ("x.jsonl, row 2", "JSON")),
        ("[1]\n", {}, ("x.jsonl, row 2", "JSON object")),
        ("[" * 100_000 + "\n", {}, ("x.jsonl, row 2", "JSON")),
        ({"id": "x"}, {}, ("row 2", "'text'", "--text-field", "'id'")),
        ({"id": "x", "text": None}, {}, ("row 2", "'text'", "None")),
        ({"id": "x", "text": 3}, {}, ("row 2", "'text'", "3")),
        ({"text": "t"}, {}, ("row 2", "'id'", "--id-field")),
        ({"id": ["x"], "text": "t"}, {}, ("row 2", "'id'", "['x']")),
        ({"id": True, "text": "t"}, {}, ("row 2", "'id'", "True")),
        ({"id": "", "text": "t"}, {}, ("row 2", "'id'", "empty")),
        ({"id": "x", "title": 5, "text": "t"}, {}, ("row 2", "'title'", "5")),
    ],
)
def test_a_bad_row_is_refused_with_file_row_and_field(tmp_path, line, fields, says):
    path = jsonl(tmp_path / "x.jsonl", [ROWS[0], line])
    with pytest.raises(CorpusError) as error:
        documents(path, **fields)
    assert all(part in str(error.value) for part in says), str(error.value)


def test_a_named_title_field_must_be_there_but_the_usual_one_need_not(tmp_path):
    path = jsonl(tmp_path / "x.jsonl", [{"id": "x", "text": "t"}, {"id": "y", "title": None, "text": "t"}])
    assert [title for _, title, _ in documents(path)] == ["", ""]
    with pytest.raises(CorpusError, match=r"row 1, field 'question'.*--title-field"):
        documents(path, title="question")


def test_bytes_that_are_not_utf8_are_refused_with_their_row(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(json.dumps(ROWS[0]).encode() + b'\n{"id": "x", "text": "caf\xe9"}\n')
    with pytest.raises(CorpusError, match=r"x.jsonl, row 2: not UTF-8"):
        documents(path)


def test_a_gzip_stream_that_is_cut_short_is_refused(tmp_path):
    path = jsonl(tmp_path / "x.jsonl.gz", [{"id": str(i), "text": os.urandom(50).hex()} for i in range(500)])
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CorpusError, match=r"x.jsonl.gz, after row \d+: cannot be read"):
        documents(path)


@pytest.mark.parametrize(
    ("name", "says"), [("none", "no such"), ("x.xyz", "expected a file"), ("empty", "no document")]
)
def test_a_source_without_documents_is_refused(tmp_path, name, says):
    (tmp_path / "x.xyz").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=says):
        find_source(tmp_path / name)


# --- chunks and their store ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "words", "overlap", "expected"),
    [
        (0, 4, 1, []),
        (3, 4, 1, [(0, 3)]),
        (4, 4, 1, [(0, 4)]),
        (5, 4, 1, [(0, 4), (3, 5)]),
        (10, 4, 1, [(0, 4), (3, 7), (6, 10)]),
        (6, 2, 0, [(0, 2), (2, 4), (4, 6)]),
        (4, 3, 2, [(0, 3), (1, 4)]),
    ],
)
def test_chunks_are_windows_of_words_that_overlap_and_cover_the_text(n, words, overlap, expected):
    text = " ".join(f"w{i}" for i in range(n))
    assert [part.split() for part in chunk(text, words, overlap)] == [
        [f"w{i}" for i in range(a, b)] for a, b in expected
    ]


def test_a_chunk_is_cut_out_of_the_text_as_it_stands():
    assert list(chunk("  one\n\n two\tthree ", 2, 0)) == ["one\n\n two", "three"]


def test_text_without_blanks_is_bounded_too():
    parts = list(chunk("x" * 2_000_000, 200, 0))
    assert max(map(len, parts)) == 200 * 64
    assert "".join(parts) == "x" * 2_000_000


@pytest.mark.parametrize(("words", "overlap"), [(0, 0), (5, 5), (5, -1)])
def test_windows_that_do_not_move_are_refused(tmp_path, words, overlap):
    with pytest.raises(CorpusError, match="chunks of"):
        build(SAMPLE, tmp_path / "c", chunk_words=words, overlap=overlap)


def test_the_store_gives_back_what_was_written(tmp_path):
    rows = [("1", "", "x"), ("ü", "Tïtle 𝔘", "心臓\x00\n"), ("3", "t", "half a pair \ud800 here")]
    with StoreWriter(tmp_path) as store:
        for row in rows:
            store.add(*row)
    rows[2] = ("3", "t", "half a pair ? here")
    assert list(TextStore(tmp_path)) == rows
    assert [TextStore(tmp_path)[i] for i in range(3)] == rows
    with pytest.raises(IndexError):
        TextStore(tmp_path)[3]


@pytest.mark.slow
def test_opening_and_reading_a_corpus_makes_no_object_per_chunk(tmp_path):
    def blocks(n: int) -> int:
        rows = [{"id": str(i), "text": f"word{i} is here"} for i in range(n)]
        build(jsonl(tmp_path / f"{n}.jsonl", rows), tmp_path / f"c{n}")
        before = sys.getallocatedblocks()
        corpus = Corpus(tmp_path / f"c{n}")
        index = corpus.bm25()
        assert len(corpus.passages(index.search(["here"], 5)[0])) == 5
        return sys.getallocatedblocks() - before

    blocks(10)  # imports
    assert blocks(20_000) < blocks(20) + 2_000


# --- building --------------------------------------------------------------------------------------------------------


def test_the_embedded_corpus_builds_and_its_manifest_says_how(tmp_path):
    built = build(SAMPLE, tmp_path / "c")
    manifest = json.loads((tmp_path / "c" / "manifest.json").read_text())
    assert built.built
    assert built.manifest == manifest
    assert manifest["counts"] == {"documents": 65, "empty": 0, "chunks": 65}
    assert manifest["source"]["files"] == 1
    assert manifest["versions"]["bm25s"]
    assert manifest["built"].endswith("+00:00")
    assert manifest["dense"] is None
    assert str(tmp_path) not in json.dumps(manifest)
    rows = [json.loads(line) for line in (SAMPLE / "medical.jsonl").read_text().splitlines()]
    assert chunks_of(tmp_path / "c") == [(row["id"], row["title"], row["text"]) for row in rows]
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_chunk_ids_are_stable_and_name_their_document(tmp_path):
    rows = [{"id": "long", "title": "T", "text": "a b c d e"}, {"id": "short", "title": "", "text": "a b"}]
    source = jsonl(tmp_path / "x.jsonl", rows)
    build(source, tmp_path / "c", chunk_words=3, overlap=1)
    assert chunks_of(tmp_path / "c") == [("long#1", "T", "a b c"), ("long#2", "T", "c d e"), ("short", "", "a b")]


def test_documents_without_text_are_left_out_and_counted(tmp_path):
    source = jsonl(tmp_path / "x.jsonl", [ROWS[0], {"id": "e", "text": ""}, {"id": "f", "text": " \n"}, "\n", ROWS[1]])
    built = build(source, tmp_path / "c")
    assert built.manifest["counts"] == {"documents": 4, "empty": 2, "chunks": 2}


@pytest.mark.parametrize("text", ["", "   ", "... !?"])
def test_a_corpus_without_words_is_refused_and_leaves_nothing_behind(tmp_path, text):
    source = jsonl(tmp_path / "x.jsonl", [{"id": "e", "text": text}])
    with pytest.raises(CorpusError, match=r"no document with text|no chunk holds a word"):
        build(source, tmp_path / "c")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([ROWS[0], ROWS[1], {**ROWS[1], "id": "a"}], ("row 3", "'a'", "x.jsonl, row 1")),
        ([{"id": "a", "text": "one two three four"}, {"id": "a#2", "text": "x"}], ("row 2", "'a#2'", "row 1")),
        ([{"id": "a", "text": "one two three four"}, {"id": "a", "text": "x"}], ("row 2", "'a'", "row 1")),
    ],
)
def test_an_id_that_is_taken_is_refused_with_both_rows(tmp_path, rows, says):
    source = jsonl(tmp_path / "x.jsonl", rows)
    with pytest.raises(CorpusError) as error:
        build(source, tmp_path / "c", chunk_words=2, overlap=0)
    assert all(part in str(error.value) for part in (*says, "--id-field")), str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.jsonl"]


def test_building_again_with_the_same_input_does_nothing(tmp_path):
    source = jsonl(tmp_path / "x.jsonl", ROWS)
    build(source, tmp_path / "c")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "c").iterdir()}
    again = build(source, tmp_path / "c")
    assert not again.built
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "c").iterdir()} == before


@pytest.mark.parametrize(
    "change",
    [
        {"rows": [*ROWS, {"id": "c", "text": "new"}]},
        {"options": {"chunk_words": 3, "overlap": 0}},
        {"options": {"fields": Fields(title="text")}},
    ],
)
def test_another_source_or_option_replaces_the_corpus(tmp_path, change):
    source = jsonl(tmp_path / "x.jsonl", ROWS)
    first = build(source, tmp_path / "c")
    jsonl(source, change.get("rows", ROWS))
    second = build(source, tmp_path / "c", **change.get("options", {}))
    assert second.built
    assert second.manifest["key"] != first.manifest["key"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "x.jsonl"]


def test_a_build_that_fails_leaves_the_old_corpus_as_it_was(tmp_path):
    source = jsonl(tmp_path / "x.jsonl", ROWS)
    build(source, tmp_path / "c")
    before = contents(tmp_path / "c")
    jsonl(source, [ROWS[0], "broken\n"])
    with pytest.raises(CorpusError, match="row 2"):
        build(source, tmp_path / "c")
    assert contents(tmp_path / "c") == before
    assert len(Corpus(tmp_path / "c")) == 2


def test_a_folder_with_other_files_and_a_file_are_not_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(CorpusError, match="other files"):
        build(SAMPLE, tmp_path / "mine")
    with pytest.raises(CorpusError, match="found a file"):
        build(SAMPLE, tmp_path / "mine" / "thesis.txt")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    assert build(SAMPLE, tmp_path / "empty").built


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks there")
def test_two_builds_of_one_corpus_do_not_mix(tmp_path):
    import fcntl

    work = tmp_path / ".c.building"
    work.mkdir()
    with (work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CorpusError, match="another build"):
            build(SAMPLE, tmp_path / "c")
    assert build(SAMPLE, tmp_path / "c").built


def test_a_source_that_changes_meanwhile_is_noticed(tmp_path):
    source = jsonl(tmp_path / "x.jsonl", ROWS)

    def encoder():
        jsonl(source, [*ROWS, {"id": "c", "text": "late"}])
        return HashEncoder()

    with pytest.raises(CorpusError, match="changed while"):
        build(source, tmp_path / "c", dense=DenseOptions("hash"), encoder=encoder)
    assert not (tmp_path / "c").exists()
    assert build(source, tmp_path / "c").manifest["counts"]["chunks"] == 3


# --- interruptions ---------------------------------------------------------------------------------------------------


# What ends the process in mid-build, as `kill -9` does: no handler runs, no file is closed.
KILL = "import os, signal\ndef die(*a, **k): os.kill(os.getpid(), signal.SIGKILL)\n"
KILLED_IN = {
    "reading": "from stepgauge.metrics.retrieval import store\nreal, n = store.StoreWriter.add, [0]\n"
    "def add(*a):\n    n[0] += 1\n    return die() if n[0] > 400 else real(*a)\nstore.StoreWriter.add = add\n",
    "counting": "from stepgauge.metrics.retrieval import bm25_index\nbm25_index._postings = die\n",
    "postings": "import numpy\nnumpy.lib.format.open_memmap = die\n",
    "manifest": "from stepgauge.metrics.retrieval import manifest\nmanifest.write = die\n",
    "hashing": "from stepgauge.metrics.retrieval import manifest\nmanifest.describe_files = die\n",
    "moving": "from stepgauge.metrics.retrieval import build\nbuild._move = die\n",
}

RESUMED = {
    "reading": (),
    "counting": ("texts",),
    "postings": ("texts",),
    "manifest": ("texts", "bm25", "floors"),
    "hashing": ("texts", "bm25", "floors"),
    "moving": (),
}


@pytest.fixture(scope="module")
def big(tmp_path_factory) -> Path:
    rows = [{"id": str(i), "title": f"t{i % 7}", "text": f"word{i} and word{i % 50} again"} for i in range(2500)]
    folder = tmp_path_factory.mktemp("big")
    for start in range(0, 2500, 500):
        jsonl(folder / f"{start:04}.jsonl", rows[start : start + 500])
    return folder


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize(
    ("where", "replacing"),
    sweep(
        itertools.product(KILLED_IN, [False, True]),
        [("postings", True), ("hashing", False)],
    ),
)
def test_a_killed_build_never_loads_and_the_next_one_equals_a_clean_one(tmp_path, big, where, replacing):
    dest = tmp_path / "c"
    if replacing:  # a corpus from which most is kept
        before = Path(shutil.copytree(big, tmp_path / "before"))
        jsonl(before / "0500.jsonl", ROWS)
        build(before, dest)
        shutil.rmtree(before)
    code = KILL + KILLED_IN[where] + "import sys\nfrom stepgauge.adapters.cli import main\nmain(sys.argv[1:])"
    command = [sys.executable, "-c", code, "corpus", "build", str(big), str(dest)]
    killed = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    if replacing:
        assert len(Corpus(dest)) == 2002
    else:
        with pytest.raises(CorpusError, match="no such folder"):
            Corpus(dest)
    if where != "moving":  # by then it is complete
        with pytest.raises(CorpusError):
            Corpus(tmp_path / ".c.building")
    rebuilt = build(big, dest)
    assert rebuilt.built
    assert rebuilt.resumed == RESUMED[where]
    build(big, tmp_path / "clean")
    assert contents(dest) == contents(tmp_path / "clean")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "clean"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("torn", sweep([0, 13], [13]))
def test_a_killed_encoding_goes_on_where_it_stopped(tmp_path, big, torn):
    pytest.importorskip("faiss")
    code = (
        "import sys\nsys.path.append(sys.argv[3])\nfrom corpora import HashEncoder, build\n"
        "from stepgauge.metrics.retrieval.encoders import DenseOptions\n"
        "build(sys.argv[1], sys.argv[2], dense=DenseOptions('hash'), encoder=lambda: HashEncoder(kill_after=2048))"
    )
    command = [sys.executable, "-c", code, str(big), str(tmp_path / "c"), str(REPO / "tests" / "support")]
    assert subprocess.run(command, capture_output=True, check=False, timeout=120).returncode == -signal.SIGKILL
    work = tmp_path / ".c.building"
    assert (work / "vectors.f32.tmp").stat().st_size == 2048 * 8 * 4
    with (work / "vectors.f32.tmp").open("ab") as file:
        file.write(b"\x00" * torn)
    encoder = HashEncoder()
    built = build(big, tmp_path / "c", dense=DenseOptions("hash"), encoder=lambda: encoder)
    assert built.resumed == ("texts", "bm25")
    assert encoder.encoded == 2500 - 2048
    build(big, tmp_path / "clean", dense=DenseOptions("hash"), encoder=HashEncoder)
    assert contents(tmp_path / "c") == contents(tmp_path / "clean")


def test_what_an_interrupted_build_of_other_input_left_is_not_used(tmp_path, big):
    work = tmp_path / ".c.building"
    work.mkdir()
    (work / "stages.json").write_text(json.dumps({"key": "other", "done": {"texts": {"chunks": 1}, "bm25": {}}}))
    (work / "texts.utf8").write_text("something else")
    assert build(big, tmp_path / "c").resumed == ()
    assert len(Corpus(tmp_path / "c")) == 2500


# --- damage ----------------------------------------------------------------------------------------------------------

DAMAGE = {
    "no folder": (lambda c: c.rename(c.with_name("gone")), "no such folder"),
    "no manifest": (lambda c: (c / "manifest.json").unlink(), "no manifest.json"),
    "manifest cut": (lambda c: (c / "manifest.json").write_text('{"format": 1, "ke'), "manifest.json is damaged"),
    "manifest empty": (lambda c: (c / "manifest.json").write_text("{}"), "manifest.json is damaged"),
    "manifest a list": (lambda c: (c / "manifest.json").write_text("[]"), "manifest.json is damaged"),
    "manifest bare": (lambda c: (c / "manifest.json").write_text('{"format": 2}'), "manifest.json is damaged"),
    "other version": (lambda c: (c / "manifest.json").write_text('{"format": 1}'), r"format is 1.*reads format 2"),
    "texts cut": (lambda c: os.truncate(c / "texts.utf8", 10), r"texts.utf8 has 10 bytes, expected \d+"),
    "index cut": (lambda c: os.truncate(c / "bm25.data.npy", 200), r"bm25.data.npy has 200 bytes"),
    "index missing": (lambda c: (c / "bm25.indptr.npy").unlink(), "bm25.indptr.npy is missing"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_corpus_does_not_open_and_can_be_built_again(tmp_path, kind):
    damage, says = DAMAGE[kind]
    corpus = tmp_path / "c"
    build(SAMPLE, corpus)
    damage(corpus)
    with pytest.raises(CorpusError, match=says) as error:
        Corpus(corpus)
    assert "stepgauge corpus build" in str(error.value)
    assert build(SAMPLE, corpus).built
    assert len(Corpus(corpus)) == 65


@pytest.mark.parametrize("name", ["bm25.data.npy", "bm25.vocabulary.npy", "bm25.indptr.npy", "offsets.i64"])
def test_an_index_with_a_broken_head_is_called_damaged(tmp_path, name):
    corpus = tmp_path / "c"
    build(SAMPLE, corpus)
    with (corpus / name).open("r+b") as file:
        file.write(b"\xff" * 64)
        if name == "offsets.i64":
            file.seek(-8, os.SEEK_END)
            file.write(b"\xff" * 8)
    with pytest.raises(CorpusError, match=r"damaged|do not fit"):
        Corpus(corpus).bm25()
    assert damaged_files(corpus) == [name]


# --- command line ----------------------------------------------------------------------------------------------------


def test_the_command_builds_says_when_there_is_nothing_to_do_and_checks(tmp_path, capsys):
    source, dest = jsonl(tmp_path / "x.jsonl", [{"id": 1, "q": "Heart", "a": "The heart pumps"}]), tmp_path / "c"
    command = ["corpus", "build", str(source), str(dest), "--title-field", "q", "--text-field", "a", "--words", "2"]
    command += ["--overlap", "1"]
    assert main(command) == 0
    assert "1 documents, 2 chunks" in capsys.readouterr().out
    assert chunks_of(dest) == [("1#1", "Heart", "The heart"), ("1#2", "Heart", "heart pumps")]
    assert main(command) == 0
    assert "up to date" in capsys.readouterr().out
    assert main(["corpus", "check", str(dest)]) == 0
    with (dest / "texts.utf8").open("r+b") as file:
        file.write(b"X")
    assert main(["corpus", "check", str(dest)]) == 2
    assert "texts.utf8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--query-encoder", "x"], "--query-encoder needs --dense"),
        (["--pooling", "cls"], "--pooling needs --dense"),
        (["--dense", "m", "--dense-index", "Nonsense"], "Nonsense"),
        (["--text-field", "none"], "medical.jsonl, row 1, field 'none'"),
    ],
)
def test_what_the_user_can_mend_is_one_line_on_stderr(tmp_path, capsys, options, says):
    assert main(["corpus", "build", str(SAMPLE), str(tmp_path / "c"), *options]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
