"""Who calls: a real sidecar whose `callers` have tokens."""

import hashlib

import pytest

import sidecall
from conftest import eventually, tool_use
from sidecall import AsyncSidecall, Sidecall, Worker
from test_stream import block

RIGHT, NEXT, WRONG = (f"{word}-token-of-the-agent" for word in ("the", "the-next", "no"))


def callers(*tokens):
    known = ", ".join(
        f"{{sha256: {hashlib.sha256(token.encode()).hexdigest()}}}" for token in tokens
    )
    return f"callers:\n  allowed:\n    agent: {{token: [{known}], admin: on}}\n"


def replace(path, text):
    """As a Secret is renewed: another file in its place."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


async def test_a_turn_is_run_for_who_shows_the_right_token(sidecars, tmp_path):
    sidecar = sidecars(callers(RIGHT))
    (tmp_path / "token").write_text(f"{RIGHT}\n")
    for token in (RIGHT, f"{RIGHT}\n", tmp_path / "token", lambda: RIGHT):
        async with AsyncSidecall(sidecar.address, token=token) as client:
            bundle = await client.execute([tool_use(1, "get_user", id="u-7")])
            assert bundle.results[0].json()["id"] == "u-7"
            assert "get_user" in (await client.list_tools()).names


async def test_whoever_shows_another_or_none_gets_nothing(sidecars, world):
    sidecar = sidecars(callers(RIGHT))
    turn = [tool_use(1, "get_user", id="u-7")]
    for token in (WRONG, None, "", lambda: WRONG):
        async with AsyncSidecall(sidecar.address, token=token) as client:
            for asked in (client.plan(turn), client.list_tools(), client.status()):
                with pytest.raises(sidecall.Unauthenticated, match="`token=`") as refused:
                    await asked
                assert refused.value.reason == "UNAUTHENTICATED"
                assert WRONG not in str(refused.value)
            with pytest.raises(sidecall.Unauthenticated) as refused:
                await client.execute(turn)
            # An agent that goes on all the same has a result for each call.
            assert refused.value.bundle[0]["tool_use_id"] == "toolu_1"
        with (
            Sidecall(sidecar.address, token=token) as client,
            pytest.raises(sidecall.Unauthenticated),
        ):
            client.status()
        with pytest.raises(sidecall.Unauthenticated):
            async with offering(sidecar.address, token):
                pass
    assert world.count() == 0


def offering(address, token):
    worker = Worker(address, session_id="s", token=token)

    @worker.tool
    def price(sku: str) -> str:
        """What it costs."""
        return f"{sku}: 42"

    return worker


async def test_a_token_that_is_renewed_needs_no_new_client(sidecars, tmp_path, caplog):
    sidecar = sidecars(callers(RIGHT, NEXT))
    file = tmp_path / "token"
    file.write_text(RIGHT)
    fixed = AsyncSidecall(sidecar.address, token=RIGHT)
    renewed = AsyncSidecall(sidecar.address, token=file)
    async with fixed, renewed, offering(sidecar.address, file) as worker:
        await fixed.status()
        await renewed.status()
        replace(file, f"{NEXT}\n")
        config = sidecar.config.read_text()
        replace(sidecar.config, config.replace(callers(RIGHT, NEXT), callers(NEXT)))

        async def is_known(client):
            try:
                await client.status()
            except sidecall.Unauthenticated:
                return False
            return True

        while await is_known(fixed):
            pass
        assert await is_known(renewed)
        # The worker came with the old one: it is sent away, and comes back with the new one.
        await eventually(lambda: "UNAUTHENTICATED: the caller is not known" in caplog.text)
        await eventually(worker._welcomed.is_set)
        bundle = await renewed.execute([tool_use(1, "price", sku="a-1")], session_id="s")
        assert bundle.results[0].text == "a-1: 42"


async def test_a_token_that_is_not_there_is_said_and_nothing_is_sent(sidecars, tmp_path, world):
    sidecar = sidecars(callers(RIGHT))
    (tmp_path / "empty").write_text("\n")
    for name, why in (("missing", "No such file"), ("empty", "is empty")):
        async with AsyncSidecall(sidecar.address, token=tmp_path / name) as client:
            with pytest.raises(sidecall.Unavailable, match=f"{why}|nothing was sent") as error:
                await client.execute([tool_use(1, "get_user", id="u-7")])
            assert name in str(error.value) and why in str(error.value)
    assert world.count() == 0


async def test_a_streamed_turn_shows_it_too(sidecars, tmp_path):
    sidecar = sidecars(callers(RIGHT))

    async def streamed(token):
        async with AsyncSidecall(sidecar.address, token=token) as client, client.stream() as turn:
            for event in block(1, "get_user", '{"id": "u-7"}'):
                await turn.feed(event)
            return await turn.commit()

    assert (await streamed(RIGHT)).results[0].json()["id"] == "u-7"
    for token in (WRONG, None):
        with pytest.raises(sidecall.Unauthenticated):
            await streamed(token)
    with pytest.raises(sidecall.Unavailable, match="nothing was sent"):
        await streamed(tmp_path / "missing")
