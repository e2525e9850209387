"""The threads in which functions run that are not ``async``."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# What a function gave, or what it raised: as a value, since a thread that lets a
# `SystemExit` out ends without a word.
Ended = tuple[Any, BaseException | None]


class Threads:
    """So many functions at once, each in a thread.

    A thread cannot be ended from outside. One whose call was cancelled is abandoned,
    and another takes its place, so that what hangs starves nothing else. Of abandoned
    ones there are at most as many; beyond, the place is free when the function ends.
    """

    def __init__(self, most: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._most = most
        self._places = asyncio.Semaphore(most)
        self._idle: list[Thread] = []
        self._running: set[asyncio.Future[Ended]] = set()
        self._abandoned: set[Thread] = set()
        self._made = 0
        self._is_closed = False

    async def run(self, function: Callable[[], Any]) -> Any:
        """Runs it; gives what it gives, and raises what it raises."""
        await self._places.acquire()
        try:
            thread = self._idle.pop() if self._idle else self._another()
        except BaseException:
            self._places.release()
            raise
        future: asyncio.Future[Ended] = self._loop.create_future()
        self._running.add(future)
        thread.work.put((function, future))
        try:
            value, error = await future
        except asyncio.CancelledError:
            # It may have ended in the meantime.
            if future in self._running and len(self._abandoned) < self._most:
                self._abandoned.add(thread)
                self._places.release()
            raise
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Lets the threads end; nobody waits for those that run."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().work.put(None)

    def _another(self) -> Thread:
        self._made += 1
        return Thread(f"sidecall-worker_{self._made}", self._told)

    def _told(self, thread: Thread, future: asyncio.Future[Ended], ended: Ended) -> None:
        """From the thread itself."""
        with contextlib.suppress(RuntimeError):  # The loop has ended before the function.
            self._loop.call_soon_threadsafe(self._end, thread, future, ended)
            return
        thread.work.put(None)

    def _end(self, thread: Thread, future: asyncio.Future[Ended], ended: Ended) -> None:
        self._running.discard(future)
        if not future.done():
            future.set_result(ended)
        if thread in self._abandoned:
            self._abandoned.remove(thread)
            thread.work.put(None)
            return
        self._places.release()
        if self._is_closed:
            thread.work.put(None)
        else:
            self._idle.append(thread)


class Thread:
    """One thread. Not one that the interpreter waits for at its end."""

    def __init__(
        self, name: str, told: Callable[[Thread, asyncio.Future[Ended], Ended], None]
    ) -> None:
        # One function at a time: the next is put in when the last has ended.
        self.work: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Ended]] | None] = (
            queue.SimpleQueue()
        )
        self._told = told
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        while (work := self.work.get()) is not None:
            function, future = work
            try:
                ended: Ended = (function(), None)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is told.
                ended = (None, error)
            self._told(self, future, ended)
            del work, function, future, ended
