"""A channel to one sidecar, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import grpc.aio

from sidecall import errors
from sidecall._address import OPTIONS, TLS, Address
from sidecall._proto import sidecall_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Token = str | os.PathLike[str] | Callable[[], str]

try:
    from opentelemetry import propagate
except ImportError:  # The optional extra.
    propagate = None  # type: ignore[assignment]

SERVICE = "/sidecall.v1.SidecallService/"

M = TypeVar("M")


class Endpoint:
    """What is needed to connect; usable from any event loop."""

    def __init__(
        self,
        address: str | None,
        *,
        tls: TLS | None,
        token: Token | None,
        connect_timeout: float,
        options: Sequence[tuple[str, Any]],
    ) -> None:
        self.address = Address.parse(address, tls=tls)
        self.tls = tls or TLS()
        self.token = token
        self.connect_timeout = connect_timeout
        self.options = (*OPTIONS, *options)
        if token is not None and not (self.address.is_tls or self.address.is_local):
            raise ValueError(
                f"a token would travel to {self.address.text} unencrypted: write https://"
            )
        if self.address.is_tls and self.tls.server_name:
            self.options += (("grpc.ssl_target_name_override", self.tls.server_name),)

    def open(self) -> Connection:
        """Connects, in the event loop that runs."""
        return Connection(self)


class Connection:
    """A channel, and the requests that go over it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        # What runs then is cancelled by gRPC, which is not the caller's task being so.
        self.is_closed = False
        address = endpoint.address
        if address.is_tls:
            self.channel = grpc.aio.secure_channel(
                address.target, endpoint.tls.credentials(), options=endpoint.options
            )
        else:
            self.channel = grpc.aio.insecure_channel(address.target, options=endpoint.options)
        channel = self.channel
        self.execute_batch = channel.unary_stream(
            f"{SERVICE}ExecuteBatch",
            request_serializer=pb.ExecuteBatchRequest.SerializeToString,
            response_deserializer=pb.ExecuteBatchResponse.FromString,
        )
        self.execute_stream = channel.stream_stream(
            f"{SERVICE}ExecuteStream",
            request_serializer=pb.ExecuteStreamRequest.SerializeToString,
            response_deserializer=pb.ExecuteStreamResponse.FromString,
        )
        self.serve_tools = channel.stream_stream(
            f"{SERVICE}ServeTools",
            request_serializer=pb.ServeToolsRequest.SerializeToString,
            response_deserializer=pb.ServeToolsResponse.FromString,
        )
        self.plan_batch = channel.unary_unary(
            f"{SERVICE}PlanBatch",
            request_serializer=pb.PlanBatchRequest.SerializeToString,
            response_deserializer=pb.PlanBatchResponse.FromString,
        )
        self.cancel_batch = channel.unary_unary(
            f"{SERVICE}CancelBatch",
            request_serializer=pb.CancelBatchRequest.SerializeToString,
            response_deserializer=pb.CancelBatchResponse.FromString,
        )
        self.list_tools = channel.unary_unary(
            f"{SERVICE}ListTools",
            request_serializer=pb.ListToolsRequest.SerializeToString,
            response_deserializer=pb.ListToolsResponse.FromString,
        )
        self.status = channel.unary_unary(
            f"{SERVICE}Status",
            request_serializer=pb.StatusRequest.SerializeToString,
            response_deserializer=pb.StatusResponse.FromString,
        )

    async def ready(self, deadline: float | None = None) -> None:
        """Waits until the sidecar is reached.

        A request is only handed to gRPC on a connection that stands. So when this
        fails, it is proven that nothing was sent. The connection may go before the
        request is on it: see `_refusals.is_unsent`.

        Raises:
            Unavailable: It was not reached in time.

        """
        state = self.channel.get_state(try_to_connect=True)
        if state is grpc.ChannelConnectivity.READY:
            return
        until = time.monotonic() + self._endpoint.connect_timeout
        if deadline is not None:
            until = min(until, deadline)
        while state is not grpc.ChannelConnectivity.READY:
            remaining = until - time.monotonic()
            if remaining <= 0 or state is grpc.ChannelConnectivity.SHUTDOWN:
                raise self.unreached()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.channel.wait_for_state_change(state), remaining)
            state = self.channel.get_state(try_to_connect=True)

    def unreached(self) -> errors.Unavailable:
        """What is raised where nobody was reached."""
        return errors.Unavailable(
            f"no sidecar answers at {self._endpoint.address.text}; nothing was sent. "
            "Is it running, and is this its address? Pass `address=` or set SIDECALL_ADDRESS"
        )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Who calls, and the trace that the request belongs to.

        Raises:
            Unavailable: The token's file cannot be read.

        """
        carrier: dict[str, str] = {}
        if propagate is not None:
            propagate.inject(carrier)
        if self._endpoint.token is not None:
            carrier["authorization"] = f"Bearer {_shown(self._endpoint.token)}"
        # gRPC takes lower case only.
        return tuple((key.lower(), value) for key, value in carrier.items())

    async def close(self) -> None:
        """Lets the connection go, and what is open on it."""
        self.is_closed = True
        await self.channel.close()


def _shown(token: Token) -> str:
    """The token by now, without the line's end that a file has."""
    if isinstance(token, os.PathLike):
        try:
            text = Path(token).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise errors.Unavailable(
                f"the token's file cannot be read; nothing was sent: {error}"
            ) from None
        if not text:
            raise errors.Unavailable(f"the token's file {token} is empty; nothing was sent")
        return text
    return (token() if callable(token) else token).strip()
