/** Functions of this process, offered as tools for as long as it wants. */

import { setTimeout as sleep } from "node:timers/promises";

import { create } from "@bufbuild/protobuf";
import type { ClientDuplexStream } from "@grpc/grpc-js";

import type { Connection } from "../connection.js";
import { toMs } from "../duration.js";
import { OptionsError, RefusedError, SidecallError, UnreachableError } from "../errors.js";
import type { JsonObject } from "../json.js";
import { isRefused, isServiceError, refusal } from "../refusal.js";
import { delayMs } from "../resend.js";
import {
  type ServeToolsRequest,
  ServeToolsRequestSchema,
  type ServeToolsResponse,
  SidecallService,
} from "../wire/sidecall/v1/sidecall_pb.js";
import { Attempts } from "./attempts.js";
import {
  type InputOf,
  type Offered,
  offered,
  type Run,
  type StandardSchema,
  type ToolOptions,
} from "./tool.js";

/** What a worker is. */
export interface WorkerOptions {
  /** For people: `billing-agent-7`. */
  readonly name?: string | undefined;
  /** The session that its tools belong to; nobody else sees them. Required unless `shared`. */
  readonly sessionId?: string | undefined;
  /** Its tools are offered to every session; workers that offer the same share the calls. */
  readonly shared?: boolean | undefined;
  /** Attempts that it takes at once. 64. */
  readonly attemptsMax?: number | undefined;
  /**
   * Told why the server will not have it back, while it goes on trying. `console.error`
   * where it is left out.
   */
  readonly onError?: ((error: Error) => void) | undefined;
}

type Stream = ClientDuplexStream<ServeToolsRequest, ServeToolsResponse>;

/** Silence after which the server is taken for lost, in heartbeats. */
const SILENT_HEARTBEATS = 2.5;
/** How long an attempt may be under way that crosses a worker's drain. */
const DRAIN_WAIT_MS = 100;
/** How long a drain waits for what runs. */
const DRAIN_TIMEOUT_MS = 30_000;

/**
 * Offers functions of this process as tools. It connects again by itself when the
 * server was lost, or would not have it back; attempts that ran when the server was
 * lost are aborted, since nobody waits for them.
 *
 * @example
 * ```ts
 * const worker = sidecall.worker({ sessionId });
 * worker.tool(
 *   "read_note",
 *   { description: "A note by its name.", input: z.object({ name: z.string() }), effect: "read_only" },
 *   async ({ name }, { signal }) => readFile(join(notes, name), { encoding: "utf8", signal }),
 * );
 * await worker.start();
 * ```
 */
export class Worker {
  /** Settles when the worker is over: it was closed, or it never came to serve. */
  readonly closed: Promise<void>;
  readonly #connection: Connection;
  readonly #options: WorkerOptions;
  readonly #tools = new Map<string, Offered>();
  readonly #closing = new AbortController();
  #ended: (error?: unknown) => void = () => undefined;
  #stream: Stream | undefined;
  #attempts: Attempts | undefined;
  #isStarted = false;
  #isDraining = false;
  /** What was last told of why it cannot come back. */
  #toldOf: string | undefined;

  /** @internal */
  constructor(connection: Connection, options: WorkerOptions) {
    if (options.shared ? options.sessionId !== undefined : !options.sessionId) {
      throw new OptionsError(
        "a worker's tools belong to a session or are shared: give either `sessionId` or `shared: true`",
      );
    }
    this.#connection = connection;
    this.#options = options;
    this.closed = new Promise((resolve, reject) => {
      this.#ended = (error) => (error === undefined ? resolve() : reject(error));
    });
    // Whoever does not ask how it ended is not to be ended by it.
    this.closed.catch(() => undefined);
  }

