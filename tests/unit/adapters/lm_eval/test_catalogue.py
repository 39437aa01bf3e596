"""The tasks that `stepgauge tasks` lists: found by rules in the installed lm-eval, gold answers read from rows."""

from __future__ import annotations

import json
import re
from importlib.metadata import version

import datasets
import pytest
from datasets import Dataset
from lm_eval.tasks import TaskManager
from local_hub import add_dataset
from repo import REPO

from stepgauge.adapters.cli import main
from stepgauge.adapters.lm_eval.catalogue import chain_tasks, families, matching
from stepgauge.adapters.lm_eval.cot_detection import obstacle, sign
from stepgauge.adapters.lm_eval.documents import gold_and_choices
from stepgauge.adapters.lm_eval.kept_yaml import kept_yaml
from stepgauge.adapters.lm_eval.task import score_chains, scorer_of
from stepgauge.adapters.lm_eval.unscored_tasks import generative_siblings

QUESTION = "Lena packs 6 eggs into each of 12 boxes. How many eggs does she pack?"
SOLUTION = "Each box holds 6 eggs.\n12 * 6 = <<12*6=72>>72\n#### 72"
MATH = {"problem": "What is $6 \\cdot 12$?", "solution": "$6 \\cdot 12 = \\boxed{72}$.", "level": "Level 5"}
ORGANS = ["Spleen", "Liver", "Kidney", "Stomach"]
ORGAN = "Which organ makes bile?"
WORD_PROBLEM = {"question": QUESTION, "answer": SOLUTION}
MGSM = {"question": QUESTION, "answer": None, "answer_number": 72, "equation_solution": None}
MMLU = {"question": ORGAN, "subject": "anatomy", "choices": ORGANS, "answer": 1}
MMLU_PRO = {
    "question_id": 1,
    "question": ORGAN,
    "options": ORGANS,
    "answer": "B",
    "answer_index": 1,
    "cot_content": "A: Let's think step by step. Bile comes from the liver. The answer is (B).",
    "category": "biology",
    "src": "",
}
MMLU_PROX = {
    **{key: MMLU_PRO[key] for key in ("question_id", "question", "answer", "answer_index", "cot_content", "category")},
    **{f"option_{i}": ORGANS[i] if i < len(ORGANS) else None for i in range(10)},
}
SHOTS = {
    f"gsm8k_{part}_shot_{i}": text for i in range(1, 6) for part, text in (("prompt", "?"), ("answer", "!"), ("idx", 1))
}

