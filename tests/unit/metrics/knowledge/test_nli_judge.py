"""The judge `nli` on tiny random checkpoints, against the same model asked one pair at a time."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import torch
from sweeps import sweep
from tiny_classifiers import ARCHITECTURES, THREE, make_classifier
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from stepgauge.metrics import Gauge, builtin
from stepgauge.metrics.knowledge.judges.nli import make
from stepgauge.metrics.knowledge.judges.nli_labels import read_labels
from stepgauge.metrics.knowledge.types import Claim, Passage

SENTENCE = "the patient takes aspirin daily for chronic heart failure and it lowers mortality rates in trials"
WORDS = SENTENCE.split()
# 12 to 300 words, so that some need several windows of 128 tokens and some do not.
PASSAGES = [
    Passage(f"p{n}", " ".join(WORDS[(i * 7 + n * 3) % len(WORDS)] for i in range(n)), title=title)
    for n, title in [(12, ""), (30, "Aspirin"), (95, ""), (300, "Heart failure"), (150, "")]
]
CLAIMS = [
    "aspirin lowers mortality",
    "it does not",
    "the patient takes it daily for heart failure in trials " * 2,
    "é 7 ½",
]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Folder by architecture, and `two` with MiniCheck's label names."""
    folder = tmp_path_factory.mktemp("classifiers")
    texts = [p.text for p in PASSAGES] + CLAIMS
    made = {name: make_classifier(folder / name, name, texts) for name in ARCHITECTURES}
    made["two"] = make_classifier(folder / "two", "roberta", texts, labels=("0", "1"))
    return made


def judge_of(folder, **options):
    return make(None, model=str(folder), device="cpu", **options)  # type: ignore[arg-type]


def sentences(*texts: str) -> list[Claim]:
    return [Claim(text, i, 0, len(text), "sentence", text) for i, text in enumerate(texts)]


