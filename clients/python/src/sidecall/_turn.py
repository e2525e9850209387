"""A turn that the model is still writing."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

import grpc.aio

from sidecall import _refusals, _wire, errors, model
from sidecall._batch import Batch
from sidecall._ending import Ending
from sidecall._ids import uuid7
from sidecall._options import interrupt
from sidecall._options import refused as refuse
from sidecall._proto import sidecall_pb2 as pb
from sidecall.bundle import Bundle
from sidecall.shapes import PROVIDERS
from sidecall.shapes.base import Begun, Block, Fragment, Provider, Reader, Step
from sidecall.shapes.plain import dumps, get

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from sidecall._aio import AsyncSidecall
    from sidecall._options import Options


# A sidecar answers at once. One that does not is committed to all the same.
ANSWER_SECONDS_MAX = 2.0

# An id as the wire takes it.
WIRE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class AsyncTurnStream:
    """Feeds a model's stream to the sidecar as it comes; see ``AsyncSidecall.stream``.

    Nothing is sent before the first call begins. Where the sidecar cannot take the turn
    while it is written (it is older, refuses it for now, or goes away), the turn is run
    as a whole at ``commit``: until then nothing has run but what only reads.
    """

    def __init__(
        self,
        client: AsyncSidecall,
        options: Options,
        shape: model.Shape | str | None,
        on_event: Callable[[model.Event], None] | None,
    ) -> None:
        self._client = client
        self._options = options
        self._on_event = on_event
        self._provider: Provider | None = None
        self._reader: Reader | None = None
        if shape is not None:
            self._take(PROVIDERS[model.Shape(shape)])
        self.batch_id = options.batch_id or uuid7()
        began = time.monotonic()
        self._deadline = None if options.timeout is None else began + options.timeout
        self._call: Any = None
        self._listener: asyncio.Task[None] | None = None
        self._batch: Batch | None = None
        self._blocks: dict[int, Begun] = {}
        self._inputs: dict[int, list[str]] = {}
        self._accepted = asyncio.Event()
        self._results: dict[int, model.CallResult] = {}
        # Why the stream is of no use any more, where it is not.
        self._broken: BaseException | None = None
        self._is_ended = False

    async def __aenter__(self) -> AsyncTurnStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.discard()

    @property
    def results(self) -> dict[int, model.CallResult]:
        """What has ended so far, by place in the turn."""
        return dict(self._results)

    async def feed(self, event: Any) -> None:
        """Takes an event of the provider's stream, as its SDK gives it.

        Raises:
            InvalidTurn: It holds what no wire takes.

        """
        if self._is_ended:
            raise errors.SidecallError("the turn is over: open another with `client.stream()`")
        if self._reader is None:
            provider = _provider_of(event)
            if provider is None:
                return
            self._take(provider)
        if self._reader is not None:
            for step in self._reader.read(event):
                await self._step(step)

    async def commit(self) -> Bundle:
        """The turn is final: runs what waited for that, and gives the bundle.

        Raises:
            Refused: The sidecar refused the turn. Nothing has run that has an effect.
            Unavailable: There is no sidecar. Nothing has run that has an effect.

        """
        if self._is_ended:
            raise errors.SidecallError("the turn is over: open another with `client.stream()`")
        if self._reader is not None:
            for step in self._reader.end():
                await self._step(step)
        self._is_ended = True
        if self._provider is None or not self._blocks:
            shape = self._provider.shape if self._provider else model.Shape.ANTHROPIC
            return Bundle.of([], batch_id=self.batch_id, shape=shape)
        await self._answered()
        if self._broken is None and self._batch is not None:
            return await self._committed(self._batch, self._provider)
        return await self._uncommitted(self._provider)

    async def _answered(self) -> None:
        """Until the sidecar has taken the turn, or not.

        Of a stream that breaks without a word while the commit goes out, nobody knows
        whether it came through. So that goes out afterwards.
        """
        if self._listener is not None and not self._accepted.is_set():
            accepted = asyncio.create_task(self._accepted.wait())
            await asyncio.wait(
                (self._listener, accepted),
                timeout=ANSWER_SECONDS_MAX,
                return_when=asyncio.FIRST_COMPLETED,
            )
            accepted.cancel()

    def _see(self, event: model.Event) -> None:
        if isinstance(event, model.Accepted):
            self._accepted.set()
        elif isinstance(event, model.Finished):
            self._results[event.result.index] = event.result
        if self._on_event is not None:
            self._on_event(event)

    async def discard(self) -> None:
        """Lets the turn go: what has not run never does, what runs is cancelled."""
        self._is_ended = True
        if self._call is not None:
            self._call.cancel()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
            self._listener = None

    def _take(self, provider: Provider) -> None:
        self._provider = provider
        self._reader = provider.reader()
        if self._reader is None:
            raise errors.InvalidTurn(f"there is no stream of {provider.shape} to be read")

    async def _step(self, step: Step) -> None:
        if isinstance(step, Begun):
            self._blocks[step.block] = step
            self._inputs[step.block] = [step.input_json] if step.input_json else []
        elif isinstance(step, Fragment):
            if not step.json:
                return
            self._inputs[step.block].append(step.json)
        message = _message(step)
        if self._call is None and self._broken is None:
            await self._open()
        await self._send(message)
        if isinstance(step, Begun) and self._batch is not None:
            self._batch.calls.append(Block(step.id, step.name, step.raw))

    async def _open(self) -> None:
        assert self._provider is not None  # noqa: S101 - `_step` is its only caller.
        connection = self._client._connected()
        try:
            await connection.ready(self._deadline)
            metadata = connection.metadata()
        except errors.Unavailable as error:
            self._broken = error
            return
        remaining = None if self._deadline is None else self._deadline - time.monotonic()
        self._call = connection.execute_stream(timeout=remaining, metadata=metadata)
        self._batch = Batch(self.batch_id, self._provider, [])
        ending = Ending(self._call)
        self._listener = asyncio.create_task(self._listen(self._call, self._batch, ending))
        opened = pb.ExecuteStreamRequest()
        opened.open.batch_id = self.batch_id
        opened.open.shape = _wire.shape(self._provider.shape)
        self._options.write(opened.open)
        await self._send(opened)

    async def _send(self, message: pb.ExecuteStreamRequest) -> bool:
        if self._broken is not None:
            return False
        try:
            await self._call.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            # Who listens knows better, or will.
            self._broken = self._broken or error
            return False
        return True

    async def _listen(self, call: Any, batch: Batch, ending: Ending) -> None:
        try:
            async for response in call:
                event = batch.apply(response.event)
                if event is not None:
                    self._see(event)
        except grpc.aio.AioRpcError as error:
            self._broken = await ending.said(error)
        else:
            if not batch.is_finished:
                self._broken = errors.Interrupted("the stream ended before the batch")

    async def _committed(self, batch: Batch, provider: Provider) -> Bundle:
        try:
            await self._call.write(pb.ExecuteStreamRequest(commit=pb.Commit()))
            await self._call.done_writing()
        except asyncio.InvalidStateError:
            # The stream was over before this: nothing can have taken the commit.
            return await self._uncommitted(provider)
        except grpc.aio.AioRpcError:
            # It broke meanwhile, and nobody knows on which side of the commit.
            pass
        if self._listener is not None:
            await self._listener
        if batch.is_finished:
            return batch.bundle()
        error = self._broken if isinstance(self._broken, grpc.aio.AioRpcError) else None
        if error and not batch.is_accepted:
            refused = _refusals.refusal(error)
            if refused is not None or _refusals.is_unsent(error):
                return await self._as_a_whole(provider)
        self._raise_fault(batch)
        events = interrupt(batch, error)
        for event in events:
            self._see(event)
        return batch.bundle()

    async def _uncommitted(self, provider: Provider) -> Bundle:
        """The stream has ended, and no commit was in it."""
        if self._listener is not None:
            await asyncio.wait((self._listener,), timeout=ANSWER_SECONDS_MAX)
        if self._batch is not None and self._batch.is_accepted:
            self._raise_fault(self._batch)
        return await self._as_a_whole(provider)

    def _raise_fault(self, batch: Batch) -> None:
        """A turn that was at fault never had its commit taken: no write has run."""
        if not isinstance(self._broken, grpc.aio.AioRpcError):
            return
        refused = _refusals.refusal(self._broken)
        if isinstance(refused, errors.InvalidRequest) and refused.reason == "INVALID":
            refused.bundle = refuse(batch, refused)
            raise refused

    async def _as_a_whole(self, provider: Provider) -> Bundle:
        """Runs the whole turn now, under an id of its own."""
        await self.discard()
        self._results.clear()
        blocks = []
        for index, begun in self._blocks.items():
            block = Block(begun.id, begun.name, begun.raw)
            blocks.append(provider.rebuilt(block, "".join(self._inputs[index])))
        remaining = None
        if self._deadline is not None:
            remaining = max(0.001, self._deadline - time.monotonic())
        options = self._options
        return await self._client.execute(
            blocks,
            session_id=options.session_id,
            references=options.references,
            ordering=options.ordering,
            timeout=remaining,
            call_timeout=options.call_timeout,
            shape=provider.shape,
            on_event=self._see,
        )


def _message(step: Step) -> pb.ExecuteStreamRequest:
    """A step as the sidecar is told of it."""
    message = pb.ExecuteStreamRequest()
    try:
        if isinstance(step, Begun):
            message.tool_use_begun.block = step.block
            use = message.tool_use_begun.tool_use
            # Another id, as some models write, is repeated from the block.
            use.id = step.id if WIRE_ID.fullmatch(step.id) else ""
            use.name, use.input_json = step.name, step.input_json
            message.tool_use_begun.block_json = dumps(step.raw)
        elif isinstance(step, Fragment):
            message.input_fragment.block = step.block
            message.input_fragment.json = step.json
        else:
            message.tool_use_ended.block = step.block
    except UnicodeEncodeError as error:
        raise errors.InvalidTurn(
            f"the turn holds half of a surrogate pair, which is no text: {error.reason}"
        ) from error
    return message


def _provider_of(event: Any) -> Provider | None:
    """Whose stream an event is of; nothing where it does not say."""
    if get(event, "tool_call_chunks") is not None:
        return PROVIDERS[model.Shape.LANGCHAIN]
    if get(event, "candidates") is not None:
        return PROVIDERS[model.Shape.GEMINI]
    if get(event, "choices") is not None or get(event, "chunk") is not None:
        return PROVIDERS[model.Shape.OPENAI_CHAT]
    kind = str(get(event, "type", "") or "")
    if kind.startswith("response."):
        return PROVIDERS[model.Shape.OPENAI_RESPONSES]
    if kind.startswith(("message_", "content_block_")):
        return PROVIDERS[model.Shape.ANTHROPIC]
    bedrock = ("messageStart", "contentBlockStart", "contentBlockDelta", "messageStop")
    if any(get(event, key) is not None for key in bedrock):
        return PROVIDERS[model.Shape.BEDROCK]
    return None
