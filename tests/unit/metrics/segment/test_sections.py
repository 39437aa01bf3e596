"""What of a response is its chain: marks of many models, tool calls, labels of agents, answer tags, where it ends."""

from __future__ import annotations

import pytest

from stepgauge.metrics.segment import BUILTIN_SPLITTERS, Segmentation, segment
from stepgauge.metrics.trace import Trace

A, B, C = "Three boxes of 24.", "That makes 72.", "The answer is 72."
T = f"{A}\n{B}"
CALL = '{"e":"3*24"}'

MARKED = {
    "none": f"{T}\n{C}",
    "think": f"<think>\n{T}\n</think>\n\n{C}",
    "think, opened in the prompt": f"{T}\n</think>\n\n{C}",
    "harmony": f"<|channel|>analysis<|message|>{T}<|end|><|start|>assistant<|channel|>final<|message|>{C}<|return|>",
    "harmony without tokens": f"analysis{T}assistantfinal{C}",
    "harmony without tokens, on lines": f"analysis\n{T}\nassistantfinal\n{C}",
    "medgemma": f"<unused94>thought\n{T}<unused95>{C}",
    "gemma 3": f"<start_of_turn>model\n{T}\n{C}<end_of_turn>\n<eos>",
    "gemma 4": f"<|channel>thought\n{T}\n<channel|>{C}<turn|>",
    "gemma 4 without tokens": f"thought\n{T}\n\n{C}",
    "command": (
        f"<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_THINKING|>{T}<|END_THINKING|>"
        f"<|START_RESPONSE|>{C}<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"
    ),
    "s1": f"<|im_start|>think\n{T}\n<|im_start|>answer\n{C}<|im_end|>",
    "hunyuan": f"<think>\n{T}\n</think>\n<answer>\n{C}\n</answer><|eos|>",
    "hunyuan with a role": f"<｜hy_Assistant｜><think>\n{T}\n</think>\n<answer>\n{C}\n</answer>",
    "deepseek": f"<｜Assistant｜><think>\n{T}\n</think>\n\n{C}<｜end▁of▁sentence｜>",
    "qwen": f"<|im_start|>assistant\n<think>\n{T}\n</think>\n\n{C}<|im_end|>\n<|endoftext|>",
    "kimi": f"<|im_assistant|>assistant<|im_middle|>◁think▷{T}◁/think▷{C}<|im_end|>",
    "glm": f"[gMASK]<sop><|assistant|>\n<think>{T}</think>\n{C}<|user|>",
    "llama 3": f"<|start_header_id|>assistant<|end_header_id|>\n\n{T}\n{C}<|eot_id|>",
    "llama 4": f"<|header_start|>assistant<|header_end|>\n\n{T}\n{C}<|eot|>",
    "mistral": f"[THINK]{T}[/THINK]{C}</s>",
    "granite": f"<|start_of_role|>assistant<|end_of_role|><think>{T}</think><response>{C}</response><|end_of_text|>",
    "phi": f"<|im_start|>assistant<|im_sep|><think>{T}</think>{C}<|im_end|>",
    "exaone": f"[|assistant|]<thought>\n{T}\n</thought>\n\n{C}[|endofturn|]",
    "seed": f"<seed:think>{T}</seed:think>{C}<seed:eos>",
    "nemotron": f"<SPECIAL_11>Assistant\n<think>\n{T}\n</think>\n{C}<SPECIAL_12>",
    "apertus": f"<|assistant_start|><|inner_prefix|>{T}<|inner_suffix|>{C}<|assistant_end|>",
    "ring": f"<role>ASSISTANT</role>{T}\n{C}<|role_end|>",
    "marco": f"<Thought>\n{T}\n</Thought>\n<Output>\n{C}\n</Output>",
    "reflection": f"<thinking>\n{A}\n<reflection>\n{B}\n</reflection>\n</thinking>\n<output>\n{C}\n</output>",
    "minimax": f"]~!b[]~b]ai\n<think>\n{T}\n</think>\n\n{C}[e~[",
    "tags of two words": f"<deep_think>\n{T}\n</deep_think>\n<my-final-answer>\n{C}\n</my-final-answer>",
    "tags in camel case": f"<InnerThoughts>{T}</InnerThoughts>\n{C}",
    "reserved by another name": f"<ctrl94>thought\n{T}<ctrl95>{C}",
    "capitals in brackets": f"[BEGIN_THINK]{T}[END_THINK]{C}",
    "a word in brackets": f"[REASONING]\n{T}\n[/REASONING]\n{C}",
    "escaped tags": f"&lt;think&gt;\n{T}\n&lt;/think&gt;\n\n{C}",
    "folded by a web page": (
        f'<details type="reasoning" done="true">\n<summary>Thought for 5 seconds</summary>\n{T}\n</details>\n{C}'
    ),
    "lines of ollama": f"Thinking...\n{T}\n...done thinking.\n\n{C}",
    "nobody's": f"<|begin_of_inner_thoughts|>{T}<|end_of_inner_thoughts|><|deliver|>{C}<|fin|>",
    "prompt and all": (
        f"<|im_start|>user\nThink in <think> tags, then <answer>. How many?<|im_end|>\n"
        f"<|im_start|>assistant\n{T}\n{C}<|im_end|>"
    ),
}

