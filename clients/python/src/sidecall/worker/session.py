"""One stream of a worker, from its hello to its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import grpc.aio

from sidecall import _wire
from sidecall._ending import status_of
from sidecall._proto import sidecall_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidecall._backoff import Backoff
    from sidecall.worker.attempts import Attempts
    from sidecall.worker.tool import Tool

# A server that says nothing for so many heartbeats is gone.
SILENT_HEARTBEATS = 3

# What is at the sidecar's to do when a worker ends takes no longer.
LAST_SECONDS_MAX = 1.0


class Session:
    """One stream."""

    def __init__(
        self,
        call: Any,
        attempts: Attempts,
        hello: pb.WorkerHello,
        tools: Mapping[str, Tool],
    ) -> None:
        self._call = call
        self._attempts = attempts
        self._hello = pb.WorkerHello()
        self._hello.CopyFrom(hello)
        self._hello.tools.extend(tool.message() for tool in tools.values())
        self._silence: float | None = None
        self.is_welcomed = False

    async def run(
        self,
        welcomed: asyncio.Event,
        ending: asyncio.Event,
        drain_timeout: float,
        backoff: Backoff,
    ) -> str:
        """Reads and writes until the stream ends, or this end is to end."""
        await self._call.write(pb.ServeToolsRequest(hello=self._hello))
        reading = asyncio.create_task(self._read(welcomed, backoff))
        writing = asyncio.create_task(self._write())
        ended = asyncio.create_task(ending.wait())
        try:
            await asyncio.wait((reading, writing, ended), return_when=asyncio.FIRST_COMPLETED)
            if ended.done() and not reading.done():
                await self._drained(reading, writing, drain_timeout)
            if writing.done() and not reading.done():
                # What broke the stream is what reading says of it.
                await asyncio.wait((reading,), timeout=1.0)
            # gRPC cancels a stream whose last write was given up.
            if reading.done() and not reading.cancelled():
                return await reading
            return "it could not be written to"
        finally:
            for task in (reading, writing, ended):
                task.cancel()
            await asyncio.gather(reading, writing, ended, return_exceptions=True)

    async def _drained(
        self, reading: asyncio.Task[str], writing: asyncio.Task[None], timeout: float
    ) -> None:
        """Ends what runs and tells it, for as long as there is somebody to be told."""
        outgoing, until = self._attempts.outgoing, time.monotonic() + timeout
        outgoing.put_nowait(pb.ServeToolsRequest(drain=pb.WorkerDrain()))
        ended = asyncio.create_task(self._attempts.ended(timeout))
        told = asyncio.create_task(outgoing.join())
        try:
            for step in (ended, told):
                # A result that is late by nothing still goes out.
                remaining = max(LAST_SECONDS_MAX, until - time.monotonic())
                await asyncio.wait(
                    (step, reading, writing),
                    timeout=remaining,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not step.done():
                    return
        finally:
            ended.cancel()
            told.cancel()
        broken = (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.TimeoutError)
        with contextlib.suppress(*broken):
            await asyncio.wait_for(self._call.done_writing(), LAST_SECONDS_MAX)
        await asyncio.wait((reading,), timeout=LAST_SECONDS_MAX)

    async def _read(self, welcomed: asyncio.Event, backoff: Backoff) -> str:
        while True:
            try:
                response = await asyncio.wait_for(self._call.read(), self._silence)
            except asyncio.TimeoutError:
                return "the sidecar has not been heard for too long"
            if response is grpc.aio.EOF:
                # Raises what the status says, where it is no good one.
                code = await self._call.code()
                if code is not grpc.StatusCode.OK:
                    raise await status_of(self._call)
                return "the sidecar closed it"
            kind = response.WhichOneof("message")
            if kind == "welcome":
                heartbeat = _wire.seconds(response.welcome.heartbeat)
                self._silence = SILENT_HEARTBEATS * heartbeat if heartbeat else None
                self.is_welcomed = True
                backoff.reset()
                welcomed.set()
            elif kind == "attempt":
                self._attempts.begin(response.attempt)
            elif kind == "cancel":
                self._attempts.cancel(response.cancel.attempt_id)
            elif kind == "heartbeat":
                beat = pb.ServeToolsRequest(heartbeat=pb.WorkerHeartbeat())
                self._attempts.outgoing.put_nowait(beat)

    async def _write(self) -> None:
        outgoing = self._attempts.outgoing
        while True:
            message = self._attempts.message(await outgoing.get())
            try:
                if message is not None:
                    await self._call.write(message)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                return
            finally:
                outgoing.task_done()