class Oracle:
    """One unpadded pair per forward pass, windows by transformers' own overflow."""

    def __init__(self, folder) -> None:
        self.model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.windows = 0

    def rows(self, passage: Passage, claim: str, max_length: int = 128, overlap: int = 64) -> list[list[float]]:
        """Per window the probabilities of the outputs."""
        premise = f"{passage.title}\n{passage.text}" if passage.title else passage.text
        tokenizer = self.tokenizer
        claim_tokens = len(tokenizer(claim, add_special_tokens=False).input_ids)
        room = max_length - claim_tokens - tokenizer.num_special_tokens_to_add(pair=True)
        encoded = tokenizer(
            premise,
            claim,
            truncation="only_first",
            max_length=max_length,
            stride=min(overlap, room // 2),
            return_overflowing_tokens=True,
        )
        rows = []
        for i in range(len(encoded["input_ids"])):
            inputs = {name: torch.tensor([encoded[name][i]]) for name in tokenizer.model_input_names}
            with torch.no_grad():
                rows.append(torch.softmax(self.model(**inputs).logits[0], dim=-1).tolist())
        self.windows += len(rows)
        return rows

    def shares(self, passages, claim, **window) -> list[tuple[float, float]]:
        """Per passage, the highest P(entailment) and P(contradiction) of its windows."""
        return [
            (max(row[0] for row in rows), max(row[2] for row in rows))
            for rows in (self.rows(passage, claim, **window) for passage in passages)
        ]


def expected_label(supported: float, contradicted: float, threshold: float) -> str:
    if supported >= threshold and supported >= contradicted:
        return "supported"
    return "contradicted" if contradicted >= threshold else "insufficient"


# DeBERTa's attention is compiled at its first pass.
KINDS = sweep(ARCHITECTURES, ["bert", "roberta"])


@pytest.mark.parametrize("combine", ["max", "mean"])
@pytest.mark.parametrize("architecture", KINDS)
def test_verdicts_equal_those_of_one_unpadded_pair_at_a_time(checkpoints, architecture, combine):
    oracle = Oracle(checkpoints[architecture])
    judge = judge_of(checkpoints[architecture], batch_size=4, combine=combine, max_length=128)
    evidence = [PASSAGES, PASSAGES[:1], PASSAGES[2:4], PASSAGES[3:]]
    found = judge.judge(sentences(*CLAIMS), evidence)
    for claim, passages, verdict in zip(CLAIMS, evidence, found, strict=True):
        shares = oracle.shares(passages, claim)
        pool = max if combine == "max" else lambda values: sum(values) / len(values)
        supported, contradicted = (pool([share[i] for share in shares]) for i in (0, 1))
        assert verdict.probability == pytest.approx(supported, abs=1e-5)
        assert float(re.search(r"P\(contradicted\) ([\d.]+);", verdict.reason)[1]) == pytest.approx(
            contradicted, abs=6e-4
        )
        assert verdict.label == expected_label(supported, contradicted, 0.5)
        assert verdict.evidence == tuple(passages)
    assert oracle.windows > sum(map(len, evidence))  # some passages did need several windows


def test_random_checkpoints_are_not_all_of_one_mind(checkpoints):
    # Else the comparison with the oracle could not fail.
    oracle = Oracle(checkpoints["bert"])
    values = [share[0] for claim in CLAIMS for share in oracle.shares(PASSAGES, claim)]
    assert max(values) - min(values) > 0.05


@pytest.mark.parametrize("architecture", KINDS)
def test_a_verdict_does_not_depend_on_the_batch_it_is_in(checkpoints, architecture):
    claims = sentences(*CLAIMS)
    together = judge_of(checkpoints[architecture], batch_size=32).judge(claims, [PASSAGES] * 4)
    judge = judge_of(checkpoints[architecture], batch_size=1)
    alone = [judge.judge([claim], [PASSAGES])[0] for claim in claims]
    reverse = judge_of(checkpoints[architecture], batch_size=3).judge(claims[::-1], [PASSAGES] * 4)[::-1]
    for a, b, c in zip(together, alone, reverse, strict=True):
        assert a.claim == b.claim == c.claim
        assert a.probability == pytest.approx(b.probability, abs=1e-5)
        assert a.probability == pytest.approx(c.probability, abs=1e-5)


def test_more_claims_than_are_held_at_once_keep_their_order(checkpoints):
    judge = judge_of(checkpoints["bert"], batch_size=64)
    claims = sentences(*(f"{WORDS[i % 16]} {WORDS[i // 16 % 16]} {i}" for i in range(300)))
    found = judge.judge(claims, [PASSAGES[:1]] * 300)
    assert [v.claim for v in found] == claims
    (alone,) = judge_of(checkpoints["bert"]).judge(claims[290:291], [PASSAGES[:1]])
    assert found[290].probability == pytest.approx(alone.probability, abs=1e-5)


@pytest.mark.parametrize(("max_length", "overlap"), [(40, 0), (64, 10), (64, 63), (128, 64)])
def test_long_passages_are_read_in_overlapping_windows_to_the_last_word(checkpoints, max_length, overlap):
    oracle = Oracle(checkpoints["roberta"])
    judge = judge_of(checkpoints["roberta"], max_length=max_length, overlap=overlap)
    (found,) = judge.judge(sentences("it lowers mortality"), [PASSAGES[3:4]])
    ((supported, _),) = oracle.shares(PASSAGES[3:4], "it lowers mortality", max_length=max_length, overlap=overlap)
    assert oracle.windows > 2
    assert found.probability == pytest.approx(supported, abs=1e-5)


def test_no_word_of_a_long_passage_is_lost(checkpoints):
    judge = judge_of(checkpoints["bert"], max_length=64, overlap=8)
    judge.judge(sentences("aspirin"), [PASSAGES[:1]])
    model = judge._model
    assert model is not None
    tokenizer = AutoTokenizer.from_pretrained(checkpoints["bert"])
    whole = tokenizer(PASSAGES[3].text, add_special_tokens=False).input_ids
    windows = [pair.ids[1 : pair.ids.index(3)] for pair in model.pairs(PASSAGES[3].text, "aspirin")]
    assert all(len(pair.ids) <= 64 for pair in model.pairs(PASSAGES[3].text, "aspirin"))
    assert windows[0] + [token for window in windows[1:] for token in window[8:]] == whole


def test_a_claim_that_leaves_no_room_for_evidence_has_no_label_and_others_go_on(checkpoints):
    judge = judge_of(checkpoints["bert"])
    long, longer, short = judge.judge(sentences("mortality " * 1000, "a" * 10**6, "aspirin"), [PASSAGES] * 3)
    assert long.label is None
    assert re.fullmatch(r"the claim has \d{4,} tokens, which leaves no room for evidence in 128", long.error)
    assert longer.error == "the claim has 1000000 characters, more than 20000"
    assert short.label is not None


@pytest.mark.parametrize(
    ("architecture", "mark"),
    [
        ("bert", "[SEP]"),
        ("roberta", "</s>"),
        ("deberta-v2", "[SEP]"),
        ("deberta-v2", "［SEP］"),
        ("bert", "[S[SEP]EP]"),
    ],
)
def test_marks_of_the_tokenizer_in_hostile_text_are_plain_text(checkpoints, architecture, mark):
    judge = judge_of(checkpoints[architecture])
    judge.judge(sentences("aspirin"), [PASSAGES[:1]])
    model = judge._model
    assert model is not None
    tokenizer = AutoTokenizer.from_pretrained(checkpoints[architecture])
    (plain,) = model.pairs("it lowers", "mortality")
    (pair,) = model.pairs(f"it {mark} lowers", f"mortality {mark} {tokenizer.pad_token} rates" + mark * 3)
    for token in (tokenizer.sep_token_id, tokenizer.cls_token_id, tokenizer.pad_token_id):
        assert list(pair.ids).count(token) == list(plain.ids).count(token)


def test_joined_pairs_are_one_text_with_one_end_token_between(checkpoints):
    # As MiniCheck's own code builds them: passage + eos_token + claim, encoded as a single text.
    folder = checkpoints["two"]
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)
    judge = judge_of(folder, labels={"0": "insufficient", "1": "supported"}, pair="joined")
    (found,) = judge.judge(sentences("aspirin lowers mortality"), [PASSAGES[:1]])
    inputs = tokenizer(f"{PASSAGES[0].text}</s>aspirin lowers mortality", return_tensors="pt")
    with torch.no_grad():
        supported = torch.softmax(model(**inputs).logits[0], dim=-1)[1].item()
    assert found.probability == pytest.approx(supported, abs=1e-5)
    (other,) = judge_of(folder, labels={"0": "insufficient", "1": "supported"}).judge(
        sentences("aspirin lowers mortality"), [PASSAGES[:1]]
    )
    assert other.probability != pytest.approx(supported, abs=1e-5)


