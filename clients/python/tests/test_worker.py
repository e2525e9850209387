"""Functions of this process, called by a real sidecar."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
from typing import Annotated

import pytest

import sidecall
from conftest import eventually, tool_use, until
from sidecall import AsyncSidecall, Context, FailureCode, Outcome, Sidecall, ToolError, Worker


@dataclasses.dataclass
class Price:
    sku: str
    cents: int


def shop(address, **options):
    """A worker with a tool of each sort."""
    worker = Worker(address, **({"session_id": "s"} | options))

    @worker.tool(effect="read_only")
    async def price(sku: Annotated[str, "The article."]) -> Price:
        """What an article costs."""
        return Price(sku, 4200)

    @worker.tool
    def stock(sku: str, depot: str = "main") -> str:
        """How many there are."""
        return f"{threading.current_thread().name.startswith('sidecall-worker')} {sku} {depot}"

    @worker.tool
    def refuse(sku: str) -> str:
        """Says no."""
        raise ToolError(f"{sku} is not for sale")

    @worker.tool
    def broken() -> str:
        """Fails."""
        raise KeyError("cause")

    return worker


async def test_a_turn_calls_functions_of_this_process_beside_remote_tools(sidecar):
    async with shop(sidecar.address), AsyncSidecall(sidecar.address) as client:
        tools = await client.list_tools(session_id="s")
        assert {"price", "stock", "get_user"} <= set(tools.names)
        (price,) = [tool for tool in tools if tool["name"] == "price"]
        assert price["description"] == "What an article costs."
        assert price["input_schema"]["properties"]["sku"]["description"] == "The article."
        bundle = await client.execute(
            [
                tool_use(1, "price", sku="${get_user.name}"),
                tool_use(2, "stock", sku="b"),
                tool_use(3, "refuse", sku="c"),
                tool_use(4, "broken"),
                tool_use(5, "get_user", id="u"),
            ],
            session_id="s",
        )
    first, second, third, fourth, _ = bundle.results
    assert first.json() == {"sku": "Mara", "cents": 4200}
    assert second.text == "True b main"
    assert third.failure.code is FailureCode.TOOL_ERROR
    assert "c is not for sale" in third.text
    assert "KeyError: 'cause'" in fourth.text
    assert fourth.is_error


async def test_nobody_else_sees_the_tools_of_a_session(sidecar):
    async with shop(sidecar.address), AsyncSidecall(sidecar.address) as client:
        assert "price" not in (await client.list_tools(session_id="other")).names
        turn = [tool_use(1, "price", sku="a")]
        bundle = await client.execute(turn, session_id="other")
        planned, stranger = await client.plan(turn, session_id="s"), await client.plan(turn)
    assert bundle.results[0].failure.code is FailureCode.UNKNOWN_TOOL
    assert not planned.calls[0].fault
    assert stranger.calls[0].fault


async def test_shared_tools_are_everyones(sidecar):
    worker = shop(sidecar.address, session_id="", shared=True)
    async with worker, AsyncSidecall(sidecar.address) as client:
        bundle = await client.execute([tool_use(1, "price", sku="a")], session_id="anyone")
        assert bundle.results[0].outcome is Outcome.SUCCEEDED
    async with AsyncSidecall(sidecar.address) as client:
        bundle = await client.execute([tool_use(1, "price", sku="a")])
    assert bundle.results[0].is_error


def test_a_worker_without_asyncio(sidecar):
    with shop(sidecar.address), Sidecall(sidecar.address) as client:
        turn = [tool_use(1, "price", sku="a")]
        assert not client.plan(turn, session_id="s").calls[0].fault
        bundle = client.execute(turn, session_id="s")
    assert bundle.results[0].json()["cents"] == 4200


async def test_progress_arrives_and_a_cancelled_function_is_told(sidecar):
    worker = Worker(sidecar.address, session_id="s")
    ended = []

    @worker.tool
    def slow(context: Context) -> str:
        """Takes its time."""
        assert context.session_id == "s"
        assert context.remaining > 0
        context.progress(1, 2, "half")
        try:
            context.sleep(30)
        finally:
            ended.append(context.cancelled)

    @worker.tool
    async def slow_too(context: Context) -> str:
        """Takes its time."""
        context.progress(message="at it")
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(context.cancelled)

    said = {}
    async with worker, AsyncSidecall(sidecar.address) as client:
        turn = [tool_use(1, "slow"), tool_use(2, "slow_too")]
        events = client.events(turn, session_id="s", batch_id="b")
        async for event in events:
            if isinstance(event, sidecall.Progress):
                said[event.call_id] = (event.done, event.total, event.message)
                if len(said) == 2:
                    await client.cancel("b")
            if isinstance(event, sidecall.Done):
                bundle = event.bundle
        assert said == {"toolu_1": (1, 2, "half"), "toolu_2": (None, None, "at it")}
        # Neither is read_only, and both had begun.
        assert all(result.is_error for result in bundle.results)
        await asyncio.to_thread(until, lambda: len(ended) == 2)
    assert ended == [True, True]


async def test_a_worker_that_ends_ends_its_calls_first(sidecar):
    worker = Worker(sidecar.address, session_id="s")
    begun, go = asyncio.Event(), asyncio.Event()

    @worker.tool
    async def waits() -> str:
        """Waits."""
        begun.set()
        await go.wait()
        return "done"

    async with AsyncSidecall(sidecar.address) as client:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(worker)
            task = asyncio.create_task(client.execute([tool_use(1, "waits")], session_id="s"))
            await begun.wait()
            asyncio.get_running_loop().call_later(0.1, go.set)
        bundle = await task
    assert bundle.results[0].text == "done"


async def test_a_worker_comes_back_when_the_sidecar_does(sidecar):
    async with shop(sidecar.address) as worker, AsyncSidecall(sidecar.address) as client:
        await asyncio.to_thread(sidecar.kill)
        await eventually(lambda: not worker._welcomed.is_set())
        await asyncio.to_thread(sidecar.start)
        await asyncio.wait_for(worker._welcomed.wait(), 20)
        bundle = await client.execute([tool_use(1, "price", sku="a")], session_id="s")
        assert bundle.results[0].json()["cents"] == 4200


async def test_a_worker_that_the_sidecar_does_not_take_is_refused(sidecar):
    worker = Worker(sidecar.address, session_id="not valid")

    @worker.tool
    def tool() -> str:
        """A tool."""

    with pytest.raises(sidecall.Refused):
        await worker.__aenter__()


async def test_a_worker_without_tools_is_refused():
    with pytest.raises(ValueError, match="nothing to offer"):
        await Worker(session_id="s").serve()


AGENT = """
import sys, time
from sidecall import Worker
worker = Worker(sys.argv[1], shared=True)