  /** Offers a function. All are to be named before {@link start}. */
  tool<Schema extends StandardSchema | JsonObject>(
    name: string,
    options: ToolOptions<Schema>,
    run: Run<InputOf<Schema>>,
  ): this {
    if (this.#isStarted) throw new OptionsError(`${name}: name all tools before start()`);
    if (this.#tools.has(name)) throw new OptionsError(`there is a tool ${name} already`);
    this.#tools.set(name, offered(name, options, run as Run<InputOf<Schema>>));
    return this;
  }

  /**
   * Connects, and resolves when the tools are offered.
   *
   * @throws {UnreachableError} no server answers
   * @throws {RefusedError} the server will not have these tools
   */
  async start(): Promise<void> {
    if (this.#isStarted) throw new OptionsError("the worker was started already");
    if (this.#tools.size === 0) throw new OptionsError("the worker offers nothing: name a tool");
    this.#isStarted = true;
    await new Promise<void>((welcome, refuse) => {
      this.#serve(welcome).then(
        () => {
          this.#ended();
          refuse(new SidecallError("the worker was closed before its tools were offered"));
        },
        (error: unknown) => {
          this.#ended(error);
          refuse(error);
        },
      );
    });
  }

  /**
   * Takes no new attempts, ends those that it has, and closes.
   *
   * @param options - `timeoutMs`: after which those that still run are aborted; 30 s
   */
  async drain({ timeoutMs = DRAIN_TIMEOUT_MS }: { timeoutMs?: number } = {}): Promise<void> {
    this.#isDraining = true;
    const over = setTimeout(() => this.close(), timeoutMs);
    try {
      const stream = this.#stream;
      if (stream) {
        say(stream, { case: "drain", value: {} });
        // An attempt may be under way to here that was sent before this was heard.
        await sleep(DRAIN_WAIT_MS, undefined, { signal: this.#closing.signal }).catch(
          () => undefined,
        );
        await this.#attempts?.idle();
        stream.end();
      }
      this.#closing.abort();
      if (this.#isStarted) await this.closed.catch(() => undefined);
    } finally {
      clearTimeout(over);
    }
  }

  /** Ends at once. Attempts that run are aborted. */
  close(): void {
    this.#isDraining = true;
    this.#closing.abort();
    this.#stream?.cancel();
  }

  /** Serves one stream after the other until it is closed. */
  async #serve(welcome: () => void): Promise<void> {
    let wasWelcome = false;
    let failures = 0;
    while (!this.#isDraining) {
      let after = 0;
      try {
        await this.#connection.ready(undefined, this.#closing.signal);
        const stream = await this.#connection.bidiStream(SidecallService.method.serveTools);
        await this.#converse(stream, () => {
          wasWelcome = true;
          failures = 0;
          this.#toldOf = undefined;
          welcome();
        });
      } catch (error) {
        if (this.#isDraining) return;
        const refused = refusedBy(error);
        // Whoever starts is told at once; whoever served comes back, since what stands
        // against it may go away: another worker's name, a configuration, a token.
        if (!wasWelcome) throw refused ?? error;
        after = refused?.retryAfterMs ?? 0;
        const isLost = isServiceError(error) || error instanceof UnreachableError;
        if (refused || !isLost) this.#tell(refused ?? (error as Error));
      }
      failures += 1;
      const wait = delayMs(failures, after, Number.POSITIVE_INFINITY, Math.random()) ?? 0;
      await sleep(wait, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** Tells of what keeps it from coming back, once until that changes. */
  #tell(error: Error): void {
    if (this.#toldOf === error.message) return;
    this.#toldOf = error.message;
    const { onError = logged } = this.#options;
    try {
      onError(error);
    } catch {
      // Whoever is told may fail; the worker goes on.
    }
  }

  async #converse(stream: Stream, welcome: () => void): Promise<void> {
    const attempts = new Attempts(this.#tools, (request) => write(stream, request));
    const silence = new Silence(() => stream.cancel());
    this.#stream = stream;
    this.#attempts = attempts;
    const { name = "", sessionId = "", shared = false, attemptsMax } = this.#options;
    const tools = [...this.#tools.values()].map(({ wire }) => wire);
    const hello = { name, sessionId, shared, tools };
    const value = attemptsMax === undefined ? hello : { ...hello, attemptsMax };
    say(stream, { case: "hello", value });
    try {
      for await (const { message } of stream) {
        silence.broken();
        switch (message.case) {
          case "welcome":
            silence.allow(toMs(message.value.heartbeat) * SILENT_HEARTBEATS);
            welcome();
            break;
          case "attempt":
            attempts.begin(message.value);
            break;
          case "cancel":
            attempts.cancel(message.value.attemptId);
            break;
          case "heartbeat":
            say(stream, { case: "heartbeat", value: {} });
            break;
          case "drain":
            // No more attempts come; the stream ends with the last result.
            void attempts.idle().then(() => stream.end());
            break;
        }
      }
    } finally {
      silence.dispose();
      this.#stream = undefined;
      attempts.abandon();
      stream.cancel();
    }
  }
}

function say(stream: Stream, message: { case: string; value: object }): void {
  write(stream, create(ServeToolsRequestSchema, { message } as never));
}

function write(stream: Stream, request: ServeToolsRequest): void {
  if (!stream.writableEnded && !stream.destroyed) stream.write(request);
}

function logged(error: Error): void {
  console.error("sidecall: a worker cannot come back, and goes on trying:", error.message);
}

function refusedBy(error: unknown): RefusedError | undefined {
  if (!isServiceError(error)) return undefined;
  const read = refusal(error);
  return isRefused(read) ? new RefusedError(read) : undefined;
}

/** Calls when nothing was heard for too long. Keeps no process alive. */
class Silence {
  readonly #tooLong: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(tooLong: () => void) {
    this.#tooLong = tooLong;
  }

  allow(ms: number): void {
    clearTimeout(this.#timer);
    if (ms > 0) this.#timer = setTimeout(this.#tooLong, ms).unref();
  }

  broken(): void {
    this.#timer?.refresh();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
