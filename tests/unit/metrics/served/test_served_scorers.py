"""Scorers that a server runs, against the same scorer in this process, over real HTTP and with every fault."""

from __future__ import annotations

import json
import math
import random

import pytest
from inference_servers import SERVERS, Fault, Lm
from real_chains import real_chains
from sweeps import sweep
from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.metrics import Gauge, ScorerError, Trace

TOLERANCE = 1e-3
ENGINES = tuple(SERVERS)

CHAIN = Trace(
    "What is 2 + 2, and 3 more?", "2 + 2 = 4.\n4 + 3 = 7.\nThe answer is 7", "7", choices=["7", "8", "70"], id="a"
)
OTHER = Trace("She had 48 clips and sold half.", "48 / 2 = 24.\nHalf are left.", ["24", "24 clips"], id="b")
# Its second prefix with the answer begins with the first one with the answer: one request answers for both.
ECHO = Trace("What is 3 + 4?", "Answer: 7\nAnswer: 7", "7", id="echo")
CHAINS = [ECHO, CHAIN, OTHER, Trace("What is 1 + 1?", "", "2", id="no steps"), CHAIN]
# With each of these the chain that says it meets a fault, and no other.
MARK = "nineteen"
BROKEN = Trace(f"What is {MARK} plus one?", "19 + 1 = 20.\nSo it is 20.", "20", id="broken")


@pytest.fixture(scope="module")
def tiny(tiny_scorer):
    model = AutoModelForCausalLM.from_pretrained(tiny_scorer, dtype="float32").eval()
    return tiny_scorer, Lm(model, AutoTokenizer.from_pretrained(tiny_scorer))


@pytest.fixture(scope="module")
def here(tiny):
    """The scorer in this process: what a served one must equal."""
    made = {}

    def score(traces, **options):
        key = json.dumps(options, sort_keys=True)
        if key not in made:
            made[key] = Gauge(tiny[0], device="cpu", dtype="float32", splitter="lines", **options)
        return made[key].score(traces)

    return score


def serve(engine, tiny, **options):
    return SERVERS[engine](tiny[1], tiny[0], **options)


def served(server, tiny, options=None, **more):
    return Gauge(tiny[0], splitter="lines", **server.options(**(options or {})), **more)


def check_equal(scores, expected):
    for score, other in zip(scores, expected, strict=True):
        assert score.log_likelihoods == pytest.approx(other.log_likelihoods, abs=TOLERANCE), score.id
        assert score.answer_tokens == other.answer_tokens
        assert score.missing == other.missing
        for name, value in other.metrics.items():
            assert score.metrics[name] == pytest.approx(value, abs=TOLERANCE, rel=TOLERANCE, nan_ok=True), name


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "options", [{}, {"variant": "reference", "controls": ["filler", "foreign", "shuffled"]}], ids=["plain", "all"]
)
def test_a_served_scorer_gives_the_numbers_it_gives_here(engine, tiny, here, options):
    with serve(engine, tiny) as server, served(server, tiny, **options) as gauge:
        check_equal(gauge.score(CHAINS), here(CHAINS, **options))


@pytest.mark.parametrize("engine", sweep(ENGINES, ["vllm"]))
def test_smollm2_behind_a_chat_template(engine, smollm2, smollm2_with):
    loaded = smollm2.backend._backend._loaded
    with SERVERS[engine](Lm(loaded.model, loaded.tokenizer), "HuggingFaceTB/SmolLM2-135M-Instruct") as server:
        gauge = Gauge("smollm2", template="chat", splitter="lines", **server.options())
        check_equal(gauge.score([OTHER]), smollm2_with(template="chat", splitter="lines").score([OTHER]))
        gauge.close()


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_sixty_real_chains_under_smollm2(shared_data, smollm2, smollm2_with):
    """The shortest 60 of the shared chains, asked about in all three ways."""
    traces = sorted(real_chains(shared_data), key=lambda trace: len(trace.question) + len(trace.response))[:60]
    source = smollm2.backend.describe()["source"]
    lm = Lm(AutoModelForCausalLM.from_pretrained(source, dtype="float32").eval(), AutoTokenizer.from_pretrained(source))
    expected = smollm2_with().score(traces)
    assert sum(not score.missing.get("infogain_nats") for score in expected) == 60
    for engine, how in (("vllm", {}), ("vllm", {"replay": True}), ("sglang", {})):
        with SERVERS[engine](lm, "smollm2", **how) as server, Gauge("smollm2", **server.options()) as gauge:
            check_equal(gauge.score(traces), expected)