@worker.tool(effect=sys.argv[2])
def sleeps() -> str:
    '''Never ends in time.'''
    print("begun", flush=True)
    time.sleep(60)

@worker.tool
def quick() -> str:
    '''Ends.'''
    return "quick"

worker.run()
print("ended", flush=True)
"""


@pytest.fixture
def agent(sidecar):
    made = []

    def make(effect):
        process = subprocess.Popen(
            [sys.executable, "-c", AGENT, sidecar.address, effect],
            stdout=subprocess.PIPE,
            text=True,
        )
        made.append(process)
        with Sidecall(sidecar.address) as client:
            until(lambda: "sleeps" in client.list_tools().names)
        return process

    yield make
    for process in made:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("effect", "code"),
    [("at_most_once", FailureCode.OUTCOME_UNKNOWN), ("read_only", FailureCode.WORKER_LOST)],
)
def test_a_worker_that_dies_leaves_its_calls_with_a_result(sidecar, agent, effect, code):
    process = agent(effect)
    with Sidecall(sidecar.address) as client:
        events = client.events([tool_use(1, "sleeps")], call_timeout=10)
        for event in events:
            if isinstance(event, sidecall.Started):
                assert process.stdout.readline() == "begun\n"
                process.kill()
            if isinstance(event, sidecall.Done):
                bundle = event.bundle
    assert bundle.interrupted is None
    assert bundle.results[0].failure.code is code


def test_a_worker_that_is_told_to_ends_by_itself(sidecar, agent):
    process = agent("read_only")
    with Sidecall(sidecar.address) as client:
        assert client.execute([tool_use(1, "quick")]).results[0].text == "quick"
    os.kill(process.pid, signal.SIGTERM)
    assert process.communicate(timeout=20)[0] == "ended\n"
    assert process.returncode == 0


async def test_a_worker_that_vanishes_in_the_middle_leaves_a_result_each_time(sidecar):
    """Not read_only: it may have taken effect, and nobody knows."""
    begun = asyncio.Event()

    def made():
        worker = Worker(sidecar.address, session_id="s", name="one")

        @worker.tool
        async def hangs() -> str:
            """Never ends."""
            begun.set()
            await asyncio.Event().wait()

        return worker

    async with AsyncSidecall(sidecar.address) as client:
        for _ in range(50):
            begun.clear()
            worker = await made().__aenter__()
            task = asyncio.create_task(client.execute([tool_use(1, "hangs")], session_id="s"))
            await asyncio.wait_for(begun.wait(), 20)
            worker._task.cancel()
            bundle = await asyncio.wait_for(task, 20)
            assert bundle.results[0].failure.code is FailureCode.OUTCOME_UNKNOWN
            assert len(bundle) == 1
            await asyncio.gather(worker._task, return_exceptions=True)


@pytest.fixture
async def scripted(tmp_path):
    """A server of the test's own, for what a real one does only after long."""
    import grpc

    from sidecall._proto import sidecall_pb2 as pb

    servers = []

    async def start(serve):
        method = grpc.stream_stream_rpc_method_handler(
            serve,
            request_deserializer=pb.ServeToolsRequest.FromString,
            response_serializer=pb.ServeToolsResponse.SerializeToString,
        )
        server = grpc.aio.server()
        name = "sidecall.v1.SidecallService"
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(name, {"ServeTools": method})]
        )
        address = f"unix://{tmp_path}/scripted.sock"
        server.add_insecure_port(address)
        await server.start()
        servers.append(server)
        return address

    yield start
    for server in servers:
        await server.stop(None)


