"""A turn that the model is still writing."""

import asyncio

import pytest

import sidecall
from conftest import eventually
from sidecall import AsyncSidecall, FailureCode, Outcome, Sidecall
from test_shapes import STREAMS


def block(index, name, text, *, end=True):
    """Anthropic's events of one call."""
    start = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for place in range(0, len(text), 5):
        delta = {"type": "input_json_delta", "partial_json": text[place : place + 5]}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    if end:
        yield {"type": "content_block_stop", "index": index}


@pytest.mark.parametrize(("shape", "events", "ids", "_second"), STREAMS)
async def test_every_providers_events_become_its_bundle(sidecar, shape, events, ids, _second):
    async with AsyncSidecall(sidecar.address) as client, client.stream() as turn:
        for event in events():
            await turn.feed(event)
        bundle = await turn.commit()
    assert bundle.shape is shape
    # There are no such tools; that is for the results to say.
    codes = [result.failure.code for result in bundle.results]
    assert codes == [FailureCode.UNKNOWN_TOOL] * 2
    text = repr(list(bundle))
    assert all(one in text for one in ids)


async def test_a_stream_without_calls_is_an_empty_bundle():
    async with AsyncSidecall("unix:///nowhere.sock") as client, client.stream() as turn:
        await turn.feed({"type": "message_start"})
        await turn.feed({"type": "message_stop"})
        assert list(await turn.commit()) == []


def test_a_stream_without_asyncio(sidecar):
    seen = []
    with Sidecall(sidecar.address) as client, client.stream(on_event=seen.append) as turn:
        for event in block(1, "get_user", '{"id": "u-1"}'):
            turn.feed(event)
        bundle = turn.commit()
    assert bundle.results[0].json()["id"] == "u-1"
    assert turn.results[0] is bundle.results[0]
    assert isinstance(seen[-1], sidecall.Done)


async def test_a_sidecar_that_dies_after_the_commit_leaves_a_whole_bundle(sidecar, world):
    async with AsyncSidecall(sidecar.address) as client, client.stream() as turn:
        calls = [("get_user", '{"id": "u-1"}'), ("hang", '{"n": 1}'), ("hang_write", '{"n": 2}')]
        for index, (name, text) in enumerate(calls):
            for event in block(index, name, text):
                await turn.feed(event)
        task = asyncio.create_task(turn.commit())
        await asyncio.to_thread(world.wait_for, 2, "/hang")
        await eventually(lambda: 0 in turn.results)
        await asyncio.to_thread(sidecar.kill)
        bundle = await task
    codes = [result.failure.code if result.failure else None for result in bundle.results]
    assert codes == [None, FailureCode.UNAVAILABLE, FailureCode.OUTCOME_UNKNOWN]
    assert bundle.interrupted
    assert world.count("/hang") == 2


async def test_an_input_that_was_cut_off_has_a_result_like_every_other(sidecar):
    async with AsyncSidecall(sidecar.address) as client, client.stream() as turn:
        for event in block(1, "get_user", '{"id": "u-', end=False):
            await turn.feed(event)
        bundle = await turn.commit()
    assert bundle.results[0].failure.code is FailureCode.INVALID_INPUT


async def test_a_refused_turn_is_raised_at_its_commit(sidecar):
    """Each time, though the refusal comes while the turn is being written."""
    async with AsyncSidecall(sidecar.address) as client:
        for _ in range(50):
            async with client.stream(session_id="a b") as turn:
                for event in block(1, "get_user", '{"id": "u-1"}'):
                    await turn.feed(event)
                with pytest.raises(sidecall.InvalidRequest):
                    await turn.commit()


async def test_an_id_that_only_its_provider_allows_comes_back(sidecar):
    call = {"index": 0, "id": "functions.get_user:0", "type": "function"}
    call["function"] = {"name": "get_user", "arguments": '{"id": "u-1"}'}
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
    async with AsyncSidecall(sidecar.address) as client, client.stream() as turn:
        await turn.feed(chunk)
        bundle = await turn.commit()
    assert bundle[0]["tool_call_id"] == "functions.get_user:0"
    assert bundle.results[0].outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("is_known", [False, True], ids=["unknown", "known"])
async def test_a_turn_that_is_refused_after_it_was_accepted_is_raised_with_its_faults(
    sidecar, is_known
):
    """Whether or not the refusal has come when the turn is committed, or written to."""
    async with AsyncSidecall(sidecar.address) as client:
        for _ in range(1 if is_known else 25):
            await assert_refused_once_accepted(client, is_known)


async def assert_refused_once_accepted(client, is_known):
    async with client.stream() as turn:
        for event in block(1, "get_user", '{"id": "u-1"}'):
            await turn.feed(event)
        await eventually(lambda: 0 in turn.results)
        for event in block(2, "hang_write", "{}"):
            if event["type"] == "content_block_start":
                event["content_block"]["id"] = "toolu_1"
            await turn.feed(event)
        if is_known:
            await turn._listener  # The stream is over.
        with pytest.raises(sidecall.InvalidRequest) as caught:
            await turn.commit()
    assert caught.value.violations
    read, write = caught.value.bundle.results
    assert read.outcome is Outcome.SUCCEEDED, "what has ended stays"
    assert write.failure.code is FailureCode.INVALID_INPUT
    assert "this call has not run" in write.failure.message


@pytest.mark.parametrize(("name", "text"), [("get_\ud800", ""), ("get_user", '"\ud800"')])
async def test_half_of_a_surrogate_pair_is_an_invalid_turn(sidecar, name, text):
    async with AsyncSidecall(sidecar.address) as client, client.stream() as turn:
        with pytest.raises(sidecall.InvalidTurn, match="surrogate"):
            for event in block(1, name, text):
                await turn.feed(event)
