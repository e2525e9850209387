"""What a turn's calls are, what came of them, and what happened on the way.

Times are seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from sidecall.words import (
    EdgeKind,
    EdgeStrength,
    Effect,
    FailureCode,
    FailureOrigin,
    Outcome,
    RetryAdvice,
    Shape,
    Source,
    Word,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidecall.bundle import Bundle

__all__ = [
    "EdgeKind",
    "EdgeStrength",
    "Effect",
    "FailureCode",
    "FailureOrigin",
    "Outcome",
    "RetryAdvice",
    "Shape",
    "Source",
    "Word",
]


# ---------------------------------------------------------------- a turn


@dataclass(frozen=True)
class ToolUse:
    """One call of a turn that no provider wrote.

    ``input`` may be JSON text, which then arrives byte for byte. ``depends_on`` names
    ids, tools or positions of calls that must succeed first; ``timeout`` is the time for
    this call from the moment its inputs are ready.
    """

    name: str
    input: Mapping[str, Any] | str = field(default_factory=dict)
    id: str = ""
    depends_on: tuple[str, ...] = ()
    timeout: float | None = None


# ---------------------------------------------------------------- results


@dataclass(frozen=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Json:
    """JSON as the tool wrote it."""

    text: str

    @property
    def value(self) -> Any:
        """The JSON, parsed."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Image:
    """An image."""

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Document:
    """Any other file."""

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Link:
    """Something to be fetched by whoever wants it."""

    uri: str
    name: str = ""


Content: TypeAlias = "Text | Json | Image | Document | Link"


@dataclass(frozen=True)
class Failure:
    """Why a call did not succeed. ``message`` is written for the model."""

    code: FailureCode
    origin: FailureOrigin
    retry: RetryAdvice
    message: str
    retry_after: float | None = None
    attempts: int = 0

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True)
class Timings:
    """Where a call's time went."""

    blocked: float = 0.0
    locked: float = 0.0
    queued: float = 0.0
    throttled: float = 0.0
    backing_off: float = 0.0
    running: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return (
            self.blocked
            + self.locked
            + self.queued
            + self.throttled
            + self.backing_off
            + self.running
        )


@dataclass(frozen=True)
class Attempt:
    """One attempt of a call that had to be tried again."""

    at: float
    backing_off: float
    queued: float
    throttled: float
    running: float
    code: FailureCode | None


@dataclass(frozen=True)
class Truncation:
    """What was cut from a result."""

    whole_bytes: int
    kept_bytes: int


@dataclass(frozen=True)
class CallResult:
    """The one terminal result of a call.

    ``is_synthetic``: this client wrote it, since the sidecar went away before it could.
    """

    call_id: str
    tool: str
    index: int
    outcome: Outcome
    is_error: bool
    source: Source = Source.NONE
    content: tuple[Content, ...] = ()
    failure: Failure | None = None
    timings: Timings = Timings()
    truncation: Truncation | None = None
    attempts: tuple[Attempt, ...] = ()
    is_synthetic: bool = False

    @property
    def text(self) -> str:
        """What the model reads, files aside."""
        parts = [str(self.failure)] if self.failure else []
        for block in self.content:
            if isinstance(block, (Text, Json)):
                parts.append(block.text)
            elif isinstance(block, Link):
                parts.append(f"{block.name}: {block.uri}" if block.name else block.uri)
        return "\n".join(parts)

    def json(self) -> Any:
        """The first block that is JSON, parsed.

        Raises:
            ValueError: The result holds no JSON.

        """
        for block in self.content:
            if isinstance(block, Json):
                return block.value
        message = f"the result of {self.tool} ({self.call_id}) holds no JSON: read `.text`"
        raise ValueError(message)


# ---------------------------------------------------------------- the plan


@dataclass(frozen=True)
class PlannedCall:
    """A call in the plan. ``fault``: why it cannot run."""

    call_id: str
    tool: str
    effect: Effect
    latency: float
    depth: int
    critical: bool
    fault: Failure | None


@dataclass(frozen=True)
class Edge:
    """One dependency, by the calls' places in the turn."""

    parent: int
    child: int
    kind: EdgeKind
    strength: EdgeStrength
    reason: str
    cost: float
    remedy: str


@dataclass(frozen=True)
class Estimate:
    """What a plan will take."""

    sequential: float
    critical_path: float
    speedup: float
    width: int
    depth: int
    order: float


@dataclass(frozen=True)
class Plan:
    """What depends on what."""

    calls: tuple[PlannedCall, ...] = ()
    edges: tuple[Edge, ...] = ()
    estimate: Estimate | None = None
    calls_omitted: int = 0
    edges_omitted: int = 0


@dataclass(frozen=True)
class Summary:
    """Counts and times of a finished batch.

    ``sequential`` is what the same calls would have taken one after the other;
    ``critical_path`` the calls that determined ``duration``.
    """

    calls: int
    succeeded: int
    failed: int
    cancelled: int
    skipped: int
    duration: float
    sequential: float
    critical_path: tuple[str, ...] = ()


# ---------------------------------------------------------------- events


@dataclass(frozen=True)
class Accepted:
    """The batch will run."""

    batch_id: str
    plan: Plan


@dataclass(frozen=True)
class Planned:
    """A call that came later has its place in the plan; of streamed turns."""

    index: int
    call: PlannedCall
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Started:
    """An attempt of a call begins; ``timings`` says what it waited for."""

    call_id: str
    index: int
    attempt: int
    at: float
    timings: Timings


@dataclass(frozen=True)
class Progress:
    """A tool reported how far it is, in its own unit."""

    call_id: str
    index: int
    done: float | None
    total: float | None
    message: str


@dataclass(frozen=True)
class Retrying:
    """An attempt failed and another follows."""

    call_id: str
    index: int
    attempt: int
    delay: float
    failure: Failure


@dataclass(frozen=True)
class Finished:
    """A call is terminal. Exactly one for each, as they end."""

    result: CallResult


@dataclass(frozen=True)
class Done:
    """The last event: the bundle."""

    bundle: Bundle


Event: TypeAlias = "Accepted | Planned | Started | Progress | Retrying | Finished | Done"