CALLING = {
    "harmony": (
        f"<|channel|>analysis<|message|>{A}<|end|><|start|>assistant<|channel|>commentary to=functions.calc "
        f"<|constrain|>json<|message|>{CALL}<|call|><|start|>functions.calc to=assistant<|channel|>commentary"
        f"<|message|>72<|end|><|start|>assistant<|channel|>analysis<|message|>{B}<|end|><|start|>assistant<|channel|>final"
        f"<|message|>{C}"
    ),
    "harmony, recipient first": (
        f"<|channel|>analysis<|message|>{A}<|end|><|start|>assistant to=python<|channel|>analysis code<|message|>3*24"
        f"<|call|><|start|>python to=assistant<|channel|>analysis<|message|>72<|end|><|start|>assistant<|channel|>final"
        f"<|message|>{B}\n{C}"
    ),
    "harmony without tokens": (
        f"analysis{A}assistantcommentary to=functions.calc json{CALL}functions.calc to=assistantcommentary72"
        f"assistantanalysis{B}assistantfinal{C}"
    ),
    "qwen": (
        f'<think>\n{A}\n</think>\n<tool_call>\n{{"name":"calc"}}\n</tool_call><|im_end|>\n<|im_start|>user\n'
        f"<tool_response>\n72\n</tool_response><|im_end|>\n<|im_start|>assistant\n<think>\n{B}\n</think>\n\n{C}<|im_end|>"
    ),
    "gemma 4": (
        f"<|turn>model\n<|channel>thought\n{A}\n<channel|><|tool_call>call:calc{{e:3*24}}<tool_call|>"
        f"<|tool_response>response:calc{{72}}<tool_response|><|channel>thought\n{B}\n<channel|>{C}<turn|>"
    ),
    "command": (
        f"<|START_THINKING|>{A}<|END_THINKING|><|START_ACTION|>[{CALL}]<|END_ACTION|><|END_OF_TURN_TOKEN|>"
        f"<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|><|START_TOOL_RESULT|>[72]<|END_TOOL_RESULT|><|END_OF_TURN_TOKEN|>"
        f"<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_THINKING|>{B}<|END_THINKING|><|START_RESPONSE|>{C}"
    ),
    "deepseek": (
        f"<think>\n{A}\n</think><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>calc\n```json\n{CALL}\n```"
        f"<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜><｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>72"
        f"<｜tool▁output▁end｜><｜tool▁outputs▁end｜>{B}\n{C}<｜end▁of▁sentence｜>"
    ),
    "deepseek's markup": (
        f'<think>{A}</think>\n<｜DSML｜function_calls>\n<｜DSML｜invoke name="calc">3*24</｜DSML｜invoke>\n'
        f"</｜DSML｜function_calls><｜end▁of▁sentence｜><｜User｜>\n<function_results>\n<result>72</result>\n"
        f"</function_results>\n\n<think>{B}</think>{C}"
    ),
    "glm": (
        f"<think>{A}</think>\n<tool_call>calc\n<arg_key>e</arg_key>\n<arg_value>3*24</arg_value>\n</tool_call>"
        f"<|observation|>\n72<|assistant|>\n<think>{B}</think>\n{C}"
    ),
    "llama 3": (
        f'{A}\n<|python_tag|>calc.call(e="3*24")<|eom_id|><|start_header_id|>ipython<|end_header_id|>\n\n72<|eot_id|>'
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{B}\n{C}<|eot_id|>"
    ),
    "mistral": f"{A}[TOOL_CALLS][{CALL}]</s>[TOOL_RESULTS]72[/TOOL_RESULTS]{B}\n{C}</s>",
    "searching": (
        f"{A} <|begin_search_query|>3*24<|end_search_query|>\n\n<|begin_search_result|>72<|end_search_result|>\n\n"
        f"{B}\n{C}"
    ),
    "searching in tags": f"{A}<search>3*24</search><information>72</information>{B}\n{C}",
    "a tool's output in the tag of an answer": f"{A}\n<tool>3*24</tool>\n<output>72</output>\n{B}\n{C}",
    "a program": f"{A}\n<python>print(3*24)</python>\n<result>72</result>\n{B}\n{C}",
    "functiongemma": (
        f"{A}\n<start_function_call>call:calc{{}}<end_function_call><start_function_response>response:calc{{72}}"
        f"<end_function_response>\n{B}\n{C}"
    ),
    "capitals": f"{A}\n[TOOL_REQUEST]{CALL}[END_TOOL_REQUEST]\n[TOOL_RESULT]72[END_TOOL_RESULT]\n{B}\n{C}",
    "fences": f"{A}\n```tool_code\nprint(3*24)\n```\n```tool_output\n72\n```\n{B}\n{C}",
    "executed": f"{A}\n<execute_ipython>\n3*24\n</execute_ipython>\n```execution_result\n72\n```\n{B}\n{C}",
    "output of a program": f"{A}\n<tool_call>x</tool_call>\n```output\n72\n```\n{B}\n{C}",
}


