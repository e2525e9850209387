"""What is raised, what is sent again, and what happens when the sidecar dies."""

import asyncio
import os
import signal
import threading
import time

import grpc
import grpc.aio
import pytest
from anthropic.types import MessageParam
from pydantic import TypeAdapter

import sidecall
from conftest import tool_use, until
from sidecall import AsyncSidecall, FailureCode, Outcome, Sidecall, _refusals

# Kept, since what it validates lazily needs it.
MESSAGE = TypeAdapter(MessageParam)
TURN = [tool_use(1, "get_user", id="u")]


def test_a_refused_turn_names_each_fault(sidecar):
    turn = [tool_use(1, "get_user"), tool_use(1, "get_user"), {"type": "tool_use", "id": "t"}]
    with Sidecall(sidecar.address) as client, pytest.raises(sidecall.InvalidRequest) as caught:
        client.execute(turn)
    fields = [violation.field for violation in caught.value.violations]
    assert fields == ["anthropic_json[1].id", "anthropic_json[2].name"]
    assert caught.value.status == "INVALID_ARGUMENT"
    assert caught.value.reason == "INVALID"
    assert "mend" in str(caught.value)


def test_the_id_of_another_turn_is_refused(sidecar):
    with Sidecall(sidecar.address) as client:
        client.execute(TURN, batch_id="b")
        with pytest.raises(sidecall.BatchExists) as caught:
            client.execute(TURN, batch_id="b")
    assert caught.value.reason == "BATCH_FINISHED"


def test_no_sidecar_is_said_with_the_address_and_nothing_is_sent(tmp_path):
    client = Sidecall(f"unix://{tmp_path}/none.sock", connect_timeout=0.2)
    began = time.monotonic()
    with pytest.raises(sidecall.Unavailable, match=r"none\.sock.*SIDECALL_ADDRESS"):
        client.execute(TURN)
    assert 0.2 <= time.monotonic() - began < 5
    client.close()


async def test_a_sidecar_that_comes_later_is_waited_for(sidecars):
    sidecar = sidecars(start=False)
    async with AsyncSidecall(sidecar.address, connect_timeout=20) as client:
        task = asyncio.create_task(client.execute(TURN))
        await asyncio.to_thread(sidecar.start)
        assert (await task).results[0].outcome is Outcome.SUCCEEDED


async def test_a_sidecar_that_was_restarted_is_found_again(sidecar):
    async with AsyncSidecall(sidecar.address) as client:
        await client.execute(TURN)
        await asyncio.to_thread(sidecar.kill)
        await asyncio.to_thread(sidecar.start)
        assert (await client.execute(TURN)).interrupted is None


async def test_a_turn_refused_for_now_is_sent_again_until_it_is_taken(sidecars, world):
    sidecar = sidecars("bounds: {batches: 1}")
    async with AsyncSidecall(sidecar.address) as client:
        first = asyncio.create_task(client.execute([tool_use(1, "hang")]))
        await asyncio.to_thread(world.wait_for, 1)
        second = asyncio.create_task(client.execute(TURN, batch_id="b-2"))
        # It is refused while the first holds the only place.
        async with AsyncSidecall(sidecar.address, resend_for=0.0) as impatient:
            with pytest.raises(sidecall.Exhausted) as caught:
                await impatient.execute(TURN)
        assert caught.value.retry_after > 0
        world.released.set()
        assert (await first).results[0].outcome is Outcome.SUCCEEDED
        bundle = await second
    assert bundle.batch_id == "b-2"
    assert world.count("/users/") == 1


class GoesBeforeSending:
    """A token, which is asked for between the look at the connection and the sending."""

    def __init__(self, sidecar, then):
        self.sidecar, self.then, self.client, self.is_armed = sidecar, then, None, False

    def __call__(self):
        if self.is_armed:
            self.is_armed = False
            self.sidecar.kill()
            (connection,) = self.client._connections.values()
            until(lambda: connection.channel.get_state() is not grpc.ChannelConnectivity.READY)
            self.then()
        return "t"


