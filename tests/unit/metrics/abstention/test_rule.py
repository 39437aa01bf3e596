"""The rule for abstentions: what answers, what gives none, what leaves it open, in the languages that it knows."""

from __future__ import annotations

import pytest
from hostile import texts, timed
from hypothesis import given, settings

from stepgauge.metrics import Trace
from stepgauge.metrics.abstention.rule import of_trace, stance_of
from stepgauge.metrics.answers.abstaining import abstains

METALS = ["iron", "zinc", "lead", "gold"]
WITH_NONE = ["iron", "zinc", "It cannot be determined", "None of the above"]

ABSTAIN = [
    "I don't know.",
    "I’m not sure.",
    "We compare the masses.\nThe answer cannot be determined from what is given.",
    "There is not enough information to decide.",
    "I'm sorry, but I cannot assist with that.",
    "As an AI, I cannot give medical advice.",
    "Answer: unknown",
    "The answer is not among the options.",
    "The result is 5. None of the given choices is correct.",
    "None of the above.",
    "The correct answer is not listed.",
    "#### unanswerable",
    "No lo sé.",
    "No se puede determinar con estos datos.",
    "Não sei.",
    "Je ne sais pas.",
    "On ne peut pas déterminer la réponse.",
    "Non lo so.",
    "Nu știu.",
    "No ho sé.",
    "Ich weiß es nicht.",
    "Das lässt sich mit diesen Angaben nicht eindeutig bestimmen.",
    "Dat weet ik niet.",
    "Jag vet inte.",
    "Jeg ved det ikke.",
    "En tiedä.",
    "Nem tudom.",
    "Nie wiem.",
    "Nevím.",
    "Ne znam.",
    "Nežinau.",
    "Ma ei tea.",
    "Bilmiyorum.",
    "Tôi không biết.",
    "Saya tidak tahu.",
    "Hindi ko alam.",
    "Sijui.",
    "Ez dakit.",
    "我不知道。",
    "无法确定。",
    "わかりません。",
    "모르겠습니다.",
    "Я не знаю.",
    "Не знам.",
    "Δεν ξέρω.",
    "ไม่ทราบ",
    "எனக்குத் தெரியாது.",
    "मुझे नहीं पता।",
    "আমি জানি না।",
    "لا أعرف.",
    "نمی‌دانم.",
    "אני לא יודע.",
]


@pytest.mark.parametrize("text", ABSTAIN)
def test_who_gives_no_answer_abstains(text):
    assert stance_of(text, METALS).outcome == "abstained"


@pytest.mark.parametrize(
    "text",
    [
        "I don't know the exact mass, but lead is heavier. The answer is (C).",
        "It cannot be determined by sight, so we weigh it.\nThe answer is C.",
        "The answer is not among the choices, but the closest is (B).",
        "The answer is not among the options, but we can choose the closest one, which is (D).",
        "I'm not sure, but I'd go with B.\nANSWER: B",
        "No sé la masa exacta. La respuesta es C.",
        "Ich weiß nicht, ob das stimmt. Die Antwort ist C.",
        "不知道质量，但答案是C。",
        "(C)",
        r"\boxed{C}",
        "B) zinc",
        "**B)** zinc, which is light and",
        "(D) Gold is heavier than lead.",
        "The patient does not know his age. The answer is A.",
        "We do not know whether it rusts. We weigh it. Lead is the heaviest. The answer is (C).",
    ],
)
def test_who_doubts_on_the_way_and_answers_has_answered(text):
    assert stance_of(text, METALS).outcome == "answered"


@pytest.mark.parametrize(
    "text",
    ["The answer is (C).", "It cannot be determined.", "The answer is: It cannot be determined", "None of the above."],
)
def test_an_option_that_says_that_there_is_no_answer_is_an_answer(text):
    assert stance_of(text, WITH_NONE).outcome == "answered"
    assert text == "The answer is (C)." or stance_of(text, METALS).outcome == "abstained"


@pytest.mark.parametrize(
    ("text", "more", "why"),
    [
        ("", {}, "is empty"),
        (" \n", {}, "is empty"),
        ("<think>It may be lead or gold.</think>", {}, "says nothing behind its thinking"),
        ("<think>It may be lead or", {}, "says nothing behind its thinking"),
        ("<think>It may be lead or", {"truncated": True}, "cut off"),
        ("Lead is heavier than zinc, and", {}, "cut off"),
        ("Lead is heavier than zinc.", {"truncated": True}, "cut off"),
        ("Lead is heavier than zinc.", {}, "names none of the options"),
        ("Lead is heavier than zinc, and", {"model_answer": "G"}, "cut off"),
        ("Lead is heavier than zinc.", {"model_answer": "G"}, "names none of the options"),
        ("A) iron, B) zinc, C) lead", {}, "cut off"),
        ("A) iron (B)", {}, "cut off"),
        ("This is none of the options. So we have made a mistake. We weigh", {}, "cut off"),
    ],
)
def test_what_leaves_it_open_is_undetermined_and_says_why(text, more, why):
    found = stance_of(text, METALS, **more)
    assert found.outcome == "undetermined"
    assert why in found.why


def test_what_a_framework_read_counts_where_the_text_gives_it():
    assert stance_of("It must be C, then", METALS, model_answer="C", truncated=False).outcome == "answered"
    assert stance_of("It weighs 72 grams", model_answer="72 grams").outcome == "answered"
    assert stance_of("It weighs 72 grams", model_answer="unknown").outcome == "undetermined"


def test_what_a_user_does_not_see_and_what_a_model_asks_itself_next_does_not_count():
    assert stance_of("<think>I don't know.</think>The answer is (C).", METALS).outcome == "answered"
    assert stance_of("<think>The answer is (C).</think>I don't know.", METALS).outcome == "abstained"
    assert stance_of("The answer is (C).\n\nQuestion: Who?\nAnswer: I don't know.", METALS).outcome == "answered"


def test_a_trace_says_itself_whether_it_was_cut_off():
    whole = Trace("Which?", "Lead is heavier", None, METALS, meta={"truncated": False})
    cut = Trace("Which?", "Lead is heavier.", None, METALS, meta={"truncated": True})
    assert "names none" in of_trace(whole).why
    assert "cut off" in of_trace(cut).why


def test_a_long_option_says_more_than_that_there_is_no_answer():
    assert abstains("Cannot be determined")
    assert not abstains("It cannot be determined whether zinc " + "is there or not, since " * 5)


@settings(deadline=None)
@given(texts(20_000))
def test_any_text_has_a_stance_in_a_time_that_grows_with_its_length(text):
    found = timed(lambda: stance_of(text, METALS), len(text))
    assert found.outcome in ("answered", "abstained", "undetermined")