@pytest.mark.parametrize("response", MARKED.values(), ids=MARKED)
@pytest.mark.parametrize("splitter", ["auto", "lines", "sentences"])
def test_the_same_chain_under_any_models_marks_gives_the_same_steps(response: str, splitter: str) -> None:
    result = cut(response, splitter)
    assert [(step.text, step.kind) for step in result.steps] == [
        (A, "reasoning"),
        (B, "reasoning"),
        (C, "final_answer"),
    ]
    assert all(response[step.start : step.end] == step.text for step in result.steps)


def test_tags_around_steps_are_no_steps() -> None:
    assert texts(cut(f"<steps>\n<part>\n{A}\n</part>\n<part>\n{B}\n</part>\n</steps>\n{C}", "lines")) == [A, B, C]
    assert texts(cut(f"{A}\n<br>\n{C}", "lines")) == [A, "<br>", C]  # no pair: it may be what is asked for


@pytest.mark.parametrize("response", CALLING.values(), ids=CALLING)
def test_tool_calls_and_what_tools_returned_are_context(response: str) -> None:
    result = cut(response, "lines")
    assert texts(result) == [A, B, C]
    assert result.notes == ("context, not steps, and unseen by the scoring LM: 1 tool call and 1 tool result",)


def test_marks_that_say_nothing_are_no_steps_and_leave_a_note() -> None:
    result = cut(f"<|reserved_special_token_5|>{T}<|quux|>\n{C}", "lines")
    assert texts(result) == [A, B, C]
    assert result.notes == (
        "marks of unknown meaning are no part of the steps: <|reserved_special_token_5|>, <|quux|>",
    )


