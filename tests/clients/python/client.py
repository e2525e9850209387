"""A Python agent with nothing but generated stubs and default settings.

Sends one turn of Anthropic content blocks, takes the stream to its end, and
holds the bundle against Anthropic's own types. Prints what it saw as one JSON
object; the Rust test that starts it judges.
"""

import argparse
import importlib
import json
import sys
import tempfile
from pathlib import Path

import grpc
from anthropic.types import MessageParam, ToolResultBlockParam
from grpc_tools import protoc
from pydantic import TypeAdapter

# Kept, since what they validate lazily needs them.
BLOCK = TypeAdapter(ToolResultBlockParam)
MESSAGE = TypeAdapter(MessageParam)

PROTO = Path(__file__).resolve().parents[3] / "proto"


def generate_stubs(folder: str):
    """Generates the stubs as a user would and imports them."""
    well_known = str(Path(protoc.__file__).parent / "_proto")
    code = protoc.main(
        [
            "protoc",
            f"-I{PROTO}",
            f"-I{well_known}",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            "sidecall/v1/sidecall.proto",
        ]
    )
    if code != 0:
        sys.exit(f"protoc ended with {code}")
    sys.path.insert(0, folder)
    return (
        importlib.import_module("sidecall.v1.sidecall_pb2"),
        importlib.import_module("sidecall.v1.sidecall_pb2_grpc"),
    )


def execute(stub, request, cancel_when_started: bool):
    """Runs the turn; gives what a client without a library gathers."""
    finished, bundle, pieces = [], [], {}
    continues = False
    largest = 0
    stream = stub.ExecuteBatch(request)
    for response in stream:
        largest = max(largest, response.ByteSize())
        event = response.event
        match event.WhichOneof("event"):
            case "started" if cancel_when_started:
                stream.cancel()
                return {"cancelled": True}
            case "result_part":
                part = event.result_part
                pieces.setdefault(part.call_id, []).append(part.text)
            case "call_finished":
                result = event.call_finished.result
                text = "".join(c.text or c.json for c in result.content)
                text += "".join(pieces.pop(result.call_id, []))
                finished.append((result.call_id, result.is_error, len(text)))
            case "bundle_part":
                items = list(event.bundle_part.items)
                if continues:
                    bundle[-1] += items.pop(0)
                bundle.extend(items)
                continues = event.bundle_part.last_item_continues
    return {
        "finished": [{"id": i, "is_error": e, "length": n} for i, e, n in finished],
        "bundle_ids": validated_ids(bundle),
        "bundle_lengths": [len(item) for item in bundle],
        "largest_message": largest,
    }


def validated_ids(bundle):
    """Ids of the bundle's blocks, each accepted by Anthropic's own types."""
    blocks = [json.loads(item) for item in bundle]
    known = set(ToolResultBlockParam.__annotations__)
    for block in blocks:
        unknown = set(block) - known
        if unknown:
            sys.exit(f"unknown members {unknown} in a tool_result")
        content = BLOCK.validate_python(block).get("content")
        # Anything iterable is validated only when it is read.
        if content is not None and not isinstance(content, str):
            list(content)
    message = {"role": "user", "content": blocks}
    list(MESSAGE.validate_python(message)["content"])
    return [block["tool_use_id"] for block in blocks]


def connect(options):
    """A channel to the address, with TLS where an authority is named."""
    if options.ca is None:
        return grpc.insecure_channel(options.address)
    ca, key, cert = (
        None if path is None else path.read_bytes()
        for path in (options.ca, options.key, options.cert)
    )
    credentials = grpc.ssl_channel_credentials(ca, key, cert)
    return grpc.secure_channel(options.address, credentials)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--tool", required=True)
    arguments.add_argument("--calls", type=int, required=True)
    arguments.add_argument("--timeout", type=float, default=60)
    arguments.add_argument("--cancel-when-started", action="store_true")
    arguments.add_argument("--ca", type=Path)
    arguments.add_argument("--cert", type=Path)
    arguments.add_argument("--key", type=Path)
    options = arguments.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        messages, services = generate_stubs(folder)
        content = [{"type": "text", "text": "I'll look."}] + [
            {
                "type": "tool_use",
                "id": f"toolu_{number}",
                "name": options.tool,
                "input": {"n": number},
            }
            for number in range(options.calls)
        ]
        with connect(options) as channel:
            stub = services.SidecallServiceStub(channel)
            request = messages.ExecuteBatchRequest(anthropic_json=json.dumps(content))
            print(json.dumps(execute(stub, request, options.cancel_when_started)))


if __name__ == "__main__":
    main()
