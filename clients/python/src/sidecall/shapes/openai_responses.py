"""OpenAI Responses: ``function_call`` items in, their outputs out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidecall.model import CallResult, Shape
from sidecall.shapes.base import (
    FREE_TEXT,
    Begun,
    Block,
    Ended,
    Fragment,
    Provider,
    Reader,
    Step,
    escaped,
    flagged,
    free_text,
)
from sidecall.shapes.plain import get, objects, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
OWN = {*CALLS, "message", "reasoning"}


class OpenAIResponses(Provider):
    """``response``, ``response.output``, or either as JSON."""

    shape = Shape.OPENAI_RESPONSES
    field = "openai_responses_json"

    def find(self, value: Any) -> list[dict[str, Any]] | None:
        if isinstance(value, dict):
            value = value.get("output")
        items = objects(value)
        if items is None or (
            items and not OWN.intersection(item.get("type", "") for item in items)
        ):
            return None
        return items

    def calls(self, blocks: Sequence[dict[str, Any]]) -> list[Block]:
        return [
            Block(str(item.get("call_id", "")), str(item.get("name", "")), item)
            for item in blocks
            if item.get("type") in CALLS
        ]

    def item(self, block: Block, result: CallResult) -> dict[str, Any]:
        kind = block.raw.get("type", "function_call")
        item = {"type": f"{kind}_output", "call_id": block.id or result.call_id}
        repeated = ("caller",) if kind == "custom_tool_call" else ("caller", "namespace")
        item |= {key: block.raw[key] for key in repeated if block.raw.get(key) is not None}
        return {**item, "output": flagged(result)}

    def rebuilt(self, block: Block, input_json: str) -> dict[str, Any]:
        kind = block.raw["type"]
        is_free = kind == "custom_tool_call"
        return {**block.raw, CALLS[kind]: free_text(input_json) if is_free else input_json}

    def messages(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return items

    def reader(self) -> Reader:
        return Events()


class Events(Reader):
    """The events of ``create(stream=True)`` or of ``responses.stream()``."""

    def __init__(self) -> None:
        self._open: dict[int, str] = {}

    def read(self, event: Any) -> Iterable[Step]:
        kind = str(get(event, "type", ""))
        index = get(event, "output_index")
        if kind == "response.output_item.added":
            item = get(event, "item")
            if get(item, "type") in CALLS:
                raw = plain(item)
                first = raw.pop(CALLS[raw["type"]], "")
                self._open[index] = raw["type"]
                yield Begun(index, str(raw.get("call_id", "")), str(raw.get("name", "")), raw)
                if raw["type"] == "custom_tool_call":
                    yield Fragment(index, FREE_TEXT[0] + escaped(first))
                elif first:
                    yield Fragment(index, first)
        elif index in self._open:
            if kind == "response.function_call_arguments.delta":
                yield Fragment(index, get(event, "delta", ""))
            elif kind == "response.custom_tool_call_input.delta":
                yield Fragment(index, escaped(get(event, "delta", "")))
            elif kind == "response.output_item.done":
                if self._open.pop(index) == "custom_tool_call":
                    yield Fragment(index, FREE_TEXT[1])
                yield Ended(index)