@pytest.mark.parametrize(
    "response",
    [
        "The mean of <|x|> is 3, and a<|b|>c if |x|<3. So a <b and c> d.",
        "<p>Three boxes</p> hold <b>72</b> pens, and <i>n</i> < 3.",
        "xs |> map f <| g, with [1, 2] and [HCN] and <MISSING CONDITION>.",
        "I put it in `<answer>` tags, not in '<think>'.",
        "It is <s>71</s> 72, and I can use <search> for it.",
        "Observation: the patient is pale.",
        "The assistant's final analysis holds.",
    ],
)
def test_what_only_looks_like_a_mark_stays(response: str) -> None:
    result = cut(response, "lines")
    assert texts(result) == [response]
    assert result.notes == ()


@pytest.mark.parametrize(
    ("response", "last", "kind"),
    [
        (f"{T}\n#### 72</s>", "#### 72", "final_answer"),
        (f"{T}\n#### 72<|im_end|>\n", "#### 72", "final_answer"),
        (f"{T}\n<answer>\n72\n</answer>", "72", "final_answer"),
        (f"{T} <answer>72</answer>", "72", "final_answer"),
        (f"{T}\n<answer>#### 72</answer>", "#### 72", "final_answer"),
        (f"{T}\n<output>\n#### 72\n</output>", "#### 72", "final_answer"),
        (f"{T}\n<answer>Seventy-two pens</answer>", "Seventy-two pens", "final_answer"),
        (
            f"{T}\n<answer>3 * 24 = 72, because each box holds 24</answer>",
            "3 * 24 = 72, because each box holds 24",
            "reasoning",
        ),
        (f"{T}\nThe answer is <answer>72</answer>.", "The answer is <answer>72</answer>.", "final_answer"),
        (f"{T}\n### Conclusion\nThe answer is 72.", "### Conclusion\nThe answer is 72.", "final_answer"),
        (f"{T}\n\nConclusion:\nThe answer is 72.", "Conclusion:\nThe answer is 72.", "final_answer"),
        (f"{T}\n**Step 3: Final answer**\n72", "**Step 3: Final answer**\n72", "final_answer"),
        (f"{T}\n### Multiply 3 by 24 to get 72\nIt is 72.", "### Multiply 3 by 24 to get 72\nIt is 72.", "reasoning"),
    ],
)
def test_tags_tokens_and_headings_do_not_hide_a_final_answer(response: str, last: str, kind: str) -> None:
    result = cut(response, "lines")
    assert texts(result) == [A, B, last]
    assert result.steps[-1].kind == kind


def test_observations_in_tags_are_the_models_own_unless_it_calls_a_tool() -> None:
    own = f"<observation>\n{A}\n</observation>\n<reasoning>\n{B}\n</reasoning>\n{C}"
    assert texts(cut(own, "lines")) == [A, B, C]
    assert cut(own, "lines").notes == ()
    assert texts(cut(f"<search>pens</search>\n{own}", "lines")) == [B, C]


def test_an_agents_actions_and_observations_are_context_and_its_thoughts_are_steps() -> None:
    response = (
        f"Thought 1: {A}\nAction 1: Search[pens]\nObservation 1: Pens come in many\ncolours.\n"
        f"Thought 2: {B}\nAction: calc\nAction Input: 3*24\nObservation: 72\nFinal Answer: 72"
    )
    result = cut(response, "lines")
    assert texts(result) == [f"Thought 1: {A}", f"Thought 2: {B}", "Final Answer: 72"]
    assert result.steps[-1].kind == "final_answer"
    assert "3 tool calls and 2 tool results" in result.notes[0]


def test_code_that_an_agent_runs_and_short_labels_are_context() -> None:
    smol = f"Thought: {A}\nCode:\n```py\nprint(3*24)\n```<end_code>\nObservation: 72\nThought: {B}\n{C}"
    short = f"Thought: {A}\nAct: calc[3*24]\nObs: 72\nThought: {B}\n{C}"
    for response in (smol, short):
        assert texts(cut(response, "lines")) == [f"Thought: {A}", f"Thought: {B}", C]
        assert "1 tool call and 1 tool result" in cut(response, "lines").notes[0]


