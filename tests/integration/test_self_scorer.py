"""`scorer: self`: the model under test, as the framework holds it, scores its own chains."""

from __future__ import annotations

import gc
import json
import math
import weakref
from collections.abc import Sequence
from pathlib import Path

import pytest
from commands import in_process
from tiny_scorers import make_scorer

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

import datasets
import lm_eval
import torch
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log
from inspect_ai.model import get_model
from inspect_ai.solver import generate, solver
from lm_eval.models.huggingface import HFLM
from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.adapters.inspect import infogain
from stepgauge.adapters.lm_eval import StepTask
from stepgauge.metrics import Gauge, ModelInMemory, ScorerError, Trace

ROWS = [
    {"question": "Lena packs 6 eggs into each of 12 boxes. How many eggs?", "answer": "72"},
    {"question": "A pen costs 3 dollars. How much do 5 pens cost?", "answer": "15"},
]
CHAIN = "There are some.\nThey are counted.\nThey are added up.\nThe answer is {}"


def task(folder: Path, **options) -> dict:
    """A task of lm-eval over `ROWS`, with options for stepgauge."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return {
        "task": "sums",
        "class": StepTask,
        "stepgauge": options,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "rows.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["Question:"], "max_gen_toks": 24},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }


@pytest.fixture
def written(tmp_path, monkeypatch, shipped_tasks_once):  # noqa: ARG001
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def lm_evals(lm, config: dict) -> list[dict]:
    """The stored scores of the chains that lm-eval's run over a task leaves in its samples."""
    out = lm_eval.simple_evaluate(model=lm, tasks=[config], bootstrap_iters=0)
    samples = [sample for sample in out["samples"]["sums"] if sample["filter"] == "reasoning"]
    return [json.loads(record)["chains"][0] for sample in samples for record in sample["filtered_resps"]]


def alike(found: Sequence[float], expected: Sequence[float]) -> bool:
    return len(found) == len(expected) and all(map(lambda a, b: math.isclose(a, b, abs_tol=1e-4), found, expected))


def test_lm_evals_model_scores_the_chains_it_wrote(written, tiny_scorer):
    lm = HFLM(pretrained=tiny_scorer, device="cpu", dtype="float32")
    own = lm_evals(lm, task(written, scorer="self"))
    named = lm_evals(lm, task(written, scorer=tiny_scorer, device="cpu"))
    assert len(own) == len(ROWS)
    assert [chain["log_likelihoods"] for chain in own] != [[], []]
    for mine, other in zip(own, named, strict=True):
        assert alike(mine["log_likelihoods"], other["log_likelihoods"])
        assert mine["provenance"]["scorer"] == "self", "named as such in every result"
        assert mine["provenance"]["source"] == tiny_scorer


def test_what_was_done_to_lm_evals_model_in_memory_shows_in_its_scores(written, tiny_scorer):
    lm = HFLM(pretrained=tiny_scorer, device="cpu", dtype="float32")
    before = lm_evals(lm, task(written, scorer="self"))
    with torch.no_grad():
        for weights in lm.model.model.layers[0].self_attn.parameters():
            weights.mul_(-2)
    after = lm_evals(lm, task(written, scorer="self"))
    assert [chain["log_likelihoods"] for chain in before] != [chain["log_likelihoods"] for chain in after]


def test_two_models_one_after_the_other_each_score_their_own(written, tiny_scorer, tokenizers, tmp_path):
    other = str(make_scorer(tmp_path / "other", "qwen2", tokenizers["qwen"], max_position_embeddings=4096))
    for folder in (tiny_scorer, other):
        chains = lm_evals(HFLM(pretrained=folder, device="cpu", dtype="float32"), task(written, scorer="self"))
        assert {chain["provenance"]["source"] for chain in chains} == {folder}


def test_the_model_is_free_again_when_its_owner_lets_go_of_it(written, tiny_scorer):
    lm = HFLM(pretrained=tiny_scorer, device="cpu", dtype="float32")
    held = weakref.ref(lm.model)
    lm_evals(lm, task(written, scorer="self"))
    del lm
    gc.collect()
    assert held() is None


