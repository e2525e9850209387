/** A call that failed, for frameworks whose tools throw. */

import { wordsOf } from "./bundle.js";
import { SidecallError } from "./errors.js";
import type { CallResult } from "./result.js";

/** A call that failed, as a tool throws it: the model reads the message. */
export class ToolCallError extends SidecallError {
  override name = "ToolCallError";
  /** What it came to. */
  readonly result: CallResult;

  constructor(result: CallResult) {
    const { failure, content } = result;
    super(failure ? `${failure.code}: ${failure.message}` : content.map(wordsOf).join("\n"));
    this.result = result;
  }
}
