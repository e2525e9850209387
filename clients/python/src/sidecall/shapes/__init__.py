"""Recognises a turn by its shape, whichever SDK's object or JSON it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sidecall import _wire
from sidecall._proto import sidecall_pb2 as pb
from sidecall.errors import InvalidTurn
from sidecall.model import Shape, ToolUse
from sidecall.shapes.ai_sdk import AISDK
from sidecall.shapes.anthropic import Anthropic
from sidecall.shapes.base import Block, Provider
from sidecall.shapes.bedrock import Bedrock
from sidecall.shapes.gemini import Gemini
from sidecall.shapes.langchain import LangChain
from sidecall.shapes.openai_chat import OpenAIChat
from sidecall.shapes.openai_responses import OpenAIResponses
from sidecall.shapes.plain import dumps, loads, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

# In the order in which they are tried: what could be two is the former.
PROVIDERS: dict[Shape, Provider] = {
    provider.shape: provider
    for provider in (
        LangChain(),
        AISDK(),
        OpenAIChat(),
        OpenAIResponses(),
        Anthropic(),
        Gemini(),
        Bedrock(),
    )
}

Request = pb.ExecuteBatchRequest | pb.PlanBatchRequest


@dataclass(frozen=True)
class Turn:
    """A turn that was recognised, ready to be sent."""

    provider: Provider
    calls: list[Block]
    json: str = ""
    typed: list[ToolUse] = field(default_factory=list)
    # Why it cannot be sent, where it cannot: its calls are known all the same.
    fault: str = ""

    def write(self, request: Request) -> None:
        """Puts the turn into a request.

        Raises:
            InvalidTurn: It holds what no JSON and no wire takes.

        """
        if self.fault:
            raise InvalidTurn(self.fault)
        try:
            self._write(request)
        except UnicodeEncodeError as error:
            raise InvalidTurn(
                f"the turn holds half of a surrogate pair, which is no text: {error.reason}"
            ) from error

    def _write(self, request: Request) -> None:
        if not self.typed:
            setattr(request, self.provider.field, self.json)
            return
        for use in self.typed:
            text = use.input if isinstance(use.input, str) else dumps(plain(use.input))
            message = request.typed.tool_uses.add(
                id=use.id, name=use.name, input_json=text, depends_on=use.depends_on
            )
            if use.timeout is not None:
                _wire.set_seconds(message.timeout, use.timeout)


def recognise(message: Any, shape: Shape | str | None = None) -> Turn:
    """The turn that a message is.

    Args:
        message: A provider SDK's message or content, its JSON as text or as dicts and
            lists, or a list of :class:`~sidecall.ToolUse`.
        shape: Whose it is, where that cannot be seen.

    Raises:
        InvalidTurn: It is no turn, or not one of that shape.

    """
    if isinstance(message, ToolUse):
        message = [message]
    if isinstance(message, (list, tuple)) and message and isinstance(message[0], ToolUse):
        return _typed(message)
    text = message if isinstance(message, str) else None
    value = plain(loads(message) if text is not None else message)
    if shape is not None:
        try:
            providers = [PROVIDERS[Shape(shape)]]
        except ValueError:
            known = ", ".join(PROVIDERS)
            raise InvalidTurn(f"`{shape}` is no shape: write one of {known}") from None
    else:
        providers = list(PROVIDERS.values())
    for provider in providers:
        blocks = provider.find(value)
        if blocks is not None:
            # Its own text, where that is what was handed over: digits survive.
            calls = [_placed(call, blocks) for call in provider.calls(blocks)]
            try:
                is_own = text is not None and provider.is_direct(value)
                whole = text if text is not None and is_own else dumps(blocks)
            except InvalidTurn as error:
                return Turn(provider, calls, fault=str(error))
            return Turn(provider, calls, whole)
    wanted = f"a turn of {providers[0].shape}" if shape is not None else "a provider's turn"
    raise InvalidTurn(
        f"{_described(message)} is not {wanted}: pass the assistant message as the "
        "provider's SDK gave it, its list of content blocks or tool calls, or a list of "
        "sidecall.ToolUse; `shape=` says whose it is where that cannot be seen"
    )


def _placed(call: Block, blocks: Sequence[dict[str, Any]]) -> Block:
    """The call with its block's place, by which the sidecar names it."""
    for place, block in enumerate(blocks):
        if block is call.raw or any(value is call.raw for value in block.values()):
            return replace(call, place=place)
    return call


def _typed(uses: Sequence[Any]) -> Turn:
    for use in uses:
        if not isinstance(use, ToolUse):
            raise InvalidTurn(f"{_described(use)} stands among ToolUses: pass nothing but those")
    calls = [
        Block(use.id or f"call_{place + 1}", use.name, place=place)
        for place, use in enumerate(uses)
    ]
    return Turn(PROVIDERS[Shape.ANTHROPIC], calls, typed=list(uses))


def _described(value: Any) -> str:
    if isinstance(value, dict):
        return f"a dict with the keys {sorted(map(str, value))[:8]}"
    return f"a {type(value).__name__}"


__all__ = ["PROVIDERS", "Turn", "recognise"]
