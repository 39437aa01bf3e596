"""The trie's log-likelihoods against one forward pass per prefix, for every model family and on real chains."""

from __future__ import annotations

import itertools
import logging
import math
from collections import Counter

import pytest
from oracle import naive_chain, naive_log_likelihood, prefix_text, published_infogain
from real_chains import real_chains
from sweeps import sweep
from tiny_scorers import ARCHITECTURES, RECURRENT, make_scorer
from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.metrics import ChatTemplate, Gauge, OutOfMemory, Trace
from stepgauge.metrics.engine.scheduler import Limits

TOLERANCE = 1e-3


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval(), AutoTokenizer.from_pretrained(folder)


def arithmetic_traces(rows) -> list[Trace]:
    return [Trace(row["question"], row["solution"], row["answer"], id=row["id"]) for row in rows]


def check_against_oracle(scores, traces, model, tokenizer) -> None:
    for trace, score in zip(traces, scores, strict=True):
        steps = [step.text for step in score.steps]
        expected, tokens = naive_chain(model, tokenizer, trace.question, steps, trace.answer)
        if tokens[-1] == 0:
            # A small vocabulary without byte fallback may have nothing at all for the answer.
            assert score.missing["infogain"] == "the scorer's tokenizer has no token for the answer"
            continue
        assert score.log_likelihoods == pytest.approx(expected, abs=TOLERANCE), trace.id
        assert score.n_answer_tokens == tokens[-1]
        assert len(score.log_likelihoods) == len(steps) + 1


def test_several_accepted_answers_are_the_logarithm_of_their_summed_probabilities(tmp_path, tokenizers):
    """Each is cut jointly with the text before it; perplexity counts the tokens of the likeliest at each prefix."""
    folder = make_scorer(tmp_path, "llama", tokenizers["qwen"])
    model, tokenizer = load(folder)
    question, steps = "How many clips did she sell?", ["48 / 2 = 24.", "48 + 24 = 72."]
    answers = ["72", "72 clips", "seventy-two"]
    (score,) = Gauge(str(folder), device="cpu", splitter="lines").score([Trace(question, "\n".join(steps), answers)])
    apart = [naive_chain(model, tokenizer, question, steps, answer) for answer in answers]
    expected, perplexities = [], []
    for i in range(len(steps) + 1):
        expected.append(math.log(sum(math.exp(values[i]) for values, _ in apart)))
        _, tokens = max((values[i], counts[i]) for values, counts in apart)
        perplexities.append(math.exp(-expected[i] / tokens))
    assert score.log_likelihoods == pytest.approx(expected, abs=TOLERANCE)
    assert score.infogain == pytest.approx((perplexities[0] - perplexities[-1]) / len(steps), rel=1e-3)
    assert max(values[0] for values, _ in apart) < expected[0]


# One of each: full attention, a sliding window in some layers or in turn, learned positions.
EVERY_RUN = ("llama", "qwen2-sliding", "gemma3_text", "gpt2")


@pytest.mark.parametrize(
    ("architecture", "kind"),
    sweep(
        itertools.product(ARCHITECTURES, ["qwen", "llama3", "unigram"]),
        [*((architecture, "qwen") for architecture in EVERY_RUN), ("llama", "llama3"), ("llama", "unigram")],
    ),
)
def test_trie_gives_the_naive_numbers_for_every_family(tmp_path, tokenizers, arithmetic, architecture, kind, caplog):
    folder = make_scorer(tmp_path, architecture, tokenizers[kind])
    traces = arithmetic_traces(arithmetic[:5])
    gauge = Gauge(str(folder), device="cpu")
    scores = gauge.score(traces)
    check_against_oracle(scores, traces, *load(folder))
    assert scores[0].provenance["passes"] == "trie"
    assert "one forward pass per prefix" not in caplog.text


