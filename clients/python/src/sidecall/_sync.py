"""The client for code without asyncio: the same one, on an event loop of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import logging
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from sidecall import errors, model
from sidecall._aio import AsyncSidecall

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
    from types import TracebackType

    from sidecall._address import TLS
    from sidecall._connection import Token
    from sidecall._options import Ordering
    from sidecall._proto import sidecall_pb2 as pb
    from sidecall._turn import AsyncTurnStream
    from sidecall.bundle import Bundle
    from sidecall.tools import ToolList

logger = logging.getLogger("sidecall")

R = TypeVar("R")

# What ends by itself when its connection is closed takes no longer.
LAST_SECONDS_MAX = 1.0


class LoopThread:
    """An event loop in a thread; starts when it is first used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # Of what runs there, or is about to.
        self._pending: set[concurrent.futures.Future[Any]] = set()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._main, args=(self._loop,), name="sidecall", daemon=True
                )
                self._thread.start()
            return self._loop

    def _main(self, loop: asyncio.AbstractEventLoop) -> None:
        is_stopped = False
        while not is_stopped:
            try:
                loop.run_forever()
                is_stopped = True
            except BaseException as error:  # noqa: BLE001, PERF203 - `run` raises it where it belongs.
                logger.debug("%r came out of a task.", error)
        tasks = asyncio.all_tasks(loop)
        if tasks:
            # What was just let go ends by itself.
            loop.run_until_complete(asyncio.wait(tasks, timeout=LAST_SECONDS_MAX))
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.wait(tasks, timeout=LAST_SECONDS_MAX))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    def _fail_pending(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, set()
        for future in pending:
            if not future.done():
                future.set_exception(errors.SidecallError("this client was closed meanwhile"))

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Runs it there to its end, in this thread's context (its trace is the caller's)."""
        loop = self._started()
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError(
                "this is the client's own thread (a callback?), which would wait for itself: "
                "use AsyncSidecall"
            )
        future: concurrent.futures.Future[R] = concurrent.futures.Future()
        tasks: list[asyncio.Task[R]] = []

        def start() -> None:
            task = loop.create_task(coroutine)
            tasks.append(task)
            task.add_done_callback(end)

        def end(task: asyncio.Task[R]) -> None:
            self._pending.discard(future)
            if task.cancelled() and self._loop is not loop:
                future.set_exception(errors.SidecallError("this client was closed meanwhile"))
            elif task.cancelled():
                future.cancel()
                future.set_running_or_notify_cancel()
            elif (error := task.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(task.result())

        with self._lock:
            self._pending.add(future)
            if self._loop is loop:
                loop.call_soon_threadsafe(start, context=contextvars.copy_context())
            else:
                coroutine.close()
                future.set_exception(errors.SidecallError("this client was closed meanwhile"))
        try:
            return future.result()
        except BaseException:
            # A KeyboardInterrupt, say: what runs there has lost whom it runs for.
            if not loop.is_closed():
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
            raise

    def stop(self) -> None:
        """Ends the thread."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            self._fail_pending()


