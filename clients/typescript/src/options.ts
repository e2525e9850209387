import type { Shape } from "./turn/shape.js";

/** How a turn is run. What is left out is as the server is configured. */
export interface BatchOptions<S extends Shape = Shape> {
  /** The conversation that the turn belongs to. Left out: the batch is a session of its own. */
  readonly sessionId?: string | undefined;
  /** Whether `${get_user.id}` and `{"$ref": …}` in inputs are resolved. Off. */
  readonly references?: boolean | undefined;
  /** `ordered`: one after the other; the first that does not succeed skips the rest. `free`. */
  readonly ordering?: "free" | "ordered" | undefined;
  /** Time for the whole batch, from now, waiting for the server included. */
  readonly timeoutMs?: number | undefined;
  /** Time for each call, from the moment its inputs are ready. */
  readonly callTimeoutMs?: number | undefined;
  /** Names the batch. A UUIDv7 is made where it is left out. */
  readonly batchId?: string | undefined;
  /** Raised: open calls are cancelled, and an `AbortedError` is thrown that holds the turn. */
  readonly signal?: AbortSignal | undefined;
  /** Whose shape the turn has, where it cannot be seen. */
  readonly shape?: S | undefined;
}
