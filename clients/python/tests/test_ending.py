"""How a stream ended, where gRPC has a word of its own for it."""

import asyncio

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from sidecall._ending import Ending, status_of

OWN = AioRpcError(grpc.StatusCode.INTERNAL, Metadata(), Metadata(), details="from Core")
PEERS = AioRpcError(
    grpc.StatusCode.INVALID_ARGUMENT, Metadata(), Metadata(("grpc-status-details-bin", b"x"))
)


class Call:
    """As gRPC's: the status that comes last is the one that it has."""

    def __init__(self):
        self.callbacks = []

    def add_done_callback(self, callback):
        self.callbacks.append(callback)

    def end(self, status):
        self.status = status
        for callback in self.callbacks:
            callback(self)

    async def code(self):
        return self.status.code()

    async def details(self):
        return self.status.details()

    async def initial_metadata(self):
        return self.status.initial_metadata()

    async def trailing_metadata(self):
        return self.status.trailing_metadata()


@pytest.mark.parametrize("order", [(OWN, PEERS), (PEERS, OWN), (PEERS,)])
async def test_the_peers_word_is_kept_whichever_comes_first(order):
    call = Call()
    ending = Ending(call)
    for status in order:
        call.end(status)
    for error in (OWN, await status_of(call)):
        assert (await ending.said(error)).code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_peers_word_is_waited_for():
    call = Call()
    ending = Ending(call)
    call.end(OWN)
    said = asyncio.create_task(ending.said(OWN))
    await asyncio.sleep(0)
    assert not said.done()
    call.end(PEERS)
    assert (await said).code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_without_one_grpcs_own_stands(monkeypatch):
    monkeypatch.setattr("sidecall._ending.SECONDS_MAX", 0.0)
    call = Call()
    ending = Ending(call)
    call.end(OWN)
    assert await ending.said(OWN) is OWN