async def test_a_turn_whose_connection_goes_just_before_it_is_sent_was_not(sidecar, world):
    goes = GoesBeforeSending(sidecar, lambda: None)
    async with AsyncSidecall(sidecar.address, token=goes, connect_timeout=1) as client:
        await client.status()
        goes.client, goes.is_armed = client, True
        with pytest.raises(sidecall.Unavailable, match="nothing was sent") as caught:
            await client.execute([tool_use(1, "hang_write")])
    assert {one.failure.code for one in caught.value.bundle.results} == {FailureCode.UNAVAILABLE}


async def test_a_turn_whose_connection_goes_just_before_it_is_sent_is_sent_to_the_next(
    sidecar, world
):
    world.released.set()
    goes = GoesBeforeSending(sidecar, lambda: threading.Thread(target=sidecar.start).start())
    async with AsyncSidecall(sidecar.address, token=goes, connect_timeout=20) as client:
        await client.status()
        goes.client, goes.is_armed = client, True
        bundle = await client.execute([tool_use(1, "hang_write")])
    assert bundle.interrupted is None
    assert bundle.results[0].outcome is Outcome.SUCCEEDED
    assert world.count("/hang") == 1


@pytest.mark.parametrize(
    ("said", "trailers", "is_unsent"),
    [
        ("failed to connect to all addresses; last error: x", (), True),
        ("failed to connect to all addresses; last error: x", (("date", "x"),), False),
        ("Socket closed", (), False),
    ],
)
def test_only_grpcs_own_word_proves_that_nothing_was_sent(said, trailers, is_unsent):
    unavailable = grpc.StatusCode.UNAVAILABLE
    error = grpc.aio.AioRpcError(
        unavailable, grpc.aio.Metadata(), grpc.aio.Metadata(*trailers), said
    )
    assert _refusals.is_unsent(error) is is_unsent


async def test_a_sidecar_that_dies_leaves_a_whole_bundle(sidecar, world):
    turn = [
        tool_use(1, "get_user", id="u"),
        tool_use(2, "hang"),
        tool_use(3, "hang_write"),
        tool_use(4, "fail"),
        tool_use(5, "get_user", id="${fail.id}"),
        tool_use(6, "no_such_tool"),
    ]
    async with AsyncSidecall(sidecar.address) as client:
        ended = set()
        async for event in client.events(turn):
            if isinstance(event, sidecall.Finished):
                ended.add(event.result.call_id)
            if len(ended) == 4:
                await asyncio.to_thread(world.wait_for, 2, "/hang")
                sidecar.kill()
                ended.add("killed")
            if isinstance(event, sidecall.Done):
                bundle = event.bundle
    assert isinstance(bundle.interrupted, sidecall.Interrupted)
    assert [item["tool_use_id"] for item in bundle] == [f"toolu_{n}" for n in range(1, 7)]
    codes = [result.failure.code if result.failure else None for result in bundle.results]
    assert codes == [
        None,
        FailureCode.UNAVAILABLE,
        FailureCode.OUTCOME_UNKNOWN,
        FailureCode.TOOL_ERROR,
        FailureCode.DEPENDENCY_FAILED,
        FailureCode.UNKNOWN_TOOL,
    ]
    assert [result.is_synthetic for result in bundle.results] == [False, True, True] + [False] * 3
    assert [item.get("is_error", False) for item in bundle] == [False] + [True] * 5
    assert world.count("/hang") == 2, "nothing was sent again"


async def test_a_sidecar_that_hangs_is_given_up_at_the_deadline(sidecar, world):
    async with AsyncSidecall(sidecar.address) as client:
        task = asyncio.create_task(client.execute([tool_use(1, "hang_write")], timeout=2.0))
        await asyncio.to_thread(world.wait_for, 1)
        os.kill(sidecar.process.pid, signal.SIGSTOP)
        began = time.monotonic()
        bundle = await task
    assert time.monotonic() - began < 4
    assert bundle.interrupted
    assert bundle.results[0].failure.code is FailureCode.OUTCOME_UNKNOWN


