"""What every provider's shape can do."""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from sidecall.model import CallResult, Content, Document, Image, Link, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Block:
    """A call as the provider wrote it. ``id`` is empty where it wrote none."""

    id: str
    name: str
    raw: dict[str, Any] = field(default_factory=dict, repr=False)
    # Its place among the turn's blocks, where other blocks stand among them.
    place: int = field(default=-1, compare=False, repr=False)


@dataclass(frozen=True)
class Begun:
    """The model begins a call; ``input_json`` is what of its input is known."""

    block: int
    id: str
    name: str
    raw: dict[str, Any]
    input_json: str = ""


@dataclass(frozen=True)
class Fragment:
    """More of a call's input."""

    block: int
    json: str


@dataclass(frozen=True)
class Ended:
    """A call's input is complete."""

    block: int


Step = Begun | Fragment | Ended


class Reader(ABC):
    """Reads the events of one model stream."""

    @abstractmethod
    def read(self, event: Any) -> Iterable[Step]:
        """The steps that an event stands for; none for most."""

    def end(self) -> Iterable[Step]:
        """The steps that the end of the stream stands for."""
        return ()


# Around the free text of a `custom` call, which is no JSON: as the sidecar takes it.
FREE_TEXT = ('{"input":"', '"}')


def escaped(piece: str) -> str:
    """A piece of free text, as it stands in a JSON string."""
    return json.dumps(piece, ensure_ascii=False)[1:-1]


def free_text(input_json: str) -> str:
    """The free text that was put into JSON."""
    try:
        return str(json.loads(input_json)["input"])
    except (KeyError, ValueError):
        # It was cut off in the middle.
        return input_json.removeprefix(FREE_TEXT[0])


class Provider(ABC):
    """One provider's shape."""

    shape: ClassVar[Shape]
    field: ClassVar[str]
    """The request's field that takes a turn of this shape."""

    @abstractmethod
    def find(self, value: Any) -> list[dict[str, Any]] | None:
        """The turn's blocks, where the value is a turn of this shape."""

    def is_direct(self, value: Any) -> bool:
        """Whether the sidecar reads this turn as it is, with what stands around it."""
        del value
        return True

    @abstractmethod
    def calls(self, blocks: Sequence[dict[str, Any]]) -> list[Block]:
        """The calls among the blocks."""

    @abstractmethod
    def item(self, block: Block, result: CallResult) -> dict[str, Any]:
        """A result as the sidecar would have written it: for when it could not."""

    @abstractmethod
    def rebuilt(self, block: Block, input_json: str) -> dict[str, Any]:
        """A block whose input came in fragments, whole again."""

    @abstractmethod
    def messages(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The bundle's items as messages for the history."""

    def reader(self) -> Reader | None:
        """Reads this provider's model streams, where it has any."""
        return None


def texts(result: CallResult) -> list[str]:
    """What the model reads of a result, files named."""
    parts = [str(result.failure)] if result.failure else []
    parts += [worded(block) for block in result.content]
    return [part for part in parts if part.strip()]


NOTHING = "[The tool succeeded and returned nothing.]"


def text(result: CallResult) -> str:
    """The same as one text, never empty."""
    return "\n".join(texts(result)) or NOTHING


def flagged(result: CallResult) -> str:
    """The same, where the provider has no flag for errors."""
    return f"Error: {text(result)}" if result.is_error else text(result)


def worded(block: Content) -> str:
    """A block in words."""
    if isinstance(block, (Image, Document)):
        return f"[A file ({block.media_type}) of {len(block.data)} bytes.]"
    if isinstance(block, Link):
        return f"{block.name}: {block.uri}" if block.name else block.uri
    return block.text


def base64_of(data: bytes) -> str:
    """Bytes in JSON."""
    return base64.b64encode(data).decode("ascii")