def test_a_two_label_checkpoint_never_contradicts(checkpoints):
    for mapping in ({"0": "insufficient", "1": "supported"}, {0: "supported", 1: "insufficient"}):
        judge = judge_of(checkpoints["two"], labels=mapping, threshold=0.5)
        found = judge.judge(sentences(*CLAIMS), [PASSAGES[:2]] * 4)
        for verdict in found:
            assert verdict.label == ("supported" if verdict.probability >= 0.5 else "insufficient")


def test_the_mapping_and_not_the_order_of_outputs_decides(checkpoints):
    swapped = {"entailment": "contradicted", "contradiction": "supported", "neutral": "insufficient"}
    one = judge_of(checkpoints["bert"]).judge(sentences(CLAIMS[0]), [PASSAGES[:1]])[0]
    other = judge_of(checkpoints["bert"], labels=swapped).judge(sentences(CLAIMS[0]), [PASSAGES[:1]])[0]
    ((supported, contradicted),) = Oracle(checkpoints["bert"]).shares(PASSAGES[:1], CLAIMS[0])
    assert (one.probability, other.probability) == pytest.approx((supported, contradicted), abs=1e-5)


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.9, 1.0])
def test_the_threshold_decides_between_a_verdict_and_insufficient(checkpoints, threshold):
    oracle = Oracle(checkpoints["roberta"])
    judge = judge_of(checkpoints["roberta"], threshold=threshold)
    found = judge.judge(sentences(*CLAIMS), [PASSAGES[:2]] * 4)
    for claim, verdict in zip(CLAIMS, found, strict=True):
        shares = oracle.shares(PASSAGES[:2], claim)
        assert verdict.label == expected_label(max(s for s, _ in shares), max(c for _, c in shares), threshold)


