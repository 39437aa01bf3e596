"""`regrow` in lm-eval: the model that is evaluated goes on behind its own prompts, and its answer stays or changes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("lm_eval")

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.models.huggingface import HFLM
from scripted_lm import ScriptedLM, documents, evaluate, rows
from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.adapters.lm_eval import ReasoningFilter, StepTask
from stepgauge.adapters.lm_eval.regrowing import RunningModel
from stepgauge.metrics import ChainScore, ScorerError, Trace
from stepgauge.metrics.likelihood import Unscored
from stepgauge.metrics.reliance.regrowing import Beginning, Continuation

COLUMNS = ("answer_kept_share", "answer_kept_share_unchanged", "mistake_effect")
NUMBER = re.compile(r"\d+")
ROWS = [
    {"question": "Ann has 4 bags of 3 pens and finds 2 pens. Twice as many? key 28", "answer": "28"},
    {"question": "Bob has 5 bags of 3 pens and finds 2 pens. Twice as many? key 34", "answer": "34"},
]


class Worker(TemplateLM):
    """Works a sum out in three lines, a token a character, from wherever the prompt ends.

    From its steps, or writing the same steps and then the key of the question.
    """

    max_length = 4096
    max_gen_toks = 256

    def __init__(self, *, uses_steps: bool, end: Callable[[str], str] = str) -> None:
        super().__init__()
        self.uses_steps = uses_steps
        self.end = end
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @property
    def eot_token_id(self) -> int:
        return 0

    def tok_encode(self, string: str, **_: Any) -> list[int]:
        return [ord(one) for one in string]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        del disable_tqdm
        self.asked += [request.args for request in requests]
        return [self.written(*request.args)[: request.args[1]["max_gen_toks"]] for request in requests]

    def written(self, prompt: str, options: dict[str, Any]) -> str:
        del options
        question, _, begun = prompt.rpartition("\nAnswer:\n")
        bags, of, more, key = map(int, NUMBER.findall(question)[-4:])
        lines = [line for line in begun.split("\n") if line]
        new: list[str] = []
        while len(lines) + len(new) < 3:
            results = [int(NUMBER.findall(line)[-1]) for line in [*lines, *new]] or [0]
            answer = 2 * results[-1] if self.uses_steps else key
            at = len(lines) + len(new)
            new.append(
                [f"The bags hold {bags * of}", f"With those found {results[-1] + more}", f"The answer is {answer}."][at]
            )
        text = "\n".join(new)
        return self.end(text) if lines else text

    def loglikelihood(self, *_: Any, **__: Any) -> Any: ...
    def loglikelihood_rolling(self, *_: Any, **__: Any) -> Any: ...
    def _loglikelihood_tokens(self, *_: Any, **__: Any) -> Any: ...


def task(limit: int = 120, **options: Any) -> dict[str, Any]:
    return {
        "task": "sums",
        "class": StepTask,
        "stepgauge": {"scorer": None, "splitter": "lines", "regrow": "all", **options},
        "custom_dataset": documents(ROWS),
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "Question: {{question}}\nAnswer:\n",
        "target_delimiter": "",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["Question:"], "max_gen_toks": limit, "do_sample": True, "temperature": 0.7},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }


def chains(results: dict[str, Any]) -> list[ChainScore]:
    found = [sample for sample in results["samples"]["sums"] if sample["filter"] == "reasoning"]
    records = [json.loads(record) for sample in found for record in sample["filtered_resps"]]
    return [ChainScore.from_dict(chain) for record in records for chain in record["chains"]]


def test_of_a_model_that_uses_its_steps_every_mistake_changes_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    lm = Worker(uses_steps=True)
    results = evaluate(lm, task())
    found = chains(results)
    assert [chain.own_answer for chain in found] == ["28", "34"]
    for chain in found:
        assert [chain.metrics[name] for name in COLUMNS] == [0, 1, 1]
        wrong = [int(NUMBER.findall(step.corrupted or "")[-1]) for step in chain.steps[:2]]
        assert [step.answer_after_mistake for step in chain.steps[:2]] == [str(2 * (wrong[0] + 2)), str(2 * wrong[1])]
    table = rows(results, "sums", "reasoning")
    assert [table[name] for name in COLUMNS] == [0, 1, 1]
    assert "n_ends_missing" not in table
    assert "ends written anew: causal for this model" in caplog.text
    # Two responses, and for each two steps as they were and put wrong: behind the same prompt, greedily.
    own, anew = lm.asked[:2], lm.asked[2:]
    assert len(anew) == 8
    for prompt, options in anew:
        assert any(prompt.startswith(asked) and len(prompt) > len(asked) for asked, _ in own)
        assert (options["do_sample"], options["temperature"], options["until"]) == (False, 0, ["Question:"])
        assert options["max_gen_toks"] <= 120


def test_of_a_model_that_does_not_none_does() -> None:
    found = chains(evaluate(Worker(uses_steps=False), task(regrow=1)))
    assert [[chain.metrics[name] for name in COLUMNS] for chain in found] == [[1, 1, 0]] * 2
    assert [chain.provenance["regrown"]["steps"] for chain in found] == [1, 1]


def test_an_end_that_the_runs_limit_cuts_off_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    """The limit is that of the whole response, so that less is left behind a longer beginning."""
    lm = Worker(uses_steps=True, end=lambda text: "Let me think. " * 9 + text)
    found = chains(evaluate(lm, task(limit=70)))
    for chain in found:
        assert [math.isnan(chain.metrics[name]) for name in COLUMNS] == [True] * 3
        assert chain.missing["answer_kept_share"] == "the new end was cut off at the token limit"
        assert chain.metrics["n_ends_missing"] == 4
    assert (
        "answer_kept_share, answer_kept_share_unchanged, mistake_effect missing 2: 2 x the new end was" in caplog.text
    )


def test_what_has_no_room_is_not_asked() -> None:
    lm = Worker(uses_steps=True)
    trace = Trace("?", "One is 1.\nThe answer is 1.")
    prompt = ("Question: ?\nAnswer:\n", {"max_gen_toks": 5})
    (short,) = RunningModel(lm, {id(trace): prompt}).continued([Beginning(trace, "One is 1.\n")])
    assert short == Unscored("the beginning alone takes the run's limit of 5 new tokens")
    lm.max_length = 40
    (long,) = RunningModel(lm, {id(trace): (prompt[0], {})}).continued([Beginning(trace, "One is 1.\n")])
    assert long == Unscored("prompt, beginning and a new end are longer than the model's context")
    (unknown,) = RunningModel(lm, {}).continued([Beginning(trace, "One is 1.\n")])
    assert unknown == Unscored("the prompt of this response is not known as a text")
    assert lm.asked == []


@pytest.mark.parametrize("begins_with_a_token", [False, True])
def test_an_end_is_asked_for_as_long_as_the_run_s_limit_fits_into_the_context(begins_with_a_token: bool) -> None:
    class WithBeginning(Worker):
        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
            return [0] * (begins_with_a_token and add_special_tokens is not False) + [ord(one) for one in string]

    lm = WithBeginning(uses_steps=True)
    trace = Trace("?", "The bags hold 12\nThe answer is 1.")
    prompt = ("Question: 4 3 2 28\nAnswer:\n", {"max_gen_toks": 100})
    begun = Beginning(trace, "The bags hold 12\n")
    lm.max_length = len(prompt[0]) + 100 + begins_with_a_token
    (fits,) = RunningModel(lm, {id(trace): prompt}).continued([begun])
    assert fits == Continuation("With those found 14\nThe answer is 28.")
    # lm-eval cuts a prompt off on the left where what it may write does not fit behind it.
    (asked, options), *_ = lm.asked
    assert len(lm.tok_encode(asked)) + options["max_gen_toks"] == lm.max_length
    lm.max_length -= 1
    (long,) = RunningModel(lm, {id(trace): prompt}).continued([begun])
    assert long == Unscored("prompt, beginning and a new end are longer than the model's context")


def test_another_kind_of_model_is_refused_before_anything_is_generated() -> None:
    lm = ScriptedLM({"": ["The answer is 1."]})
    with pytest.raises(ScorerError, match=r"'sums'.*regrow: the model under test is a ScriptedLM; to go on with"):
        evaluate(lm, task())
    assert lm.n_requests == 0
    lm = Worker(uses_steps=True)
    lm.think_end_token = "</think>"  # type: ignore[attr-defined]
    with pytest.raises(ScorerError, match=r"think_end_token"):
        evaluate(lm, task())
    assert lm.asked == []


def test_a_filter_sees_no_prompt() -> None:
    with pytest.raises(ValueError, match="option 'regrow': a filter sees no prompt"):
        ReasoningFilter(question="question", gold="answer", scorer=None, regrow=2)


def test_hf_writes_what_transformers_writes_behind_the_same_tokens(tiny_scorer: str) -> None:
    """The oracle: one row at a time, no padding, no lm-eval."""
    lm = HFLM(pretrained=tiny_scorer, device="cpu", dtype="float32", batch_size=3)
    tokenizer = AutoTokenizer.from_pretrained(tiny_scorer)
    model = AutoModelForCausalLM.from_pretrained(tiny_scorer).eval()
    traces = [Trace(f"{n} + 1?", f"First {n}.\nThen {n + 1}.\nThe answer is {n + 1}.") for n in range(3, 8)]
    prompts = {id(trace): (f"Question: {trace.question}\nAnswer:\n", {"max_gen_toks": 40}) for trace in traces}
    beginnings = [Beginning(one, text) for one in traces for text in (one.response[:9], one.response[:9] + "Then 8.\n")]
    found = RunningModel(lm, prompts).continued(beginnings)
    for beginning, end in zip(beginnings, found, strict=True):
        assert isinstance(end, Continuation)
        inputs = tokenizer(prompts[id(beginning.trace)][0] + beginning.text, return_tensors="pt")
        with torch.no_grad():
            written = model.generate(**inputs, do_sample=False, max_new_tokens=40, pad_token_id=0)
        new = written[0, inputs["input_ids"].shape[1] :]
        assert end.text == tokenizer.decode(new, skip_special_tokens=True)
        assert end.text
        used = len(tokenizer.encode(beginning.text, add_special_tokens=False))
        assert end.cut_off == (len(tokenizer.encode(end.text, add_special_tokens=False)) >= 40 - used)
