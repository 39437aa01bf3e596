"""Controls in the place of a chain's steps, against plain forward passes, and the copy model against a slow one."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from oracle import naive_log_likelihood, prefix_text
from scoring import rows, score, traces, write_jsonl
from tiny_scorers import make_scorer
from transformers import AutoTokenizer

from stepgauge.adapters.cli import main
from stepgauge.metrics import ChainScore, Gauge, Trace
from stepgauge.metrics.comparison.statistics import clustered, intervals
from stepgauge.metrics.controls.texts import CONTROLS

CHAINS = [
    Trace(
        "Ann has 12 pens and buys 3 packs of 5. How many pens?",
        "A pack holds 5 pens.\nShe buys 3 packs.\n3 * 5 = 15 pens.\n12 + 15 = 27.\nThe answer is 27.",
        "27",
        id="pens",
    ),
    Trace(
        "A train goes 60 km an hour. How far in 4 hours?",
        "It drives for 4 hours.\nSpeed times time gives the way.\n60 * 4 = 240 km.",
        "240",
        id="train",
    ),
    Trace("What is 8 plus 9?", "8 + 9 = 17.\nThe answer is 17.", "17", id="sum"),
    Trace(
        "Which vitamin prevents scurvy?",
        "Scurvy weakens gums.\nIt comes from a lack of fresh fruit.\nCitrus fruit holds ascorbic acid.",
        "vitamin C",
        id="scurvy",
    ),
    Trace("How many legs have two spiders?", "Each spider has eight legs.", "16", id="spider"),
]
GAINS = {f"gain_over_{name}{form}" for name in CONTROLS for form in ("", "_before_answer")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizers):
    return make_scorer(tmp_path_factory.mktemp("scorer"), "llama", tokenizers["qwen"])


@pytest.fixture(scope="module")
def gauge(folder):
    with Gauge(str(folder), device="cpu", splitter="lines", controls=CONTROLS, progress=False) as gauge:
        yield gauge


def by_id(scores) -> dict[str, ChainScore]:
    return {score.id: score for score in scores}


def texts(score) -> list[str]:
    return [step.text for step in score.steps]


def steps_in_front(score) -> int:
    return next((i for i, step in enumerate(score.steps) if step.states_answer), len(score.steps))


@pytest.mark.slow
def test_gains_are_those_of_plain_forward_passes_over_the_texts_in_the_score(smollm2, smollm2_with):
    scores = smollm2_with(splitter="lines", controls=CONTROLS).score(CHAINS[:4])
    model = smollm2.backend.engine.model
    tokenizer = AutoTokenizer.from_pretrained(smollm2.backend.describe()["source"])

    @cache  # the chain's own steps come up with each control
    def plain(context, answer):
        return naive_log_likelihood(model, tokenizer, context, answer)[0]

    def likelihood(trace, steps):
        return plain(prefix_text(trace.question, steps) + "\nAnswer: ", trace.answer)

    checked = Counter()
    for trace, found in zip(CHAINS, scores, strict=False):
        own = texts(found)
        for name, control in found.controls.items():
            for form, chain, there in (
                ("", own, control.steps),
                ("_before_answer", own[: steps_in_front(found)], control.steps_before_answer),
            ):
                metric = f"gain_over_{name}{form}"
                if metric in found.missing:
                    assert math.isnan(found.metrics[metric])
                    continue
                assert len(there) == len(chain)
                under = likelihood(trace, there)
                assert getattr(control, "log_likelihood" + form) == pytest.approx(under, abs=1e-3)
                assert found.metrics[metric] == pytest.approx(likelihood(trace, chain) - under, abs=2e-3), metric
                checked[metric] += 1
    # "sum" states its answer at once; of "train" two steps come before it, of "pens" three.
    assert checked == {name: 3 if name.endswith("_before_answer") else 4 for name in GAINS}


def test_filler_is_as_many_lines_that_say_nothing(gauge):
    for found in gauge.score(CHAINS):
        filler = found.controls["filler"]
        assert len(filler.steps) == found.n_steps
        assert filler.steps_before_answer == filler.steps[: steps_in_front(found)]
        assert not any(re.search(r"\d|\b[B-H]\b|\b(?:yes|no|answer)\b", line, re.IGNORECASE) for line in filler.steps)
        assert not set(filler.steps) & set(texts(found))


def test_filler_follows_from_the_question_leaves_out_lines_with_the_answer_and_repeats_only_when_used_up(gauge):
    long = Trace("Why is the sky blue?", "\n".join(f"Reason {i}." for i in range(40)), "careful")
    short = replace(long, response="One.\nTwo.\nThree.")
    one, two = (found.controls["filler"].steps for found in gauge.score([long, short]))
    assert one[:3] == two
    assert not any("careful" in line.lower().split() or "careful." in line.lower() for line in one)
    different = len(set(one))
    assert 25 < different < 32, "one or two lines hold the word"
    assert len(set(one[:different])) == different
    (other,) = gauge.score([replace(short, question="Why is grass green?")])
    assert other.controls["filler"].steps != two


def test_shuffled_is_another_order_of_the_chains_own_steps(gauge):
    chains = [replace(CHAINS[0], question=f"{CHAINS[0].question} ({i})") for i in range(12)]
    orders = set()
    for found in gauge.score(chains):
        control, own, front = found.controls["shuffled"], texts(found), steps_in_front(found)
        assert control.steps != own
        assert sorted(control.steps) == sorted(own)
        assert front == 3
        assert control.steps_before_answer != own[:front]
        assert sorted(control.steps_before_answer) == sorted(own[:front])
        orders.add(tuple(control.steps))
    assert len(orders) > 6


@pytest.mark.parametrize("response", ["Eight legs each.", "Eight legs each.\nEight legs each."])
def test_there_is_no_other_order_of_one_step(gauge, response):
    (found,) = gauge.score([Trace("How many legs have two spiders?", response, "16")])
    for name in ("gain_over_shuffled", "gain_over_shuffled_before_answer"):
        assert found.missing[name] == "control 'shuffled': fewer than two different steps to shuffle"
    assert found.controls["shuffled"].steps == []
    assert not math.isnan(found.metrics["gain_over_filler"])


def chains_with_traps() -> list[Trace]:
    """Several chains a question, and in every other one a step with another question's gold answer."""
    out = []
    for i in range(24):
        question = f"How many stones are in box {chr(97 + i // 2)}?"
        spaced = question.upper().replace(" ", "  ") if i % 2 else question
        trap = f"Chain {i} says box {(i // 2 + 1) % 12} has {100 + (i // 2 + 1) % 12} stones."
        lines = [f"Chain {i} opens box {chr(97 + i // 2)}.", trap, f"Chain {i} counts them.", f"The answer is {i}."]
        out.append(Trace(spaced, "\n".join(lines), str(100 + i // 2), id=str(i)))
    return out


def test_foreign_steps_are_of_other_questions_and_never_hold_this_answer_or_announce_one(gauge):
    chains = chains_with_traps()
    of = {line: chain for chain in chains for line in chain.response.split("\n")}
    sources = Counter()
    for trace, found in zip(chains, gauge.score(chains), strict=True):
        control = found.controls["foreign"]
        assert len(control.steps) == found.n_steps == 4
        assert control.steps_before_answer == control.steps[: steps_in_front(found)]
        for step in control.steps:
            assert of[step].question.casefold().split() != trace.question.casefold().split()
            assert trace.answer not in step
            assert not step.startswith("The answer is")
        named = [of[step].id for step in control.steps]
        assert list(dict.fromkeys(named)) == [chain.id for chain in control.chains]
        assert len(named) > len(set(named)), "steps of one chain stay together"
        sources.update(set(named))
    assert len(sources) > 12, "not the same few chains for all"


def test_controls_do_not_depend_on_the_order_of_the_chains(gauge):
    chains = chains_with_traps()
    before = by_id(gauge.score(chains))
    random.Random(0).shuffle(chains)
    after = by_id(gauge.score(chains))
    assert {name: found.controls["foreign"].steps for name, found in before.items()} == {
        name: found.controls["foreign"].steps for name, found in after.items()
    }
    for name, found in before.items():
        for metric in GAINS:
            assert found.metrics[metric] == pytest.approx(after[name].metrics[metric], abs=1e-4, nan_ok=True)


def test_foreign_without_other_questions_says_what_to_do_and_takes_steps_from_chains_given_beside(gauge):
    pens, train, *_ = CHAINS
    (alone,) = gauge.score([pens])
    reason = "control 'foreign': 5 steps of other questions are needed, 0 are at hand: score more chains together"
    assert alone.missing["gain_over_foreign"] == reason
    assert not math.isnan(alone.metrics["gain_over_filler"])
    (few,) = gauge.score([pens], foreign_from=[train, pens])
    assert "5 steps of other questions are needed, 3 are at hand" in few.missing["gain_over_foreign"]
    assert few.controls["foreign"].steps_before_answer == train.response.split("\n")
    beside = gauge.score([pens], foreign_from=[*CHAINS, pens])
    together = gauge.score(CHAINS)
    assert [found.id for found in beside] == ["pens"]
    assert beside[0].controls["foreign"].steps == together[0].controls["foreign"].steps


def test_control_beyond_the_context_is_missing_and_costs_the_chain_nothing(gauge):
    endless = Trace("How long is it?", "word " * 700, "5")
    one, unscored = gauge.score([CHAINS[4], endless])
    assert "infogain" in unscored.missing
    assert re.fullmatch(r"control 'foreign': .*\d+ tokens.*", one.missing["gain_over_foreign"])
    assert math.isnan(one.controls["foreign"].log_likelihood)
    for name in ("infogain", "gain_over_filler"):
        assert not math.isnan(one.metrics[name])


def test_where_the_first_step_states_the_answer_there_is_nothing_before_it(gauge):
    found = by_id(gauge.score(CHAINS))["sum"]
    for name in CONTROLS:
        assert found.missing[f"gain_over_{name}_before_answer"] == "the first step states the answer"
        assert not math.isnan(found.metrics[f"gain_over_{name}"])


def test_controls_share_a_trie_with_the_chain(folder, gauge):
    """Each control alone would cost its whole sequence; together, the question and the filler's start are there."""
    chain = replace(CHAINS[0], question=" ".join([CHAINS[0].question] * 4))
    others = CHAINS[1:]
    with Gauge(str(folder), device="cpu", splitter="lines", progress=False) as plain:
        plain.score([chain])
        without = plain.statistics()
    before = gauge.statistics()
    (found,) = gauge.score([chain], foreign_from=others)
    assert not GAINS & set(found.missing)
    together = gauge.statistics().since(before)
    assert together.groups == 1
    assert together.sequences - without.sequences == 6
    apart = together.sequence_tokens - without.sequence_tokens
    question = len(AutoTokenizer.from_pretrained(folder)(chain.question, add_special_tokens=False)["input_ids"]) - 1
    added = together.computed_tokens - without.computed_tokens
    assert added <= apart - 6 * question


def test_score_with_controls_goes_through_json_and_files_of_before_are_read(gauge):
    for found in gauge.score(CHAINS):
        data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        again = ChainScore.from_dict(data)
        assert again == found
        assert again.controls["filler"] == found.controls["filler"]
        assert [chain.id for chain in again.controls["foreign"].chains] == [
            chain.id for chain in found.controls["foreign"].chains
        ]
        del data["controls"]
        assert ChainScore.from_dict(data).controls == {}


def test_without_controls_there_are_no_such_numbers(folder):
    (found,) = Gauge(str(folder), device="cpu", progress=False).score(CHAINS[:1])
    assert found.controls == {}
    assert not GAINS & set(found.metrics)


def test_without_a_scorer_the_numbers_are_missing_for_that_reason():
    (found,) = Gauge(None, controls=["filler"]).score(CHAINS[:1])
    assert found.missing["gain_over_filler"] == found.missing["infogain"] == "no scoring LM (scorer=None)"


@pytest.mark.parametrize(
    ("controls", "said"),
    [
        (["filer"], r"unknown control 'filer'; did you mean 'filler'\? Known: filler, foreign, shuffled"),
        ([7], r"unknown control 7\. Known"),
        ("filler", r"controls 'filler': expected a list of names"),
        (None, "controls None: expected a list of names"),
    ],
)
def test_a_wrong_control_is_one_clear_error(controls, said):
    with pytest.raises(ValueError, match=said):
        Gauge(None, controls=controls)


def slow_copy_gain(question: str, steps: list[str], answer: str) -> float:
    """The formula of the docs, a character at a time."""

    def tokens(text: str) -> list[str]:
        out, word = [], ""
        for char in [*text.casefold(), " "]:
            latin = char.isalpha() and not "\u3040" <= char <= "\u9fff"
            if latin:
                word += char
                continue
            out += [word] if word else []
            out += [] if char.isspace() else [char]
            word = ""
        return out

    def log_p(context: str) -> float:
        counts = Counter(tokens(context))
        total = sum(counts.values())
        return sum(math.log(0.9 * counts[token] / total + 0.1 / 50_000) for token in tokens(answer))

    return log_p("\n".join([question, *steps])) - log_p(question)


@pytest.mark.parametrize(
    "trace",
    [
        *CHAINS,
        Trace("红色还是蓝色?", "天空是蓝色。\n这里的花是红色。", "红色"),
        Trace("Which drug?", "METFORMIN lowers glucose.\nSo x_1 = metformin.", "Metformin (850 mg)"),
    ],
)
def test_copy_gain_is_that_of_counting_tokens(trace):
    (found,) = Gauge(None, splitter="lines").score([trace])
    own, front = texts(found), steps_in_front(found)
    assert found.metrics["copy_gain_nats"] == pytest.approx(slow_copy_gain(trace.question, own, trace.answer))
    if front:
        expected = slow_copy_gain(trace.question, own[:front], trace.answer)
        assert found.metrics["copy_gain_nats_before_answer"] == pytest.approx(expected)
    else:
        assert found.missing["copy_gain_nats_before_answer"] == "the first step states the answer"


def test_copy_gain_of_several_accepted_answers_is_that_of_any():
    def gain(answer):
        (found,) = Gauge(None, splitter="lines").score([Trace("red or blue", "It is blue\nblue it is", answer)])
        return found.metrics["copy_gain_nats"]

    rare = 0.1 / 50_000
    blue, grey = (0.9 * 1 / 3 + rare, 0.9 * 3 / 9 + rare), (rare, rare)
    expected = math.log((blue[1] + grey[1]) / (blue[0] + grey[0]))
    assert gain(["blue", "grey"]) == gain(["grey", "blue", "..."]) == pytest.approx(expected)


def test_copy_gain_worked_by_hand():
    (found,) = Gauge(None, splitter="lines").score([Trace("red or blue", "It is blue\nblue it is", "blue")])
    before = 0.9 * 1 / 3 + 0.1 / 50_000
    assert found.metrics["copy_gain_nats"] == pytest.approx(math.log((0.9 * 3 / 9 + 0.1 / 50_000) / before))


@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        (Trace("Q?", "One.\nTwo.", None), "no gold answer"),
        (Trace("Q?", "", "7"), "no steps in the response"),
    ],
)
def test_copy_gain_is_missing_with_a_reason(trace, reason):
    (found,) = Gauge(None).score([trace])
    assert found.missing["copy_gain_nats"] == found.missing["copy_gain_nats_before_answer"] == reason


# The doors


def test_score_command_shows_gains_with_intervals_and_why_some_are_missing(folder, tmp_path, capsys):
    chains = [*CHAINS, replace(CHAINS[0], response="Packs are small.\nShe has many pens.\nSo 25.", id="pens2")]
    source = write_jsonl(tmp_path / "in.jsonl", [trace.to_dict() for trace in chains])
    out = tmp_path / "out"
    flags = ("--scorer", folder, "--device", "cpu", "--set", "splitter=lines", "--set", "dtype=float32")
    assert score(source, "--controls", *CONTROLS, "--out", out, *flags, cheap=False) == 0
    said = capsys.readouterr().out

    found = [row["score"] for row in rows(out)]
    (group,) = json.loads((out / "summary.json").read_text())["controls"]
    assert set(group["metrics"]) == GAINS | {
        "infogain_nats", "infogain_nats_before_answer", "copy_gain_nats", "copy_gain_nats_before_answer",
    }  # fmt: skip
    for name, told in group["metrics"].items():
        there = [row for row in rows(out) if row["score"]["metrics"][name] is not None]
        values = {}
        for row in there:
            values.setdefault(row["question_hash"], []).append(row["score"]["metrics"][name])
        means = [sum(those) / len(those) for those in values.values()]
        assert told["n"] == len(there)
        assert told["questions"] == len(means)
        assert told["mean"] == pytest.approx(sum(means) / len(means))
        (expected,) = intervals([clustered(means, list(values))], resamples=9999, seed=0)
        assert (told["low"], told["high"]) == pytest.approx(expected)
        assert sum(told["missing"].values()) == len(chains) - len(there)
    assert group["metrics"]["gain_over_filler"]["n"] == 6
    assert group["metrics"]["gain_over_filler"]["questions"] == 5
    assert group["metrics"]["gain_over_filler_before_answer"]["missing"] == {"the first step states the answer": 1}

    (line,) = [line for line in said.splitlines() if line.startswith("gain_over_shuffled ")]
    told = group["metrics"]["gain_over_shuffled"]
    assert f"{told['mean']:+.3f} [{told['low']:+.3f}, {told['high']:+.3f}] n=5" in line
    assert "gain_over_shuffled missing: 1 × control 'shuffled': fewer than two different steps to shuffle" in said

    assert main(["show", str(out), "--id", "spider"]) == 0
    shown = capsys.readouterr().out
    spider = next(one["metrics"] for one in found if one["id"] == "spider")
    gain = spider["gain_over_filler"]
    assert f"gain_over_filler {gain:+.3f}  before the answer {gain:+.3f}" in shown
    assert "gain_over_shuffled –  before the answer –" in shown
    assert "no gain_over_shuffled: control 'shuffled': fewer than two different steps" in shown


def test_windows_draw_foreign_steps_from_the_one_before_also_when_a_run_goes_on(tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(9))
    flags = ("--controls", "foreign", "--window", 4)
    out = tmp_path / "out"
    assert score(source, "--out", out, *flags) == 0
    found = [row["score"] for row in rows(out)]
    assert [one["id"] for one in found if one["metrics"]["gain_over_foreign"] is None] == []
    # The last chain is a window by itself.
    used = {chain["id"] for chain in found[8]["controls"]["foreign"]["chains"]}
    assert used
    assert used <= {"q4", "q5", "q6", "q7"}
    assert "gain_over_foreign" in capsys.readouterr().out

    stopped = shutil.copytree(out, tmp_path / "stopped")
    journal = (stopped / "windows.jsonl").read_text().splitlines(keepends=True)
    (stopped / "windows.jsonl").write_text("".join(journal[:2]))
    assert score(source, "--out", stopped, *flags) == 0
    assert "going on after 8 scored" in capsys.readouterr().out
    assert (stopped / "scores.jsonl").read_bytes() == (out / "scores.jsonl").read_bytes()


def test_score_command_refuses_an_unknown_control_and_goes_on_only_with_the_same_ones(tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(2))
    assert score(source, "--out", tmp_path / "out", "--controls", "filler", "shufled") == 2
    assert "unknown control 'shufled'; did you mean 'shuffled'?" in capsys.readouterr().err
    assert score(source, "--out", tmp_path / "out", "--set", "controls=filler") == 0
    assert score(source, "--out", tmp_path / "out") == 2
    assert 'options.controls was ["filler"]' in capsys.readouterr().err


@pytest.mark.slow
def test_lm_eval_shows_the_controls_of_a_tasks_options(folder):
    from scripted_lm import ScriptedLM, documents, evaluate
    from scripted_lm import rows as pipeline

    from stepgauge.adapters.lm_eval import ReasoningFilter, StepTask, stepgauge

    options = {"scorer": str(folder), "device": "cpu", "splitter": "lines", "controls": "filler, foreign"}
    task = {
        "task": "mixed",
        "class": StepTask,
        "custom_dataset": documents([{"question": trace.question, "answer": trace.answer} for trace in CHAINS]),
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["Q:"]},
        "stepgauge": options,
    }
    model = ScriptedLM({trace.question: [trace.response] for trace in CHAINS})
    found = pipeline(evaluate(model, task), "mixed", "reasoning")
    names = {f"gain_over_{name}{form}" for name in ("filler", "foreign") for form in ("", "_before_answer")}
    assert {name for name in found if name.startswith("gain_over") and not name.endswith("stderr")} == names
    assert all(math.isfinite(found[name]) and math.isfinite(found[f"{name}_stderr"]) for name in names)

    # A YAML without our class: the filter takes the option, the metric follows it.
    made = ReasoningFilter(**options, question="question", gold="answer")
    docs = [{"question": trace.question, "answer": trace.answer} for trace in CHAINS]
    record = made.apply([[trace.response] for trace in CHAINS], docs)[0]
    numbers = stepgauge([], [record])
    assert {name for name in numbers if name.startswith("gain_over")} == names
    assert math.isfinite(numbers["gain_over_foreign"])


