"""LangChain: the sidecar's tools as LangChain's, and bundles as its messages.

Wants ``langchain-core``. A tool that LangChain calls is a turn of one call: limits,
retries and traces hold. For whole turns, planned and run at once, see
:class:`sidecall.langgraph.SidecallToolNode`.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.tools import BaseTool, StructuredTool, ToolException

from sidecall._pair import Pair
from sidecall.model import CallResult, Document, Image, Shape, ToolUse
from sidecall.shapes.base import text, worded

if TYPE_CHECKING:
    from collections.abc import Collection

    from sidecall._aio import AsyncSidecall
    from sidecall._sync import Sidecall
    from sidecall.bundle import Bundle
    from sidecall.tools import ToolDefinition, ToolList

__all__ = ["atools", "session_of", "tool_messages", "tools"]


def tool_messages(bundle: Bundle) -> list[ToolMessage]:
    """A bundle's results as messages; each has its :class:`~sidecall.CallResult` as artifact."""
    results = {result.index: result for result in bundle.results}
    return [
        ToolMessage(**{**item, "artifact": results.get(place)}) for place, item in enumerate(bundle)
    ]


def tools(
    client: Sidecall | AsyncSidecall | str | None = None,
    *,
    session_id: str | None = None,
    names: Collection[str] | None = None,
    timeout: float | None = None,
) -> list[BaseTool]:
    """The sidecar's tools as LangChain's.

    Args:
        client: A client, or an address.
        session_id: The conversation; the graph's ``thread_id`` where it is left out.
        names: Only these.
        timeout: Seconds for each call.

    """
    pair = Pair(client)
    listed = pair.sync.list_tools(Shape.LANGCHAIN, references=False, session_id=session_id or "")
    return _made(pair, listed, session_id, names, timeout)


async def atools(
    client: Sidecall | AsyncSidecall | str | None = None,
    *,
    session_id: str | None = None,
    names: Collection[str] | None = None,
    timeout: float | None = None,
) -> list[BaseTool]:
    """As :func:`tools`, from asyncio."""
    pair = Pair(client)
    listed = await pair.aio.list_tools(
        Shape.LANGCHAIN, references=False, session_id=session_id or ""
    )
    return _made(pair, listed, session_id, names, timeout)


def _made(
    pair: Pair,
    listed: ToolList,
    session_id: str | None,
    names: Collection[str] | None,
    timeout: float | None,
) -> list[BaseTool]:
    if names is not None:
        missing = set(names) - set(listed.names)
        if missing:
            known = ", ".join(listed.names)
            raise ValueError(f"no tool {', '.join(sorted(missing))}: there are {known}")
    return [
        _tool(pair, one, session_id, timeout)
        for one in listed.definitions
        if names is None or one.name in names
    ]


def _tool(
    pair: Pair, definition: ToolDefinition, session_id: str | None, timeout: float | None
) -> BaseTool:
    name = definition.name

    def options(config: RunnableConfig) -> dict[str, Any]:
        session = session_of(config) if session_id is None else session_id
        return {"session_id": session, "references": False, "timeout": timeout}

    # `config` is LangChain's own: a tool whose input has a key of that name loses it.
    def call(config: RunnableConfig, **given: Any) -> tuple[Any, CallResult]:
        bundle = pair.sync.execute([ToolUse(name, given)], **options(config))
        return _answer(bundle.results[0])

    async def acall(config: RunnableConfig, **given: Any) -> tuple[Any, CallResult]:
        bundle = await pair.aio.execute([ToolUse(name, given)], **options(config))
        return _answer(bundle.results[0])

    return StructuredTool(
        name=name,
        description=definition.description,
        args_schema=definition.input_schema,
        func=call,
        coroutine=acall,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )


def _answer(result: CallResult) -> tuple[Any, CallResult]:
    if result.is_error:
        raise ToolException(text(result))
    if not any(isinstance(block, (Image, Document)) for block in result.content):
        return text(result), result
    blocks: list[dict[str, Any]] = []
    for block in result.content:
        if isinstance(block, (Image, Document)):
            kind = "image" if isinstance(block, Image) else "file"
            data = base64.b64encode(block.data).decode("ascii")
            blocks.append({"type": kind, "base64": data, "mime_type": block.media_type})
        else:
            blocks.append({"type": "text", "text": worded(block)})
    return blocks, result


def session_of(config: RunnableConfig | None) -> str:
    """The conversation that a graph runs for: its ``thread_id``."""
    return str((ensure_config(config).get("configurable") or {}).get("thread_id") or "")
