"""Documents as teams have them: each kind read with its places, and what is left out named with its reason."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest
from pdf_files import pdf

from stepgauge.adapters.cli import main
from stepgauge.metrics.retrieval import documents
from stepgauge.metrics.retrieval.build import build_corpus
from stepgauge.metrics.retrieval.corpus import Corpus
from stepgauge.metrics.retrieval.errors import CorpusError
from stepgauge.metrics.retrieval.readers import Fields, find_source, read


def found(path: Path, **fields) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Title and text by id, and the reasons by file left out."""
    source, left_out = find_source(path), []
    rows = {one.id: (one.title, one.text) for one in read(source, Fields(**fields), left_out)}
    return rows, dict([*source.left_out, *left_out])


def test_a_pdf_is_read_page_by_page(tmp_path):
    (tmp_path / "report.pdf").write_bytes(pdf("Warfarin inhibits clotting.", "Heparin acts faster."))
    assert found(tmp_path)[0] == {
        "report.pdf#page=1": ("report", "Warfarin inhibits clotting."),
        "report.pdf#page=2": ("report", "Heparin acts faster."),
    }


def test_a_docx_is_read_section_by_section_with_its_tables(tmp_path):
    docx = pytest.importorskip("docx")
    document = docx.Document()
    document.core_properties.title = "Guide"
    document.add_paragraph("Before.")
    document.add_heading("Dosage", 1)
    document.add_paragraph("Take 5 mg.")
    cells = document.add_table(1, 2).rows[0].cells
    cells[0].text, cells[1].text = "adults", "10 mg"
    document.save(str(tmp_path / "g.docx"))
    assert found(tmp_path)[0] == {
        "g.docx": ("Guide", "Before."),
        "g.docx#Dosage": ("Guide: Dosage", "Take 5 mg.\nadults | 10 mg"),
    }


def test_html_is_read_section_by_section_without_what_is_not_shown(tmp_path):
    (tmp_path / "g.html").write_text(
        "<html><head><title>Guide</title><style>p{}</style></head><body><p>Be<b>fore</b>.<script>x()</script>"
        "<!-- no --><h2>Dosage <i>now</i></h2><p>5&nbsp;mg</p><ul><li>one<li>two</ul><h2>Dosage now</h2>again"
    )
    assert found(tmp_path)[0] == {
        "g.html": ("Guide", "Before."),
        "g.html#Dosage now": ("Guide: Dosage now", "5 mg\n\none\ntwo"),
        "g.html#Dosage now-2": ("Guide: Dosage now", "again"),
    }


def test_a_title_without_a_head_is_no_text_of_the_page(tmp_path):
    (tmp_path / "g.html").write_text("<title>Guide</title><h2>Dosage</h2><p>5 mg</p>")
    assert found(tmp_path)[0] == {"g.html#Dosage": ("Guide: Dosage", "5 mg")}


def test_html_of_any_depth_is_read(tmp_path):
    (tmp_path / "g.html").write_text("<div>" * 30_000 + "deep")
    assert found(tmp_path)[0] == {"g.html": ("g", "deep")}


def test_rows_of_csv_and_json_are_read_like_those_of_jsonl(tmp_path):
    (tmp_path / "a.csv").write_text('code,name,body\nI10,Hypertension,"high, for long"\n')
    (tmp_path / "b.tsv").write_text("code\tname\tbody\nE11\tDiabetes\tsugar\n")
    (tmp_path / "c.json").write_text(json.dumps([{"code": 7, "name": "Gout", "body": "urate"}]))
    rows, left_out = found(tmp_path, id="code", title="name", text="body")
    assert rows == {
        "I10": ("Hypertension", "high, for long"),
        "E11": ("Diabetes", "sugar"),
        "7": ("Gout", "urate"),
    }
    assert not left_out
    (tmp_path / "a.csv").write_text("id,text\nx,one\ny\n")
    with pytest.raises(CorpusError, match=r"a.csv, row 2: 1 values, expected 2"):
        found(tmp_path / "a.csv")


