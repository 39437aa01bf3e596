"""Which answer a chain of thought is taken to give: the filters of the medical tasks, on made and on real chains."""

from __future__ import annotations

import json
import re
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

from lm_eval.api.instance import Instance
from lm_eval.filters import build_filter_ensemble
from lm_eval.tasks._yaml_loader import load_yaml

from stepgauge.adapters.lm_eval import include_path
from stepgauge.tasks.lm_eval_medical import INVALID
from stepgauge.tasks.stated_answers import stated_decision, stated_letter

MEDICAL = Path(include_path()) / "medical"
OPTIONS = ["Amoxicillin", "E. coli vaccine", "Vitamin K", "B lymphocytes", "No treatment"]


def extracted(task: str, pipeline: str, response: str, doc: dict) -> str:
    """What one pipeline of a task's YAML makes of a response, through lm-eval's own filters."""
    filters = {entry["name"]: entry["filter"] for entry in load_yaml(MEDICAL / f"{task}.yaml")["filter_list"]}
    steps = [
        (step["function"], {key: value for key, value in step.items() if key != "function"} or None)
        for step in filters[pipeline]
    ]
    instance = Instance("generate_until", doc, ("", {}), 0)
    instance.resps = [response]
    build_filter_ensemble(pipeline, steps).apply([instance])
    return instance.filtered_resps[pipeline]