async def test_what_dies_before_it_accepted_is_unknown_for_every_call(tmp_path):
    """A peer that takes the request and closes without a word."""
    path = tmp_path / "s.sock"

    async def swallow(reader, writer):
        # Its preface and settings, so that the connection stands.
        writer.write(b"\0\0\0\4\0\0\0\0\0")
        got = b""
        while b"toolu_1" not in got:
            got += await reader.read(65536)
        writer.close()

    server = await asyncio.start_unix_server(swallow, path)
    async with AsyncSidecall(f"unix://{path}") as client:
        bundle = await client.execute(TURN)
    server.close()
    assert bundle.results[0].failure.code is FailureCode.OUTCOME_UNKNOWN
    assert bundle[0]["is_error"]


def test_a_token_never_travels_in_the_clear():
    with pytest.raises(ValueError, match="https://"):
        Sidecall("http://sidecar.example:7070", token="t")
    Sidecall("http://127.0.0.1:7070", token="t").close()


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/run/s.sock", "unix:///run/s.sock"),
        ("unix:/run/s.sock", "unix:/run/s.sock"),
        ("http://127.0.0.1:7070", "127.0.0.1:7070"),
        ("sidecar:7070", "sidecar:7070"),
        ("https://sidecar.example", "sidecar.example:443"),
    ],
)
def test_addresses(text, target):
    assert sidecall._address.Address.parse(text).target == target


@pytest.mark.parametrize("text", ["unix://run/s.sock", "sidecar", "http://x:7070/path"])
def test_what_is_no_address_is_refused_with_what_would_be(text):
    with pytest.raises(ValueError, match="write unix:///"):
        sidecall._address.Address.parse(text)


def test_the_address_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("SIDECALL_ADDRESS", "unix:///tmp/x.sock")
    assert Sidecall().address == "unix:///tmp/x.sock"
    monkeypatch.delenv("SIDECALL_ADDRESS")
    assert Sidecall().address == "unix:///run/sidecall/sidecall.sock"


@pytest.mark.parametrize("events", range(0, 14, 2))
async def test_a_sidecar_killed_at_any_moment_leaves_a_whole_bundle(sidecar, world, events):
    world.released.set()
    turn = [tool_use(n, name, n=n) for n, name in enumerate(["hang", "hang_write", "hang_keyed"])]
    turn += [tool_use(3, "get_user", id="u"), tool_use(4, "list_orders", user="${get_user.id}")]
    async with AsyncSidecall(sidecar.address, connect_timeout=2) as client:
        await client.status()
        if events == 0:
            asyncio.get_running_loop().call_soon(sidecar.kill)
        seen = 0
        try:
            async for event in client.events(turn):
                seen += 1
                if seen == events:
                    sidecar.kill()
                if isinstance(event, sidecall.Done):
                    bundle = event.bundle
        except sidecall.Unavailable as error:
            # It was gone before anything was sent, which is proven.
            assert events == 0
            assert world.requests == []
            bundle = error.bundle
    assert [item["tool_use_id"] for item in bundle] == [f"toolu_{n}" for n in range(5)]
    message = MESSAGE.validate_python(bundle.message)
    assert len(list(message["content"])) == 5
    for result, effect in zip(bundle.results, "rwkrr", strict=True):
        if result.is_synthetic:
            wanted = {FailureCode.OUTCOME_UNKNOWN}
            if bundle.interrupted is None or (effect != "w" and bundle.plan is not None):
                wanted = {FailureCode.UNAVAILABLE}
            assert result.failure.code in wanted


