/** A worker of this package before a scripted server. */

import { create } from "@bufbuild/protobuf";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { afterEach } from "vitest";

import { Sidecall } from "../../src/index.js";
import {
  type ServeToolsRequest,
  type ServeToolsResponse,
  ServeToolsResponseSchema,
} from "../../src/wire/sidecall/v1/sidecall_pb.js";
import type { Worker, WorkerOptions } from "../../src/worker/worker.js";
import { Peer } from "./peer.js";

type Stream = ServerDuplexStream<ServeToolsRequest, ServeToolsResponse>;

/** What is closed after each test. */
export const opened: { close(): void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

/** What a worker says, one after the other. */
export class Heard {
  readonly stream: Stream;
  readonly #messages: (ServeToolsRequest["message"] | undefined)[] = [];
  readonly #waiting: ((message: ServeToolsRequest["message"] | undefined) => void)[] = [];

  constructor(stream: Stream) {
    this.stream = stream;
    const take = (message: ServeToolsRequest["message"] | undefined) => {
      const wait = this.#waiting.shift();
      if (wait) wait(message);
      else this.#messages.push(message);
    };
    stream.on("data", ({ message }: ServeToolsRequest) => take(message));
    stream.on("end", () => take(undefined));
  }

  /** `undefined` at the end of what it says. */
  next(): Promise<ServeToolsRequest["message"] | undefined> {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async hello() {
    const message = await this.next();
    if (message?.case !== "hello") throw new Error(`${message?.case} came first`);
    return message.value;
  }

  async result() {
    const message = await this.next();
    if (message?.case !== "result") throw new Error(`${message?.case} is no result`);
    return message.value;
  }

  say(message: { case: string; value: object }): void {
    this.stream.write(create(ServeToolsResponseSchema, { message } as never));
  }

  welcome(heartbeatMs = 60_000): void {
    const seconds = BigInt(Math.floor(heartbeatMs / 1000));
    const nanos = (heartbeatMs % 1000) * 1e6;
    this.say({ case: "welcome", value: { heartbeat: { seconds, nanos } } });
  }

  attempt(id: bigint, tool: string, input: string, more: object = {}): void {
    const value = {
      attemptId: id,
      tool,
      inputJson: input,
      callId: `call-${id}`,
      number: 1,
      ...more,
    };
    this.say({ case: "attempt", value });
  }
}

/** A server whose streams a test takes one after the other. */
export async function server() {
  const streams: Heard[] = [];
  const waiting: ((heard: Heard) => void)[] = [];
  const peer = await Peer.start({
    serveTools: (stream: Stream) => {
      stream.on("error", () => undefined);
      const heard = new Heard(stream);
      const wait = waiting.shift();
      if (wait) wait(heard);
      else streams.push(heard);
    },
  });
  const sidecall = new Sidecall({ address: peer.address });
  opened.push(sidecall, { close: () => peer.kill() });
  const stream = () => {
    const next = streams.shift();
    return next ? Promise.resolve(next) : new Promise<Heard>((resolve) => waiting.push(resolve));
  };
  return { sidecall, stream };
}

/** A worker with one tool, welcomed. */
export async function serving(...[name, options, run]: Parameters<Worker["tool"]>) {
  return servingWith({}, name, options, run);
}

/** {@link serving}, of a worker with these options. */
export async function servingWith(
  more: WorkerOptions,
  ...[name, options, run]: Parameters<Worker["tool"]>
) {
  const { sidecall, stream } = await server();
  const worker = sidecall.worker({ sessionId: "s", ...more }).tool(name, options, run);
  opened.push(worker);
  const started = worker.start();
  const heard = await stream();
  const hello = await heard.hello();
  heard.welcome();
  await started;
  return { worker, heard, hello, stream };
}

export const ANY = { description: "Anything.", input: { type: "object" } } as const;

/** A promise, and what settles it. */
export function latch<T = void>() {
  let settle: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => (settle = resolve));
  return { promise, settle };
}