# task, data set, its configuration, one row of it, the split it stands in, further splits that the task reads, the
# gold answers to be read out of it, and the options if there are some
FAMILIES = [
    (
        "acp_areach_mcq",
        *("ibm-research/acp_bench", "acp_areach_mcq"),
        {"context": "A ferry domain.", "question": "Which? A. go B. sail C. fly D. wait", "answer": "B"},
        ("test", "val"),
        (["B"], None),
    ),
    (
        "acp_areach_bool",
        "ibm-research/acp_bench",
        "acp_areach_bool",
        {"context": "", "question": "?", "answer": "yes"},
        ("test", "val"),
        (["yes"], None),
    ),
    (
        "afrimgsm_cot_eng_prompt_1",
        "masakhane/afrimgsm",
        "eng",
        MGSM | {"answer_number": "72"},
        ("test", "train"),
        (["72"], None),
    ),
    (
        "afrimgsm_cot_translate_swa_prompt_1",
        "masakhane/afrimgsm-translate-test",
        "swa",
        MGSM | {"answer_number": "72"},
        ("test", "train"),
        (["72"], None),
    ),
    ("aime", "gneubig/aime-1983-2024", None, {"Question": QUESTION, "Answer": "72"}, ("train",), (["72"], None)),
    ("aime24", "Maxwell-Jia/AIME_2024", None, {"Problem": QUESTION, "Answer": 72}, ("train",), (["72"], None)),
    ("aime25", "math-ai/aime25", None, {"problem": QUESTION, "answer": "72"}, ("test",), (["72"], None)),
    (
        "asdiv_cot_llama",
        "EleutherAI/asdiv",
        None,
        {"body": "6 in each of 12.", "question": "How many?", "answer": "72 (eggs)"},
        ("validation",),
        (["72"], None),
    ),
    ("mgsm_native_cot_eu", "HiTZ/MGSM-eu", None, MGSM, ("test", "train"), (["72"], None)),
    (
        "bbh_cot_fewshot_boolean_expressions",
        "SaylorTwift/bbh",
        "boolean_expressions",
        {"input": "not True is", "target": "False"},
        ("test",),
        (["False"], None),
    ),
    (
        "bbh_cot_zeroshot_date_understanding",
        "SaylorTwift/bbh",
        "date_understanding",
        {"input": "Options:\n(A) May\n(B) June", "target": "(B)"},
        ("test",),
        (["(B)"], None),
    ),
    (
        "global_piqa_nonparallel_generation_als_latn",
        "mrlbenchmarks/global-piqa-nonparallel",
        "als_latn",
        {"prompt": "To boil an egg", "solution0": "heat water", "solution1": "cool water", "label": 0},
        ("test",),
        (["heat water"], ["heat water", "cool water"]),
    ),
    (
        "global_piqa_parallel_generation_als_latn",
        "mrlbenchmarks/global-piqa-parallel",
        "als_latn",
        {"prompt": "To boil", "label": 1, **{f"solution{i}": text for i, text in enumerate(ORGANS)}},
        ("test",),
        (["Liver"], ORGANS),
    ),
    (
        "gpqa_diamond_cot_zeroshot",
        "Idavidrein/gpqa",
        "gpqa_diamond",
        {
            "Question": ORGAN,
            "Correct Answer": "Liver",
            **{f"Incorrect Answer {i}": text for i, text in ((1, "Spleen"), (2, "Kidney"), (3, "Stomach"))},
        },
        ("train",),
        (["Liver"], ORGANS),
    ),
    (
        "graphwalks_128k",
        "openai/graphwalks",
        None,
        {"prompt": "Neighbours of a?", "answer_nodes": ["b", "c"]},
        ("train",),
        (["b", "c"], None),
    ),
    ("gsm8k", "openai/gsm8k", "main", WORD_PROBLEM, ("test", "train"), (["72"], None)),
    ("gsm8k_cot", "openai/gsm8k", "main", WORD_PROBLEM, ("test", "train"), (["72"], None)),
    ("gsm8k_cot_zeroshot", "openai/gsm8k", "main", WORD_PROBLEM, ("test", "train"), (["72"], None)),
    ("gsm8k_llama", "openai/gsm8k", "main", WORD_PROBLEM, ("test", "train"), (["72"], None)),
    ("gsm8k_platinum_cot", "madrylab/gsm8k-platinum", "main", WORD_PROBLEM, ("test",), (["72"], None)),
    (
        "gsm_plus",
        "qintongli/GSM-Plus",
        None,
        {"question": QUESTION, "solution": SOLUTION, "answer": "72"},
        ("test",),
        (["72"], None),
    ),
    ("hendrycks_math_algebra", "EleutherAI/hendrycks_math", "algebra", MATH, ("test", "train"), (["72"], None)),
    ("hendrycks_math500", "HuggingFaceH4/MATH-500", None, MATH | {"answer": "72"}, ("test",), (["72"], None)),
    ("hrm8k_gsm8k", "HAERAE-HUB/HRM8K", "GSM8K", {"question": QUESTION, "answer": 72.0}, ("test",), (["72"], None)),
    (
        "kmmlu_cot_hard_accounting",
        "HAERAE-HUB/KMMLU-HARD",
        "accounting",
        {"question": ORGAN, "answer": 2, **dict(zip("ABCD", ORGANS, strict=True))},
        ("test", "dev"),
        (["Liver"], ORGANS),
    ),
    (
        "leaderboard_math_algebra_hard",
        "DigitalLearningGmbH/MATH-lighteval",
        "algebra",
        MATH,
        ("test", "train"),
        (["72"], None),
    ),
    (
        "metabench_gsm8k",
        "HCAI/metabench",
        "GSM8K",
        WORD_PROBLEM | SHOTS | {"allfiveshot_longprompt": ""},
        ("primary",),
        (["72"], None),
    ),
    ("mgsm_en_cot_de", "juletxara/mgsm", "de", MGSM, ("test", "train"), (["72"], None)),
    ("minerva_math_algebra", "EleutherAI/hendrycks_math", "algebra", MATH, ("test", "train"), (["72"], None)),
    ("minerva_math500", "HuggingFaceH4/MATH-500", None, MATH | {"answer": "72"}, ("test",), (["72"], None)),
    ("mmlu_cot_llama_anatomy", "hails/mmlu_no_train", "anatomy", MMLU, ("test", "dev"), (["Liver"], ORGANS)),
    ("mmlu_flan_cot_fewshot_anatomy", "cais/mmlu", "anatomy", MMLU, ("test", "dev", "validation"), (["Liver"], ORGANS)),
    (
        "mmlu_flan_cot_zeroshot_anatomy",
        "cais/mmlu",
        "anatomy",
        MMLU,
        ("test", "dev", "validation"),
        (["Liver"], ORGANS),
    ),
    ("mmlu_pro_biology", "TIGER-Lab/MMLU-Pro", None, MMLU_PRO, ("test", "validation"), (["Liver"], ORGANS)),
    ("mmlu_pro_llama_biology", "TIGER-Lab/MMLU-Pro", None, MMLU_PRO, ("test", "validation"), (["Liver"], ORGANS)),
    ("mmlu_pro_plus_biology", "saeidasgari/mmlu-pro-plus", None, MMLU_PRO, ("test", "validation"), (["Liver"], ORGANS)),
    ("mmlu_prox_en_biology", "li-lab/MMLU-ProX", "en", MMLU_PROX, ("test", "validation"), (["Liver"], ORGANS)),
    (
        "mmlu_prox_lite_sw_biology",
        "li-lab/MMLU-ProX-Lite",
        "sw",
        MMLU_PROX,
        ("test", "validation"),
        (["Liver"], ORGANS),
    ),
    ("putnam_axiom", "Putnam-AXIOM/putnam-axiom-dataset-ICML-2025-522", None, MATH, ("full_eval",), (["72"], None)),
    (
        "non_greedy_robustness_math_algebra",
        "EleutherAI/hendrycks_math",
        "algebra",
        MATH,
        ("test", "train"),
        (["72"], None),
    ),
    ("tinyGSM8k", "tinyBenchmarks/tinyGSM8k", "main", WORD_PROBLEM, ("test", "train"), (["72"], None)),
    (
        "turkishmmlu_cot_biology",
        "AYueksel/TurkishMMLU",
        "Biology",
        {"question": ORGAN, "choices": [*ORGANS, "Heart"], "answer": "B"},
        ("test", "dev"),
        (["Liver"], [*ORGANS, "Heart"]),
    ),
]


