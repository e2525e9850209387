"""What a gRPC status says: that nothing has run, or that nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from sidecall import _wire, errors
from sidecall._proto import refusal_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc

DETAILS = "grpc-status-details-bin"
DOMAIN = "sidecall.dev"

BY_REASON: dict[str, type[errors.Refused]] = {
    "INVALID": errors.InvalidRequest,
    "EXHAUSTED": errors.Exhausted,
    "TOO_LARGE": errors.TooLarge,
    "DRAINING": errors.Draining,
    "BATCH_RUNNING": errors.BatchExists,
    "BATCH_FINISHED": errors.BatchExists,
    "BATCH_ID_REUSED": errors.BatchExists,
    "BATCH_NOT_FOUND": errors.NotFound,
    "INTERNAL": errors.ServerFault,
}

# These say that the request was not taken, whoever answered. The others, without
# Sidecall's own word for why, say nothing of what has run.
BY_STATUS: dict[str, type[errors.Refused]] = {
    "INVALID_ARGUMENT": errors.InvalidRequest,
    "OUT_OF_RANGE": errors.TooLarge,
    "RESOURCE_EXHAUSTED": errors.TooLarge,
    "ALREADY_EXISTS": errors.BatchExists,
    "NOT_FOUND": errors.NotFound,
    "FAILED_PRECONDITION": errors.InvalidRequest,
    "UNAUTHENTICATED": errors.Unauthenticated,
    "PERMISSION_DENIED": errors.PermissionDenied,
    "UNIMPLEMENTED": errors.Unsupported,
}

# What gRPC itself says of a request for which it finds no connection.
UNCONNECTED = "failed to connect to all addresses"


def status_of(error: Any) -> str:
    """The status's name."""
    code: grpc.StatusCode = error.code()
    return code.name


def is_unsent(error: Any) -> bool:
    """Whether gRPC had no connection to send the request on, so that nobody got it.

    What a server says comes with metadata of its own, the date at least.
    """
    said = str(error.details() or "")
    is_its_own = not error.initial_metadata() and not error.trailing_metadata()
    return status_of(error) == "UNAVAILABLE" and said.startswith(UNCONNECTED) and is_its_own


def refusal(error: Any) -> errors.Refused | None:
    """The refusal that a status is; nothing where it proves none."""
    status = status_of(error)
    message = str(error.details() or status)
    reason, retry_after = "", None
    violations: tuple[errors.Violation, ...] = ()
    metadata: dict[str, str] = {}
    for url, value in _details(error):
        if url.endswith("/google.rpc.ErrorInfo"):
            info = refusal_pb2.ErrorInfo.FromString(value)
            if info.domain == DOMAIN:
                reason, metadata = info.reason, dict(info.metadata)
        elif url.endswith("/google.rpc.RetryInfo"):
            retry = refusal_pb2.RetryInfo.FromString(value)
            retry_after = _wire.seconds(retry.retry_delay)
        elif url.endswith("/google.rpc.BadRequest"):
            bad = refusal_pb2.BadRequest.FromString(value)
            violations = tuple(
                errors.Violation(one.field, one.description) for one in bad.field_violations
            )
    kind = BY_REASON.get(reason) or BY_STATUS.get(status)
    if kind is None and retry_after is None:
        return None
    return (kind or errors.Refused)(
        message,
        status=status,
        reason=reason,
        retry_after=retry_after,
        violations=violations,
        metadata=metadata,
    )


def _details(error: Any) -> Iterable[tuple[str, bytes]]:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS:
            try:
                status = refusal_pb2.Status.FromString(value)
            except DecodeError:
                return
            for detail in status.details:
                yield detail.type_url, detail.value


def raised(error: Any, *, address: str, doing: str) -> errors.SidecallError:
    """The exception for a request that runs nothing, whatever its status."""
    refused = refusal(error)
    if refused is not None:
        return refused
    status, said = status_of(error), error.details()
    if status == "DEADLINE_EXCEEDED":
        return errors.TimeOver(f"{doing} took too long: give it a longer `timeout`")
    return errors.Unavailable(f"{doing} failed at {address}: {status}: {said}")