async def test_a_worker_leaves_a_sidecar_that_says_nothing_any_more(scripted):
    from sidecall._proto import sidecall_pb2 as pb

    streams, ended = 0, asyncio.Event()

    async def serve(requests, context):
        nonlocal streams
        streams += 1
        async for request in requests:
            if request.HasField("hello"):
                welcome = pb.WorkerWelcome()
                welcome.heartbeat.FromMilliseconds(100)
                yield pb.ServeToolsResponse(welcome=welcome)
                attempt = pb.WorkerAttempt(attempt_id=1, tool="hangs", input_json="{}")
                yield pb.ServeToolsResponse(attempt=attempt)

    worker = Worker(await scripted(serve), session_id="s", drain_timeout=0.1)

    @worker.tool
    async def hangs() -> str:
        """Never ends."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with worker:
        await asyncio.wait_for(ended.wait(), 20)
        await eventually(lambda: streams > 1)


async def test_a_worker_says_that_it_is_alive_and_sends_only_the_last_of_its_progress(scripted):
    from sidecall._proto import sidecall_pb2 as pb

    heard, told, done = [], asyncio.Event(), asyncio.Event()

    async def serve(requests, context):
        async for request in requests:
            kind = request.WhichOneof("message")
            heard.append(request)
            if kind == "hello":
                yield pb.ServeToolsResponse(welcome=pb.WorkerWelcome())
                yield pb.ServeToolsResponse(heartbeat=pb.WorkerHeartbeat())
                # One that it does not offer, one that is cancelled, one that runs.
                for number, tool in enumerate(("nothing", "counts", "counts")):
                    text = f'{{"until_cancelled": {"true" if number == 1 else "false"}}}'
                    attempt = pb.WorkerAttempt(attempt_id=number, tool=tool, input_json=text)
                    yield pb.ServeToolsResponse(attempt=attempt)
                yield pb.ServeToolsResponse(cancel=pb.WorkerCancel(attempt_id=1))
            if kind == "progress" and request.progress.attempt_id == 2:
                told.set()
            if kind == "result" and request.result.attempt_id == 2:
                done.set()
            if kind == "drain":
                return

    worker = Worker(await scripted(serve), session_id="s", attempts_max=7)

    @worker.tool
    async def counts(until_cancelled: bool, context: Context) -> str:
        """Counts."""
        for n in range(1000):
            context.progress(n, 1000)
        await (asyncio.Event() if until_cancelled else told).wait()
        return "done"

    async with worker:
        await asyncio.wait_for(done.wait(), 20)
    kinds = [one.WhichOneof("message") for one in heard]
    assert kinds[0] == "hello"
    assert heard[0].hello.attempts_max == 7
    assert kinds[-1] == "drain"
    assert "heartbeat" in kinds
    results = {one.result.attempt_id: one.result for one in heard if one.HasField("result")}
    assert set(results) == {0, 2}, "what was cancelled is not answered"
    assert results[0].is_error
    assert results[2].content[0].text == "done"
    progress = [one.progress for one in heard if one.HasField("progress")]
    assert [one.done for one in progress if one.attempt_id == 2] == [999]


async def test_a_result_that_is_too_large_is_said_to_be(scripted):
    from sidecall._proto import sidecall_pb2 as pb

    heard, done = [], asyncio.Event()

    async def serve(requests, context):
        async for request in requests:
            if request.HasField("hello"):
                yield pb.ServeToolsResponse(welcome=pb.WorkerWelcome())
                attempt = pb.WorkerAttempt(attempt_id=1, tool="much", input_json="{}")
                yield pb.ServeToolsResponse(attempt=attempt)
            if request.HasField("result"):
                heard.append(request.result)
                done.set()
            if request.HasField("drain"):
                return

    worker = Worker(await scripted(serve), session_id="s")

    @worker.tool
    def much() -> str:
        """Gives too much."""
        return "x" * (9 << 20)

    async with worker:
        await asyncio.wait_for(done.wait(), 20)
    assert heard[0].is_error
    assert "ask for less" in heard[0].content[0].text
