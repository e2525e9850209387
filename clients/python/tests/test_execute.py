"""A turn, from either client."""

import asyncio
import json

import pytest

import sidecall
from conftest import nothing_open, tool_use
from sidecall import AsyncSidecall, FailureCode, Outcome, Sidecall, ToolUse


def test_a_turn_gives_its_results_in_call_order_ready_to_append(sidecar):
    with Sidecall(sidecar.address) as client:
        bundle = client.execute(
            [
                {"type": "text", "text": "I'll look."},
                tool_use(1, "list_orders", user="${get_user.id}"),
                tool_use(2, "get_user", id="u-7"),
                tool_use(3, "fail"),
            ],
            session_id="s",
        )
    assert [item["tool_use_id"] for item in bundle] == ["toolu_1", "toolu_2", "toolu_3"]
    assert bundle.message == {"role": "user", "content": list(bundle)}
    assert json.dumps(bundle)
    orders, user, failed = bundle.results
    assert orders.json() == [{"id": "o-1", "user": "u-7"}]
    assert user.outcome is Outcome.SUCCEEDED
    assert user.timings.running > 0
    assert (failed.outcome, failed.failure.code) == (Outcome.FAILED, FailureCode.TOOL_ERROR)
    assert "no" in failed.text
    assert bundle.has_errors
    assert bundle.interrupted is None
    assert (bundle.summary.calls, bundle.summary.failed) == (3, 1)
    assert bundle.plan.edges[0].parent == 1
    assert bundle.result("toolu_2") is user is bundle.result(1)
    with pytest.raises(LookupError, match="it has toolu_1"):
        bundle.result("toolu_9")


async def test_a_turn_without_calls_is_an_empty_bundle_and_sends_nothing():
    async with AsyncSidecall("unix:///nowhere.sock") as client:
        bundle = await client.execute([{"type": "text", "text": "Good morning."}])
    assert list(bundle) == bundle.messages == []
    with pytest.raises(TypeError, match="0 messages"):
        _ = bundle.message


async def test_events_come_as_they_happen_and_end_with_the_bundle(sidecar, world):
    async with AsyncSidecall(sidecar.address) as client:
        kinds = []
        turn = [tool_use(1, "hang"), tool_use(2, "get_user", id="u")]
        async for event in client.events(turn):
            kinds.append(type(event).__name__)
            if isinstance(event, sidecall.Finished) and event.result.tool == "get_user":
                world.released.set()
    assert kinds[0] == "Accepted"
    assert kinds[-3:] == ["Finished", "Finished", "Done"]
    assert kinds.count("Started") == 2


def test_events_without_asyncio(sidecar):
    with Sidecall(sidecar.address) as client:
        events = list(client.events([tool_use(1, "get_user", id="u")]))
    assert isinstance(events[-1], sidecall.Done)
    assert events[-1].bundle.results[0].json()["id"] == "u"


async def test_leaving_the_events_cancels_the_batch(sidecar, world):
    async with AsyncSidecall(sidecar.address) as client:
        events = client.events([tool_use(1, "hang")])
        async for event in events:
            if isinstance(event, sidecall.Started):
                break
        await events.aclose()
        await nothing_open(client)