def test_without_evidence_a_claim_is_insufficient_and_nothing_is_loaded(checkpoints):
    judge = judge_of(checkpoints["bert"])
    (found,) = judge.judge(sentences("aspirin"), [[]])
    assert (found.label, found.evidence, found.probability) == ("insufficient", (), None)
    assert judge._model is None
    assert judge.judge([], []) == []


def test_a_model_that_gives_nan_leaves_the_claim_without_label(checkpoints, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(checkpoints["bert"])
    model.classifier.bias.data[0] = float("nan")
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(checkpoints["bert"]).save_pretrained(tmp_path)
    (found,) = judge_of(tmp_path).judge(sentences("aspirin"), [PASSAGES])
    assert (found.label, found.error, found.probability) == (None, "the model's output is not a number", None)


def test_lone_surrogates_and_empty_passages_do_not_stop_it(checkpoints):
    for name in ARCHITECTURES:
        found = judge_of(checkpoints[name]).judge(
            sentences("a \ud800 b", ""), [[Passage("p", "\udfff")], [Passage("p", "")]]
        )
        assert [v.error for v in found] == [None, None]


def test_running_out_of_memory_halves_the_batch(checkpoints, monkeypatch):
    judge = judge_of(checkpoints["bert"], batch_size=8)
    whole = judge.judge(sentences(*CLAIMS), [PASSAGES] * 4)
    model = judge._model
    assert model is not None
    forward, sizes = model._forward, []

    def scarce(pairs):
        sizes.append(len(pairs))
        if len(pairs) > 2:
            raise torch.OutOfMemoryError
        return forward(pairs)

    monkeypatch.setattr(model, "_forward", scarce)
    again = judge.judge(sentences(*CLAIMS), [PASSAGES] * 4)
    assert sizes[:3] == [8, 4, 2]
    assert set(sizes[2:]) <= {1, 2}
    assert [v.probability for v in again] == pytest.approx([v.probability for v in whole], abs=1e-5)


# --- labels


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (THREE, ["supported", "insufficient", "contradicted"]),
        (("CONTRADICTION", "NEUTRAL", "ENTAILMENT"), ["contradicted", "insufficient", "supported"]),
        (("SUPPORTS", "REFUTES", "NOT ENOUGH INFO"), ["supported", "contradicted", "insufficient"]),
        (("not_entailment", "entailment"), ["insufficient", "supported"]),
        (("contradiction", "entailment"), ["contradicted", "supported"]),
    ],
)
def test_labels_are_read_from_names_that_say_what_they_mean(names, expected):
    assert read_labels("m", dict(enumerate(names)), None) == expected


@pytest.mark.parametrize(
    ("names", "labels", "message"),
    [
        (("LABEL_0", "LABEL_1", "LABEL_2"), None, "what 'LABEL_0' means cannot be told from its name"),
        (("0", "1"), None, "what '0' means cannot be told from its name"),
        (("entailment", "other"), None, "what 'other' means"),
        (("neutral", "contradiction"), None, "none of them means 'supported'"),
        (("score",), None, "a checkpoint with one output gives a score"),
        (("0", "1"), {"1": "supported"}, "labels leaves out '0'"),
        (("0", "1"), {"0": "insufficient", "1": "suported"}, "unknown verdict 'suported'; did you mean 'supported'"),
        (("0", "1"), {"0": "insufficient", "1": "supported", "2": "contradicted"}, "unknown label '2'"),
        (("0", "1"), {"0": "insufficient", "1": "contradicted"}, "none of them means 'supported'"),
        (("0", "1"), ["insufficient", "supported"], "expected a mapping from these names to verdicts"),
    ],
)
def test_labels_whose_meaning_is_not_known_are_an_error_and_never_guessed(names, labels, message):
    with pytest.raises(ValueError, match="judge 'nli', model 'm' with the labels") as caught:
        read_labels("m", dict(enumerate(names)), labels)
    assert message in str(caught.value)


