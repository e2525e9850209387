"""LangChain's and LangGraph's own objects."""

import asyncio
import operator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

import sidecall
from conftest import until
from sidecall import AsyncSidecall, Sidecall
from sidecall.langchain import atools, tools
from sidecall.langgraph import SidecallToolNode

CALLS = [
    {"id": "l_1", "name": "list_orders", "args": {"user": "${get_user.name}"}},
    {"id": "l_2", "name": "get_user", "args": {"id": "u-1"}},
    {"id": "l_3", "name": "fail", "args": {}},
]


def graph(node):
    """A model that calls tools once and then says how many answers it got."""

    def model(state):
        answers = [one for one in state["messages"] if isinstance(one, ToolMessage)]
        if answers:
            return {"messages": [AIMessage(content=f"{len(answers)} answers")]}
        return {"messages": [AIMessage(content="", tool_calls=CALLS)]}

    builder = StateGraph(MessagesState)
    builder.add_node("model", model)
    builder.add_node("tools", node)
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", tools_condition, {"tools": "tools", END: END})
    builder.add_edge("tools", "model")
    return builder.compile()


def check(state):
    *_, orders, user, failed, last = state["messages"]
    assert last.content == "3 answers"
    assert [one.tool_call_id for one in (orders, user, failed)] == ["l_1", "l_2", "l_3"]
    assert (orders.name, orders.status, failed.status) == ("list_orders", "success", "error")
    assert orders.artifact.json()[0]["user"] == "Mara"
    assert failed.artifact.failure.code is sidecall.FailureCode.TOOL_ERROR


def test_the_node_stands_where_langgraphs_stood(sidecar):
    with Sidecall(sidecar.address) as client:
        state = graph(SidecallToolNode(client)).invoke({"messages": [HumanMessage("Hello")]})
    check(state)


async def test_the_node_from_asyncio(sidecar):
    seen = []
    async with AsyncSidecall(sidecar.address) as client:
        node = SidecallToolNode(client, on_event=seen.append)
        config = {"configurable": {"thread_id": "thread-7"}}
        state = await graph(node).ainvoke({"messages": [HumanMessage("Hello")]}, config)
        status = await client.status()
    check(state)
    assert isinstance(seen[-1], sidecall.Done)
    assert "thread-7" in {one.session_id for one in status.budgets.lowest} or status.budgets.omitted


def test_the_node_takes_what_langgraphs_takes(sidecar):
    """Each form of the input, and the same form of output."""
    node = SidecallToolNode(sidecar.address)
    message = AIMessage(content="", tool_calls=CALLS[1:2])

    def get_user(id: str) -> str:
        """A user."""
        return "x"

    theirs = ToolNode([get_user])

    class Other(TypedDict):
        messages: Annotated[list[Any], operator.add]

    builder = StateGraph(Other)
    builder.add_node("theirs", theirs)
    builder.add_edge(START, "theirs")
    compiled = builder.compile()
    for given in ({"messages": [message]}, {"messages": [HumanMessage("x"), message]}):
        ours = node.invoke(given)
        its = compiled.invoke(given)
        assert list(ours) == list(its)
        assert type(ours["messages"][-1]) is type(its["messages"][-1])
    assert node.invoke([message])[0].tool_call_id == "l_2"
    assert node.invoke([{**CALLS[1], "type": "tool_call"}])["messages"][0].tool_call_id == "l_2"
    with pytest.raises(ValueError, match="AIMessage"):
        node.invoke({"messages": [HumanMessage("x")]})


def test_calls_that_have_an_answer_are_not_run_again(sidecar, world):
    node = SidecallToolNode(sidecar.address)
    turn = [AIMessage(content="", tool_calls=CALLS), ToolMessage("x", tool_call_id="l_1")]
    answers = node.invoke([*turn, ToolMessage("x", tool_call_id="l_3")])
    assert [one.tool_call_id for one in answers] == ["l_2"]
    assert world.count() == 1


def test_tools_are_langchains(sidecar):
    listed = {tool.name: tool for tool in tools(sidecar.address)}
    user = listed["get_user"]
    assert user.description == "A user by id."
    assert user.args["id"]["type"] == "string"
    assert "Mara" in user.invoke({"id": "u-1"})
    call = {"type": "tool_call", "id": "c", "name": "get_user", "args": {"id": "u-1"}}
    message = user.invoke(call)
    assert message.tool_call_id == "c"
    assert message.artifact.json()["name"] == "Mara"
    failed = listed["fail"].invoke({**call, "name": "fail", "args": {}})
    assert failed.status == "error"
    assert "tool_error" in failed.content
    with pytest.raises(ValueError, match="no tool nothing"):
        tools(sidecar.address, names=["nothing"])


async def test_tools_from_asyncio_take_the_threads_session(sidecar):
    async with AsyncSidecall(sidecar.address) as client:
        (user,) = await atools(client, names=["get_user"])
        config = {"configurable": {"thread_id": "thread-9"}}
        assert "Mara" in await user.ainvoke({"id": "u-1"}, config)
        status = await client.status()
    assert "thread-9" in {one.session_id for one in status.budgets.lowest} or status.budgets.omitted


def test_a_models_tools_are_bound(sidecar):
    """As a model of LangChain's is given them."""
    from langchain_core.utils.function_calling import convert_to_openai_tool

    bound = [convert_to_openai_tool(tool) for tool in tools(sidecar.address)]
    (user,) = [one for one in bound if one["function"]["name"] == "get_user"]
    assert user["function"]["parameters"]["required"] == ["id"]
    with Sidecall(sidecar.address) as client:
        (same,) = [one for one in client.list_tools("langchain") if "get_user" in str(one)]
    assert convert_to_openai_tool(same)["function"]["name"] == "get_user"


def test_a_node_in_threads_and_loops_at_once(sidecar):
    node = SidecallToolNode(sidecar.address)
    turn = [AIMessage(content="", tool_calls=CALLS[1:2])]

    async def several():
        return await asyncio.gather(*(node.ainvoke(turn) for _ in range(5)))

    import threading

    done = []
    threads = [
        threading.Thread(target=lambda: done.extend(asyncio.run(several()))) for _ in range(3)
    ] + [threading.Thread(target=lambda: done.append(node.invoke(turn))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(done) == 18)
