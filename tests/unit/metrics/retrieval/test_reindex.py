"""A corpus built again after its source changed: nothing is done twice, and it is what a build from scratch makes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from corpora import HashEncoder, build, chunks_of, contents, jsonl
from repo import REPO
from sweeps import sweep

from stepgauge.adapters.cli import main
from stepgauge.metrics.retrieval import dense_index
from stepgauge.metrics.retrieval.build import Built
from stepgauge.metrics.retrieval.corpus import Corpus
from stepgauge.metrics.retrieval.encoders import DenseOptions
from stepgauge.metrics.retrieval.errors import CorpusError
from stepgauge.metrics.versions import package_version

DENSE = DenseOptions("hash")
# As many passages are encoded again to see whether the encoder still gives the vectors that are kept.
PROBES = range(8, 17)


def again(source: Path, dest: Path, *, dense: DenseOptions | None = DENSE, **options) -> tuple[Built, int]:
    """Build into `dest`, compare with a build from scratch, and count the passages encoded, probes included."""
    if dense is not None:
        pytest.importorskip("faiss")
    encoder = HashEncoder()
    built = build(source, dest, dense=dense, encoder=lambda: encoder, **options)
    clean = dest.with_name("clean")
    scratch = build(source, clean, dense=dense, encoder=HashEncoder, **options)
    assert contents(dest) == contents(clean)
    dated = ("built",)
    assert {k: v for k, v in built.manifest.items() if k not in dated} == {
        k: v for k, v in scratch.manifest.items() if k not in dated
    }
    for path in clean.iterdir():
        path.unlink()
    clean.rmdir()
    return built, encoder.encoded


def kept(built: Built) -> tuple[int, ...]:
    return tuple(built.kept[name] for name in ("documents", "chunks", "vectors") if name in built.kept)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Six documents in five files, and two files that are left out."""
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a.txt").write_text("The heart pumps blood through the body.")
    (source / "b.md").write_text("# Lungs\n\nThey take up oxygen.")
    (source / "c.html").write_text("<h1>Liver</h1>It makes bile.<h2>Cells</h2>Hepatocytes.")
    (source / "copy.txt").write_text("The heart pumps blood through the body.")
    (source / "d.csv").write_text("id,text\nr1,Kidneys filter blood.\n")
    (source / "prices.csv").write_text("item,price\nx,1\n")
    (source / "sub" / "e.txt").write_text("Nerves carry signals.")
    return source


def append(name: str, text: str):
    return lambda source: (source / name).write_text((source / name).read_text() + text)


def swap(source: Path) -> None:
    a, e = source / "a.txt", source / "sub" / "e.txt"
    first, second = a.read_bytes(), e.read_bytes()
    a.write_bytes(second)
    e.write_bytes(first)


# What changed; documents, chunks and vectors that are kept; passages encoded beside the probes.
CHANGES = {
    "a sentence is added": (append("b.md", " Twice."), (5, 5, 5), 1),
    "only white space at the end": (append("b.md", "\n"), (5, 5, 6), 0),
    "a title is changed": (lambda s: (s / "b.md").write_text("# Lung\n\nThey take up oxygen."), (5, 5, 5), 1),
    "one section of two": (lambda s: append("c.html", " And more.")(s), (4, 4, 5), 1),
    "a file is added in front": (lambda s: (s / "0.txt").write_text("Skin keeps water in."), (6, 6, 6), 1),
    "a file is deleted": (lambda s: (s / "d.csv").unlink(), (5, 5, 5), 0),
    # A text is a document named by its file.
    "a text is renamed": (lambda s: (s / "sub" / "e.txt").rename(s / "n.txt"), (5, 5, 5), 1),
    "rows are moved": (lambda s: (s / "d.csv").rename(s / "z.csv"), (5, 5, 6), 0),
    "the first of two with one text is deleted": (lambda s: (s / "a.txt").unlink(), (5, 5, 5), 1),
    "one of two with one text is changed": (append("a.txt", " Always."), (5, 5, 5), 2),
    "the second of two is deleted": (lambda s: (s / "copy.txt").unlink(), (6, 6, 6), 0),
    "a file gets the text of a later one": (
        lambda s: (s / "0.txt").write_text((s / "sub" / "e.txt").read_text()),
        (5, 5, 5),
        1,
    ),
    "two files change places": (swap, (4, 4, 4), 2),
    "what was left out can be read": (lambda s: (s / "prices.csv").write_text("id,text\nx,One.\n"), (6, 6, 6), 1),
    "a file is emptied": (lambda s: (s / "a.txt").write_text(" "), (5, 5, 5), 1),
    "a row without text comes in": (append("d.csv", "r2,\n"), (5, 5, 6), 0),
}


