"""LangChain: an ``AIMessage``'s ``tool_calls`` in, ``ToolMessage``s out, as dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidecall.model import CallResult, Shape
from sidecall.shapes.base import Begun, Block, Ended, Fragment, Provider, Reader, Step, text
from sidecall.shapes.plain import get, loads, objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class LangChain(Provider):
    """An ``AIMessage``, its JSON, or its ``tool_calls``."""

    shape = Shape.LANGCHAIN
    field = "langchain_json"

    def find(self, value: Any) -> list[dict[str, Any]] | None:
        if isinstance(value, dict) and value.get("type") == "constructor":
            value = {"type": "ai", **value.get("kwargs", {})}
        if isinstance(value, dict):
            if value.get("type") not in ("ai", "AIMessageChunk"):
                return None
            value = [*(value.get("tool_calls") or []), *(value.get("invalid_tool_calls") or [])]
        calls = objects(value)
        if calls is None or not all("args" in call and "name" in call for call in calls):
            return None
        return calls

    def is_direct(self, value: Any) -> bool:
        return not (isinstance(value, dict) and value.get("type") != "ai")

    def calls(self, blocks: Sequence[dict[str, Any]]) -> list[Block]:
        return [
            Block(str(call.get("id") or ""), str(call.get("name") or ""), call) for call in blocks
        ]

    def item(self, block: Block, result: CallResult) -> dict[str, Any]:
        item: dict[str, Any] = {
            "type": "tool",
            "content": text(result),
            "tool_call_id": block.id or result.call_id,
            "name": result.tool,
            "status": "error" if result.is_error else "success",
        }
        if result.failure is not None:
            code, outcome = result.failure.code.value, result.outcome.value
            item["artifact"] = {"outcome": outcome, "code": code}
        return item

    def rebuilt(self, block: Block, input_json: str) -> dict[str, Any]:
        try:
            return {**block.raw, "args": loads(input_json or "{}")}
        except ValueError as error:
            invalid = {"type": "invalid_tool_call", "args": input_json, "error": str(error)}
            return {**block.raw, **invalid}

    def messages(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return items

    def reader(self) -> Reader:
        return Chunks()


class Chunks(Reader):
    """``AIMessageChunk``s, as of ``model.stream()``."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._blocks = 0
        # By the model's own index, which may be missing or start anywhere.
        self._of: dict[Any, int] = {}

    def read(self, event: Any) -> Iterable[Step]:
        for chunk in get(event, "tool_call_chunks") or ():
            key = get(chunk, "index")
            if get(chunk, "id") and (key is None or key not in self._of):
                yield from self.end()
                block, self._blocks = self._blocks, self._blocks + 1
                self._of[key] = block
                self._open.add(block)
                name = str(get(chunk, "name") or "")
                raw = {"type": "tool_call", "id": get(chunk, "id"), "name": name}
                yield Begun(block, str(get(chunk, "id")), name, raw)
            opened = self._of.get(key)
            if opened in self._open and get(chunk, "args"):
                yield Fragment(opened, get(chunk, "args"))

    def end(self) -> Iterable[Step]:
        for block in sorted(self._open):
            yield Ended(block)
        self._open.clear()
