"""What a tool's function knows of the call that it runs for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidecall._proto import sidecall_pb2 as pb


class Cancelled(Exception):
    """Nobody waits for the call any more."""


class Context:
    """The call that a function runs for: a parameter of this type is given it.

    Attributes:
        tool: The tool's name.
        call_id: The call.
        batch_id: Its batch.
        session_id: Its session.
        attempt: 1 for the first.
        idempotency_key: Of a ``keyed`` tool: the same over all attempts of the call.

    """

    def __init__(self, attempt: pb.WorkerAttempt, report: Callable[[int, Progress], None]) -> None:
        self._id = attempt.attempt_id
        self._report = report
        self._cancelled = threading.Event()
        timeout = attempt.timeout
        seconds = timeout.seconds + timeout.nanos / 1e9
        self._until = time.monotonic() + seconds if seconds else None
        self.tool = attempt.tool
        self.call_id = attempt.call_id
        self.batch_id = attempt.batch_id
        self.session_id = attempt.session_id
        self.attempt = attempt.number
        self.idempotency_key = attempt.idempotency_key

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more; a function with loops looks now and then.

        An ``async`` function is cancelled as any task is.
        """
        return self._cancelled.is_set()

    @property
    def remaining(self) -> float | None:
        """Seconds that are left."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    def progress(
        self, done: float | None = None, total: float | None = None, message: str = ""
    ) -> None:
        """Says how far it is; never waits. Of several at once the last is sent.

        Raises:
            Cancelled: Nobody waits for the result any more, in a function that is not
                ``async``: a good moment to stop.

        """
        if self._cancelled.is_set():
            raise Cancelled
        self._report(self._id, (done, total, message))

    def sleep(self, seconds: float) -> None:
        """Waits, in a function that is not ``async``, unless it is cancelled meanwhile.

        Raises:
            Cancelled: It was.

        """
        if self._cancelled.wait(seconds):
            raise Cancelled

    def cancel(self) -> None:
        """Says that nobody waits any more."""
        self._cancelled.set()


Progress = tuple[float | None, float | None, str]
