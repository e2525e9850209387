"""Functions of the agent's own process as tools."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, overload

import grpc.aio

from sidecall import _refusals, _wire, errors
from sidecall._backoff import Backoff
from sidecall._connection import Connection, Endpoint
from sidecall._proto import sidecall_pb2 as pb
from sidecall._sync import LoopThread
from sidecall.model import Effect
from sidecall.worker.attempts import Attempts
from sidecall.worker.context import Cancelled, Context
from sidecall.worker.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from sidecall._address import TLS

logger = logging.getLogger("sidecall.worker")

F = TypeVar("F", bound="Callable[..., Any]")

# A server that says nothing for so many heartbeats is gone.
SILENT_HEARTBEATS = 3


class Worker:
    """Offers functions of this process as tools, for as long as it runs.

    ::

        worker = Worker(session_id="s-1")

        @worker.tool(effect="read_only")
        async def find_customer(email: Annotated[str, "As in the invoice."]) -> dict:
            '''One customer by e-mail address.'''

        async with worker:            # or `with worker:`, or `worker.run()`
            bundle = await client.execute(response, session_id="s-1")

    Args:
        address: As of :class:`~sidecall.Sidecall`.
        session_id: The session that its tools belong to; nobody else sees them.
        shared: Its tools are offered to every session instead. Workers that offer the
            same share its calls.
        name: For people; the host and the process where it is left out.
        attempts_max: Calls that it takes at once.
        threads: Of those, functions that are not ``async`` that run at once.
        drain_timeout: Seconds that running calls have when it ends.
        tls: Certificates.
        token: A bearer token, or what gives one.
        connect_timeout: Seconds to wait for a sidecar before it is tried again.
        options: Further options of gRPC's channel.

    When the stream breaks, what runs is cancelled (nobody could be told), and it is opened
    again.

    """

    def __init__(
        self,
        address: str | None = None,
        *,
        session_id: str = "",
        shared: bool = False,
        name: str | None = None,
        attempts_max: int = 64,
        threads: int = 16,
        drain_timeout: float = 30.0,
        tls: TLS | None = None,
        token: str | Callable[[], str] | None = None,
        connect_timeout: float = 5.0,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        if bool(session_id) == shared:
            raise ValueError(
                "a worker's tools belong to one session or to all: pass `session_id=` or "
                "`shared=True`"
            )
        self._endpoint = Endpoint(
            address, tls=tls, token=token, connect_timeout=connect_timeout, options=options
        )
        self._hello = pb.WorkerHello(
            name=name or f"{socket.gethostname()}-{os.getpid()}",
            session_id=session_id,
            shared=shared,
            attempts_max=attempts_max,
        )
        self._threads = threads
        self._drain_timeout = drain_timeout
        self._tools: dict[str, Tool] = {}
        self._task: asyncio.Task[None] | None = None
        self._welcomed: asyncio.Event | None = None
        self._ending: asyncio.Event | None = None
        self._thread: LoopThread | None = None

    # ------------------------------------------------------------ tools

    @overload
    def tool(self, function: F, /) -> F: ...

    @overload
    def tool(
        self,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        schema: Mapping[str, Any] | None = None,
        effect: Effect | str = Effect.AT_MOST_ONCE,
        timeout: float | None = None,
        latency: float | None = None,
    ) -> Callable[[F], F]: ...

    def tool(
        self,
        function: F | None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        schema: Mapping[str, Any] | None = None,
        effect: Effect | str = Effect.AT_MOST_ONCE,
        timeout: float | None = None,
        latency: float | None = None,
    ) -> F | Callable[[F], F]:
        """Offers a function, ``async`` or not; it stays callable as it was.

        Args:
            function: Its type hints give the schema, its docstring the descriptions. A
                parameter of type :class:`Context` is given the call.
            name: The function's own where it is left out.
            description: The docstring's first part where it is left out.
            schema: JSON Schema of the input, instead of one from the hints; the function
                then gets plain JSON.
            effect: What running it twice means. ``read_only`` is made again when it is
                lost; ``at_most_once`` never.
            timeout: Seconds for a call that names none itself.
            latency: Seconds that it usually takes, until that is measured.

        """
        # For hints that name what stands where the function does.
        local_names = dict(sys._getframe(1).f_locals)

        def offered(function: F) -> F:
            tool = Tool.of(
                function,
                name=name,
                description=description,
                schema=schema,
                effect=effect,
                timeout=timeout,
                latency=latency,
                local_names=local_names,
            )
            if tool.name in self._tools:
                raise ValueError(f"this worker has a tool {tool.name} already: pass `name=`")
            self._tools[tool.name] = tool
            return function

        return offered if function is None else offered(function)

    # ------------------------------------------------------------ running

    async def serve(self) -> None:
        """Serves until :meth:`drain`, or until the task is cancelled.

        Raises:
            Refused: The sidecar does not take this worker.

        """
        if not self._tools:
            raise ValueError("a worker without tools has nothing to offer: decorate a function")
        self._welcomed, self._ending = asyncio.Event(), asyncio.Event()
        backoff = Backoff(first=0.1)
        connection = self._endpoint.open()
        with ThreadPoolExecutor(self._threads, "sidecall-worker") as executor:
            try:
                while not self._ending.is_set():
                    why = await self._session(connection, executor, backoff)
                    self._welcomed.clear()
                    if self._ending.is_set():
                        break
                    delay = backoff.next()
                    logger.warning("The worker's stream ended (%s); again in %.1f s.", why, delay)
                    with contextlib.suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self._ending.wait(), delay)
            finally:
                executor.shutdown(wait=False, cancel_futures=True)
                await connection.close()

    def drain(self) -> None:
        """Takes no new calls, ends those that run, and then :meth:`serve` returns."""
        if self._ending is not None:
            self._ending.set()

    async def __aenter__(self) -> Worker:
        """Serves in the background, and is here when its tools are offered."""
        self._task = asyncio.create_task(self.serve())
        # It runs until its first wait, and so makes its events.
        await asyncio.sleep(0)
        if self._welcomed is not None:
            welcomed = asyncio.create_task(self._welcomed.wait())
            try:
                await asyncio.wait((self._task, welcomed), return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                self._task.cancel()
                raise
            finally:
                welcomed.cancel()
        if self._task.done():
            await self._task
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.drain()
        if self._task is not None:
            await self._task

    def __enter__(self) -> Worker:
        """Serves in a thread of its own, and is here when its tools are offered."""
        self._thread = LoopThread()
        try:
            return self._thread.run(self.__aenter__())
        except BaseException:
            self._thread.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._thread.run(self.__aexit__(kind, value, traceback))
            self._thread.stop()

    def run(self) -> None:
        """Serves until SIGINT or SIGTERM, then drains; the second ends it at once."""

        async def main() -> None:
            loop, task = asyncio.get_running_loop(), asyncio.create_task(self.serve())

            def ended() -> None:
                if self._ending is None or self._ending.is_set():
                    task.cancel()
                self.drain()

            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, ended)
            with contextlib.suppress(asyncio.CancelledError):
                await task

        asyncio.run(main())

    # ------------------------------------------------------------ one stream

    async def _session(
        self, connection: Connection, executor: ThreadPoolExecutor, backoff: Backoff
    ) -> str:
        """One stream from its beginning to its end; gives what ended it."""
        try:
            await connection.ready()
        except errors.Unavailable as error:
            return str(error)
        attempts = Attempts(self._tools, executor)
        call = connection.serve_tools(metadata=connection.metadata())
        session = Session(call, attempts, self._hello, self._tools)
        assert self._welcomed is not None  # noqa: S101 - made by `serve`.
        assert self._ending is not None  # noqa: S101 - made by `serve`.
        try:
            return await session.run(self._welcomed, self._ending, self._drain_timeout, backoff)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as caught:
            broken = isinstance(caught, grpc.aio.AioRpcError)
            status: Any = caught if broken else await _error(call)
            refused = _refusals.refusal(status)
            if refused is not None and refused.retry_after is None and not session.is_welcomed:
                raise refused from None
            return f"{_refusals.status_of(status)}: {status.details()}"
        finally:
            attempts.cancel_all()
            call.cancel()


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
                await self._drained(reading, drain_timeout)
            if writing.done() and not reading.done():
                # What broke the stream is what reading says of it.
                await asyncio.wait((reading,), timeout=1.0)
            if reading.done():
                return await reading
            return "it could not be written to"
        finally:
            for task in (reading, writing, ended):
                task.cancel()
            await asyncio.gather(reading, writing, ended, return_exceptions=True)

    async def _drained(self, reading: asyncio.Task[str], timeout: float) -> None:
        outgoing = self._attempts.outgoing
        outgoing.put_nowait(pb.ServeToolsRequest(drain=pb.WorkerDrain()))
        await self._attempts.ended(timeout)
        await outgoing.join()
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self._call.done_writing()
        await asyncio.wait((reading,), timeout=1.0)

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
                    raise await _error(self._call)
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


async def _error(call: Any) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(
        await call.code(),
        await call.initial_metadata(),
        await call.trailing_metadata(),
        details=await call.details(),
    )


__all__ = ["Cancelled", "Context", "Worker"]
