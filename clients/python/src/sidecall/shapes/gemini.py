"""Gemini: ``functionCall`` parts in, ``functionResponse`` parts out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidecall.model import CallResult, Json, Shape
from sidecall.shapes.base import Begun, Block, Ended, Provider, Reader, Step, text
from sidecall.shapes.plain import dumps, get, loads, objects, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CAMEL = {
    "function_call": "functionCall",
    "function_response": "functionResponse",
    "thought_signature": "thoughtSignature",
    "inline_data": "inlineData",
}


class Gemini(Provider):
    """``response``, ``response.candidates[0].content``, or its ``parts``."""

    shape = Shape.GEMINI
    field = "gemini_json"

    def find(self, value: Any) -> list[dict[str, Any]] | None:
        if isinstance(value, dict) and isinstance(value.get("candidates"), list):
            candidates = value["candidates"]
            value = candidates[0].get("content", {"parts": []}) if candidates else {"parts": []}
        if isinstance(value, dict):
            value = value.get("parts")
        parts = objects(value)
        if parts is None or any("type" in part for part in parts):
            return None
        parts = [
            {CAMEL.get(key, key): item for key, item in part.items() if item is not None}
            for part in parts
        ]
        is_own = any("functionCall" in part for part in parts) or all(
            part.keys() <= {"text", "thought", "thoughtSignature"} for part in parts
        )
        return parts if is_own else None

    def is_direct(self, value: Any) -> bool:
        if isinstance(value, dict):
            if "candidates" in value:
                return False
            value = value.get("parts")
        return not any(CAMEL.keys() & part.keys() for part in objects(value) or ())

    def calls(self, blocks: Sequence[dict[str, Any]]) -> list[Block]:
        calls = [part["functionCall"] for part in blocks if "functionCall" in part]
        return [Block(str(get(c, "id") or ""), str(get(c, "name", "")), c) for c in calls]

    def item(self, block: Block, result: CallResult) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        if block.id:
            answer["id"] = block.id
        answer["name"] = block.name
        answer["response"] = _response(result)
        return {"functionResponse": answer}

    def rebuilt(self, block: Block, input_json: str) -> dict[str, Any]:
        return {"functionCall": {**block.raw, "args": loads(input_json or "{}")}}

    def messages(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"role": "user", "parts": items}]

    def reader(self) -> Reader:
        return Chunks()


def _response(result: CallResult) -> dict[str, Any]:
    if result.is_error:
        return {"error": text(result)}
    if len(result.content) == 1 and isinstance(result.content[0], Json):
        return {"output": result.content[0].value}
    return {"output": text(result)}


class Chunks(Reader):
    """Chunks of ``generate_content_stream``: a call comes whole."""

    def __init__(self) -> None:
        self._next = 0

    def read(self, event: Any) -> Iterable[Step]:
        candidates = get(event, "candidates") or ()
        for candidate in list(candidates)[:1]:
            for part in get(get(candidate, "content"), "parts") or ():
                call = get(part, "function_call") or get(part, "functionCall")
                if call is None:
                    continue
                raw = plain(call)
                whole = dumps(raw.pop("args", None) or {})
                index, self._next = self._next, self._next + 1
                yield Begun(index, str(raw.get("id") or ""), str(raw.get("name", "")), raw, whole)
                yield Ended(index)
