r"""Announcements in many languages and wordings, and what only looks like one, and the letters in them."""

from __future__ import annotations

import pytest

from stepgauge.metrics.answers.announcing import announced, announcements, is_final_answer, letter_of
from stepgauge.metrics.answers.extraction import last_boxed
from stepgauge.metrics.answers.finals import final_answers
from stepgauge.metrics.answers.matching import states_answer

DRUGS = ["Thiazide", "Beta blocker", "ACE inhibitor", "Nitrate"]
LISTED = "Which drug?\nA. Thiazide\nB. Beta blocker\nC. ACE inhibitor\nD. Nitrate"

LETTER_C = [
    "The answer is C.",
    "The best choice is C.",
    "That leaves C.",
    "This leaves us with option C.",
    "I'd go with C.",
    "So we pick option C",
    "My conclusion is: C",
    "C is the correct answer.",
    "ANSWER: C",
    "<answer>\nC\n</answer>",
    "\\boxed{C}",
    "因此答案是C。",
    "故选C",
    "正确答案为（C）。",
    "选项C正确",
    "したがって、正解はCです。",
    "答え：C",
    "정답은 C 입니다.",
    "따라서 정답: C",
    "C가 정답입니다.",
    "La respuesta correcta es C.",
    "Por lo tanto, la respuesta es la opción C.",
    "A resposta correta é a letra C.",
    "Portanto, a alternativa correta é a C.",
    "La bonne réponse est la (C).",
    "Réponse : C",
    "La risposta corretta è la C.",
    "Răspunsul corect este C.",
    "Die richtige Antwort ist C.",
    "Antwort: C",
    "Richtig ist Antwort C.",
    "Het juiste antwoord is C.",
    "Rätt svar är C.",
    "Oikea vastaus on C.",
    "A helyes válasz: C",
    "Правильный ответ — C.",
    "Ответ: C",
    "Правильна відповідь: C",
    "Poprawna odpowiedź to C.",
    "Správná odpověď je C.",
    "Η σωστή απάντηση είναι η C.",
    "Doğru cevap: C",
    "Đáp án đúng là C.",
    "Jawaban yang benar adalah C.",
    "Jibu sahihi ni C.",
    "คำตอบที่ถูกต้องคือ C",
    "सही उत्तर C है।",
    "সঠিক উত্তর হল C",
    "సమాధానం: C",
    "الإجابة الصحيحة هي C",
    "پاسخ صحیح C است",
    "התשובה הנכונה היא C",
    # with an adverb inside, the verb elsewhere, or other endings
    "La bonne réponse est donc la C.",
    "Quindi la risposta corretta è l'opzione C.",
    "Die richtige Antwort ist daher C.",
    "Antwort C ist richtig.",
    "Het juiste antwoord is dus C.",
    "Dus het juiste antwoord is optie C.",
    "Oikea vastaus on siis C.",
    "Ответом является C.",
    "Следовательно, верный ответ — это C.",
    "Bu nedenle doğru cevap: C",
    "Cevap C şıkkıdır.",
    "Η σωστή απάντηση είναι η Γ.",
    "La resposta correcta és la C.",
    "Правилният отговор е C.",
    "Ang tamang sagot ay C.",
    "Jawapan yang betul ialah C.",
    "Teisingas atsakymas yra C.",
    "Pareizā atbilde ir C.",
    "Õige vastus on C.",
    "Erantzun zuzena C da.",
    "Yr ateb cywir yw C.",
    "პასუხი: C",
    "Thus, option C is the right one.",
    "So the answer's C.",
    "Answer - C",
    "\\boxed{\\text{C}}",
    "\\boxed{\\mathrm{(C)}}",
    # adverbs behind a modal verb, an opening phrase, quotes, other nouns and suffixes
    "The answer must therefore be (C).",
    "The answer has to be C.",
    "The answer can only be C.",
    "The answer to this question is C.",
    "Option C is therefore the best choice.",
    "On reflection, the answer is C.",
    "Let's go with C.",
    "Ans. C",
    'The answer is option "C".',
    "Answer: <C>",
    "So the final decision is C.",
    "The answer is C, not B.",
    "所以本题选C。",
    "所以选项C最合适",
    "したがって、Cが正しい。",
    "따라서 C가 옳습니다.",
]


# Final at the end of a chain alone: the words are no known announcement, or go on around it.
CLOSING_C = [
    "So C it is.",
    "Only C fits.",
    "By elimination, C is the answer.",
    "Përgjigja e saktë është C.",
    "சரியான பதில் C ஆகும்.",
    "સાચો જવાબ C છે.",
    "Doğru olan C'dir.",
    "That gives C.",
]


@pytest.mark.parametrize("step", CLOSING_C)
def test_a_closing_sentence_that_names_one_option_announces_it(step: str) -> None:
    assert final_answers(["A thiazide raises glucose.", step]) == [False, True]
    assert final_answers([step, "A thiazide raises glucose."]) == [False, False]
    assert states_answer(step, ["ACE inhibitor"], LISTED, DRUGS)
    assert not states_answer(step, ["Nitrate"], LISTED, DRUGS)


@pytest.mark.parametrize("step", LETTER_C)
def test_the_letter_is_announced_in_any_language_and_is_a_final_answer(step: str) -> None:
    assert is_final_answer(step)
    assert [letter_of(answer) for answer in announcements(step)] == ["C"]
    assert states_answer(step, ["ACE inhibitor"], LISTED, DRUGS)
    assert not states_answer(step, ["Nitrate"], LISTED, DRUGS)