def test_what_cannot_be_read_costs_itself_and_is_named_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "MAX_UNPACKED", 10_000)
    (tmp_path / "rows.jsonl").write_text(json.dumps({"id": "r", "text": "a row"}) + "\n")
    (tmp_path / "README.md").write_text("about")
    (tmp_path / "note.txt").write_text("a note")
    (tmp_path / "copy.txt").write_text("a note")
    (tmp_path / "slides.pptx").write_bytes(b"x")
    (tmp_path / "damaged.pdf").write_bytes(pdf("Text.")[:150])
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "prices.csv").write_text("item,price\nx,1\n")
    (tmp_path / "scan.pdf").write_bytes(pdf(""))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 20_000)
    (tmp_path / "bomb.docx").write_bytes(bomb.getvalue())
    rows, left_out = found(tmp_path)
    assert {name: text for name, (_, text) in rows.items()} == {"copy.txt": "a note", "r": "a row"}
    expected = {
        "README.md": "about the rows beside it",
        "note.txt": "the same text as copy.txt",
        "slides.pptx": "files of type .pptx are not read",
        "damaged.pdf": "cannot be read",
        "config.json": "expected an array of JSON objects",
        "prices.csv": "field 'text': not there",
        "scan.pdf": "no text in it",
        "bomb.docx": "20,000 bytes once unpacked; at most 10,000 are read",
    }
    assert left_out.keys() == expected.keys()
    assert [name for name, reason in expected.items() if reason not in left_out[name]] == []


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_a_text_in_another_encoding_is_read(tmp_path, encoding):
    text = (
        "Le cœur pompe le sang à travers les artères – même la nuit, où l’on rêve. Il bat sans arrêt, été comme hiver."
    )
    (tmp_path / "x.txt").write_bytes(text.encode(encoding))
    assert found(tmp_path)[0] == {"x.txt": ("x", text)}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text",
    [
        "The heart pumps blood – even at night.\nIt beats without a rest.",
        "Le cœur pompe le sang à travers les artères.",
        "Сердце качает кровь даже ночью.\nОно бьётся без отдыха.",
        "心脏 是 人体 的 重要 器官。\n它 不停 地 跳动。",
    ],
)
def test_a_text_without_its_byte_order_mark_is_read(tmp_path, text, encoding):
    (tmp_path / "x.txt").write_bytes(text.encode(encoding))
    (tmp_path / "y.csv").write_bytes(f'id,text\n1,"{text}"\n'.encode(encoding))
    assert found(tmp_path)[0] == {"x.txt": ("x", text), "1": ("", text)}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"The heart\0 pumps blood.", "NUL characters in it"),
        (b"The heart\0 pumps blood. ", "NUL characters in it"),
        (b"a\0b\0c", "not UTF-16-LE text (truncated data"),
    ],
)
def test_text_with_nul_characters_is_left_out_with_the_reason(tmp_path, data, reason):
    (tmp_path / "good.txt").write_text("a note")
    (tmp_path / "x.txt").write_bytes(data)
    rows, left_out = found(tmp_path)
    assert list(rows) == ["good.txt"]
    assert left_out["x.txt"].startswith(reason)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_is_read_with_the_delimiter_of_its_header(tmp_path, delimiter):
    lines = [["id", "title", "text"], ["1", "Heart, and more", "It beats; it pumps, always | at night."]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(lines)
    (tmp_path / "x.csv").write_text(text.getvalue())
    assert found(tmp_path) == ({"1": (lines[1][1], lines[1][2])}, {})
    (tmp_path / "x.csv").write_text("text\nIt beats; it pumps, always.\n".replace("It", '"It').replace("ys.", 'ys."'))
    assert list(found(tmp_path / "x.csv", id=":row")[0].values()) == [("", "It beats; it pumps, always.")]


@pytest.mark.parametrize(
    ("header", "field"), [("id,text,text", "text"), ("id;content;id", "id"), ("id,title,title,text", "title")]
)
def test_a_column_that_is_there_twice_is_one_error_that_names_file_and_field(tmp_path, header, field):
    (tmp_path / "x.csv").write_text(header + "\n" + "a;b;c,d,e"[: len(header)] + "\n")
    with pytest.raises(CorpusError, match=rf"x\.csv, header, field '{field}': it is there twice"):
        found(tmp_path / "x.csv")
    (tmp_path / "good.txt").write_text("a note")
    assert f"field '{field}': it is there twice" in found(tmp_path)[1]["x.csv"]
    # One that is not read does no harm.
    (tmp_path / "x.csv").write_text("id,text,note,note\n1,It beats.,a,b\n")
    assert found(tmp_path)[0]["1"] == ("", "It beats.")


def test_bytes_that_are_no_text_are_left_out(tmp_path):
    (tmp_path / "good.txt").write_text("a note")
    (tmp_path / "x.txt").write_bytes(bytes(range(256)) * 20)
    rows, left_out = found(tmp_path)
    assert list(rows) == ["good.txt"]
    assert left_out["x.txt"].startswith("not UTF-8 text")


def test_a_missing_library_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "good.txt").write_text("a note")
    (tmp_path / "x.pdf").write_bytes(pdf("Text."))
    monkeypatch.setattr(documents, "is_installed", lambda module: module != "pypdf")
    assert "stepgauge[documents]" in found(tmp_path)[1]["x.pdf"]


def test_the_manifest_and_the_command_name_what_is_left_out(tmp_path, capsys):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.html").write_text("<h1>Heart</h1>The heart pumps blood.")
    (folder / "b.pptx").write_bytes(b"x")
    assert main(["corpus", "build", str(folder), str(tmp_path / "c")]) == 0
    assert "left out: b.pptx: files of type .pptx are not read" in capsys.readouterr().out
    corpus = Corpus(tmp_path / "c")
    assert corpus.manifest["left_out"] == [{"file": "b.pptx", "reason": "files of type .pptx are not read"}]
    assert [passage.id for passage in corpus.passages([(0, 1.0)])] == ["a.html#Heart"]


def test_a_folder_of_files_gives_the_same_ids_again(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.pdf").write_bytes(pdf("one " * 300, "two"))
    for name in ("c", "d"):
        build_corpus(folder, tmp_path / name, progress=False)
    first, second = (Corpus(tmp_path / name) for name in ("c", "d"))
    assert first.digest == second.digest
    ids = [passage.id for passage in first.passages([(i, 0.0) for i in range(len(first))])]
    assert ids == ["a.pdf#page=1#1", "a.pdf#page=1#2", "a.pdf#page=2"]