def test_a_label_over_the_answer_joins_it_below_numbered_steps() -> None:
    assert texts(cut("Step 1\nThree boxes.\nStep 2\n3 * 24 = 72.\nAnswer\n72")) == [
        "Step 1\nThree boxes.",
        "Step 2\n3 * 24 = 72.",
        "Answer\n72",
    ]


RUN_ON = {
    "question": "\n#### 72\n\nQuestion: Tom has 5 cats. How many pets?\nAnswer: 5 pets.\n#### 5",
    "question of few-shot prompts": " The answer is (B).\n\nQuestion:\nWhich?\nA. x\nAnswer: The answer is (A).",
    "problem": "\nThe final answer is $72$. I hope it is correct.\n\nProblem:\nIf x=2, find x+1.\n\nSolution: 3",
    "heading": "\nThe answer is 72.\n\n## Question 2\nTom has 5 cats. How many?",
    "example": "\nANSWER: 72\n\nExample 2:\nTom has 5 cats. How many?",
    "passage": "\nThe answer is 72.\n\nPassage: The Bears won 3 games.\nQuestion: how many?",
    "no label": "\n#### 72\n\nTom has 5 cats and 2 dogs. How many pets does he have?\n5+2=7\n#### 7",
    "German": "\n#### 72\n\nFrage: Tom hat 5 Katzen. Wie viele?\nAntwort: 5",
    "Turkish": "\n#### 72\n\nSoru: Tom'un 5 kedisi var. Kaç?\nCevap: 5",
    "Spanish": "\n#### 72\n\nProblema: Tom tiene 5 gatos. ¿Cuántos?\nRespuesta: 5",
    "next question": "\nThe answer is 72.\n\nNext question: Tom has 5 cats. How many?\nA: 5",
    "statement": "\nThe answer is 72.\n\nProblem statement: Tom has 5 cats. How many?\nA: 5",
    "point": "\nThe answer is 72.\n\nQ. Tom has 5 cats. How many?\nA. 5",
    "brackets": "\nThe answer is 72.\n\n[Question] Tom has 5 cats. How many?\n[Answer] 5",
    "tag": "\nThe answer is 72.\n\n<question>Tom has 5 cats. How many?</question>\n5",
    "hash": "\nThe answer is 72.\n\n#Question: Tom has 5 cats. How many?\n#Answer: 5",
    "Chinese": "\n#### 72\n\n问题：汤姆有5只猫。有多少？\n答案：5",
    "human": "\n\nHuman: What about 4 boxes?\n\nAssistant: 96",
    "instruction": "\nSo 72.\nThe answer is 72.\n\n### Instruction:\nList three colours.\n\n### Response:\nred",
    "role without tokens": "\nThe answer is 72.\nuser\nTom has 5 cats. How many?\nassistant\n5",
    "role in the line": "\nThe answer is 72.user\n\nTom has 5 cats. How many?assistant\n\n5",
    "user's turn": "\nThe answer is 72.<|im_end|>\n<|im_start|>user\nAnd 4?<|im_end|>\n<|im_start|>assistant\n96",
    "user's turn of mistral": "\nThe answer is 72.</s> [INST] And 4? [/INST] 96</s>",
    "another text": "\nThe answer is 72.<|endoftext|>Tom has 5 cats.",
}


@pytest.mark.parametrize("more", RUN_ON.values(), ids=RUN_ON)
def test_a_chain_ends_where_the_model_goes_on_with_another_question(more: str) -> None:
    result = cut(f"3 * 24 = 72 pens.{more}", "lines")
    assert not {"Tom", "Bears", "Which", "find x", "4 boxes", "colours", "96", "汤姆"} & set(
        " ".join(texts(result)).split()
    )
    assert "5" not in texts(result)[-1]
    assert result.steps[-1].end <= len("3 * 24 = 72 pens.") + len(" The final answer is $72$. I hope it is correct.")
    assert len(result.notes) == 1
    assert result.notes[0].endswith(": the chain ends before it")