@pytest.mark.parametrize(
    "change",
    sweep(CHANGES, ["a sentence is added", "the first of two with one text is deleted", "two files change places"]),
)
def test_only_what_changed_is_read_and_encoded_and_the_corpus_is_as_from_scratch(tmp_path, folder, change):
    edit, expected, new = CHANGES[change]
    again(folder, tmp_path / "c")
    edit(folder)
    built, encoded = again(folder, tmp_path / "c")
    assert kept(built) == expected
    assert encoded == new + expected[2]  # so few that all that are kept are probes


@pytest.mark.parametrize("seed", sweep(range(8), [0]))
def test_after_any_row_of_changes_the_corpus_is_as_from_scratch(tmp_path, seed):
    rng = random.Random(seed)
    source = tmp_path / "source"
    source.mkdir()
    texts = [" ".join(rng.choices(["heart", "lung", "liver", "blood", "bone"], k=n)) for n in (3, 9, 9, 30)]
    for _ in range(5):
        for _ in range(rng.randint(1, 4)):
            path = source / rng.choice(["a.txt", "b.txt", "c.md", "d.html", "e.jsonl", "f.csv"])
            if path.is_file() and rng.random() < 0.3:
                path.unlink()
            elif path.suffix == ".jsonl":
                jsonl(path, [{"id": f"e{n}", "text": rng.choice(texts)} for n in range(rng.randint(0, 4))])
            elif path.suffix == ".csv":
                path.write_text("id,text\n" + "".join(f"f{n},{rng.choice(texts)}\n" for n in range(rng.randint(0, 4))))
            else:
                path.write_text(rng.choice(["", "# Head\n", "<h1>One</h1>"]) + rng.choice(texts))
        (source / "always.txt").write_text("always here")
        again(source, tmp_path / "c", chunk_words=5, overlap=2)


def test_one_changed_row_of_a_large_file_is_encoded_alone(tmp_path):
    rows = [{"id": str(n), "title": f"t{n % 3}", "text": f"word{n} and more"} for n in range(1500)]
    again(jsonl(tmp_path / "x.jsonl", rows), tmp_path / "c")
    rows[1200]["text"] = "something else"
    del rows[7]
    built, encoded = again(jsonl(tmp_path / "x.jsonl", rows), tmp_path / "c")
    assert kept(built) == (0, 0, 1498)
    assert encoded - 1 in PROBES


def test_texts_with_one_hash_do_not_get_each_others_vectors(tmp_path, folder, monkeypatch):
    again(folder, tmp_path / "c")
    append("sub/e.txt", " Always.")(folder)
    monkeypatch.setattr(dense_index, "word_hash", lambda text: len(text) % 2)
    built, _ = again(folder, tmp_path / "c")
    assert built.kept["vectors"] == 2  # the first of either hash


def test_files_that_did_not_change_are_not_opened_a_second_time(tmp_path, folder, monkeypatch):
    build(folder, tmp_path / "c")
    append("sub/e.txt", " Fast.")(folder)
    read, opened = Path.read_bytes, []
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path.name) or read(path))
    build(folder, tmp_path / "c")
    # What could not be read before is tried again.
    assert sorted(opened) == ["e.txt", "prices.csv"]


