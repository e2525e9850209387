"""Bedrock Converse: ``toolUse`` blocks in, ``toolResult`` blocks out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidecall.model import CallResult, Json, Shape
from sidecall.shapes.base import (
    NOTHING,
    Begun,
    Block,
    Ended,
    Fragment,
    Provider,
    Reader,
    Step,
    texts,
    worded,
)
from sidecall.shapes.plain import get, loads, objects, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Bedrock(Provider):
    """``converse()``'s answer, its message, or the message's ``content``."""

    shape = Shape.BEDROCK
    field = "bedrock_json"

    def find(self, value: Any) -> list[dict[str, Any]] | None:
        if isinstance(value, dict) and isinstance(value.get("output"), dict):
            value = value["output"].get("message")
        if isinstance(value, dict):
            if value.get("role") != "assistant":
                return None
            value = value.get("content")
        blocks = objects(value)
        if blocks is None or any("type" in block for block in blocks):
            return None
        is_own = any("toolUse" in block for block in blocks) or all(
            block.keys() <= {"text", "reasoningContent"} for block in blocks
        )
        return blocks if is_own else None

    def is_direct(self, value: Any) -> bool:
        return not (isinstance(value, dict) and "output" in value)

    def calls(self, blocks: Sequence[dict[str, Any]]) -> list[Block]:
        calls = [block["toolUse"] for block in blocks if "toolUse" in block]
        return [Block(str(get(c, "toolUseId", "")), str(get(c, "name", "")), c) for c in calls]

    def item(self, block: Block, result: CallResult) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        if result.is_error:
            content = [{"text": words} for words in texts(result)]
        else:
            for one in result.content:
                if isinstance(one, Json) and isinstance(one.value, dict):
                    content.append({"json": one.value})
                elif worded(one).strip():
                    content.append({"text": worded(one)})
        item: dict[str, Any] = {"toolUseId": block.id or result.call_id}
        item["content"] = content or [{"text": NOTHING}]
        if result.is_error:
            item["status"] = "error"
        return {"toolResult": item}

    def rebuilt(self, block: Block, input_json: str) -> dict[str, Any]:
        try:
            value = loads(input_json or "{}")
        except ValueError:
            # No object: it becomes the error that it is.
            value = input_json
        return {"toolUse": {**block.raw, "input": value}}

    def messages(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"role": "user", "content": items}]

    def reader(self) -> Reader:
        return Events()


class Events(Reader):
    """The events of ``converse_stream()``'s ``stream``."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def read(self, event: Any) -> Iterable[Step]:
        if start := get(event, "contentBlockStart"):
            call = get(get(start, "start"), "toolUse")
            if call:
                index = int(start["contentBlockIndex"])
                self._open.add(index)
                yield Begun(index, call["toolUseId"], call["name"], plain(call))
        elif delta := get(event, "contentBlockDelta"):
            index = int(delta["contentBlockIndex"])
            call = get(get(delta, "delta"), "toolUse")
            if call and index in self._open:
                yield Fragment(index, get(call, "input", ""))
        elif stop := get(event, "contentBlockStop"):
            index = int(stop["contentBlockIndex"])
            if index in self._open:
                self._open.remove(index)
                yield Ended(index)
