"""What a batch is run with, and what becomes of one whose stream breaks."""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sidecall import _refusals, _wire, errors, model
from sidecall._proto import sidecall_pb2 as pb

if TYPE_CHECKING:
    import grpc.aio

    from sidecall._batch import Batch
    from sidecall.bundle import Bundle

logger = logging.getLogger("sidecall")

Ordering = Literal["free", "ordered"]
ORDERINGS = {"free": pb.ORDERING_FREE, "ordered": pb.ORDERING_ORDERED}


@dataclass(frozen=True)
class Options:
    """What a batch is to be run with."""

    session_id: str = ""
    references: bool = True
    ordering: Ordering = "free"
    timeout: float | None = None
    call_timeout: float | None = None
    batch_id: str | None = None

    def __post_init__(self) -> None:
        for name in ("timeout", "call_timeout"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ValueError(f"`{name}` is a number of seconds above zero, not {value!r}")

    def write(self, request: pb.ExecuteBatchRequest | pb.StreamOpen) -> None:
        """Puts them into a request."""
        request.session_id = self.session_id
        request.references = references(self.references)
        request.ordering = ordering(self.ordering)
        if self.call_timeout is not None:
            _wire.set_seconds(request.call_timeout, self.call_timeout)


def references(on: bool) -> pb.References:
    """Whether references are resolved."""
    return pb.REFERENCES_ON if on else pb.REFERENCES_OFF


def ordering(word: str) -> pb.Ordering:
    """How calls are ordered."""
    try:
        return ORDERINGS[word]
    except KeyError:
        raise ValueError(f"ordering is `free` or `ordered`, not {word!r}") from None


ENDED = "the stream ended before the batch"


def interrupt(
    batch: Batch, error: grpc.aio.AioRpcError | None, why: str = ENDED
) -> list[model.Event]:
    """Ends a batch whose stream broke."""
    status = _refusals.status_of(error) if error is not None else "OK"
    said = error.details() if error is not None else why
    cause = errors.Interrupted(f"the stream broke: {status}: {said}")
    if status == "DEADLINE_EXCEEDED":
        failure = model.Failure(
            code=model.FailureCode.DEADLINE_EXCEEDED,
            origin=model.FailureOrigin.SIDECALL,
            retry=model.RetryAdvice.SAME_INPUT,
            message="The turn's time was over before this call ended. It changes nothing, so it "
            "may be called again.",
        )
    else:
        failure = model.Failure(
            code=model.FailureCode.UNAVAILABLE,
            origin=model.FailureOrigin.SIDECALL,
            retry=model.RetryAdvice.SAME_INPUT,
            message="The sidecar went away before this call ended. It is safe to call it again.",
        )
    logger.warning(
        "The stream of batch %s broke (%s: %s); %d of its %d calls had ended.",
        batch.batch_id,
        status,
        said,
        len(batch.results),
        len(batch.calls),
    )
    return batch.interrupt(cause, failure)


# `anthropic_json[2].name`: which of the turn's blocks is at fault.
PLACE = re.compile(r"\[(\d+)\]")

CODES: dict[type[errors.SidecallError], model.FailureCode] = {
    errors.InvalidTurn: model.FailureCode.INVALID_INPUT,
    errors.InvalidRequest: model.FailureCode.INVALID_INPUT,
    errors.Exhausted: model.FailureCode.OVERLOADED,
    errors.Draining: model.FailureCode.UNAVAILABLE,
    errors.Unavailable: model.FailureCode.UNAVAILABLE,
    errors.TimeOver: model.FailureCode.DEADLINE_EXCEEDED,
    errors.Unauthenticated: model.FailureCode.DENIED,
    errors.PermissionDenied: model.FailureCode.DENIED,
}


def refused(batch: Batch, error: errors.SidecallError) -> Bundle:
    """The results of a batch that was never begun."""
    code = CODES.get(type(error), model.FailureCode.INTERNAL)
    is_passing = code in (
        model.FailureCode.OVERLOADED,
        model.FailureCode.UNAVAILABLE,
        model.FailureCode.DEADLINE_EXCEEDED,
    )
    retry = model.RetryAdvice.SAME_INPUT if is_passing else model.RetryAdvice.NEVER
    what = "It may be called again." if is_passing else "Calling it again does not help."
    # Addresses and the like are for people; the exception says them.
    message = f"The turn was refused, and this call has not run. {what}"
    failure = model.Failure(code, model.FailureOrigin.SIDECALL, retry, message)
    return batch.refuse(failure, _faults(batch, error))


def _faults(batch: Batch, error: errors.SidecallError) -> dict[int, list[str]]:
    """What was found wrong, by the call that it concerns."""
    faults: dict[int, list[str]] = {}
    if isinstance(error, errors.Refused):
        places = batch.places()
        for violation in error.violations:
            found = PLACE.search(violation.field)
            index = places.get(int(found[1])) if found else None
            if found is not None and index is not None:
                what = violation.field[found.end() :].lstrip(".")
                words = f"{what}: {violation.description}" if what else violation.description
                faults.setdefault(index, []).append(words)
    return faults
