"""Holds turns, bundles and tools against the types of the providers' own SDKs.

Reads JSON objects from standard input, one a line: `shape`, `turn` (what the
model answered), `bundle` (the items that came back) and `tools` (the
definitions). Says of each on a line of its own how many items its bundle has, or
what is wrong: that an SDK's type refuses any of it, that a type does not know one
of its members, or that the calls of the turn are not answered once each and in
order. Ends with 1 where anything is.
"""

import functools
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, List

from anthropic.types import Message, MessageParam, ToolResultBlockParam, ToolUnionParam
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionMessageParam,
    ChatCompletionToolMessageParam,
    ChatCompletionToolUnionParam,
)
from openai.types.responses import (
    FunctionToolParam,
    Response,
    ResponseCustomToolCallOutputParam,
    ResponseInputItemParam,
)
from openai.types.responses.response_input_param import FunctionCallOutput
from pydantic import TypeAdapter

CALLS_OF_RESPONSES = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
}


class Fault(Exception):
    """What is wrong, and with what."""


def whole(value: Any) -> Any:
    """The value with everything in it read: an iterable is validated lazily."""
    if isinstance(value, Mapping):
        return {key: whole(member) for key, member in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return [whole(member) for member in value]
    return value


@functools.cache
def adapter(kind: Any) -> TypeAdapter:
    """Kept, since what it validates lazily needs it."""
    return TypeAdapter(kind)


def fits(kind: Any, value: Any) -> None:
    """The value is of the type, and the type knows every member of it."""
    try:
        seen = whole(adapter(kind).validate_python(value))
    except Exception as error:
        raise Fault(f"{value}: {error}") from error
    if seen != value:
        raise Fault(f"{value} has members that its type does not know; it is {seen}")


def answers(calls: List[str], answered: List[str]) -> None:
    """Each call is answered once, in the order of the turn."""
    if calls != answered:
        raise Fault(f"the calls are {calls}, the answers {answered}")


def anthropic(turn: Any, bundle: Any, tools: Any) -> None:
    message = Message.model_validate(turn)
    for block in bundle:
        fits(ToolResultBlockParam, block)
        content = block.get("content")
        if content == [] or any(part.get("text", "-").strip() == "" for part in content or []):
            raise Fault(f"{block} is empty somewhere")
        if block.get("is_error") and any(part["type"] != "text" for part in content):
            raise Fault(f"{block} is an error and holds more than text")
    fits(MessageParam, {"role": "user", "content": bundle})
    calls = [block for block in message.content if block.type == "tool_use"]
    answers([call.id for call in calls], [block["tool_use_id"] for block in bundle])
    answers(
        [call.toolset_name or "" for call in calls],
        [block.get("toolset_name", "") for block in bundle],
    )
    for tool in tools:
        fits(ToolUnionParam, tool)


def openai_chat(turn: Any, bundle: Any, tools: Any) -> None:
    message = ChatCompletion.model_validate(turn).choices[0].message
    for item in bundle:
        fits(ChatCompletionToolMessageParam, item)
        if not item["content"].strip():
            raise Fault(f"{item} is empty")
    sent = message.model_dump(exclude_none=True, exclude_unset=True)
    fits(List[ChatCompletionMessageParam], [sent, *bundle])
    answers([call.id for call in message.tool_calls], [item["tool_call_id"] for item in bundle])
    for tool in tools:
        fits(ChatCompletionToolUnionParam, tool)


def openai_responses(turn: Any, bundle: Any, tools: Any) -> None:
    response = Response.model_validate(turn)
    for item in bundle:
        is_custom = item["type"] == "custom_tool_call_output"
        fits(ResponseCustomToolCallOutputParam if is_custom else FunctionCallOutput, item)
        if not item["output"]:
            raise Fault(f"{item} is empty")
    for item in bundle:
        fits(ResponseInputItemParam, item)
    calls = [item for item in response.output if item.type in CALLS_OF_RESPONSES]
    answers([call.call_id for call in calls], [item["call_id"] for item in bundle])
    answers(
        [CALLS_OF_RESPONSES[call.type] for call in calls],
        [item["type"] for item in bundle],
    )
    answers(
        [call.caller.caller_id if call.caller else "" for call in calls],
        [item.get("caller", {}).get("caller_id", "") for item in bundle],
    )
    for tool in tools:
        fits(FunctionToolParam, tool)


SHAPES = {
    "anthropic": anthropic,
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
}


def main() -> None:
    faults = 0
    for held in map(json.loads, sys.stdin):
        try:
            SHAPES[held["shape"]](held["turn"], held["bundle"], held["tools"])
            print(len(held["bundle"]))
        except Fault as fault:
            faults += 1
            print(" ".join(str(fault).split()))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
