"""The attempts that a worker runs for one stream."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import TYPE_CHECKING, Any

from sidecall import _wire
from sidecall._proto import sidecall_pb2 as pb
from sidecall.errors import ToolError
from sidecall.model import Content, Text
from sidecall.worker.context import Cancelled, Context, Progress
from sidecall.worker.values import contents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from sidecall.worker.threads import Threads
    from sidecall.worker.tool import Tool

try:
    from opentelemetry import context as otel
    from opentelemetry import propagate
except ImportError:  # The optional extra.
    otel = None  # type: ignore[assignment]

logger = logging.getLogger("sidecall.worker")

# The sidecar takes no larger result of a worker.
RESULT_BYTES_MAX = 8 << 20


class Attempts:
    """What runs, and what is to be told of it."""

    def __init__(self, tools: Mapping[str, Tool], threads: Threads) -> None:
        self._tools = tools
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._running: dict[int, tuple[asyncio.Task[None], Context]] = {}
        # The latest of each attempt: a slow stream holds up no function.
        self._progress: dict[int, Progress] = {}
        # One result for each attempt, and the server bounds those; of progress one mark.
        self.outgoing: asyncio.Queue[pb.ServeToolsRequest | int] = asyncio.Queue()

    def begin(self, attempt: pb.WorkerAttempt) -> None:
        """Runs an attempt."""
        context = Context(attempt, self._report)
        task = self._loop.create_task(self._run(attempt, context))
        self._running[attempt.attempt_id] = (task, context)
        task.add_done_callback(lambda _: self._running.pop(attempt.attempt_id, None))

    def cancel(self, attempt_id: int) -> None:
        """Ends an attempt that nobody waits for."""
        task, context = self._running.get(attempt_id, (None, None))
        if task is not None and context is not None:
            context.cancel()
            task.cancel()

    def cancel_all(self) -> None:
        """Ends them all."""
        for attempt_id in list(self._running):
            self.cancel(attempt_id)

    async def ended(self, timeout: float) -> None:
        """Waits until none runs; those that run on after that time are cancelled."""
        tasks = [task for task, _ in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)
        self.cancel_all()

    def message(self, outgoing: pb.ServeToolsRequest | int) -> pb.ServeToolsRequest | None:
        """What is to be sent: of progress, the latest."""
        if isinstance(outgoing, pb.ServeToolsRequest):
            return outgoing
        progress = self._progress.pop(outgoing, None)
        if progress is None:
            return None
        done, total, words = progress
        try:
            message = pb.WorkerProgress(attempt_id=outgoing, message=_wire.well(words))
            if done is not None:
                message.done = done
            if total is not None:
                message.total = total
        except (TypeError, ValueError) as error:
            logger.warning("A tool's progress is none, and was left out: %s", error)
            return None
        return pb.ServeToolsRequest(progress=message)

    def _report(self, attempt_id: int, progress: Progress) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._take, attempt_id, progress)

    def _take(self, attempt_id: int, progress: Progress) -> None:
        if attempt_id not in self._running:
            return
        is_marked = attempt_id in self._progress
        self._progress[attempt_id] = progress
        if not is_marked:
            self.outgoing.put_nowait(attempt_id)

    async def _run(self, attempt: pb.WorkerAttempt, context: Context) -> None:
        """Answers, whatever becomes of the function: the sidecar waits for that."""
        try:
            result = self._result(attempt, *await self._blocks(attempt, context))
        except GeneratorExit:  # The loop has ended; there is nobody to answer.
            raise
        except asyncio.CancelledError:
            if context.cancelled:
                raise
            result = self._failed(attempt, "the tool cancelled itself")
        except BaseException as error:
            # A `SystemExit` too: it is the call's end, not the agent's.
            logger.exception("Tool %s failed in call %s.", attempt.tool, attempt.call_id)
            result = self._failed(attempt, described(error))
            if isinstance(error, KeyboardInterrupt):
                self._answer(context, result)
                raise
        self._answer(context, result)

    def _answer(self, context: Context, result: pb.WorkerResult) -> None:
        if context.cancelled:
            return
        self._progress.pop(result.attempt_id, None)
        self.outgoing.put_nowait(pb.ServeToolsRequest(result=result))

    def _result(
        self, attempt: pb.WorkerAttempt, blocks: list[Content], is_error: bool
    ) -> pb.WorkerResult:
        result = pb.WorkerResult(
            attempt_id=attempt.attempt_id,
            content=[_wire.content_message(block) for block in blocks],
            is_error=is_error,
        )
        if result.ByteSize() > RESULT_BYTES_MAX:
            return self._failed(
                attempt,
                f"{attempt.tool} gave {result.ByteSize()} bytes, and a worker's result has at "
                f"most {RESULT_BYTES_MAX}: ask for less",
            )
        return result

    def _failed(self, attempt: pb.WorkerAttempt, words: str) -> pb.WorkerResult:
        content = [pb.Content(text=_wire.well(words))]
        return pb.WorkerResult(attempt_id=attempt.attempt_id, content=content, is_error=True)

    async def _blocks(
        self, attempt: pb.WorkerAttempt, context: Context
    ) -> tuple[list[Content], bool]:
        tool = self._tools.get(attempt.tool)
        if tool is None:
            return [Text(f"this worker has no tool {attempt.tool}")], True
        try:
            arguments = tool.arguments(attempt.input_json, context)
        except ValueError as error:
            return [Text(f"invalid input: {error}")], True
        try:
            with traced(attempt.context):
                if tool.is_async:
                    value = await tool.function(**arguments)
                else:
                    held = contextvars.copy_context()
                    value = await self._threads.run(lambda: held.run(tool.function, **arguments))
            return contents(value), False
        except ToolError as error:
            return [Text(str(error) or "the tool said no")], True
        except Cancelled:
            return [Text("cancelled")], True


def described(error: BaseException) -> str:
    """What the model reads of it; an exception of a tool's may fail in saying itself."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - whatever its `__str__` raises.
        return type(error).__name__


class traced:  # noqa: N801 - used as a function.
    """The caller's trace as the current context, for as long as the block runs."""

    def __init__(self, carrier: Mapping[str, str]) -> None:
        self._carrier = dict(carrier)
        self._token: Any = None

    def __enter__(self) -> None:
        if otel is not None and self._carrier:
            self._token = otel.attach(propagate.extract(self._carrier))

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            otel.detach(self._token)


if TYPE_CHECKING:
    _: type[AbstractContextManager[None]] = traced