def test_an_id_that_a_kept_file_has_is_refused_with_both_places(tmp_path):
    source = tmp_path / "source"
    jsonl(source / "a.jsonl", [{"id": "one", "text": ""}, {"id": "two", "text": "here are some words"}])
    jsonl(source / "b.jsonl", [{"id": "three", "text": "more"}])
    build(source, tmp_path / "c", chunk_words=2, overlap=0)
    before = contents(tmp_path / "c")
    for taken in ("one", "two", "two#2"):
        jsonl(source / "b.jsonl", [{"id": taken, "text": "more"}])
        with pytest.raises(CorpusError, match=rf"b.jsonl, row 1.*'{taken}' is taken by a.jsonl, row"):
            build(source, tmp_path / "c", chunk_words=2, overlap=0)
    assert contents(tmp_path / "c") == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"chunk_words": 3, "overlap": 0}, (0, 0, 4)),  # those of three words and less
        ({"dense": DenseOptions("hash", query_model="other")}, (6, 6, 6)),
        ({"dense": DenseOptions("hash", index="IVF1,Flat")}, (6, 6, 6)),
        ({"dense": DenseOptions("hash", title="none")}, (6, 6, 0)),
        ({"dense": DenseOptions("hash", similarity="dot")}, (6, 6, 0)),
        ({"dense": DenseOptions("another")}, (6, 6, 0)),
        ({"dense": None}, (6, 6)),
        ({"by": "provision"}, (0, 0, 6)),
    ],
)
def test_what_other_options_leave_as_it_is_is_kept(tmp_path, folder, options, expected):
    again(folder, tmp_path / "c")
    assert kept(again(folder, tmp_path / "c", **options)[0]) == expected


@pytest.mark.parametrize(
    ("index", "vectors"), sweep([("IVF1,Flat", 6), ("HNSW8", 6), ("SQ8", 0)], [("IVF1,Flat", 6), ("SQ8", 0)])
)
def test_vectors_are_kept_where_the_index_holds_them_exactly_and_else_the_log_says_why_not(
    tmp_path, folder, index, vectors, caplog
):
    dense = DenseOptions("hash", index=index)
    again(folder, tmp_path / "c", dense=dense)
    (folder / "0.txt").write_text("Skin keeps water in.")
    built, _ = again(folder, tmp_path / "c", dense=dense)
    assert kept(built) == (6, 6, vectors)
    says = [record.getMessage() for record in caplog.records]
    assert len(says) == (not vectors)
    assert all("'SQ8' does not hold vectors as they were made; all passages are encoded" in one for one in says)


def test_other_weights_behind_the_same_name_encode_all_passages(tmp_path, folder, caplog):
    pytest.importorskip("faiss")

    class Trained(HashEncoder):
        def queries(self, texts) -> np.ndarray:
            return super().queries(texts) + np.float32(0.01)

    build(folder, tmp_path / "c", dense=DENSE, encoder=HashEncoder)
    append("a.txt", " Always.")(folder)
    built = build(folder, tmp_path / "c", dense=DENSE, encoder=Trained)
    assert kept(built) == (5, 5, 0)
    assert "other vectors than the corpus that is there holds" in caplog.text
    build(folder, tmp_path / "clean", dense=DENSE, encoder=Trained)
    assert contents(tmp_path / "c") == contents(tmp_path / "clean")


@pytest.mark.parametrize("package", ["beautifulsoup4", "transformers"])
def test_another_version_of_a_library_reads_or_encodes_all(tmp_path, folder, package):
    again(folder, tmp_path / "c")
    manifest = json.loads((tmp_path / "c" / "manifest.json").read_text())
    manifest["versions"][package] = "0.0"
    (tmp_path / "c" / "manifest.json").write_text(json.dumps(manifest))
    append("a.txt", " Always.")(folder)
    assert kept(again(folder, tmp_path / "c")[0]) == ((0, 0, 5) if package == "beautifulsoup4" else (5, 5, 0))


@pytest.mark.parametrize("change", ["a file of another type", "a link to a folder", "a link to nothing"])
def test_what_a_build_leaves_out_is_listed_when_it_comes_to_a_source_that_is_built(tmp_path, folder, change):
    again(folder, tmp_path / "c", dense=None)
    if change == "a file of another type":
        (folder / "talk.pptx").write_bytes(b"PK")
    else:
        (tmp_path / "elsewhere").mkdir()
        (folder / "talk").symlink_to(tmp_path / ("elsewhere" if change == "a link to a folder" else "nowhere"))
    built, _ = again(folder, tmp_path / "c", dense=None)
    (said,) = [one["reason"] for one in built.manifest["left_out"] if one["file"].startswith("talk")]
    assert (
        said
        == {
            "a file of another type": "files of type .pptx are not read",
            "a link to a folder": "a link to a folder, which is not followed",
            "a link to nothing": "a link to nothing",
        }[change]
    )
    assert not build(folder, tmp_path / "c").built


