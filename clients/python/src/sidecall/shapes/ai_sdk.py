"""Vercel AI SDK: ``tool-call`` parts in, ``tool-result`` parts out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidecall.model import CallResult, Json, Shape
from sidecall.shapes.base import Block, Provider, text
from sidecall.shapes.plain import loads, objects

if TYPE_CHECKING:
    from collections.abc import Sequence


class AISDK(Provider):
    """An assistant ``ModelMessage`` as JSON, or its ``content``."""

    shape = Shape.AI_SDK
    field = "ai_sdk_json"

    def find(self, value: Any) -> list[dict[str, Any]] | None:
        if isinstance(value, dict):
            if value.get("role") != "assistant":
                return None
            value = value.get("content")
        parts = objects(value)
        if parts is None or not any(part.get("type") == "tool-call" for part in parts):
            return None
        return parts

    def calls(self, blocks: Sequence[dict[str, Any]]) -> list[Block]:
        # The provider runs some itself, and some wait for somebody's approval.
        waiting = {
            part.get("toolCallId") for part in blocks if part.get("type") == "tool-approval-request"
        }
        return [
            Block(str(part.get("toolCallId", "")), str(part.get("toolName", "")), part)
            for part in blocks
            if part.get("type") == "tool-call"
            and not part.get("providerExecuted")
            and part.get("toolCallId") not in waiting
        ]

    def item(self, block: Block, result: CallResult) -> dict[str, Any]:
        if result.is_error:
            output: dict[str, Any] = {"type": "error-text", "value": text(result)}
        elif len(result.content) == 1 and isinstance(result.content[0], Json):
            output = {"type": "json", "value": result.content[0].value}
        else:
            output = {"type": "text", "value": text(result)}
        return {
            "type": "tool-result",
            "toolCallId": block.id or result.call_id,
            "toolName": block.name,
            "output": output,
        }

    def rebuilt(self, block: Block, input_json: str) -> dict[str, Any]:
        return {**block.raw, "input": loads(input_json or "{}")}

    def messages(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"role": "tool", "content": items}]
