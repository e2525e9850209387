"""Many Python agents at once, whose turns are run in one of several ways.

Prints one JSON object: turns per second, the 50th and 99th percentile of a turn's
milliseconds, and this process's processor seconds for 1,000 calls.

    agents.py sidecall|toolnode|gather|runner --address unix:///… --upstream http://…
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from typing import Any, Awaitable, Callable

CALLS = 5

Turn = Callable[[int], Awaitable[None]]


def blocks(tool: str, turn: int) -> list[dict[str, Any]]:
    """The assistant's content of one turn."""
    return [
        {"type": "tool_use", "id": f"toolu_{turn}_{n}", "name": tool, "input": {"key": f"{turn}-{n}"}}
        for n in range(CALLS)
    ]


async def through_sidecall(args: argparse.Namespace) -> Turn:
    """The package, as an agent has it."""
    from sidecall import AsyncSidecall

    client = AsyncSidecall(args.address)

    async def turn(number: int) -> None:
        results = await client.execute(blocks(args.tool, number))
        assert len(results) == CALLS
        assert all("is_error" not in block for block in results), results

    return turn


def http(args: argparse.Namespace) -> Any:
    """What a tool written in Python asks its API with."""
    import httpx2 as httpx

    limits = httpx.Limits(max_connections=args.connections, max_keepalive_connections=args.connections)
    return httpx.AsyncClient(base_url=args.upstream, limits=limits, timeout=60)


async def through_toolnode(args: argparse.Namespace) -> Turn:
    """LangGraph's ToolNode in a graph of one node, tools in this process."""
    from langchain_core.messages import AIMessage
    from langchain_core.tools import StructuredTool
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode

    client = http(args)

    async def look(key: str) -> str:
        """Looks something up."""
        return (await client.get(f"/{args.tool}/{key}")).text

    tool = StructuredTool.from_function(coroutine=look, name=args.tool, description="Looks up.")
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([tool]))
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    agent = graph.compile()

    async def turn(number: int) -> None:
        calls = [
            {"name": block["name"], "args": block["input"], "id": block["id"], "type": "tool_call"}
            for block in blocks(args.tool, number)
        ]
        state = await agent.ainvoke({"messages": [AIMessage(content="", tool_calls=calls)]})
        answers = state["messages"][1:]
        assert len(answers) == CALLS
        assert all(answer.status == "success" for answer in answers), answers

    return turn


async def through_gather(args: argparse.Namespace) -> Turn:
    """Nothing but asyncio: no limits, no traces, no order, no protection."""
    client = http(args)

    async def call(block: dict[str, Any]) -> dict[str, Any]:
        answer = await client.get(f"/{args.tool}/{block['input']['key']}")
        return {"type": "tool_result", "tool_use_id": block["id"], "content": answer.text}

    async def turn(number: int) -> None:
        results = await asyncio.gather(*(call(block) for block in blocks(args.tool, number)))
        assert len(results) == CALLS

    return turn


async def through_runner(args: argparse.Namespace) -> Turn:
    """Anthropic's tool runner: its model answers at once, so that what is left is
    the tools."""
    import anthropic

    client = http(args)

    @anthropic.beta_async_tool(name=args.tool)
    async def look(key: str) -> str:
        """Looks something up."""
        return (await client.get(f"/{args.tool}/{key}")).text

    model = anthropic.AsyncAnthropic(
        base_url="http://127.0.0.1:9", api_key="none", http_client=ScriptedModel(args.tool).client()
    )

    async def turn(number: int) -> None:
        runner = model.beta.messages.tool_runner(
            model="scripted",
            max_tokens=1,
            tools=[look],
            messages=[{"role": "user", "content": str(number)}],
        )
        last = await runner.until_done()
        assert last.stop_reason == "end_turn"

    return turn


class ScriptedModel:
    """A model without a network: first the calls, then the end."""

    def __init__(self, tool: str) -> None:
        self.tool = tool

    def client(self) -> Any:
        import anthropic
        import httpx2 as httpx

        return anthropic.DefaultAsyncHttpxClient(transport=httpx.MockTransport(self.answer))

    def answer(self, request: Any) -> Any:
        import httpx2 as httpx

        ends = b'"tool_result"' in request.content
        content = [{"type": "text", "text": "done"}] if ends else blocks(self.tool, 0)
        message = {
            "id": "msg",
            "type": "message",
            "role": "assistant",
            "model": "scripted",
            "content": content,
            "stop_reason": "end_turn" if ends else "tool_use",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        return httpx.Response(200, json=message)


WAYS = {
    "sidecall": through_sidecall,
    "toolnode": through_toolnode,
    "gather": through_gather,
    "runner": through_runner,
}


def processor() -> float:
    """Processor seconds of this process until now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(args: argparse.Namespace) -> dict[str, float]:
    """Runs all agents to their end, after a turn of each to warm up."""
    turn = await WAYS[args.way](args)
    await asyncio.gather(*(turn(agent) for agent in range(args.agents)))
    took: list[float] = []

    async def agent(number: int) -> None:
        for n in range(args.turns):
            begin = time.perf_counter()
            await turn((n + 1) * args.agents + number)
            took.append(time.perf_counter() - begin)

    begin, used = time.perf_counter(), processor()
    await asyncio.gather(*(agent(number) for number in range(args.agents)))
    seconds, used = time.perf_counter() - begin, processor() - used
    took.sort()
    return {
        "turns_per_second": len(took) / seconds,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[len(took) * 99 // 100] * 1000,
        "cpu_s_per_1000_calls": used / (len(took) * CALLS) * 1000,
        "turns": len(took),
        "warm_up_turns": args.agents,
    }


def main() -> None:
    """Measures one way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--address", default="")
    parser.add_argument("--upstream", default="")
    parser.add_argument("--tool", default="wait20")
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--connections", type=int, default=1000)
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


main()