async def test_a_turn_that_never_ran_has_results_for_an_agent_that_goes_on(tmp_path, sidecar):
    turn = [tool_use(1, "get_user", id="u"), tool_use(2, "hang_write")]
    client = AsyncSidecall(f"unix://{tmp_path}/none.sock", connect_timeout=0.1)
    with pytest.raises(sidecall.Unavailable) as caught:
        await client.execute(turn)
    bundle = caught.value.bundle
    assert len(list(MESSAGE.validate_python(bundle.message)["content"])) == 2
    assert {result.failure.code for result in bundle.results} == {FailureCode.UNAVAILABLE}
    assert "none.sock" not in str(list(bundle)), "addresses are not for the model"
    async with AsyncSidecall(sidecar.address) as client:
        with pytest.raises(sidecall.InvalidRequest) as caught:
            await client.execute(turn, session_id="not valid")
    codes = {result.failure.code for result in caught.value.bundle.results}
    assert codes == {FailureCode.INVALID_INPUT}


def test_a_refused_turns_results_say_which_call_is_at_fault(sidecar):
    turn = [{"type": "text", "text": "x"}, tool_use(1, "get_user", id="u"), tool_use(2, "")]
    with Sidecall(sidecar.address) as client, pytest.raises(sidecall.InvalidRequest) as caught:
        client.execute(turn)
    (violation,) = caught.value.violations
    first, second = caught.value.bundle.results
    assert violation.description in second.failure.message
    assert violation.description not in first.failure.message


@pytest.mark.parametrize("bad", ["a\ud800", float("nan")])
async def test_an_input_that_is_no_json_is_an_invalid_turn_with_results(tmp_path, bad):
    turns = [[tool_use(1, "a", x=bad)], [sidecall.ToolUse("a", {"x": bad})]]
    async with AsyncSidecall(f"unix://{tmp_path}/none.sock") as client:
        for turn in turns:
            with pytest.raises(sidecall.InvalidTurn) as caught:
                await client.execute(turn)
            assert len(caught.value.bundle) == 1


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
async def test_a_time_that_is_none_is_refused_before_anything_is_sent(tmp_path, timeout):
    async with AsyncSidecall(f"unix://{tmp_path}/none.sock") as client:
        with pytest.raises(ValueError, match="above zero"):
            await client.execute(TURN, timeout=timeout)
        with pytest.raises(ValueError, match="`call_timeout`"):
            await client.execute(TURN, call_timeout=timeout)


def test_a_call_of_an_unknown_type_is_for_the_sidecar_to_judge(sidecar):
    turn = {"role": "assistant", "tool_calls": [{"id": "c", "type": "magic", "magic": {}}]}
    with Sidecall(sidecar.address) as client, pytest.raises(sidecall.InvalidRequest) as caught:
        client.execute(turn)
    assert "openai_chat_json" in caught.value.violations[0].field


def test_a_client_that_is_closed_meanwhile_gives_a_whole_bundle(sidecar, world):
    client, ended = Sidecall(sidecar.address), []
    thread = threading.Thread(
        target=lambda: ended.append(client.execute([tool_use(1, "hang_write")])), daemon=True
    )
    thread.start()
    world.wait_for(1, "/hang")
    client.close()
    thread.join(20)
    (bundle,) = ended
    assert "closed" in str(bundle.interrupted)
    assert bundle.results[0].failure.code is FailureCode.OUTCOME_UNKNOWN


async def test_a_client_that_is_closed_meanwhile_does_not_look_like_a_cancelled_task(tmp_path):
    asked = asyncio.Event()

    async def hang(_request, _context):
        asked.set()
        await asyncio.Event().wait()

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(hang)
    name = "sidecall.v1.SidecallService"
    handlers = grpc.method_handlers_generic_handler(name, {"ListTools": handler})
    server.add_generic_rpc_handlers([handlers])
    server.add_insecure_port(f"unix://{tmp_path}/hangs.sock")
    await server.start()
    client = AsyncSidecall(f"unix://{tmp_path}/hangs.sock")
    listing = asyncio.create_task(client.list_tools())
    await asyncio.wait_for(asked.wait(), 20)
    await client.close()
    with pytest.raises(sidecall.SidecallError, match="closed while listing tools"):
        await asyncio.wait_for(listing, 20)
    await server.stop(None)