# --- what is sent


def test_vllm_is_asked_about_each_sequence_once_and_the_longest_first(tiny):
    with serve("vllm", tiny) as server, served(server, tiny, {"concurrency": 1}) as gauge:
        gauge.score(CHAINS)
        twice = gauge.statistics().repeated
        asked = server.asked[: len(server.asked) - twice]
    assert len({tuple(ids) for ids in asked}) == len(asked)
    assert [len(ids) for ids in asked] == sorted(map(len, asked), reverse=True)
    for ids in asked:  # "7" begins "70"
        assert not any(other != ids and other[: len(ids)] == ids for other in asked)


def test_sglang_reads_a_chain_from_its_cache_once_the_longest_sequence_is_there(tiny):
    response = "\n".join(f"{i} + {i} = {2 * i}." for i in range(10, 30))
    with serve("sglang", tiny) as server, served(server, tiny, {"concurrency": 64}, controls=["filler"]) as gauge:
        gauge.score([Trace("Add them all up.", response, "58", choices=["58", "60"])])
        stats = gauge.statistics()
        first, *others = server.bodies[: len(server.bodies) - stats.repeated]
    assert len(others) > 40, "two options after each of 21 prefixes, and filler"
    assert all(len(body["input_ids"]) <= len(first["input_ids"]) for body in others)
    assert stats.computed_tokens < 0.3 * stats.unique_tokens


@pytest.mark.parametrize("engine", sweep(ENGINES, ["vllm"]))
def test_no_more_requests_than_allowed_are_under_way_and_counts_are_told(engine, tiny):
    with serve(engine, tiny) as server, served(server, tiny) as gauge:
        scores = gauge.score([CHAIN])
        stats = gauge.statistics()
        assert stats.passes == len(server.asked)
        assert stats.unique_tokens == sum(map(len, server.asked))
        assert stats.groups == 1
        assert stats.sequences == 3 * (scores[0].n_steps + 1)
        assert "requests of" in stats.summary()
        told = scores[0].provenance
    assert told["engine"] == {"vllm": "vllm 0.33.0", "sglang": "sglang 0.5.23"}[engine]
    assert (told["scorer"], told["served_model"], told["backend"]) == (tiny[0], tiny[0], engine)
    assert told["architecture"] == "LlamaForCausalLM"
    assert told["dtype"] == {"vllm": None, "sglang": "float32"}[engine]


# --- vLLM's replays


def replays(server):
    return [body for body in server.bodies if "token_ids" in body]


@pytest.mark.parametrize("options", [{}, {"variant": "reference"}])
def test_a_vllm_server_that_replays_answers_is_asked_to_and_reads_its_cache(tiny, here, options):
    with serve("vllm", tiny, replay=True) as server, served(server, tiny, **options) as gauge:
        check_equal(gauge.score(CHAINS), here(CHAINS, **options))
        assert len(replays(server)) > 15
        if not options:
            whole = [body for body in server.bodies if "prompt" in body]
            assert len(whole) == 1, "the one that the first replay was compared with"
            gauge.score([Trace("Add them up.", "\n".join(f"{i} + {i} = {2 * i}." for i in range(10, 30)), "58")])
            assert gauge.statistics().computed_tokens < 0.5 * gauge.statistics().unique_tokens


def test_replays_that_say_something_else_than_prompts_are_not_used(tiny, here, caplog):
    def other(ids, before):
        del ids, before
        return Fault(change=shift)

    def shift(reply):
        for one in (reply["choices"][0]["logprobs"] or {}).get("content", ()):
            one["logprob"] -= 1.0  # as after another temperature

    with serve("vllm", tiny, replay=True, fault=other) as server, served(server, tiny) as gauge:
        check_equal(gauge.score([CHAIN]), here([CHAIN]))
        assert len(replays(server)) == 1
    assert "replayed tokens are not used: they are 1 nats from the prompt's" in caplog.text


@pytest.mark.parametrize("what", ["ids", "null", "few"])
def test_a_replay_of_something_else_costs_its_chain(what, tiny, here):
    def change(reply):
        choice = reply["choices"][0]
        if what == "ids":
            choice["token_ids"] = [*choice["token_ids"][:-1], 1]
        elif what == "null":
            choice["logprobs"]["content"][-1]["logprob"] = None
        else:
            choice["logprobs"]["content"].pop()

    def fault(ids, before):
        del before
        return Fault(change=change) if MARK in tiny[1].tokenizer.decode(ids) else None

    with serve("vllm", tiny, replay=True, fault=fault) as server, served(server, tiny) as gauge:
        good, bad = gauge.score([CHAIN, BROKEN])
    check_equal([good], here([CHAIN]))
    assert math.isnan(bad.infogain)
    assert {"ids": "replayed other token ids", "null": "(null)", "few": "tokens, "}[what] in bad.missing["infogain"]


