"""OpenAI Chat Completions: ``tool_calls`` in, ``tool`` messages out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidecall.errors import InvalidTurn
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
from sidecall.shapes.plain import get, objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class OpenAIChat(Provider):
    """``completion``, ``completion.choices[0].message``, or its ``tool_calls``."""

    shape = Shape.OPENAI_CHAT
    field = "openai_chat_json"

    def find(self, value: Any) -> list[dict[str, Any]] | None:
        if isinstance(value, dict) and isinstance(value.get("choices"), list):
            if len(value["choices"]) != 1:
                count = len(value["choices"])
                raise InvalidTurn(f"this completion has {count} choices: pass the message of one")
            value = value["choices"][0].get("message")
        if isinstance(value, dict) and value.get("role", "assistant") == "assistant":
            content = value.get("content")
            calls = value.get("tool_calls")
            if calls is None:
                return (
                    []
                    if "role" in value and (content is None or isinstance(content, str))
                    else None
                )
            if "role" in value:
                # What is wrong with one of them is the sidecar's to say.
                return objects(calls)
            value = calls
        calls = objects(value)
        if calls is None or not all("function" in one or "custom" in one for one in calls):
            return None
        return calls

    def is_direct(self, value: Any) -> bool:
        return not (isinstance(value, dict) and "choices" in value)

    def calls(self, blocks: Sequence[dict[str, Any]]) -> list[Block]:
        return [
            Block(
                str(block.get("id") or ""),
                str(get(block.get("function") or block.get("custom"), "name") or ""),
                block,
            )
            for block in blocks
        ]

    def item(self, block: Block, result: CallResult) -> dict[str, Any]:
        call_id = block.id or result.call_id
        return {"role": "tool", "tool_call_id": call_id, "content": flagged(result)}

    def rebuilt(self, block: Block, input_json: str) -> dict[str, Any]:
        kind = block.raw.get("type", "function")
        if kind == "custom":
            body = {"name": block.name, "input": free_text(input_json)}
        else:
            body = {"name": block.name, "arguments": input_json}
        return {"id": block.id, "type": kind, kind: body}

    def messages(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return items

    def reader(self) -> Reader:
        return Chunks()


class Chunks(Reader):
    """Chunks of ``create(stream=True)``, or the events of ``completions.stream()``."""

    def __init__(self) -> None:
        # Blocks that are open, with their kind.
        self._open: dict[int, str] = {}
        # By the model's own index, which may be missing, or stand for one call after another.
        self._of: dict[Any, tuple[int, str]] = {}
        self._blocks = 0

    def read(self, event: Any) -> Iterable[Step]:
        chunk = get(event, "chunk") if get(event, "type") == "chunk" else event
        choices = get(chunk, "choices") or ()
        for choice in choices:
            if get(choice, "index", 0):
                continue
            for call in get(get(choice, "delta"), "tool_calls") or ():
                yield from self._call(call)
            if get(choice, "finish_reason"):
                yield from self.end()

    def end(self) -> Iterable[Step]:
        for index in list(self._open):
            yield from self._close(index)

    def _call(self, call: Any) -> Iterable[Step]:
        key, call_id = get(call, "index"), str(get(call, "id") or "")
        index, known = self._of.get(key, (-1, ""))
        if key is None and not call_id and self._blocks:
            index = self._blocks - 1
        custom = get(call, "custom")
        part = custom or get(call, "function")
        # Some repeat the id with every fragment.
        if call_id and call_id != known:
            # One call is written after the other.
            yield from self.end()
            index, self._blocks = self._blocks, self._blocks + 1
            self._of[key] = (index, call_id)
            kind = get(call, "type") or "function"
            name = str(get(part, "name") or "")
            raw = {"id": call_id, "type": kind, kind: {"name": name}}
            self._open[index] = kind
            yield Begun(index, call_id, name, raw)
            if kind == "custom":
                yield Fragment(index, FREE_TEXT[0])
        piece = get(part, "input" if custom else "arguments")
        if piece and index in self._open:
            yield Fragment(index, escaped(piece) if custom else piece)

    def _close(self, index: int) -> Iterable[Step]:
        if self._open.pop(index) == "custom":
            yield Fragment(index, FREE_TEXT[1])
        yield Ended(index)