# --- through the gauge, and options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": None}, "option model None: this judge has no default"),
        ({"model": "no/such/folder"}, "option model 'no/such/folder': expected a hub id or a folder"),
        ({"combine": "min"}, "option combine 'min': expected max, mean"),
        ({"pair": "both"}, "option pair 'both': expected tokenizer, joined"),
        ({"dtype": "int8"}, "option dtype 'int8'"),
        ({"batch_size": 0}, "option batch_size 0: expected a whole number, 1 or more"),
        ({"max_length": 8}, "option max_length 8: expected a whole number, 32 or more"),
        ({"overlap": -1}, "option overlap -1"),
        ({"threshold": 0}, "option threshold 0: expected a probability above 0"),
        ({"threshold": float("nan")}, "option threshold nan"),
        ({"trust_remote_code": True}, "unknown option 'trust_remote_code'"),
    ],
)
def test_a_wrong_option_is_named_when_the_gauge_is_made(checkpoints, options, message):
    with pytest.raises(ValueError, match="judge 'nli'") as caught:
        Gauge(scorer=None, judges=[{"name": "nli", "model": str(checkpoints["bert"]), **options}])
    assert message in str(caught.value)


def test_unclear_labels_stop_the_gauge_before_anything_is_scored(checkpoints):
    with pytest.raises(ValueError, match="what '0' means cannot be told from its name"):
        Gauge(scorer=None, judges=[{"name": "nli", "model": str(checkpoints["two"])}])


def test_a_checkpoint_without_a_trained_classifier_is_refused(checkpoints, tmp_path):
    AutoModel.from_pretrained(checkpoints["bert"]).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(checkpoints["bert"]).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "id2label": dict(enumerate(THREE))}))
    with pytest.raises(ValueError, match=r"its weights lack \d+ tensors, the first is 'classifier"):
        judge_of(tmp_path).judge(sentences("a"), [PASSAGES[:1]])


def test_a_length_beyond_the_models_positions_is_refused(checkpoints):
    with pytest.raises(ValueError, match=r"option max_length 129: model .* has 128 positions"):
        judge_of(checkpoints["roberta"], max_length=129).judge(sentences("a"), [PASSAGES[:1]])
    # DeBERTa's positions are relative: there is no end to them.
    (found,) = judge_of(checkpoints["deberta-v2"], max_length=400).judge(sentences("a"), [PASSAGES[3:4]])
    assert found.label is not None


def test_the_name_tells_the_checkpoint_without_the_path_to_it(checkpoints):
    assert judge_of(checkpoints["bert"]).name == "nli:bert"
    registered = {}
    builtin.register_judges(registered.__setitem__)
    assert registered["nli"] is make


def test_it_judges_again_after_it_was_closed(checkpoints):
    judge = judge_of(checkpoints["bert"])
    before = judge.judge(sentences("a"), [PASSAGES])
    judge.close()
    assert judge.judge(sentences("a"), [PASSAGES]) == before


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_checkpoint_with_layers_that_its_configuration_leaves_out_is_refused(checkpoints, tmp_path, name):
    copy = shutil.copytree(checkpoints[name], tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    said = rf"16 tensors of its weights are left unused by its configuration, the first is '{name}\.encoder\.layer\.1\."
    with pytest.raises(ValueError, match=said):
        judge_of(copy).judge(sentences(CLAIMS[0]), [PASSAGES[:1]])