@pytest.mark.parametrize("architecture", RECURRENT)
def test_model_that_cannot_take_the_mask_is_scored_the_plain_way_with_one_warning(
    tmp_path, tokenizers, arithmetic, architecture, caplog
):
    folder = make_scorer(tmp_path, architecture, tokenizers["qwen"])
    traces = arithmetic_traces(arithmetic[:3])
    with caplog.at_level(logging.WARNING):
        gauge = Gauge(str(folder), device="cpu")
        scores = gauge.score(traces)
        gauge.score(traces[:1])
    check_against_oracle(scores, traces, *load(folder))
    assert scores[0].provenance["passes"] == "plain"
    assert scores[0].provenance["plain_reason"]
    warnings = [r for r in caplog.records if "one forward pass per prefix" in r.getMessage()]
    assert len(warnings) == 1
    assert scores[0].provenance["plain_reason"] in warnings[0].getMessage()


def test_sliding_window_reaches_the_mask(tmp_path, tokenizers, arithmetic):
    """The same weights with and without the window differ: the family test above cannot pass by ignoring it."""
    traces = arithmetic_traces(arithmetic[:1])
    narrow = make_scorer(tmp_path / "narrow", "mistral", tokenizers["qwen"])
    wide = make_scorer(tmp_path / "wide", "mistral", tokenizers["qwen"], sliding_window=400)
    narrow_score, wide_score = (Gauge(str(folder), device="cpu").score(traces)[0] for folder in (narrow, wide))
    assert abs(narrow_score.log_likelihoods[-1] - wide_score.log_likelihoods[-1]) > 0.01


def test_multiple_choice_options_share_the_trie_and_give_the_naive_numbers(tmp_path, tokenizers):
    folder = make_scorer(tmp_path, "llama", tokenizers["qwen"])
    model, tokenizer = load(folder)
    trace = Trace(
        "Which is larger?", "Two is small.\nTen is large.", "ten apples", choices=["two", "ten apples", "ten pears"]
    )
    score = Gauge(str(folder), device="cpu").score([trace])[0]
    for i in range(3):
        context = prefix_text(trace.question, [step.text for step in score.steps[:i]]) + "\nAnswer: "
        values = [naive_log_likelihood(model, tokenizer, context, option)[0] for option in trace.choices]
        weights = [math.exp(value) for value in values]
        gold = weights[1] / sum(weights)
        entropy = -sum(w / sum(weights) * math.log2(w / sum(weights)) for w in weights)
        if i:
            assert score.steps[i - 1].entropy_bits == pytest.approx(entropy, abs=TOLERANCE)
            assert score.steps[i - 1].gold_probability == pytest.approx(gold, abs=TOLERANCE)
    assert score.metrics["gold_probability"] == pytest.approx(gold, abs=TOLERANCE)
    assert math.isfinite(score.metrics["entropy_drop_bits"])


def test_reference_variant_gives_the_published_figure(tmp_path, tokenizers, arithmetic):
    folder = make_scorer(tmp_path, "qwen2", tokenizers["llama3"])
    model, tokenizer = load(folder)
    traces = arithmetic_traces(arithmetic[:3])
    for trace, score in zip(traces, Gauge(str(folder), device="cpu", variant="reference").score(traces), strict=True):
        steps = [step.text for step in score.steps]
        expected = published_infogain(model, tokenizer, trace.question, steps, trace.answer)
        assert score.metrics["infogain_reference"] == pytest.approx(expected, rel=1e-4)
    assert "infogain_reference" not in Gauge(str(folder), device="cpu").score(traces[:1])[0].metrics


def test_chat_template_scores_the_answer_in_the_assistants_turn(tmp_path, tokenizers, arithmetic):
    tokenizer = tokenizers["qwen"]
    tokenizer.chat_template = (
        "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}"
        "{% if not loop.last or not continue_final_message %}</s>\n{% endif %}{% endfor %}"
    )
    folder = make_scorer(tmp_path, "llama", tokenizer)
    tokenizer.chat_template = None
    model, tokenizer = load(folder)
    trace = arithmetic_traces(arithmetic[:1])[0]
    score = Gauge(str(folder), device="cpu", template="chat").score([trace])[0]
    steps = [step.text for step in score.steps]
    for i, value in enumerate(score.log_likelihoods):
        turn = "".join(step + "\n" for step in steps[:i]) + "Answer: "
        context = f"<s>user\n{trace.question}</s>\n<s>assistant\n{turn}"
        assert value == pytest.approx(naive_log_likelihood(model, tokenizer, context, trace.answer)[0], abs=TOLERANCE)
    assert score.provenance["template"] == ChatTemplate().name


