"""What each provider's SDK gives is recognised, and what it is given it accepts."""

import json
from decimal import Decimal

import anthropic.types
import google.genai.types
import openai.types.chat
import openai.types.responses
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from pydantic import TypeAdapter

import sidecall
from sidecall import InvalidTurn, Shape, ToolUse
from sidecall.model import CallResult, Document, Failure, FailureCode, Image, Json, Outcome, Text
from sidecall.shapes import PROVIDERS, recognise
from sidecall.shapes.base import Begun, Ended, Fragment

INPUT = {"a": None, "n": 12345678901234567890123, "p": 1.5}

ANTHROPIC = anthropic.types.Message.model_validate(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "text", "text": "I'll look."},
            {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}},
            {"type": "tool_use", "id": "toolu_1", "name": "a", "input": INPUT},
            {"type": "tool_use", "id": "toolu_2", "name": "b", "input": {}},
        ],
    }
)
ARGUMENTS = json.dumps(INPUT)
CHAT = openai.types.chat.ChatCompletion.model_validate(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "logprobs": None,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "a", "arguments": ARGUMENTS},
                        },
                        {"id": "call_2", "type": "custom", "custom": {"name": "b", "input": "x"}},
                    ],
                },
            }
        ],
    }
)
RESPONSES = openai.types.responses.Response.model_validate(
    {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_1",
                "name": "a",
                "arguments": ARGUMENTS,
            },
            {
                "type": "custom_tool_call",
                "id": "ct_1",
                "call_id": "call_2",
                "name": "b",
                "input": "SELECT 1",
            },
        ],
    }
)
GEMINI = google.genai.types.GenerateContentResponse.model_validate(
    {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "Hm.", "thought": True},
                        {
                            "functionCall": {"id": "g_1", "name": "a", "args": INPUT},
                            "thoughtSignature": "AAEC",
                        },
                        {"functionCall": {"name": "b", "args": {}}},
                    ],
                }
            }
        ]
    }
)
BEDROCK = {
    "ResponseMetadata": {"RequestId": "r", "HTTPStatusCode": 200},
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"redactedContent": b"\x00\x01"}},
                {"text": "I'll look."},
                {"toolUse": {"toolUseId": "tooluse_1", "name": "a", "input": INPUT}},
                {"toolUse": {"toolUseId": "tooluse_2", "name": "b", "input": {}}},
            ],
        }
    },
    "stopReason": "tool_use",
}
AI_SDK = {
    "role": "assistant",
    "content": [
        {"type": "text", "text": "I'll look."},
        {"type": "tool-call", "toolCallId": "v_1", "toolName": "a", "input": INPUT},
        {"type": "tool-call", "toolCallId": "v_2", "toolName": "b", "input": {}},
    ],
}
LANGCHAIN = AIMessage(
    content="I'll look.",
    tool_calls=[
        {"name": "a", "args": INPUT, "id": "l_1"},
        {"name": "b", "args": {}, "id": "l_2"},
    ],
)

TURNS = [
    (ANTHROPIC, Shape.ANTHROPIC, ["toolu_1", "toolu_2"]),
    (ANTHROPIC.content, Shape.ANTHROPIC, ["toolu_1", "toolu_2"]),
    (ANTHROPIC.model_dump(), Shape.ANTHROPIC, ["toolu_1", "toolu_2"]),
    (ANTHROPIC.to_json(), Shape.ANTHROPIC, ["toolu_1", "toolu_2"]),
    (CHAT, Shape.OPENAI_CHAT, ["call_1", "call_2"]),
    (CHAT.choices[0].message, Shape.OPENAI_CHAT, ["call_1", "call_2"]),
    (CHAT.choices[0].message.tool_calls, Shape.OPENAI_CHAT, ["call_1", "call_2"]),
    (CHAT.to_dict(), Shape.OPENAI_CHAT, ["call_1", "call_2"]),
    (RESPONSES, Shape.OPENAI_RESPONSES, ["call_1", "call_2"]),
    (RESPONSES.output, Shape.OPENAI_RESPONSES, ["call_1", "call_2"]),
    (RESPONSES.to_dict(), Shape.OPENAI_RESPONSES, ["call_1", "call_2"]),
    (GEMINI, Shape.GEMINI, ["g_1", ""]),
    (GEMINI.candidates[0].content, Shape.GEMINI, ["g_1", ""]),
    (GEMINI.candidates[0].content.parts, Shape.GEMINI, ["g_1", ""]),
    (GEMINI.model_dump(), Shape.GEMINI, ["g_1", ""]),
    (BEDROCK, Shape.BEDROCK, ["tooluse_1", "tooluse_2"]),
    (BEDROCK["output"]["message"], Shape.BEDROCK, ["tooluse_1", "tooluse_2"]),
    (BEDROCK["output"]["message"]["content"], Shape.BEDROCK, ["tooluse_1", "tooluse_2"]),
    (AI_SDK, Shape.AI_SDK, ["v_1", "v_2"]),
    (AI_SDK["content"], Shape.AI_SDK, ["v_1", "v_2"]),
    (LANGCHAIN, Shape.LANGCHAIN, ["l_1", "l_2"]),
    (LANGCHAIN.tool_calls, Shape.LANGCHAIN, ["l_1", "l_2"]),
    (LANGCHAIN.model_dump(), Shape.LANGCHAIN, ["l_1", "l_2"]),
    (LANGCHAIN.to_json(), Shape.LANGCHAIN, ["l_1", "l_2"]),
]


