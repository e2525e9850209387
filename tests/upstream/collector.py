"""A collector of OTLP over gRPC in a process of its own, to be stopped and killed.

Prints the port that it took, then for each message how many spans came in it.
"""

from concurrent import futures

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector(grpc.GenericRpcHandler):
    def service(self, details):
        if not details.method.endswith("TraceService/Export"):
            return None
        return grpc.unary_unary_rpc_method_handler(self.take)

    def take(self, request, context):
        export = ExportTraceServiceRequest.FromString(request)
        scopes = [scope for resource in export.resource_spans for scope in resource.scope_spans]
        print(sum(len(scope.spans) for scope in scopes), flush=True)
        # A response without a field.
        return b""


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers([Collector()])
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
