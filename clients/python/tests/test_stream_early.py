"""A turn whose calls run while the model is still writing it."""

import asyncio

import pytest

import sidecall
from conftest import nothing_open
from sidecall import AsyncSidecall, Outcome
from test_stream import block


async def test_reads_start_while_the_model_writes_and_writes_wait_for_the_commit(sidecar, world):
    async with AsyncSidecall(sidecar.address) as client, client.stream(session_id="s") as turn:
        for event in block(1, "get_user", '{"id": "u-1"}'):
            await turn.feed(event)
        await asyncio.to_thread(world.wait_for, 1, "/users/u-1")
        for event in block(2, "hang_write", '{"n": 1}'):
            await turn.feed(event)
        for event in block(3, "list_orders", '{"user": "${get_user.name}"}'):
            await turn.feed(event)
        await asyncio.to_thread(world.wait_for, 1, "/orders")
        assert world.count("/hang") == 0
        world.released.set()
        bundle = await turn.commit()
    assert [item["tool_use_id"] for item in bundle] == ["toolu_1", "toolu_2", "toolu_3"]
    assert [result.outcome for result in bundle.results] == [Outcome.SUCCEEDED] * 3
    assert [call.tool for call in bundle.plan.calls] == ["get_user", "hang_write", "list_orders"]
    assert bundle.plan.edges
    assert bundle.batch_id == turn.batch_id


async def test_a_turn_that_is_left_before_its_commit_never_runs(sidecar, world):
    async with AsyncSidecall(sidecar.address) as client:
        with pytest.raises(ConnectionError):
            async with client.stream() as turn:
                for event in block(1, "hang_write", '{"n": 1}'):
                    await turn.feed(event)
                for event in block(2, "get_user", '{"id": "u-1"}'):
                    await turn.feed(event)
                await asyncio.to_thread(world.wait_for, 1, "/users")
                raise ConnectionError("the model is gone")
        await nothing_open(client)
        with pytest.raises(sidecall.SidecallError, match="over"):
            await turn.commit()
    assert world.count("/hang") == 0


async def test_a_turn_is_run_whole_where_the_sidecar_went_away_before_its_commit(sidecar, world):
    async with AsyncSidecall(sidecar.address) as client, client.stream() as turn:
        for event in block(1, "get_user", '{"id": "u-1"}'):
            await turn.feed(event)
        await asyncio.to_thread(world.wait_for, 1, "/users")
        await asyncio.to_thread(sidecar.kill)
        for event in block(2, "hang_write", '{"n": 1}'):
            await turn.feed(event)
        await asyncio.to_thread(sidecar.start)
        world.released.set()
        bundle = await turn.commit()
    assert [result.outcome for result in bundle.results] == [Outcome.SUCCEEDED] * 2
    assert world.count("/hang") == 1
    assert bundle.interrupted is None
