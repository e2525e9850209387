"""A LangGraph agent whose ToolNode is Sidecall's."""

from __future__ import annotations

import os

from langchain_anthropic import ChatAnthropic
from langgraph.graph import END, START, MessagesState, StateGraph

from sidecall import Sidecall
from sidecall.langchain import tools
from sidecall.langgraph import SidecallToolNode

QUESTION = "What should I know before I call Lovelace?"


def main() -> None:
    """Builds the graph and asks it."""
    with Sidecall() as sidecall:
        model = ChatAnthropic(
            model="scripted", base_url=os.environ["MODEL_URL"], api_key="none"
        ).bind_tools(tools(sidecall))

        def ask(state: MessagesState) -> dict:
            return {"messages": [model.invoke(state["messages"])]}

        def what_next(state: MessagesState) -> str:
            return "tools" if state["messages"][-1].tool_calls else END

        builder = StateGraph(MessagesState)
        builder.add_node("model", ask)
        builder.add_node("tools", SidecallToolNode(sidecall))
        builder.add_edge(START, "model")
        builder.add_conditional_edges("model", what_next, ["tools", END])
        builder.add_edge("tools", "model")
        graph = builder.compile()

        for step in graph.stream({"messages": [("user", QUESTION)]}, stream_mode="updates"):
            for node, update in step.items():
                for message in update["messages"]:
                    print(f"{node}: {message.text or [call['name'] for call in message.tool_calls]}")


main()