def test_lm_eval_names_an_unknown_control():
    from stepgauge.adapters.cli.errors import UserError
    from stepgauge.adapters.cli.lm_eval import check_options, split_arguments

    _, options = split_arguments(["--stepgauge", "controls=filler,shufled"])
    with pytest.raises(UserError, match=r"--stepgauge: unknown control 'shufled'; did you mean 'shuffled'\?"):
        check_options(options)


@pytest.mark.slow
def test_inspect_reports_the_controls_and_foreign_draws_on_samples_scored_before(tmp_path, folder):
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ChatMessageAssistant, ModelOutput, ModelUsage, get_model

    from stepgauge.adapters.inspect import reasoning

    def output(text: str) -> ModelOutput:
        out = ModelOutput.from_message(ChatMessageAssistant(content=text))
        out.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return out

    chains = [CHAINS[4], *CHAINS[:3]]
    task = Task(
        dataset=[Sample(id=trace.id, input=trace.question, target=trace.answer) for trace in chains],
        scorer=reasoning(scorer=str(folder), device="cpu", splitter="lines", controls=["filler", "foreign"]),
    )
    model = get_model("mockllm/model", custom_outputs=[output(trace.response) for trace in chains])
    # One at a time, so no sample has company.
    (log,) = inspect_eval(task, model=model, max_samples=1, log_dir=str(tmp_path), display="none")
    assert log.status == "success"
    columns = {column.name for column in log.results.scores}
    assert {f"gain_over_{name}{form}" for name in ("filler", "foreign") for form in ("", "_before_answer")} <= columns
    first, second, third, last = (
        {sample.id: sample for sample in log.samples}[trace.id].scores["reasoning"] for trace in chains
    )
    assert math.isfinite(first.value["gain_over_filler"])
    assert math.isnan(first.value["gain_over_foreign"])
    assert "1 steps of other questions are needed, 0 are at hand" in first.metadata["missing"]["gain_over_foreign"]
    assert "5 steps of other questions are needed, 1 are at hand" in second.metadata["missing"]["gain_over_foreign"]
    assert math.isfinite(third.value["gain_over_foreign"])
    assert math.isfinite(last.value["gain_over_foreign"])
    assert set(last.metadata["controls"]["foreign"]["steps"]) <= {
        line for trace in chains[:3] for line in trace.response.split("\n")
    }


def test_inspect_refuses_an_unknown_control():
    from stepgauge.adapters.inspect import infogain
    from stepgauge.adapters.inspect.options import OptionError

    with pytest.raises(OptionError, match=r"unknown control 'filer'; did you mean 'filler'\?"):
        infogain(controls="filer")