# response, strict-match ("": [invalid]), flexible-extract. C is right in each: "right" or "wrong" is in the letter.
LETTERS = [
    ("He bleeds because of warfarin.\nAnswer: C", "C", "C"),
    ("He bleeds because of warfarin.\nANSWER: C", "C", "C"),
    ("Warfarin blocks vitamin K.\n\n**Answer: C**", "C", "C"),
    ("Warfarin blocks vitamin K.\n\n**Answer:** C", "C", "C"),
    ("Warfarin blocks vitamin K.\n\n**Answer**: C", "C", "C"),
    ("Warfarin blocks vitamin K.\n### Answer: C", "C", "C"),
    ("> Answer: C", "C", "C"),
    ("Answer: (C)", "C", "C"),
    ("Answer: (C) Vitamin K", "C", "C"),
    ("Answer: C. Vitamin K", "C", "C"),
    ("Answer: C) Vitamin K", "C", "C"),
    ("Answer: C: Vitamin K", "C", "C"),
    ("Answer: C, since warfarin is antagonised.", "C", "C"),
    ("Answer: \\boxed{C}", "C", "C"),
    ("Answer: $\\boxed{C}$", "C", "C"),
    ("Answer: $C$", "C", "C"),
    ("Answer: *C*", "C", "C"),
    ("Final Answer: C", "C", "C"),
    ("The answer is: C", "C", "C"),
    ("The correct answer is: **C**", "C", "C"),
    ("Answer: C\n", "C", "C"),
    ("Answer: C.", "C", "C"),
    ("Answer: A", "A", "A"),
    ("Answer: A. Amoxicillin", "A", "A"),
    ("First I thought:\nAnswer: A\nBut the INR is high, so\nAnswer: C", "C", "C"),
    ("Answer: C\nAnswer: B", "B", "B"),
    # the asked format is missed, the answer is clear
    ("Therefore, the answer is (C).", "", "C"),
    ("Therefore, the answer is C", "", "C"),
    ("So the correct answer is **C. Vitamin K**.", "", "C"),
    ("So the best option is (C), which reverses warfarin.", "", "C"),
    ("The answer is therefore (C).", "", "C"),
    ("The most likely answer is option C.", "", "C"),
    ("The answer to this question is C.", "", "C"),
    ("The answer is vitamin K.", "", "C"),
    ("The correct choice is Vitamin K because warfarin blocks its recycling.", "", "C"),
    ("Hence \\boxed{C}.", "", "C"),
    ("Hence $\\boxed{\\text{C}}$", "", "C"),
    ("Option C is correct.", "", "C"),
    ("(C) Vitamin K is the best treatment.", "", "C"),
    ("We rule out A and B.\n\nC", "", "C"),
    ("We rule out A and B.\n\n**C**", "", "C"),
    ("We rule out A and B.\n\n(C) Vitamin K", "", "C"),
    ("C", "", "C"),
    ("(C)", "", "C"),
    ("#### C", "", "C"),
    ("<answer>C</answer>", "", "C"),
    ("Answer: c", "", "C"),
    ("Answer - C", "", "C"),
    ("Answer:\nC", "", "C"),
    ("<think>The answer is A. No, wait.</think>\nAnswer: C", "C", "C"),
    ("The answer is A because penicillins are safe.", "", "A"),
    # an option's text that begins like a letter
    ("The answer is E. coli vaccine.", "", "B"),
    ("The answer is B lymphocytes.", "", "D"),
    # nothing is announced
    ("A patient who takes warfarin bleeds. A high INR is expected.", "", ""),
    ("Answer: A patient like this one needs vitamin K.", "", ""),
    ("I think that this is hard.", "", ""),
    ("Answer: I do not know.", "", ""),
    ("The answer is not C.", "", ""),
    ("Option A is incorrect. Option B is not correct either.", "", ""),
    ("A is wrong, B is wrong, and vitamin K is given", "", ""),
    ("The patient needs vitamin K, then vitamin K, then vitamin", "", ""),
    ("A is the most likely cause of a long chain", "", ""),
    ("Answer: Let's think step by step.", "", ""),
    ("The answer is (A) and (C).", "", ""),
    ("The answer is A or C.", "", ""),
    ("The answer is (None of the above).", "", ""),
    ("The answer is J.", "", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("response", "strict", "flexible"), LETTERS)
def test_the_letter_that_a_response_ends_up_with(response: str, strict: str, flexible: str) -> None:
    doc = {"choices": OPTIONS}
    assert extracted("medqa_cot_stepgauge", "flexible-extract", response, doc) == (flexible or INVALID)
    assert extracted("medqa_cot_stepgauge", "strict-match", response, doc) == (strict or INVALID)


# response, custom-extract (lm-eval's own), strict-match, flexible-extract
MMLU_PRO = [
    ("The answer is (J).", "J", "J", "J"),
    ("the answer is J", "J", "J", "J"),
    ("The answer is **(J)**.", "", "J", "J"),
    ("The answer is: J.", "", "J", "J"),
    ("The answer is $\\boxed{J}$", "", "J", "J"),
    ("The answer is (B). Wait. The answer is (J).", "B", "J", "J"),
    ("The answer is A patient's history.", "A", "", ""),
    ("Answer: J", "", "", "J"),
    ("The answer is (None of the above)", "", "", ""),
]


@pytest.mark.parametrize(("response", "custom", "strict", "flexible"), MMLU_PRO)
def test_mmlu_pro_keeps_lm_evals_own_extraction_beside_ours(response, custom, strict, flexible) -> None:
    doc = {"options": [f"cause number {number}" for number in range(10)]}
    pipelines = {"custom-extract": custom, "strict-match": strict, "flexible-extract": flexible}
    for pipeline, expected in pipelines.items():
        got = extracted("mmlu_pro_health_stepgauge", pipeline, response, doc)
        assert got == (expected or INVALID), pipeline


DECISIONS = [
    ("The rates differ.\nAnswer: yes", "yes", "yes"),
    ("The rates differ.\n**Answer: Yes**", "yes", "yes"),
    ("**Answer:** no.", "no", "no"),
    ("Answer: maybe, since the sample is small.", "maybe", "maybe"),
    ("Answer: \\boxed{no}", "no", "no"),
    ("Answer: $\\boxed{\\text{no}}$", "no", "no"),
    ('Answer: "yes"', "yes", "yes"),
    ("Answer: yes\nAnswer: no", "no", "no"),
    ("Therefore, the answer is no.", "", "no"),
    ("So the answer is yes because the rates differ.", "", "yes"),
    ("Answer: (C) maybe", "", "maybe"),
    ("The effect is unclear.\n\nMaybe", "", "maybe"),
    ("Yes, statins lower the risk in this cohort.", "", "yes"),
    ("Answer: no difference was found between the groups", "", ""),
    ("The answer is not clear.", "", ""),
    ("There was no effect, maybe by chance, yes or no", "", ""),
    ("Nothing can be said.", "", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("response", "strict", "flexible"), DECISIONS)
def test_yes_no_or_maybe_as_the_response_states_it(response: str, strict: str, flexible: str) -> None:
    assert extracted("pubmedqa_cot_stepgauge", "flexible-extract", response, {}) == (flexible or INVALID)
    assert extracted("pubmedqa_cot_stepgauge", "strict-match", response, {}) == (strict or INVALID)


@pytest.mark.parametrize(
    "hostile",
    [
        "answer " * 100_000,
        "Answer: " * 100_000,
        "answer to " + "x" * 200_000,
        "(" * 200_000,
        "**" * 200_000,
        "\\boxed{" * 50_000,
        " \t" * 200_000 + "C",
        "A is " * 80_000,
        "option A. " * 50_000,
        "the best answer is most " * 20_000,
    ],
)
def test_long_hostile_responses_are_read_in_bounded_time(hostile: str) -> None:
    start = time.perf_counter()
    stated_letter(hostile, OPTIONS)
    stated_decision(hostile)
    for task in ("medqa_cot_stepgauge", "pubmedqa_cot_stepgauge"):
        extracted(task, "strict-match", hostile, {"choices": OPTIONS})
    assert time.perf_counter() - start < 5


@pytest.mark.slow
def test_real_chains_give_the_answers_their_publishers_read(shared_data: Path) -> None:
    """MMLU-Pro's health chains of four models, with the answer that MMLU-Pro's own script recorded.

    That script also records an answer for chains that give none: the last capital letter anywhere, or a letter at
    random. Those are no answers of the model.
    """
    kinds: Counter[str] = Counter()
    disagreeing = []
    for path in sorted((shared_data / "mmlupro-outputs").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            chains = json.loads(archive.read(archive.namelist()[0]))
        for chain in chains:
            if chain["category"] != "health" or chain["pred"] is None:
                continue
            response = chain["generated_text"]
            announced = re.search(r"answer is \(?[A-J]\)?", response)
            found = stated_letter(response, chain["options"])
            if not announced:
                kinds["not announced"] += 1
                kinds["not announced, extracted"] += found is not None
            else:
                kinds["announced"] += 1
                kinds["agree"] += found == chain["pred"]
                if found != chain["pred"]:
                    disagreeing.append((path.name, chain["question_id"], chain["pred"], found))
    print(dict(kinds), disagreeing)
    assert kinds["announced"] > 3_000
    assert kinds["agree"] >= 0.99 * kinds["announced"]
    assert kinds["not announced, extracted"] == 0
