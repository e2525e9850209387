"""How a stream ended, as its peer said it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import grpc.aio

if TYPE_CHECKING:
    from collections.abc import Coroutine

R = TypeVar("R")

# How long the peer's word may be behind gRPC's own. Both come of the same end.
SECONDS_MAX = 2.0


class Ending:
    """Keeps what the peer said at the end of a stream that is written to.

    For a write that comes too late gRPC has a status of its own, and whichever of the
    two comes second takes the other's place. Nobody could say then why a turn was
    refused, nor whether it had run. So each is read at the moment at which it comes.
    """

    def __init__(self, call: Any) -> None:
        self._heard = asyncio.Event()
        self._status: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._see)

    def _see(self, call: Any) -> None:
        status = _known(status_of(call))
        if status is not None and not _is_grpcs_own(status):
            self._status = status
            self._heard.set()

    async def said(self, error: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
        """The peer's word, where ``error`` is gRPC's own for a write."""
        if not _is_grpcs_own(error):
            return error
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._heard.wait(), SECONDS_MAX)
        return self._status or error


async def status_of(call: Any) -> grpc.aio.AioRpcError:
    """What a stream ended with, as gRPC has it at this moment."""
    return grpc.aio.AioRpcError(
        await call.code(),
        await call.initial_metadata(),
        await call.trailing_metadata(),
        details=await call.details(),
    )


def _is_grpcs_own(error: grpc.aio.AioRpcError) -> bool:
    """What a sidecar says comes with metadata."""
    return error.code() is grpc.StatusCode.INTERNAL and not error.trailing_metadata()


def _known(asked: Coroutine[Any, Any, R]) -> R | None:
    """What is known without waiting, as all of a call is that is done."""
    try:
        asked.send(None)
    except StopIteration as told:
        known: R = told.value
        return known
    asked.close()
    return None
