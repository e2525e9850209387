"""A Python worker with nothing but generated stubs and default settings.

Offers `echo_python` (answers with its input and the trace that it is in), and
`pay` and `look`, which write their call's id into a ledger and never answer. Says
`ready` once it was welcomed, and `bye` once the server has let it go.
"""

import argparse
import json
import queue
import sys
from pathlib import Path

import grpc

PARSER = argparse.ArgumentParser()
PARSER.add_argument("--address", required=True)
PARSER.add_argument("--name", default="python")
PARSER.add_argument("--ledger")
PARSER.add_argument("--stubs", required=True, help="folder; generated into it if it is empty")


def stubs(folder: str):
    """The stubs, generated as a user would where they are not there yet."""
    if not (Path(folder) / "sidecall").exists():
        from client import generate_stubs

        return generate_stubs(folder)
    sys.path.insert(0, folder)
    from sidecall.v1 import sidecall_pb2, sidecall_pb2_grpc

    return sidecall_pb2, sidecall_pb2_grpc


def main():
    options = PARSER.parse_args()
    pb, rpc = stubs(options.stubs)

    def tool(name, effect):
        schema = json.dumps({"type": "object"})
        return pb.WorkerTool(
            name=name, description=f"{name}.", input_schema_json=schema, effect=effect
        )

    tools = [tool("echo_python", pb.EFFECT_READ_ONLY)]
    if options.ledger:
        tools = [tool("pay", pb.EFFECT_AT_MOST_ONCE), tool("look", pb.EFFECT_READ_ONLY)]
    hello = pb.WorkerHello(name=options.name, shared=True, tools=tools)
    said = queue.SimpleQueue()
    said.put(pb.ServeToolsRequest(hello=hello))
    stub = rpc.SidecallServiceStub(grpc.insecure_channel(options.address))
    for told in stub.ServeTools(iter(said.get, None)):
        match told.WhichOneof("message"):
            case "welcome":
                print("ready", flush=True)
            case "heartbeat":
                said.put(pb.ServeToolsRequest(heartbeat=pb.WorkerHeartbeat()))
            case "attempt" if options.ledger:
                with open(options.ledger, "a", encoding="utf-8") as ledger:
                    ledger.write(f"{told.attempt.tool} {told.attempt.call_id}\n")
            case "attempt":
                seen = {
                    "input": json.loads(told.attempt.input_json),
                    "traceparent": told.attempt.context["traceparent"],
                }
                result = pb.WorkerResult(attempt_id=told.attempt.attempt_id)
                result.content.add(json=json.dumps(seen))
                said.put(pb.ServeToolsRequest(result=result))
    print("bye", flush=True)


if __name__ == "__main__":
    main()