@pytest.mark.parametrize(("message", "shape", "ids"), TURNS)
def test_every_form_of_a_turn_is_recognised(message, shape, ids):
    turn = recognise(message)
    assert turn.provider.shape is shape
    assert [call.id for call in turn.calls] == ids
    assert [call.name for call in turn.calls] == ["a", "b"]
    # What the model wrote goes on as it is, nulls and large numbers too.
    assert "12345678901234567890123" in turn.json
    assert '"a":null' in turn.json.replace(" ", "").replace("\\", "")
    assert recognise(message, shape).json == turn.json
    assert recognise(turn.json).provider.shape is shape


@pytest.mark.parametrize("shape", list(Shape))
def test_a_turn_of_another_shape_is_refused(shape):
    others = [message for message, own, _ in TURNS if own is not shape]
    for message in others:
        with pytest.raises(InvalidTurn, match=f"turn of {shape}"):
            recognise(message, shape)


@pytest.mark.parametrize(
    "message",
    [
        7,
        None,
        "not JSON",
        '{"a": NaN}',
        {},
        {"role": "user", "content": "Hello"},
        [{"type": "image"}],
        [object()],
        [ToolUse("a"), "b"],
        {"choices": []},
    ],
)
def test_what_is_no_turn_is_refused_before_anything_is_sent(message):
    with pytest.raises(InvalidTurn):
        recognise(message)


def test_a_shape_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(InvalidTurn, match="anthropic"):
        recognise([], "claude")


def test_texts_without_calls_are_turns_without_calls():
    for message in (
        [{"type": "text", "text": "x"}],
        {"role": "assistant", "content": "x"},
        [{"type": "message", "role": "assistant", "content": [{"type": "output_text"}]}],
        {"role": "model", "parts": [{"text": "x"}]},
        AIMessage(content="x"),
    ):
        assert recognise(message).calls == []


def test_decimals_keep_their_digits():
    text = '[{"type": "tool_use", "id": "t", "name": "a", "input": {"p": 1249.90, "q": 1E-7}}]'
    assert recognise(text).json == text
    wrapped = '{"output": {"message": {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "a", "input": {"p": 1249.90, "q": 1E-7}}}]}}}'
    assert '"p":1249.90,"q":1E-7' in recognise(wrapped).json
    by_hand = [{"type": "tool_use", "id": "t", "name": "a", "input": {"p": Decimal("1249.90")}}]
    assert '"p":1249.90' in recognise(by_hand).json


# ---------------------------------------------------------------- results


def result(outcome=Outcome.SUCCEEDED, *content):
    failure = None
    if outcome is not Outcome.SUCCEEDED:
        codes = (FailureCode.OUTCOME_UNKNOWN, "sidecall", "verify_first")
        failure = Failure(*codes, message="Find out first.")
    return CallResult(
        call_id="x",
        tool="a",
        index=0,
        outcome=outcome,
        is_error=failure is not None,
        content=content,
        failure=failure,
    )


RESULTS = [
    result(Outcome.FAILED),
    result(Outcome.SUCCEEDED),
    result(Outcome.SUCCEEDED, Text("")),
    result(Outcome.SUCCEEDED, Text("some"), Text("words")),
    result(Outcome.SUCCEEDED, Json('{"a": [1]}')),
    result(Outcome.SUCCEEDED, Json("[1]")),
    result(Outcome.SUCCEEDED, Image("image/png", b"\x89PNG\r\n\x1a\n...."), Text("seen")),
    result(Outcome.SUCCEEDED, Document("application/zip", b"PK")),
    result(Outcome.FAILED, Image("image/png", b"\x89PNG\r\n\x1a\n....")),
]


def bedrock(item):
    """By botocore's own model of the API."""
    import botocore.session
    import botocore.validate

    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    shape = service.shape_for("ContentBlock")
    report = botocore.validate.ParamValidator().validate(item, shape)
    assert not report.has_errors(), report.generate_report()


