"""The threads of functions that are not ``async``."""

import asyncio
import threading

import pytest

from sidecall.worker.threads import Threads


async def test_of_functions_that_hang_only_so_many_are_abandoned():
    threads, go = Threads(1), threading.Event()
    begun: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def hang(number):
        loop.call_soon_threadsafe(begun.put_nowait, number)
        assert go.wait(20)
        return number

    async def cancelled(number):
        task = asyncio.create_task(threads.run(lambda: hang(number)))
        assert await asyncio.wait_for(begun.get(), 20) == number
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    await cancelled(1)
    # Another has taken its place; that one is not abandoned too.
    await cancelled(2)
    third = asyncio.create_task(threads.run(lambda: hang(3)))
    done, _ = await asyncio.wait((third,), timeout=0.05)
    assert not done
    assert begun.empty(), "there is no third thread"
    go.set()
    assert await asyncio.wait_for(third, 20) == 3
    threads.close()
