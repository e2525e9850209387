"""Each provider's turn through a real sidecar, and back into its SDK."""

import json

import google.genai.types
import openai.types.chat
import openai.types.responses
import pytest
from anthropic.types import ToolParam
from pydantic import TypeAdapter

from sidecall import AsyncSidecall, Outcome, Shape
from test_shapes import VALIDATORS, bedrock

INPUTS = [
    ("get_user", {"id": "u-1"}),
    ("list_orders", {"user": "${get_user.name}"}),
    ("fail", {}),
    ("no_such_tool", {}),
    ("large", {"bytes": 20}),
]


def anthropic_turn(calls):
    blocks = [
        {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": value}
        for n, (name, value) in enumerate(calls)
    ]
    return {"role": "assistant", "content": [{"type": "text", "text": "I'll look."}, *blocks]}


def chat_turn(calls):
    tools = [
        {
            "id": f"call_{n}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(value)},
        }
        for n, (name, value) in enumerate(calls)
    ]
    return {"role": "assistant", "content": None, "tool_calls": tools}


def responses_turn(calls):
    return [
        {
            "type": "function_call",
            "id": f"fc_{n}",
            "call_id": f"call_{n}",
            "name": name,
            "arguments": json.dumps(value),
        }
        for n, (name, value) in enumerate(calls)
    ]


def gemini_turn(calls):
    parts = [{"functionCall": {"name": name, "args": value}} for name, value in calls]
    return google.genai.types.Content.model_validate({"role": "model", "parts": parts})


def bedrock_turn(calls):
    uses = [
        {"toolUse": {"toolUseId": f"tooluse_{n}", "name": name, "input": value}}
        for n, (name, value) in enumerate(calls)
    ]
    return {"output": {"message": {"role": "assistant", "content": uses}}}


def ai_sdk_turn(calls):
    parts = [
        {"type": "tool-call", "toolCallId": f"v_{n}", "toolName": name, "input": value}
        for n, (name, value) in enumerate(calls)
    ]
    return {"role": "assistant", "content": parts}


def langchain_turn(calls):
    from langchain_core.messages import AIMessage

    uses = [{"id": f"l_{n}", "name": name, "args": value} for n, (name, value) in enumerate(calls)]
    invalid = [{"id": "l_bad", "name": "fail", "args": "{bad", "error": "e"}]
    return AIMessage(content="", tool_calls=uses, invalid_tool_calls=invalid)


TURNS = {
    Shape.ANTHROPIC: anthropic_turn,
    Shape.OPENAI_CHAT: chat_turn,
    Shape.OPENAI_RESPONSES: responses_turn,
    Shape.GEMINI: gemini_turn,
    Shape.BEDROCK: bedrock_turn,
    Shape.AI_SDK: ai_sdk_turn,
    Shape.LANGCHAIN: langchain_turn,
}
MESSAGES = {
    Shape.ANTHROPIC: ("user", "content"),
    Shape.GEMINI: ("user", "parts"),
    Shape.BEDROCK: ("user", "content"),
    Shape.AI_SDK: ("tool", "content"),
}


@pytest.mark.parametrize("shape", list(Shape))
async def test_a_turn_goes_there_and_back(sidecar, shape):
    from sidecall.shapes import recognise

    message = TURNS[shape](INPUTS)
    async with AsyncSidecall(sidecar.address) as client:
        bundle = await client.execute(message)
    assert bundle.shape is shape
    outcomes = [result.outcome for result in bundle.results]
    assert outcomes[:5] == [Outcome.SUCCEEDED] * 2 + [Outcome.FAILED] * 2 + [Outcome.SUCCEEDED]
    assert bundle.results[1].json()[0]["user"] == "Mara"
    turn = recognise(message)
    assert len(bundle) == len(turn.calls)
    for item, block, result in zip(bundle, turn.calls, bundle.results, strict=True):
        VALIDATORS[shape](item)
        # What the client writes where the sidecar cannot is what the sidecar writes.
        assert turn.provider.item(block, result) == item
    if shape in MESSAGES:
        role, key = MESSAGES[shape]
        assert bundle.message == {"role": role, key: list(bundle)}
        assert bundle.messages == [bundle.message]
    else:
        assert bundle.messages == list(bundle)


def gemini_config(tools):
    google.genai.types.GenerateContentConfig.model_validate(tools.params["config"])


def bedrock_config(tools):
    import botocore.session
    import botocore.validate

    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    shape = service.shape_for("ToolConfiguration")
    report = botocore.validate.ParamValidator().validate(tools.params["toolConfig"], shape)
    assert not report.has_errors(), report.generate_report()


def each(kind):
    adapter = TypeAdapter(kind)
    return lambda tools: [adapter.validate_python(tool) for tool in tools.params["tools"]]


TOOLS = {
    Shape.ANTHROPIC: each(ToolParam),
    Shape.OPENAI_CHAT: each(openai.types.chat.ChatCompletionToolParam),
    Shape.OPENAI_RESPONSES: each(openai.types.responses.ToolParam),
    Shape.GEMINI: gemini_config,
    Shape.BEDROCK: bedrock_config,
    Shape.AI_SDK: lambda tools: [tool["inputSchema"] for tool in tools],
    Shape.LANGCHAIN: each(openai.types.chat.ChatCompletionToolParam),
}


@pytest.mark.parametrize("shape", list(Shape))
async def test_tools_are_ready_for_each_providers_request(sidecar, shape):
    async with AsyncSidecall(sidecar.address) as client:
        tools = await client.list_tools(shape, references=True)
        without = await client.list_tools(shape, references=False)
    TOOLS[shape](tools)
    assert {"get_user", "hang_keyed"} <= set(tools.names)
    assert "${" in tools.instructions
    assert without.instructions == ""
    effects = {tool.name: tool.effect.value for tool in tools.definitions}
    assert (effects["get_user"], effects["hang_keyed"]) == ("read_only", "keyed")
    assert effects["hang_write"] == "at_most_once"


async def test_a_long_list_of_tools_comes_in_pages(sidecars):
    text = "x" * 2000
    names = [f"tool_{n:03}" for n in range(100)]
    tools = "".join(
        f"  {name}: {{description: {text}, input: {{type: object}}, http: {{api: world, get: /}}}}\n"
        for name in names
    )
    sidecar = sidecars("listen: {message_bytes: 64KiB}", tools=tools)
    async with AsyncSidecall(sidecar.address) as client:
        listed = await client.list_tools()
    assert listed.names == names
    assert [tool["name"] for tool in listed] == names


def test_bedrocks_own_model_refuses_what_is_none():
    with pytest.raises(AssertionError):
        bedrock({"toolResult": {"content": [{"text": 1}]}})