@pytest.fixture(scope="module")
def manager(shipped_tasks_once):  # noqa: ARG001
    with kept_yaml():
        return TaskManager()


@pytest.fixture(scope="module")
def listed(manager):
    return chain_tasks(manager.task_index)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Stand-ins for the hub's data sets, below the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize(
    ("task", "data", "config", "row", "splits", "expected"), FAMILIES, ids=[family[0] for family in FAMILIES]
)
def test_a_shipped_tasks_gold_answer_is_read_from_its_data_sets_rows(
    manager, hub, task, data, config, row, splits, expected
):
    if task == "tinyGSM8k":
        pytest.importorskip("tinyBenchmarks", reason="the task needs a package that is on no package index")
    add_dataset(hub, data, {split: [row] * 2 for split in splits}, config)
    if task.startswith("graphwalks"):
        Dataset.from_list([row] * 2).to_parquet(hub / data / "graphwalks_128k_and_shorter.parquet")
    [(name, loaded)] = manager.load([task])["tasks"].items()
    assert name == task
    score_chains(loaded, {"stepgauge": {"scorer": None}})
    assert scorer_of(loaded) is not None
    gold, choices = gold_and_choices(loaded, loaded.eval_docs[0], None, None)
    assert (gold, sorted(choices) if choices else None) == (expected[0], sorted(expected[1]) if expected[1] else None)


@pytest.mark.slow
def test_every_family_in_the_list_has_a_row_in_the_table_above(listed):
    read = {family[0] for family in FAMILIES}
    lacking = [family.name for family in families(listed) if not read & {task.name for task in family.tasks}]
    assert not lacking


def test_the_list_names_what_the_data_sets_leaderboards_ask_for(listed):
    names = {task.name for task in listed}
    assert {row[0] for row in FAMILIES} <= names
    without_chain = (
        "arc_easy",
        "ifeval",
        "humaneval",
        "mgsm_direct_de",
        "triviaqa",
        "squadv2",
        "agieval_math",
        "mmmu_val_math",
    )
    assert not names & set(without_chain)
    [gsm8k_cot] = [task for task in listed if task.name == "gsm8k_cot"]
    assert "chain_of_thought" in gsm8k_cot.groups
    assert "answer" in gsm8k_cot.gold


def test_the_documentation_counts_the_tasks_of_the_version_that_it_names(manager, listed):
    page = " ".join((REPO / "docs" / "lm-eval.md").read_text(encoding="utf-8").split())
    told = re.search(r"(\S+) has ([\d,]+) such tasks in (\d+) families", page)
    assert told
    if told[1] != version("lm_eval"):
        pytest.skip(f"the page counts the tasks of lm-eval {told[1]}")
    assert (told[2], told[3]) == (f"{len(listed):,}", str(len(families(listed))))
    arc = manager.task_index["arc_easy"].cfg
    siblings = generative_siblings(manager.task_index, arc["dataset_path"], {arc["dataset_name"]})
    assert f"generative sibling: {siblings}`" in page


