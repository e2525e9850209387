/** A scripted server: it says what a test tells it to, and breaks when told. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerWritableStream,
  type ServiceDefinition,
  type status,
  type UntypedHandleCall,
} from "@grpc/grpc-js";

import { fromMs } from "../../src/duration.js";
import {
  type BatchEventSchema,
  type ExecuteBatchRequest,
  type ExecuteBatchResponse,
  ExecuteBatchResponseSchema,
  type ExecuteStreamRequest,
  type ExecuteStreamResponse,
  ExecuteStreamResponseSchema,
  SidecallService,
} from "../../src/wire/sidecall/v1/sidecall_pb.js";

export type Executing = ServerWritableStream<ExecuteBatchRequest, ExecuteBatchResponse>;

/** A server whose `ExecuteBatch`, and what else is named, are scripted. */
export class Peer {
  readonly #server: Server;
  readonly address: string;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.address = `127.0.0.1:${port}`;
  }

  static async start(
    scripts: Partial<Record<keyof typeof SidecallService.method, UntypedHandleCall>>,
    credentials = ServerCredentials.createInsecure(),
  ): Promise<Peer> {
    const server = new Server();
    server.addService(definition(), scripts as Record<string, UntypedHandleCall>);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", credentials, (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    return new Peer(server, port);
  }

  /** Cuts every connection. */
  kill(): void {
    this.#server.forceShutdown();
  }
}

function definition(): ServiceDefinition {
  const methods = Object.fromEntries(
    Object.entries(SidecallService.method).map(([name, method]) => [
      name,
      {
        path: `/${method.parent.typeName}/${method.name}`,
        requestStream: method.methodKind === "bidi_streaming",
        responseStream: method.methodKind !== "unary",
        requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
        requestSerialize: (message: never) => Buffer.from(toBinary(method.input, message)),
        responseSerialize: (message: never) => Buffer.from(toBinary(method.output, message)),
        responseDeserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
      },
    ]),
  );
  return methods as unknown as ServiceDefinition;
}

/** Writes an event of a batch. */
export function tell(
  call: Executing | ServerDuplexStream<ExecuteStreamRequest, ExecuteStreamResponse>,
  event: NonNullable<MessageInitShape<typeof BatchEventSchema>["event"]>,
): void {
  const isBatch = "request" in call;
  const schema = isBatch ? ExecuteBatchResponseSchema : ExecuteStreamResponseSchema;
  (call as Executing).write(create(schema, { event: { event } as never }) as never);
}

/** An error as grpc-js takes it, with `google.rpc` details as the server sends them. */
export function refusal(
  code: status,
  reason: string,
  retryAfterMs?: number,
): { code: status; details: string; metadata: Metadata } {
  const details = [
    any("google.rpc.ErrorInfo", [
      [1, reason],
      [2, "sidecall.dev"],
    ]),
  ];
  if (retryAfterMs !== undefined) {
    const delay = toBinary(DurationSchema, fromMs(retryAfterMs) as Duration);
    details.push(any("google.rpc.RetryInfo", [[1, delay]]));
  }
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(lengths(details.map((bytes) => [3, bytes]))));
  return { code, details: "said the script", metadata };
}

function any(type: string, fields: [number, string | Uint8Array][]): Uint8Array {
  return lengths([
    [1, `type.googleapis.com/${type}`],
    [2, lengths(fields)],
  ]);
}

function lengths(fields: [number, string | Uint8Array][]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    writer.tag(number, WireType.LengthDelimited);
    if (typeof value === "string") writer.string(value);
    else writer.bytes(value);
  }
  return writer.finish();
}
