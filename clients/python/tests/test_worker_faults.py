"""Tools that misbehave, and sidecars that do: the worker answers, and ends in time."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time

import pytest

import sidecall
from conftest import eventually, tool_use
from sidecall import AsyncSidecall, Context, FailureCode, Sidecall, Worker
from test_worker import scripted

__all__ = ["scripted"]


class Sulks(Exception):
    def __str__(self):
        raise KeyError("no words")


def rude(address):
    worker = Worker(address, session_id="s")

    @worker.tool(name="exits")
    def _exits() -> str:
        """Ends the process, it thinks."""
        sys.exit("enough")

    @worker.tool(name="exits_too")
    async def _exits_too() -> str:
        """Ends the process, it thinks."""
        sys.exit("enough")

    @worker.tool(name="stops")
    def _stops() -> str:
        """Raises what no future takes."""
        raise StopIteration("no more")

    @worker.tool(name="cancels_itself")
    async def _cancels() -> str:
        """Raises what its task would."""
        raise asyncio.CancelledError

    @worker.tool(name="sulks")
    async def _sulks() -> str:
        """Raises what cannot say itself."""
        raise Sulks

    @worker.tool(name="halves", effect="read_only")
    async def _halves(context: Context) -> str:
        """Gives half a character."""
        context.progress(message="\ud800")
        context.progress("much")
        return "a\ud800b"

    @worker.tool(name="halves_too")
    async def _halves_too() -> dict:
        """Gives half a character."""
        return {"a": "\ud800"}

    @worker.tool(name="fine")
    def _fine() -> str:
        """Ends."""
        return "fine"

    return worker


RUDE = {
    "exits": "SystemExit: enough",
    "exits_too": "SystemExit: enough",
    "stops": "StopIteration",
    "cancels_itself": "cancelled itself",
    "sulks": "Sulks",
    "halves": "a\ufffdb",
    "halves_too": '{"a": "\ufffd"}',
}


def turn_of(names):
    return [tool_use(number, name) for number, name in enumerate([*names, "fine"])]


async def test_whatever_a_tool_raises_or_gives_its_call_is_answered(sidecar):
    async with rude(sidecar.address), AsyncSidecall(sidecar.address) as client:
        turn = turn_of(RUDE)
        bundle = await asyncio.wait_for(client.execute(turn, session_id="s", timeout=15), 20)
        again = await client.execute([tool_use(1, "fine")], session_id="s", timeout=5)
    for name, result in zip(RUDE, bundle.results, strict=False):
        assert RUDE[name] in result.text or RUDE[name] in str(result.failure), result
        assert result.is_error is not name.startswith("halves")
    assert bundle.results[-1].text == again.results[0].text == "fine"


def test_a_tool_that_exits_ends_neither_the_agent_nor_its_worker(sidecar):
    ended = threading.Event()

    def agent():
        with rude(sidecar.address), Sidecall(sidecar.address) as client:
            for name in ("exits", "exits_too"):
                bundle = client.execute(turn_of([name]), session_id="s", timeout=10)
                assert bundle.results[1].text == "fine"
        ended.set()

    threading.Thread(target=agent, daemon=True).start()
    assert ended.wait(20)


async def test_a_worker_ends_in_time_whoever_does_not_read_it_any_more(sidecar):
    worker = Worker(sidecar.address, session_id="s", drain_timeout=0.5)
    begun, go = threading.Event(), threading.Event()

    @worker.tool
    def much() -> str:
        """More than a connection holds."""
        begun.set()
        go.wait(20)
        return "x" * (7 << 20)

    async with AsyncSidecall(sidecar.address) as client:
        await worker.__aenter__()
        task = asyncio.create_task(client.execute([tool_use(1, "much")], session_id="s"))
        await asyncio.to_thread(begun.wait, 20)
        os.kill(sidecar.process.pid, signal.SIGSTOP)
        go.set()
        began = time.monotonic()
        await asyncio.wait_for(worker.__aexit__(None, None, None), 20)
        assert time.monotonic() - began < 8
        os.kill(sidecar.process.pid, signal.SIGCONT)
        assert (await task).results[0].failure.code is FailureCode.OUTCOME_UNKNOWN


async def test_functions_that_hang_starve_no_other(sidecar):
    worker = Worker(sidecar.address, session_id="s", threads=2, drain_timeout=0.1)
    release = threading.Event()

    @worker.tool(effect="read_only")
    def hangs() -> str:
        """Heeds nobody."""
        release.wait(30)
        return "late"

    @worker.tool
    def fine() -> str:
        """Ends."""
        return "fine"

    async with worker, AsyncSidecall(sidecar.address) as client:
        turn = [tool_use(1, "hangs"), tool_use(2, "hangs")]
        bundle = await client.execute(turn, session_id="s", call_timeout=0.3)
        assert all(result.is_error for result in bundle.results)
        for _ in range(3):
            bundle = await client.execute([tool_use(1, "fine")], session_id="s", call_timeout=5)
            assert bundle.results[0].text == "fine"
        release.set()


async def test_a_worker_that_is_refused_when_it_comes_back_tries_again(scripted, caplog):
    import grpc

    from sidecall._proto import sidecall_pb2 as pb

    streams = []

    async def serve(requests, context):
        streams.append(context)
        async for request in requests:
            if request.HasField("hello"):
                if len(streams) in (2, 3):
                    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "another has it")
                yield pb.ServeToolsResponse(welcome=pb.WorkerWelcome())
                if len(streams) == 1:
                    return
            if request.HasField("drain"):
                return

    worker = Worker(await scripted(serve), session_id="s", drain_timeout=0.1)

    @worker.tool
    def tool() -> str:
        """A tool."""

    with caplog.at_level(logging.ERROR, "sidecall.worker"):
        async with worker:
            await eventually(lambda: len(streams) >= 4 and worker._welcomed.is_set())
    assert ["another has it" in record.message for record in caplog.records] == [True, True]


def test_a_worker_waits_only_so_long_for_a_sidecar(tmp_path):
    options = {"start_timeout": 0.5, "connect_timeout": 0.1}
    worker = Worker(f"unix://{tmp_path}/none.sock", session_id="s", **options)

    @worker.tool
    def tool() -> str:
        """A tool."""

    began = time.monotonic()
    with pytest.raises(sidecall.Unavailable, match=r"0\.5 s at unix:.*none\.sock"):
        worker.__enter__()
    assert time.monotonic() - began < 10