def test_a_peft_model_scores_with_its_adapters(written, tiny_scorer, tmp_path):
    peft = pytest.importorskip("peft")
    base = AutoModelForCausalLM.from_pretrained(tiny_scorer, dtype=torch.float32)
    tuned = peft.get_peft_model(base, peft.LoraConfig(init_lora_weights=False, target_modules=["q_proj", "v_proj"]))
    tuned.save_pretrained(tmp_path / "adapter")
    merged = tuned.merge_and_unload()
    tokenizer = AutoTokenizer.from_pretrained(tiny_scorer)
    expected = Gauge(ModelInMemory(merged, tokenizer))
    lm = HFLM(pretrained=tiny_scorer, peft=str(tmp_path / "adapter"), device="cpu", dtype="float32")
    trace = Trace(ROWS[0]["question"], CHAIN.format(72), "72")
    (own,) = Gauge(ModelInMemory(lm.model, lm.tokenizer)).score([trace])
    assert alike(own.log_likelihoods, expected.score([trace])[0].log_likelihoods)
    (bare,) = Gauge(tiny_scorer, device="cpu").score([trace])
    assert not alike(own.log_likelihoods, bare.log_likelihoods)
    assert lm_evals(lm, task(written, scorer="self"))[0]["provenance"]["source"].endswith("adapter")


@solver
def chains():
    async def solve(state, generate):
        del generate
        state.output.completion = CHAIN.format(state.target.text)
        return state

    return solve


def samples() -> list[Sample]:
    return [Sample(input=row["question"], target=row["answer"]) for row in ROWS]


def scores(log) -> list[dict]:
    assert log.status == "success", log.error
    return [sample.scores["infogain"].metadata for sample in log.samples]


def test_inspects_model_scores_its_own_chains_also_those_of_a_finished_log(tiny_scorer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = get_model(f"hf/{tiny_scorer}", device="cpu")
    written = Task(dataset=samples(), solver=[generate(max_tokens=4), chains()], scorer=infogain(scorer="self"))
    (log,) = inspect_eval(written, model=model, display="none", log_dir=str(tmp_path / "logs"))
    own = scores(log)
    gauge = Gauge(tiny_scorer, device="cpu")
    expected = gauge.score([Trace(row["question"], CHAIN.format(row["answer"]), row["answer"]) for row in ROWS])
    for mine, other in zip(own, expected, strict=True):
        assert alike(mine["log_likelihoods"], other.log_likelihoods)
        assert mine["provenance"]["scorer"] == "self"
        assert mine["provenance"]["source"] == tiny_scorer
    again = tmp_path / "again.eval"
    arguments = ("--scorer", "stepgauge/infogain", "-S", "scorer=self", "--action", "overwrite")
    assert in_process("inspect", "score", log.location, *arguments, "--output-file", str(again)) == 0
    assert [one["log_likelihoods"] for one in scores(read_eval_log(str(again)))] == [
        pytest.approx(one["log_likelihoods"]) for one in own
    ]


def test_a_model_that_is_not_in_memory_is_refused_before_anything_is_generated(written, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScorerError, match="the model under test is a DummyLM, and only lm-eval's `hf` holds"):
        lm_eval.simple_evaluate(model="dummy", tasks=[task(written, scorer="self")])
    (tmp_path / "evaluation.py").write_text(
        "from inspect_ai import Task, task\n"
        "from inspect_ai.dataset import Sample\n"
        "from stepgauge.adapters.inspect import infogain\n"
        "@task\n"
        "def asked():\n"
        "    return Task(dataset=[Sample(input='1 + 1?', target='2')], scorer=infogain(scorer='self'))\n"
    )
    assert in_process("inspect", "eval", "evaluation.py", "--model", "mockllm/model") == 1
    said = " ".join("".join(capsys.readouterr()).split())
    assert "the model under test is mockllm/model, and only Inspect's provider `hf` holds its weights" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scorer": "self"}, "scorer 'self': the model under test scores its own chains while lm-eval or Inspect"),
        ({"scorer": "self", "dtype": "float16"}, "dtype 'float16': scorer 'self' is in memory already"),
        ({"scorer": "self", "backend": "vllm"}, "backend 'vllm': scorer 'self' is in memory already"),
    ],
)
def test_without_a_run_there_is_no_model_under_test(options, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        Gauge(**options).score([Trace("1 + 1?", CHAIN.format(2), "2")])


def test_what_is_no_model_is_refused(tiny_scorer):
    tokenizer = AutoTokenizer.from_pretrained(tiny_scorer)
    with pytest.raises(ScorerError, match="its model is a Linear, expected a PreTrainedModel"):
        Gauge(ModelInMemory(torch.nn.Linear(2, 2), tokenizer)).preflight()
    model = AutoModelForCausalLM.from_pretrained(tiny_scorer)
    with pytest.raises(ScorerError, match="its tokenizer is a str, expected a PreTrainedTokenizerBase"):
        Gauge(ModelInMemory(model, "tokenizer")).preflight()  # type: ignore[arg-type]