def test_a_file_that_could_not_be_read_is_read_once_its_library_is_there(tmp_path, folder, monkeypatch):
    with monkeypatch.context() as without:
        without.setattr("stepgauge.metrics.retrieval.documents.is_installed", lambda name: name != "bs4")
        first = build(folder, tmp_path / "c")
    assert "c.html" in {one["file"] for one in first.manifest["left_out"]}
    manifest = json.loads((tmp_path / "c" / "manifest.json").read_text())
    manifest["versions"]["beautifulsoup4"] = None
    (tmp_path / "c" / "manifest.json").write_text(json.dumps(manifest))
    built, _ = again(folder, tmp_path / "c", dense=None)
    assert kept(built)[0] < built.manifest["counts"]["documents"] == 6


def test_an_interrupted_build_reads_again_once_a_library_is_there(tmp_path, folder, monkeypatch):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as without:
        without.setattr("stepgauge.metrics.retrieval.documents.is_installed", lambda name: name != "bs4")
        real = package_version
        without.setattr(
            "stepgauge.metrics.retrieval.build.package_version", lambda n: None if n == "beautifulsoup4" else real(n)
        )
        without.setattr("stepgauge.metrics.retrieval.bm25_index.build", stop)
        with pytest.raises(KeyboardInterrupt):
            build(folder, tmp_path / "c")
    built, _ = again(folder, tmp_path / "c", dense=None)
    assert "c.html" not in {one["file"] for one in built.manifest["left_out"]}
    assert built.resumed == ()


def test_a_corpus_within_its_own_source_is_no_part_of_it(folder):
    counts = build(folder, folder / "sub" / "c").manifest["counts"]
    assert not build(folder, folder / "sub" / "c").built
    (folder / "d.csv").write_text("id,text\nr1,Kidneys filter blood.\nr2,The spleen does too.\n")
    built = build(folder, folder / "sub" / "c")
    assert built.manifest["counts"]["documents"] == counts["documents"] + 1
    assert {one["file"] for one in built.manifest["left_out"]} == {"copy.txt", "prices.csv"}


def test_a_table_without_rows_is_listed(tmp_path, folder):
    (folder / "empty.csv").write_text("id,text\n")
    (folder / "empty.json").write_text("[]")
    left_out = {one["file"]: one["reason"] for one in build(folder, tmp_path / "c").manifest["left_out"]}
    assert left_out["empty.csv"] == left_out["empty.json"] == "no row in it"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


DAMAGE = {
    **{
        name: lambda c, name=name: flip(c / name)
        for name in ("texts.utf8", "offsets.i64", "ids.u64", "files.jsonl", "dense.faiss")
    },
    "texts.utf8 has 10 bytes": lambda c: os.truncate(c / "texts.utf8", 10),
    "no manifest.json": lambda c: (c / "manifest.json").unlink(),
    "manifest.json is damaged": lambda c: (c / "manifest.json").write_text("{}"),
}


@pytest.mark.parametrize("damage", sweep(DAMAGE, ["texts.utf8", "dense.faiss", "no manifest.json"]))
def test_of_a_damaged_corpus_nothing_is_kept_and_one_line_says_so(tmp_path, folder, damage, caplog):
    again(folder, tmp_path / "c")
    DAMAGE[damage](tmp_path / "c")
    append("a.txt", " Always.")(folder)
    built, encoded = again(folder, tmp_path / "c")
    assert built.kept == {}
    assert encoded == 7
    (record,) = caplog.records
    assert "all is built anew" in record.getMessage()
    assert damage in record.getMessage()


