"""A corpus keyed by provision, the retriever that looks provisions up, and a search within a question's passages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stepgauge.metrics import Trace
from stepgauge.metrics.knowledge.base import Surroundings
from stepgauge.metrics.knowledge.types import Claim
from stepgauge.metrics.retrieval import CorpusError, build_corpus
from stepgauge.metrics.retrieval.corpus import Corpus
from stepgauge.metrics.retrieval.retrievers import GivenRetriever, ProvisionRetriever

RULE_801 = (
    "(a) Statement. “Statement” means an assertion. (c) Hearsay. “Hearsay” means a statement that: (1) is not made "
    "while testifying; and (2) is offered to prove the truth of the matter asserted."
)
ROWS = [
    {"id": "Fed. R. Evid. 801", "title": "Definitions", "text": RULE_801},
    {"id": "28 U.S.C. § 1332", "title": "Diversity", "text": "(a) Citizens of different States. (b) Costs."},
    {"id": "16 C.F.R. § 801", "title": "Filings", "text": "(a) What must be filed with the agency."},
    {"id": "essay", "title": "An essay", "text": "Hearsay is a matter of long debate among scholars."},
]
GDPR = (
    "# GDPR\n\n## Article 6 Lawfulness\n1. Processing is lawful if:\n(a) consent;\n(b) contract.\n\n"
    "## Article 7 Consent\nText."
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("law")
    (folder / "law.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    build_corpus(folder / "law.jsonl", folder / "corpus", by="provision", progress=False)
    return str(folder / "corpus")


def around(corpus: str | None = None) -> Surroundings:
    def nothing() -> object:
        raise AssertionError("no scoring LM is needed")

    return Surroundings(nothing, corpus=corpus)  # type: ignore[arg-type]


def found(corpus: str, text: str, **options: int) -> list[str]:
    claim = Claim(text, 0, 0, len(text), "sentence", text)
    (passages,) = ProvisionRetriever(around(corpus), **options).retrieve([claim], [Trace("", text)])
    return [passage.id for passage in passages]


def test_a_corpus_by_provision_has_citation_keys_for_ids(corpus: str) -> None:
    assert list(Corpus(corpus).ids()) == [
        *("fre 801", "fre 801(a)", "fre 801(c)", "fre 801(c)(1)", "fre 801(c)(2)"),
        *("28 usc 1332", "28 usc 1332(a)", "28 usc 1332(b)", "16 cfr 801", "16 cfr 801(a)", "essay"),
    ]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Rule 801(c) of the Federal Rules of Evidence says that hearsay is a lie.", ["fre 801(c)"]),
        ("Rule 801(c) says that hearsay is a lie.", ["fre 801(c)"]),  # no other act has an 801(c)
        ("Under 28 USC 1332(a) and Fed. R. Evid. 801(c)(2) he may sue.", ["28 usc 1332(a)", "fre 801(c)(2)"]),
        ("Fed. R. Evid. 801(f) says that hearsay is a lie.", ["fre 801"]),  # what is around it
        ("Fed. R. Civ. P. 12 says that hearsay is a matter of long debate.", []),  # and nothing that is only similar
        ("§ 801(a) says what must be filed.", []),  # two acts have one
        ("Hearsay is a matter of long debate among scholars.", ["essay"]),  # nothing is cited: as bm25
    ],
)
def test_what_a_claim_cites_is_its_evidence(corpus: str, text: str, ids: list[str]) -> None:
    assert found(corpus, text, k=2)[: len(ids) or None] == ids


def test_headings_of_a_file_are_its_provisions(tmp_path: Path) -> None:
    (tmp_path / "gdpr.md").write_text(GDPR, encoding="utf-8")
    build_corpus(tmp_path / "gdpr.md", tmp_path / "corpus", by="provision", progress=False)
    assert {"gdpr 6", "gdpr 6(1)(a)", "gdpr 6(1)(b)", "gdpr 7"} <= set(Corpus(tmp_path / "corpus").ids())
    assert found(str(tmp_path / "corpus"), "Art. 7 GDPR speaks of consent.") == ["gdpr 7"]


def test_two_documents_that_are_the_same_provision_are_refused(tmp_path: Path) -> None:
    rows = [ROWS[0], {**ROWS[0], "id": "FRE 801"}]
    (tmp_path / "law.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"law\.jsonl, row 2, .*'fre 801' is taken by law\.jsonl, row 1"):
        build_corpus(tmp_path / "law.jsonl", tmp_path / "corpus", by="provision", progress=False)
    with pytest.raises(CorpusError, match="expected words or provision"):
        build_corpus(tmp_path / "law.jsonl", tmp_path / "corpus", by="chapter", progress=False)


def test_a_long_given_document_is_cut_and_searched_and_whole_for_quotations() -> None:
    sections = [f"Section {n} speaks of {topic}. " + "Filler words stand here. " * 60 for n, topic in enumerate(TOPICS)]
    trace = Trace(
        "", "", meta={"passages": [{"id": "deal", "title": "A deal", "text": "\n".join(sections)}, "Another."]}
    )
    claims = [
        Claim(text, 0, 0, 1, kind, text) for kind, text in (("sentence", "It speaks of zebras."), ("quotation", "x"))
    ]
    searched, whole = GivenRetriever(around(), k=2).retrieve(claims, [trace, trace])
    assert len(searched) == 2
    assert "zebras" in searched[0].text
    assert searched[0].id.startswith("deal#")
    assert [(passage.id, passage.score) for passage in whole] == [("deal", None), ("given-2", None)]
    assert GivenRetriever(around()).retrieve(claims[:1], [trace])[0] == whole


TOPICS = ["apples", "boats", "zebras", "clocks", "dunes", "eels"]


ODD = """# Alpha Act 2010

