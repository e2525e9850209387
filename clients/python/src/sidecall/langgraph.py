"""LangGraph: a node that runs a turn's tool calls in the sidecar.

Wants ``langgraph`` (or only ``langchain-core``)::

    builder.add_node("tools", SidecallToolNode("unix:///run/sidecall/sidecall.sock"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableConfig

from sidecall._pair import Pair
from sidecall.langchain import session_of, tool_messages
from sidecall.model import Event, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidecall._aio import AsyncSidecall
    from sidecall._options import Ordering
    from sidecall._sync import Sidecall

__all__ = ["SidecallToolNode"]

Form = Literal["list", "dict", "tool_calls"]


class SidecallToolNode(Runnable[Any, Any]):
    """Stands where LangGraph's ``ToolNode`` stands: state in, ``ToolMessage``s out.

    The calls of the last ``AIMessage`` that have no answer yet are one turn: planned, run
    at once within each API's limits, and traced as one. Each message's ``artifact`` is the
    typed :class:`~sidecall.CallResult`.

    Args:
        client: A client, or an address.
        session_id: The conversation; the graph's ``thread_id`` where it is left out.
        messages_key: Where the state has its messages.
        references: Whether ``${get_user.id}`` in arguments is replaced.
        ordering: ``ordered``: one after the other, until one does not succeed.
        timeout: Seconds for the turn.
        call_timeout: Seconds for each call.
        on_event: Is called with each event.
        name: The node's name.

    """

    def __init__(
        self,
        client: Sidecall | AsyncSidecall | str | None = None,
        *,
        session_id: str | None = None,
        messages_key: str = "messages",
        references: bool = True,
        ordering: Ordering = "free",
        timeout: float | None = None,
        call_timeout: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        name: str = "tools",
    ) -> None:
        self.name = name
        self._pair = Pair(client)
        self._session_id = session_id
        self._messages_key = messages_key
        self._options: dict[str, Any] = {
            "references": references,
            "ordering": ordering,
            "timeout": timeout,
            "call_timeout": call_timeout,
            "on_event": on_event,
            "shape": Shape.LANGCHAIN,
        }

    def invoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Any:  # noqa: A002
        """Runs the turn."""
        calls, form = self._calls(input)
        bundle = self._pair.sync.execute(calls, **self._with(config))
        return self._answer(tool_messages(bundle), form)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Any:  # noqa: A002
        """Runs the turn, from asyncio."""
        calls, form = self._calls(input)
        bundle = await self._pair.aio.execute(calls, **self._with(config))
        return self._answer(tool_messages(bundle), form)

    def _with(self, config: RunnableConfig | None) -> dict[str, Any]:
        session = session_of(config) if self._session_id is None else self._session_id
        return {**self._options, "session_id": session}

    def _answer(self, messages: list[ToolMessage], form: Form) -> Any:
        return messages if form == "list" else {self._messages_key: messages}

    def _calls(self, given: Any) -> tuple[list[dict[str, Any]], Form]:
        """The calls without an answer, and in which form the state came."""
        form: Form = "dict"
        if isinstance(given, list):
            if given and isinstance(given[-1], dict) and given[-1].get("type") == "tool_call":
                return given, "tool_calls"
            form, messages = "list", given
        elif isinstance(given, dict) and given.get("__type") == "tool_call_with_context":
            return [given["tool_call"]], "tool_calls"
        elif isinstance(given, dict):
            messages = given.get(self._messages_key) or []
        else:
            messages = getattr(given, self._messages_key, None) or []
        return _pending(messages), form


def _pending(messages: Sequence[Any]) -> list[dict[str, Any]]:
    answered: set[str] = set()
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AIMessage):
            calls = [*message.tool_calls, *message.invalid_tool_calls]
            return [dict(call) for call in calls if call.get("id") not in answered]
    raise ValueError("no AIMessage is in the state: this node runs the tool calls of the last one")