# --- noise


@pytest.mark.parametrize("engine", sweep(ENGINES, ["sglang"]))
def test_what_a_server_says_of_a_sequence_twice_is_compared_once_a_run(engine, tiny):
    chance = random.Random(0)
    if engine == "vllm":

        def shake(reply):
            for entry in reply["choices"][0]["prompt_logprobs"][1:]:
                for one in entry.values():
                    one["logprob"] -= chance.uniform(0, 0.01)

    else:

        def shake(reply):
            for one in reply["meta_info"]["input_token_logprobs"][1:]:
                one[0] -= chance.uniform(0, 0.01)

    found = {}
    for name, fault in (("still", None), ("shaken", Fault(change=shake))):
        with serve(engine, tiny, fault=lambda ids, before, fault=fault: fault) as server:  # noqa: ARG005
            gauge = served(server, tiny)
            gauge.score(CHAINS)
            first = found[name] = gauge.statistics()
            gauge.score([CHAIN])
            assert gauge.statistics().repeated == first.repeated > 3
            gauge.close()
    assert found["still"].noise_nats == 0
    assert 1e-4 < found["shaken"].noise_nats < 0.5
    line = found["shaken"].summary()
    assert (
        f"{found['shaken'].repeated} sequences asked twice differ by at most {found['shaken'].noise_nats:.2g} nats"
        in line
    )
    json.dumps(found["shaken"].to_dict(), allow_nan=False)


# --- faults


def entry_of(engine, reply, place):
    if engine == "vllm":
        return reply["choices"][0]["prompt_logprobs"], place
    return reply["meta_info"]["input_token_logprobs"], place


def damage(engine, what):
    """A change of a faithful reply."""

    def change(reply):
        entries, last = entry_of(engine, reply, -1)
        if what == "null":
            entries[last] = None if engine == "vllm" else [None, entries[last][1], None]
        elif what == "wrong id":
            entries[last] = {"1": {"logprob": -1.0}, "2": {"logprob": -1.0}} if engine == "vllm" else [-1.0, 1, None]
        elif what == "too few":
            entries.pop()
        elif what in ("positive", "text", "minus infinity"):
            value = {"positive": 0.5, "text": "-1", "minus infinity": -9999.0 if engine == "vllm" else -math.inf}[what]
            if engine == "vllm":
                next(iter(entries[last].values()))["logprob"] = value
            else:
                entries[last][0] = value
        elif what == "other model":
            reply["model"] = "gpt2"
        elif what == "other weights":
            reply["meta_info"]["weight_version"] = "2"
        elif what == "other prompt":
            reply["choices"][0]["prompt_token_ids"][0] += 1
        elif what == "empty":
            reply.clear()
        else:
            raise AssertionError(what)

    return Fault(change=change)