async def test_a_cancelled_task_cancels_the_batch(sidecar, world):
    async with AsyncSidecall(sidecar.address) as client:
        task = asyncio.create_task(client.execute([tool_use(1, "hang")]))
        await asyncio.to_thread(world.wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await nothing_open(client)


async def test_a_batch_is_cancelled_by_its_id(sidecar, world):
    async with AsyncSidecall(sidecar.address) as client:
        task = asyncio.create_task(client.execute([tool_use(1, "hang")], batch_id="b-1"))
        await asyncio.to_thread(world.wait_for, 1)
        assert await client.cancel("b-1") == ["toolu_1"]
        bundle = await task
        assert bundle.results[0].outcome is Outcome.CANCELLED
        with pytest.raises(sidecall.NotFound):
            await client.cancel("b-1")


async def test_results_and_bundles_larger_than_a_message_come_whole(sidecar):
    async with AsyncSidecall(sidecar.address) as client:
        turn = [tool_use(n, "large", bytes=5 << 20) for n in range(2)]
        bundle = await client.execute(turn)
    assert [len(result.text) for result in bundle.results] == [5 << 20] * 2
    assert [len(item["content"][0]["text"]) for item in bundle] == [5 << 20] * 2


async def test_an_input_larger_than_four_mebibytes_is_sent(sidecars):
    sidecar = sidecars("bounds: {batch_bytes: 16MiB}")
    async with AsyncSidecall(sidecar.address) as client:
        bundle = await client.execute([ToolUse("get_user", {"id": "u", "x": "x" * (5 << 20)})])
    # The tool knows no `x`, and that is for the schema to say.
    assert len(bundle) == 1


async def test_typed_calls_have_dependencies_and_timeouts_of_their_own(sidecar, world):
    async with AsyncSidecall(sidecar.address) as client:
        bundle = await client.execute(
            [
                ToolUse("hang", timeout=0.2),
                ToolUse("get_user", '{"id": "u"}', id="mine"),
                ToolUse("get_user", {"id": "v"}, depends_on=("call_1",)),
            ]
        )
    first, second, third = bundle.results
    assert first.failure.code is FailureCode.DEADLINE_EXCEEDED
    assert second.call_id == "mine"
    assert third.outcome is Outcome.SKIPPED


async def test_digits_arrive_as_the_model_wrote_them(sidecar, world):
    text = '[{"type":"tool_use","id":"t","name":"echo","input":{"a":1249.90,"b":12345678901234567890123}}]'
    async with AsyncSidecall(sidecar.address) as client:
        await client.execute(text)
        await client.execute({"role": "assistant", "content": json.loads(text)[:1]})
    assert json.loads(world.requests[0][2]) is not None
    assert '"a":1249.90' in world.requests[0][2]
    assert "12345678901234567890123" in world.requests[1][2]


async def test_a_time_for_the_turn_holds(sidecar):
    async with AsyncSidecall(sidecar.address) as client:
        bundle = await client.execute([tool_use(1, "hang")], timeout=2.5)
        assert bundle.results[0].failure.code is FailureCode.DEADLINE_EXCEEDED
        assert bundle.interrupted is None
        bundle = await client.execute([tool_use(1, "hang")], call_timeout=0.1)
        assert bundle.results[0].failure.code is FailureCode.DEADLINE_EXCEEDED


async def test_ordered_calls_stop_at_the_first_that_fails(sidecar):
    turn = [tool_use(1, "fail"), tool_use(2, "get_user", id="u")]
    async with AsyncSidecall(sidecar.address) as client:
        bundle = await client.execute(turn, ordering="ordered")
    assert [result.outcome for result in bundle.results] == [Outcome.FAILED, Outcome.SKIPPED]


async def test_references_may_be_off(sidecar):
    turn = [tool_use(1, "get_user", id="${list_orders}"), tool_use(2, "list_orders", user="u")]
    async with AsyncSidecall(sidecar.address) as client:
        bundle = await client.execute(turn, references=False)
    assert bundle.results[0].json()["id"] == "%24%7Blist_orders%7D"


def test_a_plan_runs_nothing(sidecar, world):
    turn = [tool_use(1, "get_user", id="u"), tool_use(2, "list_orders", user="${get_user.id}")]
    with Sidecall(sidecar.address) as client:
        plan = client.plan(turn)
        assert client.plan([{"type": "text", "text": "."}]).calls == ()
    assert [call.tool for call in plan.calls] == ["get_user", "list_orders"]
    assert (plan.edges[0].parent, plan.edges[0].child) == (0, 1)
    assert plan.edges[0].kind is sidecall.model.EdgeKind.REFERENCE
    assert plan.estimate.depth == 2
    assert world.requests == []


def test_many_threads_share_one_client(sidecar):
    import concurrent.futures

    with Sidecall(sidecar.address) as client, concurrent.futures.ThreadPoolExecutor(16) as pool:
        turns = [[tool_use(1, "get_user", id=f"u-{n}")] for n in range(64)]
        bundles = list(pool.map(client.execute, turns))
    ids = [bundle.results[0].json()["id"] for bundle in bundles]
    assert ids == [f"u-{n}" for n in range(64)]


def test_a_client_outlives_an_event_loop(sidecar):
    client = AsyncSidecall(sidecar.address)

    async def turn():
        return await client.execute([tool_use(1, "get_user", id="u")])

    for _ in range(2):
        assert asyncio.run(turn()).results[0].outcome is Outcome.SUCCEEDED


def test_the_status_is_the_moment(sidecar):
    with Sidecall(sidecar.address) as client:
        assert client.status(5).process.version


def test_callbacks_see_events_and_cannot_wait_for_themselves(sidecar):
    with Sidecall(sidecar.address) as client:

        def callback(event):
            seen.append(event)
            if isinstance(event, sidecall.Accepted):
                with pytest.raises(RuntimeError, match="AsyncSidecall"):
                    client.status()

        seen = []
        client.execute([tool_use(1, "get_user", id="u")], on_event=callback)
    assert [type(event) for event in seen][::3] == [sidecall.Accepted, sidecall.Done]
