"""The wire's messages as this package's own types, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sidecall import model
from sidecall._proto import sidecall_pb2 as pb
from sidecall.words import effect_of

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration

W = TypeVar("W", bound=model.Word)

NANOS = 1_000_000_000


def seconds(value: Duration) -> float:
    """A duration in seconds."""
    return value.seconds + value.nanos / NANOS


def set_seconds(target: Duration, value: float) -> None:
    """Writes seconds into a duration."""
    target.FromNanoseconds(round(value * NANOS))


def words(kind: type[W], names: list[str], prefix: str) -> list[W]:
    """An enum's words by number; each counts from zero without gaps."""
    known = {str(one): one for one in kind}
    return [
        known.get(name.removeprefix(prefix).lower(), known.get("unknown", next(iter(kind))))
        for name in names
    ]


def word(table: list[W], number: int) -> W:
    """The word; of a number that is newer than this version, ``UNKNOWN``."""
    return table[number] if number < len(table) else type(table[0])("unknown")


OUTCOMES = words(model.Outcome, pb.Outcome.keys(), "OUTCOME_")
SOURCES = words(model.Source, pb.Source.keys(), "SOURCE_")
CODES = words(model.FailureCode, pb.FailureCode.keys(), "FAILURE_CODE_")
ORIGINS = words(model.FailureOrigin, pb.FailureOrigin.keys(), "FAILURE_ORIGIN_")
ADVICE = words(model.RetryAdvice, pb.RetryAdvice.keys(), "RETRY_ADVICE_")
KINDS = words(model.EdgeKind, pb.EdgeKind.keys(), "EDGE_KIND_")
STRENGTHS = words(model.EdgeStrength, pb.EdgeStrength.keys(), "EDGE_STRENGTH_")
EFFECTS = [effect_of(name.removeprefix("EFFECT_").lower()) for name in pb.Effect.keys()]  # noqa: SIM118 - it is no dict.


def shape(value: model.Shape) -> pb.Shape:
    """A shape for the wire."""
    number: pb.Shape = getattr(pb, f"SHAPE_{value.name}")
    return number


def code(number: int) -> model.FailureCode:
    """A failure's code."""
    return word(CODES, number)


def failure(message: pb.Failure) -> model.Failure:
    """A failure."""
    return model.Failure(
        code=code(message.code),
        origin=word(ORIGINS, message.origin),
        retry=word(ADVICE, message.retry),
        message=message.message,
        retry_after=seconds(message.retry_after) if message.HasField("retry_after") else None,
        attempts=message.attempts,
    )


def timings(message: pb.Timings) -> model.Timings:
    """Where time went."""
    return model.Timings(
        blocked=seconds(message.blocked),
        locked=seconds(message.locked),
        queued=seconds(message.queued),
        throttled=seconds(message.throttled),
        backing_off=seconds(message.backing_off),
        running=seconds(message.running),
    )


def attempt(message: pb.Attempt) -> model.Attempt:
    """One attempt."""
    return model.Attempt(
        at=seconds(message.at),
        backing_off=seconds(message.backing_off),
        queued=seconds(message.queued),
        throttled=seconds(message.throttled),
        running=seconds(message.running),
        code=code(message.code) if message.code else None,
    )


def content(message: pb.Content) -> model.Content:
    """A block of a result."""
    kind = message.WhichOneof("block")
    if kind == "json":
        return model.Json(message.json)
    if kind == "image":
        return model.Image(message.image.media_type, message.image.data)
    if kind == "document":
        return model.Document(message.document.media_type, message.document.data)
    if kind == "link":
        return model.Link(message.link.uri, message.link.name)
    return model.Text(message.text)


def well(text: str) -> str:
    """Text as the wire takes it: half of a surrogate pair, which is none, is replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def content_message(block: model.Content) -> pb.Content:
    """A block for the wire."""
    if isinstance(block, model.Json):
        return pb.Content(json=well(block.text))
    if isinstance(block, model.Image):
        return pb.Content(image=pb.Blob(media_type=block.media_type, data=block.data))
    if isinstance(block, model.Document):
        return pb.Content(document=pb.Blob(media_type=block.media_type, data=block.data))
    if isinstance(block, model.Link):
        return pb.Content(link=pb.Link(uri=well(block.uri), name=well(block.name)))
    return pb.Content(text=well(block.text))


def result(message: pb.ToolResult, blocks: list[model.Content]) -> model.CallResult:
    """A result with its blocks, which may have come in parts."""
    cut = message.truncation
    return model.CallResult(
        call_id=message.call_id,
        tool=message.tool,
        index=message.index,
        outcome=word(OUTCOMES, message.outcome),
        is_error=message.is_error,
        source=word(SOURCES, message.source),
        content=tuple(blocks),
        failure=failure(message.failure) if message.HasField("failure") else None,
        timings=timings(message.timings),
        truncation=(
            model.Truncation(cut.whole_bytes, cut.kept_bytes)
            if message.HasField("truncation")
            else None
        ),
        attempts=tuple(attempt(one) for one in message.attempts),
    )


def effect(number: int) -> model.Effect:
    """An effect; one that is not stated is taken for the most careful."""
    return EFFECTS[number] if number < len(EFFECTS) else model.Effect.AT_MOST_ONCE


def planned(message: pb.PlannedCall) -> model.PlannedCall:
    """A call in the plan."""
    return model.PlannedCall(
        call_id=message.call_id,
        tool=message.tool,
        effect=effect(message.effect),
        latency=seconds(message.latency),
        depth=message.depth,
        critical=message.critical,
        fault=failure(message.fault) if message.HasField("fault") else None,
    )


def edge(message: pb.Edge) -> model.Edge:
    """One dependency."""
    # `from` is a keyword of Python's.
    parent: int = getattr(message, "from")
    return model.Edge(
        parent=parent,
        child=message.to,
        kind=word(KINDS, message.kind),
        strength=word(STRENGTHS, message.strength),
        reason=message.reason,
        cost=seconds(message.cost),
        remedy=message.remedy,
    )


def plan(message: pb.Plan) -> model.Plan:
    """A plan."""
    whole = message.estimate
    return model.Plan(
        calls=tuple(planned(call) for call in message.calls),
        edges=tuple(edge(one) for one in message.edges),
        estimate=model.Estimate(
            sequential=seconds(whole.sequential),
            critical_path=seconds(whole.critical_path),
            speedup=whole.speedup,
            width=whole.width,
            depth=whole.depth,
            order=seconds(whole.order),
        ),
        calls_omitted=message.calls_omitted,
        edges_omitted=message.edges_omitted,
    )


def summary(message: pb.BatchSummary) -> model.Summary:
    """Counts and times."""
    return model.Summary(
        calls=message.calls,
        succeeded=message.succeeded,
        failed=message.failed,
        cancelled=message.cancelled,
        skipped=message.skipped,
        duration=seconds(message.duration),
        sequential=seconds(message.sequential),
        critical_path=tuple(message.critical_path),
    )


def effect_message(value: model.Effect) -> pb.Effect:
    """An effect for the wire."""
    number: pb.Effect = getattr(pb, f"EFFECT_{value.name}")
    return number
