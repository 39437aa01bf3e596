"""Builds what a scripted model under test says in an Inspect run: texts, reasoning and tool calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessageAssistant,
    Content,
    ContentReasoning,
    ContentText,
    Model,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.tool import Tool, tool


def says(text: str, thinks: str | None = None) -> ModelOutput:
    content: str | list[Content] = text
    if thinks is not None:
        content = [ContentReasoning(reasoning=thinks), ContentText(text=text)]
    return _counted(ModelOutput.from_message(ChatMessageAssistant(content=content, source="generate")))


def calls(text: str, function: str, **arguments: Any) -> ModelOutput:
    """A turn with some text that ends in a tool call."""
    return _counted(ModelOutput.for_tool_call("mockllm/model", function, arguments, content=text))


def model_that(outputs: Sequence[ModelOutput]) -> Model:
    """A model under test that gives these turns one after the other."""
    return get_model("mockllm/model", custom_outputs=list(outputs))


def _counted(output: ModelOutput) -> ModelOutput:
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else mockllm fetches a tokenizer
    return output


@tool
def calculator() -> Tool:
    async def execute(expression: str) -> str:
        """Work out an expression.

        Args:
            expression: the expression.
        """
        return f"TOOL RESULT for {expression}: 6 + 1 = 7"

    return execute
