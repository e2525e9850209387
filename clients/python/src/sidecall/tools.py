"""Tool definitions for a model's request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sidecall import _wire
from sidecall.model import Effect, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidecall._proto import sidecall_pb2 as pb


@dataclass(frozen=True)
class ToolDefinition:
    """A tool as the model knows it."""

    name: str
    description: str
    input_schema: dict[str, Any]
    effect: Effect


class ToolList(list[dict[str, Any]]):
    """Tool definitions in a provider's own shape; it *is* the request's ``tools``.

    Attributes:
        shape: Whose shape.
        definitions: The same tools, in no provider's shape.
        instructions: For the system prompt: teaches the model that independent calls go
            into one turn, and how a reference is written. Empty unless asked for.

    """

    shape: Shape
    definitions: tuple[ToolDefinition, ...]
    instructions: str

    @classmethod
    def of(cls, shape: Shape, pages: Sequence[pb.ListToolsResponse]) -> ToolList:
        """Joins the pages of an answer."""
        listed = [tool for page in pages for tool in json.loads(page.tools_json or "[]")]
        is_gemini = shape is Shape.GEMINI and bool(listed)
        tools = cls([{"functionDeclarations": listed}] if is_gemini else listed)
        tools.shape = shape
        tools.definitions = tuple(
            ToolDefinition(
                name=tool.name,
                description=tool.description,
                input_schema=json.loads(tool.input_schema_json or "{}"),
                effect=_wire.effect(tool.effect),
            )
            for page in pages
            for tool in page.tools
        )
        tools.instructions = pages[0].instructions if pages else ""
        return tools

    @property
    def names(self) -> list[str]:
        """The tools' names."""
        return [tool.name for tool in self.definitions]

    @property
    def params(self) -> dict[str, Any]:
        """The request's parameters, for ``create(**tools.params)``.

        ``{"tools": …}``; for Gemini ``{"config": {"tools": …}}``, for Bedrock
        ``{"toolConfig": {"tools": …}}``.
        """
        tools = list(self)
        if self.shape is Shape.GEMINI:
            return {"config": {"tools": tools}}
        if self.shape is Shape.BEDROCK:
            return {"toolConfig": {"tools": tools}}
        return {"tools": tools}