def test_families_hold_their_variants_and_patterns_find_names_groups_and_folders(listed):
    by_name = {family.name: family for family in families(listed)}
    assert len(by_name["bbh_cot_*"].tasks) == 54
    assert by_name["mmlu_pro_*"].groups[0] == "mmlu_pro"
    assert {task.name for task in matching(listed, "aime2?")} == {"aime24", "aime25"}
    assert {task.folder for task in matching(listed, "leaderboard_math_hard")} == {"leaderboard"}
    assert matching(listed, "no_such_task") == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"output_type": "multiple_choice"}, "output type multiple_choice"),
        ({"generation_kwargs": {"until": "\n"}}, "generation stops at the first line or sentence"),
        ({"generation_kwargs": {"until": ["Q:", "."]}}, "generation stops at the first line or sentence"),
        ({"generation_kwargs": {"max_gen_toks": 32}}, "at most 32 tokens"),
        ({"doc_to_target": 0}, "no gold answer"),
        ({"doc_to_target": " "}, "no gold answer"),
        ({"unsafe_code": True}, "the answer is a program"),
        ({"doc_to_image": ["image"]}, "the question is not text alone"),
    ],
)
def test_what_cuts_a_chain_short_or_leaves_nothing_to_measure_is_named(change, reason):
    config = {"task": "x", "doc_to_text": "{{question}}", "doc_to_target": "{{answer}}", **change}
    assert obstacle(config) == reason


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, None),
        ({"task": "scotland"}, None),
        ({"task": "x_cot_y"}, "its name or tag"),
        ({"tag": "chain_of_thought"}, "its name or tag"),
        ({"doc_to_text": "{{question}} Think step by step."}, "its prompt"),
        ({"fewshot_config": {"samples": [{"target": "First " * 12}]}}, "worked examples"),
        (
            {"filter_list": [{"filter": [{"function": "regex", "regex_pattern": "#### (.*)"}]}]},
            "how its answer is extracted",
        ),
        ({"filter_list": [{"filter": [{"function": "regex"}]}]}, None),
        (
            {"filter_list": [{"filter": [{"function": "regex"}]}], "generation_kwargs": {"max_gen_toks": 2048}},
            "room for a chain, and an extraction step",
        ),
        ({"doc_to_target": "{% if answer is not none %}{{answer}}{% endif %}"}, None),
    ],
)
def test_a_chain_is_known_by_what_the_configuration_says(change, found):
    assert sign({"task": "x", "doc_to_text": "{{question}}\nA:", **change}) == found


def test_a_prompt_that_is_a_python_function_is_read_without_running_it(tmp_path):
    (tmp_path / "utils.py").write_text(
        "raise RuntimeError('not to be run')\n"
        "HINT = 'Think step by step.'\n"
        "def with_hint(doc):\n    return doc['question'] + HINT\n"
        "def without(doc):\n    # step by step\n    return doc['question']\n"
    )
    assert sign({"task": "x", "doc_to_text": f"{tmp_path}/utils.with_hint"}) == "its prompt"
    assert sign({"task": "x", "doc_to_text": f"{tmp_path}/utils.without"}) is None


def test_siblings_are_generative_tasks_over_the_same_data_those_with_a_chain_first(manager):
    index = manager.task_index
    arc = index["arc_easy"].cfg
    assert "arc_challenge_chat" in str(generative_siblings(index, arc["dataset_path"], {arc["dataset_name"]}))
    assert generative_siblings(index, "TIGER-Lab/MMLU-Pro", {"None"}).startswith("mmlu_pro_biology")
    assert generative_siblings(index, "no/such-data", {"None"}) is None


@pytest.mark.slow
@pytest.mark.usefixtures("shipped_tasks_once")
def test_the_command_lists_families_as_a_table_and_tasks_as_json(capsys):
    assert main(["tasks", "mmlu_pro"]) == 0
    [heading, *lines] = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "family",
        "tasks",
        "in",
        "groups",
        "and",
        "tags",
        "gold",
        "answer",
        "from",
        "chain",
        "known",
        "by",
    ]
    assert [line.split()[:3] for line in lines if line.startswith("mmlu_pro_*")] == [["mmlu_pro_*", "14", "mmlu_pro"]]
    assert main(["tasks", "gsm8k_platinum*", "--all", "--json"]) == 0
    tasks = json.loads(capsys.readouterr().out)
    assert {task["task"] for task in tasks} >= {"gsm8k_platinum", "gsm8k_platinum_cot"}
    assert set(tasks[0]) == {"task", "groups", "gold", "chain"}
