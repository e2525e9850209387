"""Functions of the agent's own process as tools."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, TypeVar, overload

import grpc.aio

from sidecall import _refusals, errors
from sidecall._backoff import Backoff
from sidecall._connection import Connection, Endpoint
from sidecall._ending import Ending, status_of
from sidecall._proto import sidecall_pb2 as pb
from sidecall._sync import LoopThread
from sidecall.model import Effect
from sidecall.worker.attempts import Attempts
from sidecall.worker.context import Cancelled, Context
from sidecall.worker.session import Session
from sidecall.worker.threads import Threads
from sidecall.worker.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from sidecall._address import TLS
    from sidecall._connection import Token

logger = logging.getLogger("sidecall.worker")

F = TypeVar("F", bound="Callable[..., Any]")


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
        threads: Of those, functions that are not ``async`` that run at once; all of them
            where it is left out.
        drain_timeout: Seconds that running calls have when it ends.
        tls: Certificates.
        token: A bearer token; the path of its file, which is read for each request; or
            what gives one for each.
        connect_timeout: Seconds to wait for a sidecar before it is tried again.
        start_timeout: Seconds that ``with`` waits until the tools are offered; ``None``
            for as long as it takes, as :meth:`serve` and :meth:`run` do.
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
        threads: int | None = None,
        drain_timeout: float = 30.0,
        tls: TLS | None = None,
        token: Token | None = None,
        connect_timeout: float = 5.0,
        start_timeout: float | None = 30.0,
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
        self._threads_max = attempts_max if threads is None else threads
        self._start_timeout = start_timeout
        self._drain_timeout = drain_timeout
        self._tools: dict[str, Tool] = {}
        self._task: asyncio.Task[None] | None = None
        self._welcomed: asyncio.Event | None = None
        self._ending: asyncio.Event | None = None
        self._thread: LoopThread | None = None
        # Why there is no stream, where there is none.
        self._why = ""

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
            Refused: The sidecar does not take this worker. Once it has, it is tried again
                and the log says so.

        """
        if not self._tools:
            raise ValueError("a worker without tools has nothing to offer: decorate a function")
        self._welcomed, self._ending = asyncio.Event(), asyncio.Event()
        backoff, was_welcomed = Backoff(first=0.1), False
        connection = self._endpoint.open()
        threads = Threads(self._threads_max)
        try:
            while not self._ending.is_set():
                level = logging.WARNING
                try:
                    self._why = await self._session(connection, threads, backoff)
                except Exception as error:
                    was_welcomed = was_welcomed or self._welcomed.is_set()
                    if not was_welcomed:
                        raise
                    level, self._why = logging.ERROR, f"{type(error).__name__}: {error}"
                was_welcomed = was_welcomed or self._welcomed.is_set()
                self._welcomed.clear()
                if self._ending.is_set():
                    break
                delay = backoff.next()
                logger.log(
                    level, "The worker has no stream (%s); again in %.1f s.", self._why, delay
                )
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), delay)
        finally:
            threads.close()
            await connection.close()

    def drain(self) -> None:
        """Takes no new calls, ends those that run, and then :meth:`serve` returns."""
        if self._ending is not None:
            self._ending.set()

    async def __aenter__(self) -> Worker:
        """Serves in the background, and is here when its tools are offered.

        Raises:
            Unavailable: No sidecar has taken them within ``start_timeout``.

        """
        self._task = asyncio.create_task(self.serve())
        # It runs until its first wait, and so makes its events.
        await asyncio.sleep(0)
        if self._welcomed is not None:
            welcomed = asyncio.create_task(self._welcomed.wait())
            try:
                await asyncio.wait(
                    (self._task, welcomed),
                    timeout=self._start_timeout,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            except asyncio.CancelledError:
                self._task.cancel()
                raise
            finally:
                welcomed.cancel()
        if self._task.done():
            await self._task
        elif self._welcomed is None or not self._welcomed.is_set():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            raise errors.Unavailable(
                f"no sidecar has taken this worker in {self._start_timeout} s at "
                f"{self._endpoint.address.text}: {self._why or 'it does not answer'}"
            )
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
            try:
                self._thread.run(self.__aexit__(kind, value, traceback))
            finally:
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

    async def _session(self, connection: Connection, threads: Threads, backoff: Backoff) -> str:
        """One stream from its beginning to its end; gives what ended it."""
        try:
            await connection.ready()
        except errors.Unavailable as error:
            return str(error)
        attempts = Attempts(self._tools, threads)
        call = connection.serve_tools(metadata=connection.metadata())
        end = Ending(call)
        session = Session(call, attempts, self._hello, self._tools)
        assert self._welcomed is not None  # noqa: S101 - made by `serve`.
        assert self._ending is not None  # noqa: S101 - made by `serve`.
        try:
            return await session.run(self._welcomed, self._ending, self._drain_timeout, backoff)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as caught:
            if isinstance(caught, asyncio.InvalidStateError):
                caught = await status_of(call)
            said = await end.said(caught)
            refused = _refusals.refusal(said)
            if refused is not None and refused.retry_after is None and not session.is_welcomed:
                raise refused from None
            return f"{_refusals.status_of(said)}: {said.details()}"
        finally:
            attempts.cancel_all()
            call.cancel()


__all__ = ["Cancelled", "Context", "Worker"]