@pytest.mark.parametrize("budget", sweep([1, 300, 4096], [300]))
def test_token_budget_does_not_change_the_numbers(tmp_path, tokenizers, arithmetic, budget):
    folder = make_scorer(tmp_path, "llama", tokenizers["qwen"])
    traces = arithmetic_traces(arithmetic[:12])
    expected = Gauge(str(folder), device="cpu").score(traces)
    scores = Gauge(str(folder), device="cpu", token_budget=budget).score(traces)
    for ours, theirs in zip(scores, expected, strict=True):
        assert ours.log_likelihoods == pytest.approx(theirs.log_likelihoods, abs=TOLERANCE)


@pytest.mark.parametrize("architecture", sweep(ARCHITECTURES, EVERY_RUN))
def test_chains_too_long_for_a_row_compute_each_token_once_and_keep_the_numbers(
    tmp_path, tokenizers, arithmetic, architecture, monkeypatch
):
    folder = make_scorer(tmp_path, architecture, tokenizers["qwen"])
    traces = arithmetic_traces(arithmetic[:4])
    monkeypatch.setattr(
        "stepgauge.metrics.engine.scheduler._CPU_LIMITS", Limits(row=1, tile=14, mask=30 * 300, logits=9 * 600)
    )
    gauge = Gauge(str(folder), device="cpu")
    scores = gauge.score(traces)
    check_against_oracle(scores, traces, *load(folder))
    stats = gauge.backend.engine.stats
    assert scores[0].provenance["passes"] == "trie"
    assert stats.computed_tokens == stats.unique_tokens < stats.sequence_tokens
    assert stats.passes > 3 * len(traces), "no chain was cut into pieces: the test shows nothing"
    assert stats.padding_tokens == 0


class ScarceMemory:
    """Stands in front of a model and runs out of memory above `limit` tokens a pass, as an accelerator would."""

    def __init__(self, model, limit: int) -> None:
        self.limit, self.sizes = limit, []
        self.inner = model.forward
        model.forward = self

    def __call__(self, *args, **kwargs):
        cache = kwargs["cache" if "cache" in kwargs else "past_key_values"]
        size = kwargs["input_ids"].numel() + (0 if cache is None else cache.get_seq_length())
        self.sizes.append(size)
        if size > self.limit:
            raise RuntimeError("CUDA error: out of memory")
        return self.inner(*args, **kwargs)


@pytest.mark.slow
def test_out_of_memory_halves_the_budget_and_keeps_the_numbers(tmp_path, tokenizers, arithmetic, caplog):
    folder = make_scorer(tmp_path, "llama", tokenizers["qwen"])
    traces = arithmetic_traces(arithmetic[:12])
    expected = Gauge(str(folder), device="cpu").score(traces)
    gauge = Gauge(str(folder), device="cpu", token_budget=4096)
    model = gauge.backend.engine.model
    longest = max(len(trace.question) for trace in traces)
    scarce = ScarceMemory(model, limit=longest)
    scores = gauge.score(traces)
    assert max(scarce.sizes) > scarce.limit, "memory never ran out: the test shows nothing"
    for ours, theirs in zip(scores, expected, strict=True):
        assert ours.log_likelihoods == pytest.approx(theirs.log_likelihoods, abs=TOLERANCE)
    assert "token_budget is now" in caplog.text
    before = len(scarce.sizes)
    gauge.score(traces)
    assert sum(size > scarce.limit for size in scarce.sizes[before:]) <= 12, "the smaller budget was forgotten"