VALIDATORS = {
    Shape.ANTHROPIC: TypeAdapter(anthropic.types.ToolResultBlockParam).validate_python,
    Shape.OPENAI_CHAT: TypeAdapter(
        openai.types.chat.ChatCompletionToolMessageParam
    ).validate_python,
    Shape.OPENAI_RESPONSES: TypeAdapter(
        openai.types.responses.ResponseInputItemParam
    ).validate_python,
    Shape.GEMINI: google.genai.types.Part.model_validate,
    Shape.LANGCHAIN: lambda item: ToolMessage(**item),
    Shape.BEDROCK: bedrock,
    Shape.AI_SDK: json.dumps,
}


@pytest.mark.parametrize("answer", RESULTS)
@pytest.mark.parametrize(("message", "shape", "_ids"), TURNS)
def test_results_that_the_client_writes_are_the_providers(message, shape, _ids, answer):
    turn = recognise(message)
    for block in turn.calls:
        item = turn.provider.item(block, answer)
        VALIDATORS[shape](item)
        text = json.dumps(item)
        assert block.id in text
        assert ("outcome_unknown: Find out first." in text) is answer.is_error
        # No provider takes an empty text.
        assert '"text": ""' not in text


# ---------------------------------------------------------------- streams


def steps_of(shape, events):
    reader = PROVIDERS[shape].reader()
    steps = [step for event in events for step in reader.read(event)]
    return [*steps, *reader.end()]


def read(shape, events):
    """Calls as their steps tell them: name, id, input, and whether it ended."""
    calls = {}
    for step in steps_of(shape, events):
        if isinstance(step, Begun):
            assert step.block not in calls
            calls[step.block] = [step.name, step.id, step.input_json, False]
        elif isinstance(step, Fragment):
            assert not calls[step.block][3]
            calls[step.block][2] += step.json
        elif isinstance(step, Ended):
            calls[step.block][3] = True
    return [(name, id, json.loads(text or "{}"), ended) for name, id, text, ended in calls.values()]


def anthropic_events():
    from anthropic.types import RawMessageStreamEvent

    one = TypeAdapter(RawMessageStreamEvent).validate_python
    yield one(
        {
            "type": "message_start",
            "message": {**ANTHROPIC.model_dump(), "content": [], "stop_reason": None},
        }
    )
    text = {"type": "text", "text": ""}
    yield one({"type": "content_block_start", "index": 0, "content_block": text})
    delta = {"type": "text_delta", "text": "I'll look."}
    yield one({"type": "content_block_delta", "index": 0, "delta": delta})
    yield one({"type": "content_block_stop", "index": 0})
    for index, (name, pieces) in enumerate([("a", ['{"x"', ": 1}"]), ("b", [])], start=1):
        block = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
        yield one({"type": "content_block_start", "index": index, "content_block": block})
        for piece in pieces:
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield one({"type": "content_block_delta", "index": index, "delta": delta})
        yield one({"type": "content_block_stop", "index": index})
    yield one({"type": "message_stop"})