def test_a_corpus_without_the_record_of_its_files_keeps_vectors_alone(tmp_path, folder):
    """As stepgauge built them before it kept that record."""
    again(folder, tmp_path / "c")
    manifest = json.loads((tmp_path / "c" / "manifest.json").read_text())
    for name in ("files.jsonl", "ids.u64"):
        (tmp_path / "c" / name).unlink()
        del manifest["files"][name]
    manifest["key"] = "of before"
    (tmp_path / "c" / "manifest.json").write_text(json.dumps(manifest))
    assert kept(again(folder, tmp_path / "c")[0]) == (0, 0, 6)


def test_the_corpus_that_is_replaced_is_searched_until_then_and_where_it_is_open(tmp_path, folder):
    pytest.importorskip("faiss")
    build(folder, tmp_path / "c", dense=DENSE, encoder=HashEncoder)
    corpus = Corpus(tmp_path / "c")
    bm25, dense = corpus.bm25(), corpus.dense()
    query = HashEncoder().queries(["heart"])
    before = (bm25.search(["heart"], 3), dense.search(query, 3), corpus.whole(range(6)))
    seen = []

    class Watching(HashEncoder):
        def passages(self, titles, texts) -> np.ndarray:
            seen.append(Corpus(tmp_path / "c").whole(range(6)) == before[2])
            return super().passages(titles, texts)

    append("a.txt", " Always.")(folder)
    build(folder, tmp_path / "c", dense=DENSE, encoder=Watching)
    assert seen == [True, True]  # probes, the new passage
    assert (bm25.search(["heart"], 3), dense.search(query, 3), corpus.whole(range(6))) == before
    assert ("a.txt", "a", "The heart pumps blood through the body. Always.") in chunks_of(tmp_path / "c")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("dest_lost", sweep([False, True], [False]))
def test_a_killed_build_of_a_changed_source_goes_on_where_it_stopped(tmp_path, dest_lost):
    pytest.importorskip("faiss")
    rows = [{"id": str(n), "text": f"word{n} and more"} for n in range(2500)]
    source, dest = tmp_path / "source", tmp_path / "c"
    for start in range(0, 2500, 500):
        jsonl(source / f"{start:04}.jsonl", rows[start : start + 500])
    build(source, dest, dense=DENSE, encoder=HashEncoder)
    jsonl(source / "0500.jsonl", [{"id": str(n), "text": f"word{n} and less"} for n in range(500, 1000)])
    jsonl(source / "2000.jsonl", [{"id": str(n), "text": f"word{n} and less"} for n in range(2000, 2500)])
    code = (
        "import sys\nsys.path.append(sys.argv[3])\nfrom corpora import HashEncoder, build\n"
        "from stepgauge.metrics.retrieval.encoders import DenseOptions\nbuild(sys.argv[1], sys.argv[2], "
        "dense=DenseOptions('hash'), encoder=lambda: HashEncoder(kill_after=501))"
    )
    command = [sys.executable, "-c", code, str(source), str(dest), str(REPO / "tests" / "support")]
    assert subprocess.run(command, capture_output=True, check=False, timeout=120).returncode < 0
    assert len(Corpus(dest)) == 2500
    # One window, of which 500 passages were new.
    assert (tmp_path / ".c.building" / "vectors.f32.tmp").stat().st_size == 1024 * 32
    if dest_lost:
        dest.rename(tmp_path / "lost")
    encoder = HashEncoder()
    built = build(source, dest, dense=DENSE, encoder=lambda: encoder)
    assert built.resumed == ("texts", "bm25")
    assert encoder.encoded - 500 in ([976] if dest_lost else PROBES)
    assert kept(built) == (1500, 1500, 1500)
    build(source, tmp_path / "clean", dense=DENSE, encoder=HashEncoder)
    assert contents(dest) == contents(tmp_path / "clean")
    assert not (tmp_path / ".c.building").exists()


def test_the_command_says_what_was_kept_and_what_is_new(tmp_path, folder, capsys):
    command = ["corpus", "build", str(folder), str(tmp_path / "c")]
    assert main(command) == 0
    assert "kept" not in capsys.readouterr().out
    (folder / "0.txt").write_text("Skin keeps water in.")
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "  documents: 6 kept, 1 new\n" in out
    assert "  chunks: 6 kept, 1 new\n" in out
    assert main(command) == 0
    assert "up to date" in capsys.readouterr().out