@pytest.mark.parametrize(
    "step",
    [
        "The best answer is A drug that lowers afterload.",
        "The answer is A matter of taste.",
        "The answer is a thiazide-like diuretic's cousin, maybe",
        "We should choose a and b such that a + b = 5.",
        "Please choose a drug.",
        "I think the answer depends on the age.",
        "La respuesta no es A.",
        "Die Antwort ist nicht A.",
        "答案不是A。",
        "정답은 A가 아닙니다.",
        "If the answer is A, the potassium falls.",
        "ANSWER: $LETTER",
        "The answer is [your answer].",
        "The patient lacks vitamin A.",
        "Only A does not fit.",
        "A thiazide fits.",
        "Option A is incorrect.",
        "(A) can be ruled out.",
        "Option A, a thiazide drug, is not the best answer.",
        "Option A does not help.",
        "I would not choose A.",
        "Nobody would choose A here.",
        "The answer cannot possibly be option A.",
        "It is unclear whether A is right.",
        "Some say the answer is A.",
        "You might think that the answer is A.",
        "A common wrong answer is A.",
        "The answer would be A if she were diabetic.",
        "Is the answer A?",
        "The answer is A?",
    ],
)
def test_articles_negations_and_instructions_announce_no_letter(step: str) -> None:
    assert "A" not in [letter_of(answer) for answer in announcements(step)]
    assert not states_answer(step, ["Thiazide drug"], "Which?", ["Thiazide drug", "Nitrate"])


@pytest.mark.parametrize(
    ("step", "gold"),
    [
        ("The answer is C (insulin).", "Insulin"),
        ("The answer is C and not B.", "Insulin"),
        ("The answer is A (salmonella).", "Salmonella"),
        ("I choose B because it is cleaved.", "C peptide"),
        ("The answer is C peptide.", "C peptide"),
        ("The answer is E. coli.", "E. coli"),
        ("The answer is B cells.", "B cells"),
        ("The answer is F, B cells.", "B cells"),
    ],
)
def test_a_letter_with_words_behind_it_is_an_option_unless_it_is_part_of_a_name(step: str, gold: str) -> None:
    options = ["Salmonella", "C peptide", "Insulin", "Shigella", "E. coli", "B cells"]
    assert [option for option in options if states_answer(step, [option], "Which?", options)] == [gold]


def test_i_is_a_letter_alone_and_no_letter_before_a_verb() -> None:
    options = [f"opt{letter}" for letter in "ABCDEFGHIJ"]
    assert not states_answer("The answer is I don't know.", ["optI"], "Pick one.", options)
    assert not states_answer("So the answer is I think it depends", ["optI"], "Pick one.", options)
    assert states_answer("The answer is I.", ["optI"], "Pick one.", options)
    assert states_answer("The answer is (I) because it fits.", ["optI"], "Pick one.", options)
    assert states_answer("The answer is A because it fits.", ["optA"], "Pick one.", options)


@pytest.mark.parametrize(
    "echo",
    [
        "Please reason step by step, and put your final answer within \\boxed{}.",
        "Put the answer in \\boxed{...}.",
        "Your final answer should be written as \\boxed{answer}.",
        "I will end with \\boxed{\\text{answer}}.",
        "The last line must be of the form ANSWER: $ANSWER",
        "Final answer: \\boxed{...}",
        "The final answer is: $\\boxed{answer}$",
        "Answer: \\boxed{\\text{your answer}}",
        "Write the answer as \\boxed{ans}.",
        "The answer should be a positive integer.",
        "The answer must be an exact value.",
        "The answer is the sum of both.",
        "The answer will be rounded to two decimals.",
        "The answer is what we look for.",
    ],
)
def test_an_instruction_with_an_empty_box_announces_nothing(echo: str) -> None:
    assert announced(echo) is None
    assert announcements(echo) == []
    assert last_boxed(f"so \\boxed{{3}}. {echo}") == "3"


@pytest.mark.parametrize(
    ("conclusion", "final"),
    [
        ("is \\boxed{72}.", True),
        ("in those 2 months is \\boxed{72}.", True),
        ("Natalia sold 48 clips in April and 24 in May, in all \\boxed{72} clips.", True),
        ("Thus the sum of the first 8 odd primes between 1 and 30 is $\\boxed{72}$.", True),
        ("Therefore, $x = \\boxed{72}$.", True),
        ("Hence $f(3) = \\boxed{72}$.", True),
        ("The solutions are $x = 2$ and $x = -3$.", True),
        ("The answers are 2 and 3.", True),
        ("Hence $f(x) = 0$ has three real solutions: $x = -3, x = 3, x = -2$.", False),
        ("The solutions are found by adding.", False),
        ("The answer is x = 2, so y = 3.", False),
        ("So $48 + 24 = \\boxed{72}$.", False),
        ("So $x = 3 \\cdot 24 = \\boxed{72}$.", False),
        ("Since 48 and 24 are even, we get \\boxed{72}.", False),
        ("We add 48 + 24 and get \\boxed{72}.", False),
        ("$\\frac{144}{2}=\\boxed{72}$", False),
        ("### Conclusion\nThe answer is 72.", True),
        ("**Conclusion:**\n\n\\boxed{72}", True),
        ("In conclusion,", False),
    ],
)
def test_a_boxed_or_announced_conclusion_is_final_unless_it_computes(conclusion: str, final: bool) -> None:
    assert is_final_answer(conclusion) is final


def test_announcements_inside_reasoning_are_found_in_their_order() -> None:
    text = "First I thought the answer is 5, but no. 48+24=72, so the answer is 72 clips.\nSo \\boxed{72} it is."
    assert announcements(text) == ["5", "72 clips", "72"]
    assert announcements("48+24=72") == []