def chat_chunks():
    from openai.types.chat import ChatCompletionChunk

    def chunk(delta, finish_reason=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return ChatCompletionChunk.model_validate(
            {
                "id": "c",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "m",
                "choices": [choice],
            }
        )

    def call(index, arguments, **more):
        function = {"arguments": arguments} | ({"name": more.pop("name")} if "name" in more else {})
        return chunk({"tool_calls": [{"index": index, "function": function, **more}]})

    yield chunk({"role": "assistant", "content": None})
    yield call(0, "", id="call_1", type="function", name="a")
    yield call(0, '{"x"')
    yield call(0, ": 1}")
    yield call(1, "{}", id="call_2", type="function", name="b")
    yield chunk({}, "tool_calls")


def responses_events():
    from openai.types.responses import ResponseStreamEvent

    one = TypeAdapter(ResponseStreamEvent).validate_python
    number = iter(range(100))

    def event(kind, **more):
        return one({"type": f"response.{kind}", "sequence_number": next(number), **more})

    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "a"}
    yield event("output_item.added", output_index=1, item={**call, "arguments": ""})
    for piece in ['{"x"', ": 1}"]:
        yield event("function_call_arguments.delta", output_index=1, item_id="fc_1", delta=piece)
    yield event(
        "function_call_arguments.done",
        output_index=1,
        item_id="fc_1",
        name="a",
        arguments='{"x": 1}',
    )
    yield event("output_item.done", output_index=1, item={**call, "arguments": '{"x": 1}'})
    call = {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_2", "name": "b"}
    yield event("output_item.added", output_index=2, item={**call, "input": ""})
    for piece in ['say "', 'hi"\n']:
        yield event("custom_tool_call_input.delta", output_index=2, item_id="ct_1", delta=piece)
    yield event("output_item.done", output_index=2, item={**call, "input": 'say "hi"\n'})


def gemini_chunks():
    def chunk(*parts):
        return google.genai.types.GenerateContentResponse.model_validate(
            {"candidates": [{"content": {"role": "model", "parts": list(parts)}}]}
        )

    yield chunk({"text": "I'll "})
    yield chunk({"functionCall": {"name": "a", "args": {"x": 1}}})
    yield chunk({"text": "."}, {"functionCall": {"name": "b"}})


def bedrock_events():
    yield {"messageStart": {"role": "assistant"}}
    yield {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "I'll look."}}}
    yield {"contentBlockStop": {"contentBlockIndex": 0}}
    for index, (name, pieces) in enumerate([("a", ['{"x"', ": 1}"]), ("b", [])], start=1):
        start = {"toolUse": {"toolUseId": f"tooluse_{index}", "name": name}}
        yield {"contentBlockStart": {"contentBlockIndex": index, "start": start}}
        for piece in pieces:
            delta = {"toolUse": {"input": piece}}
            yield {"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}}
        yield {"contentBlockStop": {"contentBlockIndex": index}}
    yield {"messageStop": {"stopReason": "tool_use"}}


def langchain_chunks():
    def chunk(name, args, id, index):
        piece = {"name": name, "args": args, "id": id, "index": index, "type": "tool_call_chunk"}
        return AIMessageChunk(content="", tool_call_chunks=[piece])

    yield AIMessageChunk(content="I'll look.")
    yield chunk("a", "", "l_1", 0)
    yield chunk(None, '{"x"', None, 0)
    yield chunk(None, ": 1}", None, 0)
    yield chunk("b", "{}", "l_2", 1)


STREAMS = [
    (Shape.ANTHROPIC, anthropic_events, ["toolu_1", "toolu_2"], {}),
    (Shape.OPENAI_CHAT, chat_chunks, ["call_1", "call_2"], {}),
    (Shape.OPENAI_RESPONSES, responses_events, ["call_1", "call_2"], {"input": 'say "hi"\n'}),
    (Shape.GEMINI, gemini_chunks, ["", ""], {}),
    (Shape.BEDROCK, bedrock_events, ["tooluse_1", "tooluse_2"], {}),
    (Shape.LANGCHAIN, langchain_chunks, ["l_1", "l_2"], {}),
]


@pytest.mark.parametrize(("shape", "events", "ids", "second"), STREAMS)
def test_each_sdks_stream_events_are_read(shape, events, ids, second):
    assert read(shape, events()) == [("a", ids[0], {"x": 1}, True), ("b", ids[1], second, True)]
    first = next(one for one in events() if sidecall._turn._provider_of(one) is not None)
    assert sidecall._turn._provider_of(first).shape is shape


@pytest.mark.parametrize(("shape", "events", "ids", "second"), STREAMS)
def test_a_stream_is_a_whole_turn_again(shape, events, ids, second):
    """What is run as a whole where it cannot be run as it comes."""
    provider = PROVIDERS[shape]
    begun, inputs = {}, {}
    for step in steps_of(shape, events()):
        if isinstance(step, Begun):
            begun[step.block], inputs[step.block] = step, step.input_json
        elif isinstance(step, Fragment):
            inputs[step.block] += step.json
    blocks = [
        provider.rebuilt(sidecall.shapes.base.Block(one.id, one.name, one.raw), inputs[block])
        for block, one in begun.items()
    ]
    turn = recognise(blocks, shape)
    assert [(call.name, call.id) for call in turn.calls] == [("a", ids[0]), ("b", ids[1])]
    assert '"x"' in turn.json.replace("\\", "")


def test_calls_that_openai_writes_at_once_end_when_the_next_begins():
    steps = steps_of(Shape.OPENAI_CHAT, chat_chunks())
    kinds = [type(step).__name__ for step in steps]
    assert kinds == ["Begun", "Fragment", "Fragment", "Ended", "Begun", "Fragment", "Ended"]


@pytest.mark.parametrize("indices", [(0, 0), (None, None)])
def test_calls_that_share_an_index_or_have_none_are_told_apart_by_their_ids(indices):
    def chunk(index, id, arguments, name=None):
        call = {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        call |= {} if index is None else {"index": index}
        return {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}

    first, second = indices
    events = [
        chunk(first, "c_1", '{"x"', "a"),
        chunk(first, None, ": "),
        chunk(first, "c_1", "1}"),
        chunk(second, "c_2", "{}", "b"),
    ]
    if first is None:
        del events[2]
        events[1] = chunk(None, None, ": 1}")
    wanted = [("a", "c_1", {"x": 1}, True), ("b", "c_2", {}, True)]
    assert read(Shape.OPENAI_CHAT, events) == wanted