@pytest.mark.slow
def test_one_chain_too_big_for_memory_is_missing_with_the_reason_and_the_others_are_scored(
    tmp_path, tokenizers, arithmetic
):
    folder = make_scorer(tmp_path, "llama", tokenizers["qwen"])
    traces = [*arithmetic_traces(arithmetic[:3]), Trace("Long? " * 80, "a\nb", "c", id="long")]
    gauge = Gauge(str(folder), device="cpu")
    ScarceMemory(gauge.backend.engine.model, limit=250)
    *small, long = gauge.score(traces)
    assert all(score.log_likelihoods for score in small)
    assert not long.log_likelihoods
    assert "out of memory" in long.missing["infogain"]


@pytest.mark.slow
def test_no_chain_fitting_in_memory_is_one_clear_error(tmp_path, tokenizers, arithmetic):
    gauge = Gauge(str(make_scorer(tmp_path, "llama", tokenizers["qwen"])), device="cpu")
    ScarceMemory(gauge.backend.engine.model, limit=3)
    with pytest.raises(OutOfMemory, match="use a smaller scorer"):
        gauge.score(arithmetic_traces(arithmetic[:2]))


@pytest.fixture(scope="module")
def real(shared_data):
    traces = real_chains(shared_data)
    assert len(traces) == 200
    return traces


def stratified(traces: list[Trace], count: int) -> list[Trace]:
    """As many, evenly spread: in its source, in the order of the numbers of steps and, where equal, of the lengths."""

    def stratum(trace: Trace) -> tuple[str, int, int]:
        return trace.meta["source"], trace.response.count("\n"), len(trace.question) + len(trace.response)

    return sorted(traces, key=stratum)[5 :: len(traces) // count]


@pytest.mark.timeout(1800)  # one plain forward pass per prefix, on one core in CI
@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.long)])
def test_real_chains_give_the_naive_numbers_under_smollm2(real, smollm2, count):
    traces = real if count == 200 else stratified(real, count)
    assert len(traces) == count
    scores = smollm2.score(traces)
    assert all(not score.missing.get("infogain_nats") for score in scores)
    model, tokenizer = load(smollm2.backend.describe()["source"])
    check_against_oracle(scores, traces, model, tokenizer)


@pytest.mark.parametrize("count", [10, 20])
def test_the_chosen_chains_are_of_every_source_and_all_numbers_of_steps(real, count):
    chosen = stratified(real, count)
    sources = {"gsm8k": count * 8 // 10, "prmbench": count // 10, "mrben": count // 10}
    assert Counter(trace.meta["source"] for trace in chosen) == sources
    steps = Counter(trace.response.count("\n") + 1 for trace in chosen)
    assert steps.keys() >= {2, 3, 4, 5}


@pytest.mark.slow
def test_a_real_chains_result_does_not_depend_on_its_batch(real, smollm2):
    together = smollm2.score(real[::4])
    for trace, score in zip(real[::4], together, strict=True):
        alone = smollm2.score([trace])[0]
        assert alone.log_likelihoods == pytest.approx(score.log_likelihoods, abs=TOLERANCE)


@pytest.mark.parametrize("count", sweep([20, 200], [20]))
@pytest.mark.parametrize("kind", ["qwen", "llama3", "unigram"])
def test_real_chains_give_the_naive_numbers_under_other_tokenizers(tmp_path, real, tokenizers, kind, count):
    traces = real if count == 200 else stratified(real, count)
    folder = make_scorer(tmp_path, "qwen2", tokenizers[kind], max_position_embeddings=2048)
    scores = Gauge(str(folder), device="cpu").score(traces)
    assert sum(bool(score.log_likelihoods) for score in scores) >= 0.75 * count
    check_against_oracle(scores, traces, *load(folder))


def test_merged_newlines_are_really_tested(tokenizers):
    """The point of those tokenizers: the last step's tokens change when the next line is appended."""
    for kind in ("qwen", "llama3"):
        tokenizer = tokenizers[kind]
        alone = tokenizer("She has $5.00.").input_ids
        followed = tokenizer("She has $5.00.\n\nAnswer: 5").input_ids
        assert followed[: len(alone)] != alone, kind