@pytest.mark.parametrize(
    "response",
    [
        "Question: Pens in three boxes of 24?\n3 * 24 = 72.\nThe answer is 72.\n\nQuestion: Tom has 5 cats?\nAnswer: 5",
        "Frage: Stifte?\n3 * 24 = 72.\nDie Antwort ist 72.\n\nFrage: Tom hat 5 Katzen. Wie viele?\nAntwort: 5",
        "问题：多少支笔？\n3 * 24 = 72。\n因此答案是72。\n\n问题：Tom有5只猫。有多少？\n答案：5",
    ],
)
def test_a_restated_question_hides_no_run_on_in_any_language(response: str) -> None:
    result = cut(response, "lines")
    assert "Tom" not in "".join(texts(result))
    assert result.steps[-1].kind == "final_answer"


@pytest.mark.parametrize(
    "response",
    [
        "Frage: Wie viele je Kiste?\nAntwort: 24\nFrage: Und in drei?\nAntwort: 72.\nDie Antwort ist 72.",
        "Question 1: How many pens in a box?\nAnswer: 24.\nQuestion 2: And in three?\nAnswer: 72.\nThe answer is 72.",
        "Q: How many in a box?\nA: 24\nQ: How many in three?\nA: 72\n#### 72",
        "3 * 24 = 71.\n#### 71\n\nWait, is that right? Let me check.\n3 * 24 = 72.\n#### 72",
        "Question: Pens in three boxes of 24?\n3 * 24 = 72.\nThe answer is 72.",
        "#### Step 1: understand\nQuestion: how many pens?\n#### Step 2: multiply\nIs it 3 * 24?\nThe answer is 72.",
        "3 * 24 = 72.\nThe answer is C.\nContext: the others are too small.",
        "3 * 24 = 72.\nThe answer is 72.\nQ.E.D.",
        "The answer depends on n.\nCase 1: n is even?\nThen 2.\nCase 2: n is odd.\nThe answer is 5.",
        "**Problem:** find the pens.\nWe multiply.\n**Solution:** 72\nThe answer is 72.",
    ],
)
def test_sub_questions_restated_questions_and_second_thoughts_are_part_of_the_chain(response: str) -> None:
    result = cut(response, "lines")
    assert "".join("".join(texts(result)).split()) == "".join(response.split())
    assert result.notes == ()


def test_a_question_before_any_answer_stays_a_step_with_a_note() -> None:
    result = cut("3 * 24 = 72 pens.\n\nQ: Tom has 5 cats. How many?\nA: 5", "lines")
    assert len(result.steps) == 3
    assert result.notes == (
        "the model asks a question of its own, which is taken for a step: 'Q: Tom has 5 cats. How many? A: 5'",
    )


def test_data_lines_and_option_headings_are_reasoning() -> None:
    headed = "**Option A**\n1. raises sugar\n2. lowers salt\n\n**Option C**\n1. protects\n2. helps\n\nThe answer is C."
    data = "The primes are:\n2\n3\n5\n7\nThe sum is 17."
    assert [step.kind for step in cut(headed).steps] == ["reasoning"] * 4 + ["final_answer"]
    assert "final_answer" not in [step.kind for step in cut(data).steps[:-1]]
    assert texts(cut(data))[0] == "The primes are:\n2\n3\n5\n7"


@pytest.mark.parametrize("splitter", sorted(BUILTIN_SPLITTERS))
def test_sections_beyond_the_first_fifty_are_still_without_marks(splitter: str) -> None:
    response = "".join(f"<think>\nWe add {i} to it.\n</think>\n" for i in range(80))
    result = cut(response, splitter)
    assert texts(result) == [f"We add {i} to it." for i in range(80)]


def cut(response: str, splitter: str = "auto") -> Segmentation:
    return segment([Trace("Pens in three boxes of 24?", response, "72")], splitter)[0]


def texts(result: Segmentation) -> list[str]:
    return [step.text for step in result.steps]