class Sidecall:
    """A sidecar, for code without asyncio.

    Takes what :class:`AsyncSidecall` takes. Any number of threads may use one client.
    Callbacks run in the client's own thread.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        tls: TLS | None = None,
        token: Token | None = None,
        connect_timeout: float = 5.0,
        resend_for: float = 30.0,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self._client = AsyncSidecall(
            address,
            tls=tls,
            token=token,
            connect_timeout=connect_timeout,
            resend_for=resend_for,
            options=options,
        )
        self._thread = LoopThread()

    @classmethod
    def of(cls, client: AsyncSidecall) -> Sidecall:
        """The same without asyncio; from then on the client is this one's."""
        new = cls.__new__(cls)
        new._client = client
        new._thread = LoopThread()
        return new

    def twin(self) -> AsyncSidecall:
        """An asyncio client of the same sidecar."""
        return self._client.twin()

    @property
    def address(self) -> str:
        """Where the sidecar is."""
        return self._client.address

    def __enter__(self) -> Sidecall:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets the connection go; batches that are open are cancelled."""
        self._thread.run(self._client.close())
        self._thread.stop()

    def execute(
        self,
        message: Any,
        *,
        session_id: str = "",
        references: bool = True,
        ordering: Ordering = "free",
        timeout: float | None = None,
        call_timeout: float | None = None,
        batch_id: str | None = None,
        shape: model.Shape | str | None = None,
        progress: bool = False,
        on_event: Callable[[model.Event], None] | None = None,
    ) -> Bundle:
        """Runs the tool calls of a turn: :meth:`AsyncSidecall.execute`."""
        return self._thread.run(
            self._client.execute(
                message,
                session_id=session_id,
                references=references,
                ordering=ordering,
                timeout=timeout,
                call_timeout=call_timeout,
                batch_id=batch_id,
                shape=shape,
                progress=progress,
                on_event=on_event,
            )
        )

    def events(
        self,
        message: Any,
        *,
        session_id: str = "",
        references: bool = True,
        ordering: Ordering = "free",
        timeout: float | None = None,
        call_timeout: float | None = None,
        batch_id: str | None = None,
        shape: model.Shape | str | None = None,
    ) -> Generator[model.Event, None, None]:
        """Runs a turn and gives each event as it comes: :meth:`AsyncSidecall.events`."""
        stream = self._client.events(
            message,
            session_id=session_id,
            references=references,
            ordering=ordering,
            timeout=timeout,
            call_timeout=call_timeout,
            batch_id=batch_id,
            shape=shape,
        )

        async def following() -> model.Event | None:
            return await anext(stream, None)

        try:
            while (event := self._thread.run(following())) is not None:
                yield event
        finally:
            self._thread.run(stream.aclose())

    def stream(
        self,
        *,
        session_id: str = "",
        references: bool = True,
        ordering: Ordering = "free",
        timeout: float | None = None,
        call_timeout: float | None = None,
        batch_id: str | None = None,
        shape: model.Shape | str | None = None,
        on_event: Callable[[model.Event], None] | None = None,
    ) -> TurnStream:
        """A turn that the model is still writing: :meth:`AsyncSidecall.stream`."""
        turn = self._client.stream(
            session_id=session_id,
            references=references,
            ordering=ordering,
            timeout=timeout,
            call_timeout=call_timeout,
            batch_id=batch_id,
            shape=shape,
            on_event=on_event,
        )
        return TurnStream(turn, self._thread)

    def plan(
        self,
        message: Any,
        *,
        session_id: str = "",
        references: bool = True,
        ordering: Ordering = "free",
        timeout: float | None = 30.0,
        shape: model.Shape | str | None = None,
    ) -> model.Plan:
        """What depends on what in a turn, and what it will take. Nothing is run."""
        return self._thread.run(
            self._client.plan(
                message,
                session_id=session_id,
                references=references,
                ordering=ordering,
                timeout=timeout,
                shape=shape,
            )
        )

    def cancel(
        self, batch_id: str, call_ids: Iterable[str] = (), *, timeout: float | None = 30.0
    ) -> list[str]:
        """Cancels a batch, or some of its calls: :meth:`AsyncSidecall.cancel`."""
        return self._thread.run(self._client.cancel(batch_id, call_ids, timeout=timeout))

    def list_tools(
        self,
        shape: model.Shape | str = model.Shape.ANTHROPIC,
        *,
        references: bool = True,
        session_id: str = "",
        latencies: bool = False,
        timeout: float | None = 30.0,
    ) -> ToolList:
        """The tools, ready for a model's request: :meth:`AsyncSidecall.list_tools`."""
        return self._thread.run(
            self._client.list_tools(
                shape,
                references=references,
                session_id=session_id,
                latencies=latencies,
                timeout=timeout,
            )
        )

    def status(
        self, rows_max: int | None = None, *, timeout: float | None = 30.0
    ) -> pb.StatusResponse:
        """What the sidecar holds, waits for and leaves alone at this moment."""
        return self._thread.run(self._client.status(rows_max, timeout=timeout))


class TurnStream:
    """A turn that the model is still writing; see ``Sidecall.stream``."""

    def __init__(self, turn: AsyncTurnStream, thread: LoopThread) -> None:
        self._turn = turn
        self._thread = thread

    def __enter__(self) -> TurnStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.discard()

    @property
    def batch_id(self) -> str:
        """The batch's id."""
        return self._turn.batch_id

    @property
    def results(self) -> dict[int, model.CallResult]:
        """What has ended so far, by place in the turn."""
        return self._turn.results

    def feed(self, event: Any) -> None:
        """Takes an event of the provider's stream, as its SDK gives it."""
        self._thread.run(self._turn.feed(event))

    def commit(self) -> Bundle:
        """The turn is final: runs what waited for that, and gives the bundle."""
        return self._thread.run(self._turn.commit())

    def discard(self) -> None:
        """Lets the turn go: what has not run never does, what runs is cancelled."""
        self._thread.run(self._turn.discard())
