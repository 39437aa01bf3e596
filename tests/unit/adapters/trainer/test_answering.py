"""What the model under training answers: each prompt as if it were asked alone, greedily, without dropout."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from tiny_training import Untidy, tiny_model, tiny_trainer

from stepgauge.adapters.trainer import StepgaugeCallback
from stepgauge.metrics import Gauge

LENGTHS = ("How many?", "Lena packs 6 eggs into each of 12 boxes. How many eggs does she pack?", "2 + 2?")
QUESTIONS = [{"question": text, "answer": "4"} for text in LENGTHS]
NEW = 12
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)


@pytest.fixture
def tokenizer(tokenizers):
    own = copy.deepcopy(tokenizers["qwen"])
    own.pad_token = own.eos_token
    return own


def written(tokenizer, folder, questions=QUESTIONS, **options) -> tuple[list[dict], object]:
    """The rows of an evaluation of the untrained model, and the model."""
    model = tiny_model(tokenizer, attention_dropout=0.5)
    callback = StepgaugeCallback(questions, Gauge(None), max_new_tokens=NEW, batch_size=2, **options)
    trainer = tiny_trainer(model, tokenizer, ["some text", "and more"], folder, [Untidy(), callback])
    trainer.evaluate()
    lines = (folder / "stepgauge" / "step-000000" / "scores.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines], model


def alone(model, tokenizer, prompt: str, special: bool = True) -> str:
    """The likeliest token after token, one forward pass each, without a cache or padding."""
    model.eval()
    ids = tokenizer(prompt, add_special_tokens=special)["input_ids"]
    begin = len(ids)
    for _ in range(NEW):
        with torch.no_grad():
            token = int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax())
        if token == tokenizer.eos_token_id:
            break
        ids = [*ids, token]
    return tokenizer.decode(ids[begin:])


def test_each_question_is_answered_as_if_alone(tokenizer, tmp_path):
    rows, model = written(tokenizer, tmp_path)
    assert [row["response"] for row in rows] == [alone(model, tokenizer, text) for text in LENGTHS]
    assert [row["question"] for row in rows] == list(LENGTHS)
    assert all(row["truncated"] for row in rows if row["response"])


def test_a_chat_template_is_used_where_there_is_one(tokenizer, tmp_path):
    tokenizer.chat_template = TEMPLATE
    rows, model = written(tokenizer, tmp_path)
    prompts = [f"<s>[user] {text}\n[assistant] " for text in LENGTHS]
    assert [row["response"] for row in rows] == [alone(model, tokenizer, text, special=False) for text in prompts]


def test_a_prompt_of_ones_own_stands_in_the_questions_place(tokenizer, tmp_path):
    tokenizer.chat_template = TEMPLATE
    messages = [{"role": "system", "content": "Think."}, {"role": "user", "content": "2 + 2?"}]
    questions = [{**QUESTIONS[0], "prompt": "Question: How many?\nAnswer:"}, {**QUESTIONS[2], "prompt": messages}]
    rows, model = written(tokenizer, tmp_path, questions)
    expected = ["Question: How many?\nAnswer:", "<s>[system] Think.\n[user] 2 + 2?\n[assistant] "]
    assert rows[0]["response"] == alone(model, tokenizer, expected[0])
    assert rows[1]["response"] == alone(model, tokenizer, expected[1], special=False)
    assert rows[0]["question"] == "How many?", "the scoring LM reads the question alone"


def test_an_answer_ends_where_the_user_says(tokenizer, tmp_path):
    whole, _ = written(tokenizer, tmp_path / "whole")
    text = whole[1]["response"]
    stop = text[5:8]
    rows, _ = written(tokenizer, tmp_path / "cut", until=[stop])
    assert rows[1]["response"] == text[: text.index(stop)]
    assert rows[1]["truncated"] is False
    assert whole[1]["truncated"] is True


@pytest.mark.parametrize(
    ("response", "answer", "choices", "right"),
    [
        ("6 * 12 = 72.\nThe answer is 72.", "72", None, 1.0),
        ("The answer is 72. No, it is wrong: the answer is 71.", "72", None, 0.0),
        ("6 * 12 = 72 eggs.", "72", None, 1.0),
        ("It could be 72 or so.\nI do not know.", "72", None, 0.0),
        ("", "72", None, 0.0),
        (r"So \boxed{1/2}", "0.5", None, 1.0),
        ("The answer is 72.", "6 times 12 is 72.\n#### 72", None, 1.0),
        ("The liver does. Answer: B", "liver", ["heart", "liver"], 1.0),
        ("The answer is (A).", "liver", ["heart", "liver"], 0.0),
    ],
)
def test_accuracy_is_whether_the_last_answer_is_a_gold_one(tokenizer, tmp_path, response, answer, choices, right):
    from tiny_training import ScriptedModel

    question = {"question": "Which or how many?", "answer": answer, **({"choices": choices} if choices else {})}
    model = tiny_model(tokenizer, ScriptedModel).script(tokenizer, lambda *_: response)
    callback = StepgaugeCallback([question], Gauge(None))
    tiny_trainer(model, tokenizer, ["some text", "and more"], tmp_path, [callback]).evaluate()
    (line,) = (tmp_path / "stepgauge" / "step-000000" / "scores.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["accuracy"] == {"accuracy": right}