FAULTS = {
    "hangs": (Fault(delay=5), "no complete response within 1 s (2 attempts)"),
    "too many requests": (Fault(429), "HTTP 429"),
    "down": (Fault(500), "HTTP 500"),
    "refuses": (Fault(400), "HTTP 400"),
    "hangs up": (Fault(close=True), "connection failed"),
    "not JSON": (Fault(body=b"<html>"), "the response is not JSON"),
    "a list": (Fault(body=b"[]"), "the response is no JSON object"),
    "deep": (Fault(body=b"[" * 100_000), "the response is not JSON"),
    "null": ("null", "no log-probability (null)"),
    "wrong id": ("wrong id", "token"),
    "too few": ("too few", "tokens, "),
    "positive": ("positive", "a log-probability of 0.5"),
    "text": ("text", "as the log-probability"),
    "minus infinity": ("minus infinity", "inf"),
    "empty": ("empty", "the server "),
}
OF_ONE = {
    "vllm": {
        "other model": ("other model", "for the model 'gpt2'"),
        "other prompt": ("other prompt", "other token ids than were sent"),
    },
    "sglang": {"other weights": ("other weights", "other weights by now")},
}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_fault_costs_its_chain_with_the_reason_and_no_other(engine, tiny, here):
    """Each of the broken chains meets one fault; the others are asked about between them."""
    faults = {**FAULTS, **OF_ONE[engine]}
    marks = [f"{MARK} {i:03}" for i in range(len(faults))]
    tokenizer = tiny[1].tokenizer

    def fault_of(ids, before):
        del before
        text = tokenizer.decode(ids)
        for mark, (fault, _) in zip(marks, faults.values(), strict=True):
            if mark in text:
                return damage(engine, fault) if isinstance(fault, str) else fault
        return None

    broken = [Trace(f"What is {mark} plus one?", "It is more.", "20") for mark in marks]
    with serve(engine, tiny, fault=fault_of) as server:
        gauge = served(server, tiny, {"timeout": 1, "max_retries": 1})
        before, *bad, after = gauge.score([CHAIN, *broken, OTHER])
        gauge.close()
    check_equal([before, after], here([CHAIN, OTHER]))
    for score, (name, (_, reason)) in zip(bad, faults.items(), strict=True):
        assert all(math.isnan(score.metrics[one]) for one in ("infogain", "infogain_nats")), name
        assert score.log_likelihoods == []
        assert score.missing["infogain"].startswith(f"{engine}: "), name
        assert reason in score.missing["infogain"], name


@pytest.mark.parametrize("engine", sweep(ENGINES, ["vllm"]))
@pytest.mark.parametrize(
    "fault", [Fault(429, headers={"Retry-After": "0"}), Fault(503), Fault(close=True), Fault(delay=2)]
)
def test_what_fails_once_is_asked_again(engine, fault, tiny, here):
    with serve(engine, tiny, fault=lambda ids, before: None if before else fault) as server:  # noqa: ARG005
        gauge = served(server, tiny, {"timeout": 0.8})
        check_equal(gauge.score([OTHER]), here([OTHER]))
        gauge.close()


def test_a_server_that_is_gone_is_not_asked_about_thousands_of_chains(tiny):
    with serve("vllm", tiny, fault=lambda ids, before: Fault(500)) as server:  # noqa: ARG005
        gauge = served(server, tiny, {"max_retries": 0, "concurrency": 2})
        chains = [Trace(f"What is {i}?", f"It is {i}.", str(i)) for i in range(60)]
        scores = gauge.score(chains)
        asked = len(server.asked)
        gauge.close()
    assert asked < 40
    assert all(math.isnan(score.infogain) for score in scores)
    assert "calls in a row failed, the last with: HTTP 500" in scores[-1].missing["infogain"]


@pytest.mark.parametrize("engine", sweep(ENGINES, ["vllm"]))
def test_a_key_comes_from_the_environment_and_is_kept_nowhere(engine, tiny, monkeypatch):
    monkeypatch.setenv("SERVER_KEY", "sk-secret-12345")
    echo = Fault(400, body=b'{"error": {"message": "bad key sk-secret-12345"}}')

    def fault(ids, before):
        del before
        return echo if MARK in tiny[1].tokenizer.decode(ids) else None

    with serve(engine, tiny, key="sk-secret-12345", fault=fault) as server:
        gauge = served(server, tiny, {"api_key_env": "SERVER_KEY"})
        good, bad = gauge.score([CHAIN, BROKEN])
        gauge.close()
        assert {headers["authorization"] for headers in server.headers} == {"Bearer sk-secret-12345"}
        with pytest.raises(ScorerError, match="HTTP 401"):
            served(server, tiny).preflight()
    assert math.isfinite(good.infogain)
    assert "***" in bad.missing["infogain"]
    assert "secret" not in json.dumps([good.to_dict(), bad.to_dict()])


@pytest.mark.parametrize("engine", sweep(ENGINES, ["sglang"]))
def test_chains_beyond_the_servers_context_are_not_sent(engine, tiny, here):
    (score,) = here([CHAIN])
    tokens = max(len(ids) for ids in _sent(engine, tiny))
    with serve(engine, tiny, context=tokens) as server, served(server, tiny) as gauge:
        (long,) = gauge.score([CHAIN])
        assert server.asked == []
    assert f"are more than the scorer's context of {tokens - 1}" in long.missing["infogain"]
    with serve(engine, tiny, context=tokens + 1) as server, served(server, tiny) as gauge:
        check_equal(gauge.score([CHAIN]), [score])


def _sent(engine, tiny):
    with serve(engine, tiny) as server, served(server, tiny) as gauge:
        gauge.score([CHAIN])
        return server.asked


