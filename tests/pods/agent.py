"""An agent in a pod: conversations, each turn of which pays for something.

It hands its turns to the sidecar by the Python client, with nothing around it: what
happens to them is what happens to a user's. For each turn it writes a line before and
a line after to a file of the pod's volume, from which the test judges it:

    {"begun": BATCH, "shape": …, "calls": [{"id", "tool", "name"}, …]}
    {"ended": BATCH, "results": […], "items": […], "sends": […], …}

SIGTERM lets the open turns end, and `--last-turns` more of each conversation.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import uuid

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2

import sidecall

# Attempts to run a batch, by its id, as gRPC was asked for them.
SENDS = {}


def recorded(make):
    """Channels that remember each batch that is sent; nothing else changes."""

    def channel(*arguments, **options):
        made = make(*arguments, **options)
        unary_stream = made.unary_stream

        def method(name, **codecs):
            call = unary_stream(name, **codecs)

            def send(request, **how):
                sent = call(request, **how)
                SENDS.setdefault(request.batch_id, []).append(sent)
                return sent

            return send if name.endswith("/ExecuteBatch") else call

        made.unary_stream = method
        return made

    return channel


grpc.aio.insecure_channel = recorded(grpc.aio.insecure_channel)
grpc.aio.secure_channel = recorded(grpc.aio.secure_channel)


async def became(sent):
    """What came of one sending, and whether that proves that nobody has run it."""
    if not sent.done():
        return {"status": "OPEN", "is_refused": False}
    status, trailers = await sent.code(), await sent.trailing_metadata() or ()
    # gRPC had no connection for it: it says so without anybody's metadata.
    is_refused = not trailers and str(await sent.details()).startswith("failed to connect")
    for key, value in trailers:
        if key == "grpc-status-details-bin":
            details = status_pb2.Status.FromString(value).details
            is_refused = any(one.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for one in details)
    return {"status": status.name, "is_refused": is_refused}


class Turn:
    """One turn: calls, and how a provider would write them."""

    # What becomes of a payment's first attempt; see the upstream.
    KINDS = ["made"] * 6 + ["refused", "lost"]

    def __init__(self, rng, width):
        self.batch = f"b-{uuid.uuid4().hex}"
        self.shape = rng.choice(["anthropic", "openai_chat"])
        self.calls = []
        for at in range(1, width + 1):
            name = f"{self.batch}-{at}"
            tool = rng.choice(["look", "pay", "pay", "pay_keyed", "pay_keyed"])
            if at == 1:
                tool = "look"
            value = {"name": name} if tool == "look" else {"kind": rng.choice(self.KINDS), "name": name}
            if at == width:
                # Its name is the result of the first.
                tool, name, value = "pay", f"{self.batch}-1", {"kind": "made", "name": "${1.name}"}
            self.calls.append({"id": f"call_{at}", "tool": tool, "name": name, "input": value})

    def message(self):
        """As the model's answer has it."""
        if self.shape == "anthropic":
            return [
                {"type": "tool_use", "id": one["id"], "name": one["tool"], "input": one["input"]}
                for one in self.calls
            ]
        calls = [
            {
                "type": "function",
                "id": one["id"],
                "function": {"name": one["tool"], "arguments": json.dumps(one["input"])},
            }
            for one in self.calls
        ]
        return {"role": "assistant", "tool_calls": calls}


class Agent:
    """Conversations, and the file of what became of their turns."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.reports = open(arguments.reports, "a", buffering=1)
        self.stopping = False
        self.ended = 0
        tls = None
        if arguments.ca:
            tls = sidecall.TLS(ca=arguments.ca, cert=arguments.cert, key=arguments.key)
        self.client = sidecall.AsyncSidecall(
            arguments.address, tls=tls, connect_timeout=arguments.connect_timeout
        )

    def write(self, report):
        self.reports.write(json.dumps(report) + "\n")

    async def run(self):
        rng = random.Random(self.arguments.seed)
        seeds = [rng.random() for _ in range(self.arguments.conversations)]
        async with self.client:
            await asyncio.gather(*(self.converse(random.Random(seed)) for seed in seeds))
        self.write({"bye": os.getpid()})

    async def converse(self, rng):
        turns = 0
        while not self.stopping and turns != self.arguments.turns:
            await self.turn(rng)
            turns += 1
        for _ in range(self.arguments.last_turns if self.stopping else 0):
            await self.turn(rng)

    async def turn(self, rng):
        turn = Turn(rng, rng.randint(2, self.arguments.width))
        accepted = 0
        raised = None

        def saw(event):
            nonlocal accepted
            accepted += isinstance(event, sidecall.Accepted)

        self.write({"begun": turn.batch, "shape": turn.shape, "calls": turn.calls})
        try:
            bundle = await self.client.execute(
                turn.message(),
                batch_id=turn.batch,
                timeout=self.arguments.timeout,
                on_event=saw,
            )
        except sidecall.SidecallError as error:
            raised, bundle = type(error).__name__, error.bundle
        report = {
            "ended": turn.batch,
            "raised": raised,
            "interrupted": str(bundle.interrupted) if bundle.interrupted else None,
            "accepted": accepted,
            "sends": [await became(sent) for sent in SENDS.pop(turn.batch, [])],
            "items": list(bundle),
            "results": [
                {
                    "id": one.call_id,
                    "outcome": one.outcome.value,
                    "is_error": one.is_error,
                    "code": one.failure.code.value if one.failure else None,
                    "is_synthetic": one.is_synthetic,
                }
                for one in bundle.results
            ],
        }
        self.write(report)
        self.ended += 1
        if self.ended == self.arguments.die_after:
            # With whatever the other conversations have open.
            os._exit(9)

    def stop(self):
        self.stopping = True


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--reports", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--conversations", type=int, default=3)
    parser.add_argument("--width", type=int, default=6, help="most calls of a turn")
    parser.add_argument("--turns", type=int, default=-1, help="of each conversation")
    parser.add_argument("--last-turns", type=int, default=0, help="of each, after SIGTERM")
    parser.add_argument("--die-after", type=int, default=-1, help="so many turns, without a word")
    parser.add_argument("--deaf", action="store_true", help="SIGTERM does nothing")
    parser.add_argument("--timeout", type=float, default=20.0)
    parser.add_argument("--connect-timeout", type=float, default=5.0)
    parser.add_argument("--ca")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    arguments = parser.parse_args()
    agent = Agent(arguments)
    handler = (lambda: None) if arguments.deaf else agent.stop
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, handler)
    await agent.run()


asyncio.run(main())
