"""A Python agent that sends a turn while its model is still writing it.

Generated stubs and default settings, as `client.py`. What is to be done is named
by `--scene`; prints what it saw as one JSON object.
"""

import argparse
import json
import queue
import tempfile

import grpc
from client import generate_stubs, validated_ids

# A character outside of the basic plane, as JSON escapes it: two surrogates.
READ = '{"id": "r\\ud83d\\ude00\\u00e9 é"}'


class Writer:
    """The steps of a turn, sent as they are said."""

    def __init__(self, messages):
        self.messages = messages
        self.steps = queue.Queue()
        self.blocks = 0

    def __iter__(self):
        return iter(self.steps.get, None)

    def say(self, **step):
        self.steps.put(self.messages.ExecuteStreamRequest(**step))

    def call(self, name, pieces, depends_on=()):
        """A whole call; `pieces` is its input as it comes."""
        block = self.blocks
        self.blocks += 1
        use = {"id": f"toolu_{block}", "name": name, "depends_on": depends_on}
        self.say(tool_use_begun={"block": block, "tool_use": use})
        for piece in pieces:
            self.say(input_fragment={"block": block, "json": piece})
        self.say(tool_use_ended={"block": block})

    def hang_up(self):
        self.steps.put(None)


def until(stream, kind, seen):
    """Takes the stream to the first event of this kind."""
    for response in stream:
        name = response.event.WhichOneof("event")
        seen.append(name)
        if name == kind:
            return getattr(response.event, name)
    raise SystemExit(f"no {kind} came: {seen}")


def rest(stream, seen):
    """Takes the stream to its end; gives outcomes by id, and the bundle's ids."""
    finished, bundle = {}, []
    for response in stream:
        event = response.event
        seen.append(event.WhichOneof("event"))
        if seen[-1] == "call_finished":
            result = event.call_finished.result
            finished[result.call_id] = [result.outcome, result.failure.message]
        elif seen[-1] == "bundle_part":
            bundle.extend(event.bundle_part.items)
    return {"finished": finished, "bundle": bundle, "bundle_ids": validated_ids(bundle)}


def play(scene, stub, messages):
    writer = Writer(messages)
    stream = stub.ExecuteStream(iter(writer))
    seen = []
    writer.say(open={"references": "REFERENCES_ON", "shape": "SHAPE_ANTHROPIC"})
    if scene == "turn":
        # Cut between any two characters.
        writer.call("read", list(READ))
        first = until(stream, "call_finished", seen).result
        writer.call("write", ['{"id": "w", "val', 'ue": "${read.v}"}'])
        writer.say(commit={})
        writer.hang_up()
        report = rest(stream, seen)
        report["before_commit"] = first.call_id
    elif scene == "cut":
        writer.call("write", ['{"id": "w", "value": 1}'])
        writer.call("hang", ['{"id": "h"}'])
        until(stream, "started", seen)
        writer.hang_up()
        report = rest(stream, seen)
    elif scene == "vanish":
        writer.call("write", ['{"id": "w", "value": 1}'])
        writer.call("hang", ['{"id": "h"}'])
        until(stream, "started", seen)
        stream.cancel()
        writer.hang_up()
        report = {}
    else:
        writer.call("hang", ['{"id": "h"}'])
        until(stream, "started", seen)
        writer.say(input_fragment={"block": 9, "json": "{"})
        try:
            for _ in stream:
                pass
            report = {"code": "OK"}
        except grpc.RpcError as error:
            report = {"code": error.code().name, "details": error.details()}
        writer.hang_up()
    return report | {"seen": seen}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--scene", required=True)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        messages, services = generate_stubs(folder)
        with grpc.insecure_channel(options.address) as channel:
            stub = services.SidecallServiceStub(channel)
            print(json.dumps(play(options.scene, stub, messages)))


if __name__ == "__main__":
    main()