## § 1. Definitions
In this Act “goods” means movables.

## § 2. Scope
(1) It applies to goods.
(2) It does not apply to land:
a) fields;
b) houses.
(2a) Nor to ships.
(3) Nor to aircraft.

## § 3. (repealed)

## §§ 4-6. Repealed.

## § 7a Notice
Notice is in writing.

## §§ 8 to 10 (weggefallen)

## § 2-207. Battle of forms
Terms differ.
"""


def ids_of(tmp_path: Path, name: str, text: str | bytes) -> list[str]:
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    build_corpus(tmp_path / name, tmp_path / "corpus", by="provision", progress=False)
    return list(Corpus(tmp_path / "corpus").ids())


def test_odd_numbers_insertions_and_repealed_sections_are_provisions(tmp_path: Path) -> None:
    found = [one.removeprefix("alpha act-2010").strip() for one in ids_of(tmp_path, "alpha.md", ODD)]
    assert found == [
        *("", "1", "2", "2(1)", "2(2)", "2(2)(a)", "2(2)(b)", "2(2a)", "2(3)"),
        *("3", "4", "5", "6", "7a", "8", "9", "10", "2-207"),
    ]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Section 2(2a) of the Alpha Act 2010 speaks of ships.", ["alpha act-2010 2(2a)"]),
        ("Section 5 of the Alpha Act is about land.", ["alpha act-2010 5"]),
        ("§ 9 of the Alpha Act, 2010 is about land.", ["alpha act-2010 9"]),
        ("Section 2(1) of the Alpha Act 2012 is about land.", []),
    ],
)
def test_an_act_with_a_year_in_its_title_is_found_with_and_without_the_year(
    tmp_path: Path, text: str, ids: list[str]
) -> None:
    ids_of(tmp_path, "alpha.md", ODD)
    assert found(str(tmp_path / "corpus"), text) == ids


def test_headings_of_html_are_provisions_of_one_act(tmp_path: Path) -> None:
    page = (
        "<html><head><title>Gamma Code</title></head><body><h1>Gamma Code</h1><h2>§ 100. Purpose</h2><p>Order.</p>"
        "<h2>§ 101. Rules</h2><p>(a) No running.</p><p>(b) No shouting.</p>"
        "<h2>§ 102&ndash;103. Repealed</h2></body></html>"
    )
    pytest.importorskip("bs4")
    assert ids_of(tmp_path, "gamma.html", page) == [
        *("gamma code", "gamma code 100", "gamma code 101", "gamma code 101(a)", "gamma code 101(b)"),
        *("gamma code 102", "gamma code 103"),
    ]


def test_headings_of_docx_are_provisions_of_one_act(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    law = docx.Document()
    law.add_heading("Delta Law", 0)
    for heading, paragraphs in (("Article 1 Name", ["Its name."]), ("Article 2 Aim", ["(1) High.", "(2) Low."])):
        law.add_heading(heading, 1)
        for paragraph in paragraphs:
            law.add_paragraph(paragraph)
    law.save(tmp_path / "made.docx")
    assert ids_of(tmp_path, "delta.docx", (tmp_path / "made.docx").read_bytes()) == [
        *("delta law", "delta law 1", "delta law 2", "delta law 2(1)", "delta law 2(2)")
    ]


def test_html_without_provisions_is_cut_at_its_headings_as_ever(tmp_path: Path) -> None:
    pytest.importorskip("bs4")
    page = "<title>Birds</title><h2>Wings</h2><p>Wings are broad.</p><h2>Beaks</h2><p>Beaks are hard.</p>"
    assert ids_of(tmp_path, "birds.html", page) == ["birds.html#Wings", "birds.html#Beaks"]


def test_two_acts_with_one_title_are_an_error_that_says_how_to_tell_them_apart(tmp_path: Path) -> None:
    (tmp_path / "laws").mkdir()
    for name, words in (("a.md", "One thing."), ("b.md", "Another.")):
        (tmp_path / "laws" / name).write_text(f"# Alpha Act\n\n## § 1. Scope\n{words}\n", encoding="utf-8")
    with pytest.raises(
        CorpusError, match=r"b\.md: the provision 'alpha act' is there, from a\.md; give each act a title"
    ):
        build_corpus(tmp_path / "laws", tmp_path / "corpus", by="provision", progress=False)
