import { create } from "@bufbuild/protobuf";

import { Connection, type ConnectionOptions } from "./connection.js";
import { SidecallError } from "./errors.js";
import type { BatchEvent } from "./event.js";
import { execute, turnField } from "./execute.js";
import type { BatchOptions } from "./options.js";
import { type Plan, planFromWire } from "./plan.js";
import { type StreamOptions, TurnStream } from "./stream.js";
import { type ListToolsOptions, listTools, type ToolList } from "./tools.js";
import type { Shape, ShapeOf } from "./turn/shape.js";
import { recognise } from "./turn/turn.js";
import type { TurnResult } from "./turn_result.js";
import {
  CancelBatchRequestSchema,
  Ordering,
  PlanBatchRequestSchema,
  References,
  SidecallService,
  StatusRequestSchema,
  type StatusResponse,
} from "./wire/sidecall/v1/sidecall_pb.js";
import { Worker, type WorkerOptions } from "./worker/worker.js";

/** How a single request is made. */
export interface RequestOptions {
  /** 10 s. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const REQUEST_TIMEOUT_MS = 10_000;

/**
 * The client of Sidecall. One is enough for a process: it has one connection,
 * which opens with the first request and keeps no process alive.
 *
 * @example
 * ```ts
 * const sidecall = new Sidecall();
 * const message = await anthropic.messages.create({ … });
 * const turn = await sidecall.execute(message);
 * messages.push({ role: "assistant", content: message.content }, ...turn.messages);
 * ```
 */
export class Sidecall {
  /** @internal */
  readonly connection: Connection;

  constructor(options: ConnectionOptions = {}) {
    this.connection = new Connection(options);
  }

  /** Where the server is. */
  get address(): string {
    return this.connection.address;
  }

  /**
   * Runs the calls of a turn and returns what is to be appended to the
   * conversation: as many results as the turn has calls, whatever happened.
   *
   * @param turn what the model's SDK returned (a whole answer, the assistant
   *   message, its content or its calls), or JSON text of it, which reaches the
   *   tools byte for byte. Of a turn without calls nothing is sent, and nothing
   *   is to be appended.
   * @throws {UnknownShapeError} nothing was sent
   * @throws {UnreachableError} nothing was sent
   * @throws {RefusedError} nothing has run
   * @throws {AbortedError} `options.signal` was raised
   */
  async execute<const T, S extends Shape = ShapeOf<T>>(
    turn: T,
    options: BatchOptions<S> = {},
  ): Promise<TurnResult<S>> {
    let last: BatchEvent | undefined;
    for await (const event of execute(this.connection, recognise(turn, options.shape), options)) {
      last = event;
    }
    return finished<S>(last);
  }

  /**
   * Runs the calls of a turn and tells what happens. The last event is
   * `finished`, with the turn as {@link execute} returns it. Leaving the loop
   * early cancels what is open.
   */
  async *events<const T, S extends Shape = ShapeOf<T>>(
    turn: T,
    options: BatchOptions<S> = {},
  ): AsyncGenerator<BatchEvent<S>, void, void> {
    const events = execute(this.connection, recognise(turn, options.shape), options);
    yield* events as AsyncGenerator<BatchEvent<S>, void, void>;
  }

  /**
   * A turn that the model is still writing: feed it the events of the model's stream, and
   * commit it at their end. Calls that only read start before that.
   */
  stream<S extends Shape = Shape>(options: StreamOptions<S> = {}): TurnStream<S> {
    return new TurnStream(this.connection, options);
  }

  /** The plan of a turn and what it will take. Nothing is run. */
  async plan(
    turn: unknown,
    options: Pick<BatchOptions, "references" | "ordering" | "sessionId" | "shape"> &
      RequestOptions = {},
  ): Promise<Plan> {
    const request = create(PlanBatchRequestSchema, {
      sessionId: options.sessionId ?? "",
      references: options.references ? References.ON : References.OFF,
      ordering: options.ordering === "ordered" ? Ordering.ORDERED : Ordering.FREE,
      turn: turnField(recognise(turn, options.shape)),
    });
    const { planBatch } = SidecallService.method;
    return planFromWire((await this.connection.unary(planBatch, request, once(options))).plan);
  }

  /**
   * Cancels a running batch, or some of its calls. The batch's own stream goes on
   * to its end, with a result for each.
   *
   * @returns the calls that were open
   */
  async cancel(
    batchId: string,
    options: RequestOptions & { readonly callIds?: readonly string[] } = {},
  ): Promise<readonly string[]> {
    const request = create(CancelBatchRequestSchema, {
      batchId,
      callIds: [...(options.callIds ?? [])],
    });
    const { cancelBatch } = SidecallService.method;
    return (await this.connection.unary(cancelBatch, request, once(options))).callIds;
  }

  /**
   * The tools that this caller may use, ready for a provider's request:
   * `listTools<Anthropic.Tool>({shape: "anthropic"})`.
   *
   * @typeParam Definition - the SDK's own type of a tool
   */
  async listTools<Definition = unknown>(
    options: ListToolsOptions & RequestOptions = {},
  ): Promise<ToolList<Definition>> {
    const list = await listTools(this.connection, options, once(options));
    return list as ToolList<Definition>;
  }

  /** What the server holds, waits for and leaves alone at this moment. */
  async status(
    options: RequestOptions & { readonly rowsMax?: number } = {},
  ): Promise<StatusResponse> {
    const { rowsMax } = options;
    const request = create(StatusRequestSchema, rowsMax === undefined ? {} : { rowsMax });
    return this.connection.unary(SidecallService.method.status, request, once(options));
  }

  /** A worker, which offers functions of this process as tools once it is started. */
  worker(options: WorkerOptions): Worker {
    return new Worker(this.connection, options);
  }

  /** Closes the connection. What is open ends as if the server were lost. */
  close(): void {
    this.connection.close();
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function finished<S extends Shape>(event: BatchEvent | undefined): TurnResult<S> {
  if (event?.type === "finished") return event.turn as TurnResult<S>;
  throw new SidecallError("the batch has no end: this is a fault of the client");
}

function once({ timeoutMs = REQUEST_TIMEOUT_MS, signal }: RequestOptions) {
  return { deadline: Date.now() + timeoutMs, signal };
}
