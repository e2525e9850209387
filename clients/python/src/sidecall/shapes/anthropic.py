"""Anthropic Messages: ``tool_use`` blocks in, ``tool_result`` blocks out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidecall.model import CallResult, Content, Document, Image, Shape
from sidecall.shapes.base import (
    Begun,
    Block,
    Ended,
    Fragment,
    Provider,
    Reader,
    Step,
    base64_of,
    worded,
)
from sidecall.shapes.plain import get, loads, objects, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What stands in no other provider's content.
OWN = ("tool_use", "server_tool_use", "mcp_tool_use", "thinking", "redacted_thinking")
MAGIC = {
    b"\xff\xd8\xff": ("image", "image/jpeg"),
    b"\x89PNG\r\n\x1a\n": ("image", "image/png"),
    b"GIF8": ("image", "image/gif"),
    b"%PDF-": ("document", "application/pdf"),
}


class Anthropic(Provider):
    """``response``, ``response.content``, or either as JSON."""

    shape = Shape.ANTHROPIC
    field = "anthropic_json"

    def find(self, value: Any) -> list[dict[str, Any]] | None:
        if isinstance(value, dict):
            if value.get("role") != "assistant":
                return None
            value = value.get("content")
        blocks = objects(value)
        if blocks is None or not all("type" in block for block in blocks):
            return None
        kinds = {block["type"] for block in blocks}
        return blocks if kinds.intersection(OWN) or kinds <= {"text"} else None

    def calls(self, blocks: Sequence[dict[str, Any]]) -> list[Block]:
        return [
            Block(str(block.get("id", "")), str(block.get("name", "")), block)
            for block in blocks
            if block.get("type") == "tool_use"
        ]

    def item(self, block: Block, result: CallResult) -> dict[str, Any]:
        item: dict[str, Any] = {"type": "tool_result", "tool_use_id": block.id or result.call_id}
        if block.raw.get("toolset_name") is not None:
            item["toolset_name"] = block.raw["toolset_name"]
        content = []
        if result.failure:
            content.append({"type": "text", "text": str(result.failure)})
        for one in result.content:
            written = _file(one) if not result.is_error else None
            words = worded(one)
            if written:
                content.append(written)
            elif words.strip():
                content.append({"type": "text", "text": words})
        if content:
            item["content"] = content
        if result.is_error:
            item["is_error"] = True
        return item

    def rebuilt(self, block: Block, input_json: str) -> dict[str, Any]:
        try:
            value = loads(input_json or "{}")
        except ValueError:
            value = {"INVALID_JSON": input_json}
        return {**block.raw, "input": value}

    def messages(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"role": "user", "content": items}]

    def reader(self) -> Reader:
        return Events()


def _file(block: Content) -> dict[str, Any] | None:
    """A file in a block of its own, where the API takes it, as what its bytes are."""
    if not isinstance(block, (Image, Document)):
        return None
    for magic, (kind, media_type) in MAGIC.items():
        if block.data.startswith(magic):
            data = base64_of(block.data)
            source = {"type": "base64", "media_type": media_type, "data": data}
            return {"type": kind, "source": source}
    return None


class Events(Reader):
    """Raw events of ``create(stream=True)``, or those of ``messages.stream()``."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def read(self, event: Any) -> Iterable[Step]:
        kind = get(event, "type")
        if kind == "content_block_start":
            block = get(event, "content_block")
            if get(block, "type") == "tool_use":
                index = int(get(event, "index"))
                self._open.add(index)
                raw = plain(block)
                raw.pop("input", None)
                yield Begun(index, str(get(block, "id", "")), str(get(block, "name", "")), raw)
        elif kind == "content_block_delta":
            index, delta = int(get(event, "index")), get(event, "delta")
            if index in self._open and get(delta, "type") == "input_json_delta":
                yield Fragment(index, get(delta, "partial_json", ""))
        elif kind == "content_block_stop":
            index = int(get(event, "index"))
            if index in self._open:
                self._open.remove(index)
                yield Ended(index)