# --- who the server is


@pytest.mark.parametrize("engine", sweep(ENGINES, ["sglang"]))
def test_another_model_or_tokenizer_than_asked_for_ends_the_run_before_it_begins(engine, tiny, smollm2):
    other = AutoTokenizer.from_pretrained(smollm2.backend.describe()["source"])
    for options, message in (
        ({"name": "gpt2"}, r"the server runs 'gpt2', and not '.*server=\{'model'"),
        ({"name": tiny[0], "tokenizer": other}, "the server's tokenizer is another"),
    ):
        lm = Lm(tiny[1].model, options.get("tokenizer", tiny[1].tokenizer))
        with SERVERS[engine](lm, options["name"]) as server:
            for ask in (lambda gauge: gauge.preflight(), lambda gauge: gauge.score([CHAIN])):
                with pytest.raises(ScorerError, match=message):
                    ask(served(server, tiny))
            assert server.asked == []


@pytest.mark.parametrize("engine", sweep(ENGINES, ["vllm"]))
def test_a_scorer_under_another_name(engine, tiny, here):
    with SERVERS[engine](tiny[1], "our-judge", root="/models/x") as server:
        gauge = served(server, tiny, {"model": "our-judge"})
        (score,) = gauge.score([CHAIN])
        gauge.close()
        assert score.provenance["served_model"] == "our-judge"
        check_equal([score], here([CHAIN]))
    with SERVERS[engine](tiny[1], "our-judge", root=tiny[0]) as server, served(server, tiny) as gauge:
        check_equal(gauge.score([CHAIN]), here([CHAIN]))  # it says what it loaded


@pytest.mark.parametrize("engine", sweep(ENGINES, ["sglang"]))
def test_a_server_that_tells_nothing_but_its_models(engine, tiny, here):
    paths = ("/version", "/server_info", "/model_info", "/tokenize")
    with serve(engine, tiny, told=dict.fromkeys(paths)) as server, served(server, tiny) as gauge:
        (score,) = gauge.score([CHAIN])
        assert score.provenance["engine"] == f"{engine} (version unknown)"
        check_equal([score], here([CHAIN]))


def test_a_vllm_server_in_development_mode_tells_its_dtype(tiny):
    told = {"/server_info": {"vllm_config": "model='x', kv_cache_dtype=auto, dtype=torch.bfloat16, max_seq_len=2048"}}
    with serve("vllm", tiny, told=told) as server, served(server, tiny) as gauge:
        assert gauge.backend.describe()["dtype"] == "bfloat16"


@pytest.mark.parametrize("suffix", sweep(["", "/", "/v1", "/v1/"], ["/v1/"]))
def test_an_address_may_end_as_people_copy_it(suffix, tiny):
    with serve("vllm", tiny) as server:
        Gauge(tiny[0], backend="vllm", base_url=server.base_url + suffix).preflight()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "vllm"}, "option base_url None: expected where the server is"),
        ({"backend": "vllm", "base_url": "localhost:8000"}, "expected an address that starts with http"),
        (
            {"backend": "sglang", "base_url": "http://x", "dtype": "float16"},
            "option dtype 'float16': this is the server's",
        ),
        ({"backend": "vllm", "base_url": "http://x", "device": "cpu"}, "option device 'cpu': this is the server's"),
        (
            {"backend": "vllm", "base_url": "http://x", "server": {"conc": 1}},
            "unknown option 'conc'; did you mean 'concu",
        ),
        ({"backend": "vllm", "base_url": "http://x", "server": "m"}, "option server 'm': expected a mapping"),
        (
            {"backend": "vllm", "base_url": "http://x", "server": {"concurrency": 0}},
            "option concurrency 0: expected a whole",
        ),
        (
            {"backend": "vllm", "base_url": "http://x", "server": {"api_key_env": "NO_SUCH"}},
            "option api_key_env 'NO_SUCH'",
        ),
        ({"base_url": "http://x"}, "likelihood backend 'hf' asks no server; base_url"),
        ({"backend": "vllm", "base_url": "http://127.0.0.1:9", "server": {"max_retries": 0}}, "connection failed"),
    ],
)
def test_a_wrong_option_is_one_line(options, message, tiny, monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    for ask in (lambda gauge: gauge.preflight(), lambda gauge: gauge.score([CHAIN])):
        with pytest.raises(ScorerError, match=message) as caught:
            ask(Gauge(tiny[0], **options))
        assert "\n" not in str(caught.value)
