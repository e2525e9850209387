"""The asyncio client."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import grpc.aio

from sidecall import _options, _refusals, _wire, errors, model
from sidecall._backoff import Backoff
from sidecall._batch import Batch
from sidecall._connection import Connection, Endpoint
from sidecall._ids import uuid7
from sidecall._options import Options, Ordering
from sidecall._proto import sidecall_pb2 as pb
from sidecall.bundle import Bundle
from sidecall.progress import Bar
from sidecall.shapes import Turn, recognise
from sidecall.tools import ToolList

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
    from types import TracebackType

    from sidecall._address import TLS
    from sidecall._connection import Token
    from sidecall._turn import AsyncTurnStream

logger = logging.getLogger("sidecall")

R = TypeVar("R")


def _is_cancelled() -> bool:
    """Whether the task itself is; before Python 3.11 it does not say."""
    task: Any = asyncio.current_task()
    return bool(task is not None and hasattr(task, "cancelling") and task.cancelling())


def _refused(
    connection: Connection, error: grpc.aio.AioRpcError
) -> tuple[errors.SidecallError | None, float | None]:
    """What proves that a turn which failed thus has not run, and when to send it again."""
    if _refusals.is_unsent(error):
        # Its connection went away a moment before.
        return connection.unreached(), 0.0
    refused = _refusals.refusal(error)
    return refused, refused.retry_after if refused else None


class AsyncSidecall:
    """A sidecar, from asyncio.

    Args:
        address: ``unix:///path/to.sock``, ``http://host:port`` or ``https://host:port``.
            ``SIDECALL_ADDRESS`` where it is left out, else
            ``unix:///run/sidecall/sidecall.sock``.
        tls: Certificates, where the system's authorities are not enough.
        token: A bearer token; the path of its file, which is read for each request; or
            what gives one for each.
        connect_timeout: Seconds to wait for a sidecar that is not there (yet).
        resend_for: Seconds for which a turn that was refused for now (`RetryInfo`) is
            sent again, where no ``timeout`` says so.
        options: Further options of gRPC's channel.

    One client serves any number of turns at once. It connects when it is first used,
    and has a connection for each event loop that uses it.

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
        self._use(
            Endpoint(
                address, tls=tls, token=token, connect_timeout=connect_timeout, options=options
            ),
            resend_for,
        )

    def _use(self, endpoint: Endpoint, resend_for: float) -> None:
        self._endpoint = endpoint
        self._resend_for = resend_for
        # One in each event loop that uses it.
        self._connections: dict[asyncio.AbstractEventLoop, Connection] = {}
        self._lock = threading.Lock()

    def twin(self) -> AsyncSidecall:
        """Another client of the same sidecar, with connections of its own."""
        twin = AsyncSidecall.__new__(AsyncSidecall)
        twin._use(self._endpoint, self._resend_for)
        return twin

    @property
    def address(self) -> str:
        """Where the sidecar is."""
        return self._endpoint.address.text

    async def __aenter__(self) -> AsyncSidecall:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Lets the connection go; batches that are open are cancelled."""
        with self._lock:
            connection = self._connections.pop(asyncio.get_running_loop(), None)
        if connection is not None:
            await connection.close()

    def _connected(self) -> Connection:
        """The connection of the event loop that runs."""
        loop = asyncio.get_running_loop()
        with self._lock:
            connection = self._connections.get(loop)
            if connection is None:
                for gone in [one for one in self._connections if one.is_closed()]:
                    del self._connections[gone]
                connection = self._connections[loop] = self._endpoint.open()
            return connection

    # ------------------------------------------------------------ turns

    async def execute(
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
        """Runs the tool calls of a turn; gives the content of the next message.

        Args:
            message: What the model answered: the provider SDK's message or its content
                blocks, the same as JSON, or a list of :class:`~sidecall.ToolUse`.
            session_id: The conversation that the turn belongs to.
            references: Whether ``${get_user.id}`` in inputs is replaced.
            ordering: ``ordered``: one after the other, and the first that does not
                succeed skips the rest.
            timeout: Seconds until this returns, whatever happens.
            call_timeout: Seconds for each call.
            batch_id: Names the batch. Fixed before the first sending; made where it is
                left out.
            shape: Whose turn it is, where that cannot be seen.
            progress: Draws a progress bar in a terminal or a notebook.
            on_event: Is called with each event as it comes.

        Returns:
            The results in call order: a list, in the provider's shape. It has a result
            for every call, also when the sidecar goes away in the middle.

        Raises:
            InvalidTurn: The message is no turn.
            Refused: The sidecar refused it. Nothing has run.
            Unavailable: There is no sidecar. Nothing was sent.

        """
        options = Options(session_id, references, ordering, timeout, call_timeout, batch_id)
        turn = recognise(message, shape)
        bar = Bar(len(turn.calls)) if progress else None
        bundle: Bundle | None = None
        stream = self._run(turn, options)
        try:
            async for event in stream:
                if bar is not None:
                    bar.show(event)
                if on_event is not None:
                    on_event(event)
                if isinstance(event, model.Done):
                    bundle = event.bundle
        finally:
            await stream.aclose()
            if bar is not None:
                bar.end()
        if bundle is None:
            raise errors.SidecallError("a batch ended without a bundle: report this")
        return bundle

    async def events(
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
    ) -> AsyncGenerator[model.Event, None]:
        """Runs a turn and gives each event as it comes; the last is ``Done``.

        As :meth:`execute`. Leaving the loop cancels what is open.
        """
        options = Options(session_id, references, ordering, timeout, call_timeout, batch_id)
        stream = self._run(recognise(message, shape), options)
        try:
            async for event in stream:
                yield event
        finally:
            await stream.aclose()

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
    ) -> AsyncTurnStream:
        """A turn that the model is still writing.

        What only reads starts as soon as its input is complete; everything else at
        ``commit``. Leaving the block without it discards what has not run::

            async with client.stream(session_id="s") as turn:
                async for event in model_stream:
                    await turn.feed(event)
                bundle = await turn.commit()
        """
        from sidecall._turn import AsyncTurnStream  # noqa: PLC0415

        options = Options(session_id, references, ordering, timeout, call_timeout, batch_id)
        return AsyncTurnStream(self, options, shape, on_event)

    async def _run(self, turn: Turn, options: Options) -> AsyncGenerator[model.Event, None]:
        batch_id = options.batch_id or uuid7()
        events = self._sent(turn, options, batch_id)
        try:
            async for event in events:
                yield event
        except errors.SidecallError as error:
            error.bundle = _options.refused(Batch(batch_id, turn.provider, turn.calls), error)
            raise
        finally:
            await events.aclose()

    async def _sent(
        self, turn: Turn, options: Options, batch_id: str
    ) -> AsyncGenerator[model.Event, None]:
        if not turn.calls:
            nothing = Bundle.of([], batch_id=batch_id, shape=turn.provider.shape)
            yield model.Done(nothing)
            return
        request = pb.ExecuteBatchRequest(batch_id=batch_id)
        options.write(request)
        turn.write(request)

        began = time.monotonic()
        deadline = None if options.timeout is None else began + options.timeout
        resend_until = began + self._resend_for if deadline is None else deadline
        backoff = Backoff()
        while True:
            connection = self._connected()
            await connection.ready(deadline)
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                raise errors.TimeOver("the time was over before the turn was sent: nothing ran")
            batch = Batch(batch_id, turn.provider, turn.calls)
            call = connection.execute_batch(
                request, timeout=remaining, metadata=connection.metadata()
            )
            try:
                async for response in call:
                    event = batch.apply(response.event)
                    if event is not None:
                        yield event
                    if batch.is_finished:
                        return
                events = _options.interrupt(batch, None)
            except asyncio.CancelledError:
                if not connection.is_closed or _is_cancelled():
                    raise
                events = _options.interrupt(batch, None, "this client was closed")
            except grpc.aio.AioRpcError as error:
                refused: errors.SidecallError | None = None
                retry_after: float | None = None
                if not batch.is_accepted:
                    refused, retry_after = _refused(connection, error)
                if refused is None:
                    events = _options.interrupt(batch, error)
                elif retry_after is None:
                    raise refused from None
                else:
                    # Proven: nothing has run, and it may be sent again.
                    delay = backoff.next(retry_after)
                    if time.monotonic() + delay > resend_until:
                        raise refused from None
                    logger.info("A turn was not taken for now; sending it again. %s", refused)
                    await asyncio.sleep(delay)
                    continue
            finally:
                call.cancel()
            for one in events:
                yield one
            return

    # ------------------------------------------------------------ the rest

    async def plan(
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
        turn = recognise(message, shape)
        if not turn.calls:
            return model.Plan()
        request = pb.PlanBatchRequest(
            session_id=session_id,
            references=_options.references(references),
            ordering=_options.ordering(ordering),
        )
        turn.write(request)
        answer = await self._ask("planning a turn", lambda c: c.plan_batch, request, timeout)
        return _wire.plan(answer.plan)

    async def cancel(
        self, batch_id: str, call_ids: Iterable[str] = (), *, timeout: float | None = 30.0
    ) -> list[str]:
        """Cancels a batch, or some of its calls; gives the ids of those that were open.

        Raises:
            NotFound: No such batch runs.

        """
        request = pb.CancelBatchRequest(batch_id=batch_id, call_ids=call_ids)
        answer = await self._ask("cancelling a batch", lambda c: c.cancel_batch, request, timeout)
        return list(answer.call_ids)

    async def list_tools(
        self,
        shape: model.Shape | str = model.Shape.ANTHROPIC,
        *,
        references: bool = True,
        session_id: str = "",
        latencies: bool = False,
        timeout: float | None = 30.0,
    ) -> ToolList:
        """The tools that the caller may use, ready for a model's request.

        Args:
            shape: Whose request.
            references: Also gives ``instructions`` for the system prompt, which teach the
                model to use one call's result in another.
            session_id: Also the tools that workers offer to this session alone.
            latencies: Descriptions say how long a call usually takes.
            timeout: Seconds.

        """
        shape = model.Shape(shape)
        request = pb.ListToolsRequest(
            shape=_wire.shape(shape),
            references=_options.references(references),
            session_id=session_id,
            latencies=latencies,
        )
        pages = []
        while True:
            page = await self._ask("listing tools", lambda c: c.list_tools, request, timeout)
            pages.append(page)
            if not page.next_page_token:
                return ToolList.of(shape, pages)
            request.page_token = page.next_page_token

    async def status(
        self, rows_max: int | None = None, *, timeout: float | None = 30.0
    ) -> pb.StatusResponse:
        """What the sidecar holds, waits for and leaves alone at this moment."""
        request = pb.StatusRequest(rows_max=rows_max)
        return await self._ask("asking for the status", lambda c: c.status, request, timeout)

    async def _ask(
        self,
        doing: str,
        method: Callable[[Connection], Callable[..., Awaitable[R]]],
        request: object,
        timeout: float | None,
    ) -> R:
        deadline = None if timeout is None else time.monotonic() + timeout
        connection = self._connected()
        await connection.ready(deadline)
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            return await method(connection)(
                request, timeout=remaining, metadata=connection.metadata()
            )
        except grpc.aio.AioRpcError as error:
            raise _refusals.raised(error, address=self.address, doing=doing) from None
        except asyncio.CancelledError:
            if not connection.is_closed or _is_cancelled():
                raise
            raise errors.SidecallError(f"this client was closed while {doing}") from None
