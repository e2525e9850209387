"""A Python agent that traces itself: a root span of its own, and one turn for
each file named, within it. Prints the ids of its trace and of its span.
"""

import argparse
import json
import tempfile
from pathlib import Path

import grpc
from client import generate_stubs
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--collector", required=True, help="HOST:PORT of OTLP over gRPC")
    parser.add_argument("turns", nargs="+", type=Path)
    args = parser.parse_args()

    provider = TracerProvider(resource=Resource.create({"service.name": "agent"}))
    exporter = OTLPSpanExporter(endpoint=args.collector, insecure=True)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("agent")

    with tempfile.TemporaryDirectory() as folder, grpc.insecure_channel(args.address) as channel:
        pb2, pb2_grpc = generate_stubs(folder)
        stub = pb2_grpc.SidecallServiceStub(channel)
        with tracer.start_as_current_span("invoke_agent briefing") as root:
            for turn in args.turns:
                carrier = {}
                inject(carrier)
                request = pb2.ExecuteBatchRequest(
                    session_id="briefing",
                    anthropic_json=turn.read_text(encoding="utf-8"),
                    references=pb2.REFERENCES_ON,
                )
                last = None
                for response in stub.ExecuteBatch(request, metadata=list(carrier.items())):
                    last = response.event.WhichOneof("event")
                assert last == "batch_finished", last
            context = root.get_span_context()
    provider.shutdown()
    print(
        json.dumps(
            {
                "trace_id": trace.format_trace_id(context.trace_id),
                "span_id": trace.format_span_id(context.span_id),
            }
        )
    )


if __name__ == "__main__":
    main()
