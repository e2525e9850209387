/** What a turn does, drawn while it runs. */

import type { BatchEvent } from "./event.js";
import type { CallResult } from "./result.js";
import type { Shape } from "./turn/shape.js";

/** Where it is drawn: a terminal is drawn over, anything else gets a line for each result. */
export interface ProgressOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const EVERY_MS = 100;
/** Rows of calls that are drawn at most. */
const ROWS_MAX = 12;
const MARKS = { succeeded: "✓", failed: "✗", cancelled: "○", skipped: "–" } as const;

/**
 * Passes the events of a turn on, and draws them on the way.
 *
 * @example
 * ```ts
 * for await (const event of showProgress(sidecall.events(message))) {
 *   if (event.type === "finished") messages.push(...event.turn.messages);
 * }
 * ```
 * @param output standard error where it is left out
 */
export async function* showProgress<S extends Shape>(
  events: AsyncIterable<BatchEvent<S>>,
  output: ProgressOutput = process.stderr,
): AsyncGenerator<BatchEvent<S>, void, void> {
  const drawing = new Drawing(output);
  try {
    for await (const event of events) {
      drawing.take(event);
      yield event;
    }
  } finally {
    drawing.end();
  }
}

interface Row {
  readonly tool: string;
  words: string;
  result?: CallResult;
}

class Drawing {
  readonly #output: ProgressOutput;
  readonly #rows: Row[] = [];
  readonly #begun = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #lines = 0;
  #frame = 0;

  constructor(output: ProgressOutput) {
    this.#output = output;
    if (!output.isTTY) return;
    this.#timer = setInterval(() => this.#draw(), EVERY_MS).unref();
  }

  take(event: BatchEvent): void {
    switch (event.type) {
      case "accepted":
        for (const { tool } of event.plan.calls) this.#rows.push({ tool, words: "waits" });
        break;
      case "planned":
        this.#rows[event.index] = { tool: event.call.tool, words: "waits" };
        break;
      case "started":
        this.#say(event.index, event.attempt > 1 ? `runs, attempt ${event.attempt}` : "runs");
        break;
      case "retrying":
        this.#say(event.index, `tries again in ${seconds(event.delayMs)}`);
        break;
      case "progress": {
        const { done, total } = event;
        const part = done !== undefined && total ? `${Math.round((100 * done) / total)} %` : "";
        this.#say(
          event.index,
          [part, event.message].filter((words) => words !== "").join(" ") || "runs",
        );
        break;
      }
      case "result": {
        const row = this.#rows[event.result.index];
        if (row) row.result = event.result;
        if (!this.#output.isTTY) this.#output.write(`${line(event.result)}\n`);
        break;
      }
    }
    if (this.#output.isTTY) this.#draw();
  }

  /** Leaves what it came to. */
  end(): void {
    clearInterval(this.#timer);
    if (this.#output.isTTY) this.#draw();
  }

  #say(index: number, words: string): void {
    const row = this.#rows[index];
    if (row) row.words = words;
  }

  #draw(): void {
    this.#frame = (this.#frame + 1) % FRAMES.length;
    const open = this.#rows.filter(({ result }) => !result).length;
    const rows = this.#rows.slice(0, ROWS_MAX).map((row) => {
      if (row.result) return line(row.result);
      return `${FRAMES[this.#frame]} ${row.tool}: ${row.words}`;
    });
    if (this.#rows.length > ROWS_MAX) rows.push(`… and ${this.#rows.length - ROWS_MAX} more`);
    const took = seconds(performance.now() - this.#begun);
    rows.push(`${this.#rows.length - open} of ${this.#rows.length} calls, ${took}`);
    const width = (this.#output.columns ?? 80) - 1;
    const up = this.#lines > 0 ? `\u001b[${this.#lines}A` : "";
    const drawn = rows.map((row) => `\u001b[2K${plain(row).slice(0, width)}\n`).join("");
    this.#output.write(up + drawn);
    this.#lines = rows.length;
  }
}

function line(result: CallResult): string {
  const { failure, tool, outcome, timings } = result;
  const why = failure ? `: ${failure.code}` : "";
  return `${MARKS[outcome]} ${tool}${why}, ${seconds(timings.runningMs)}`;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Without what a terminal would obey: names and words are not ours. */
function plain(words: string): string {
  return words.replace(/\p{Cc}/gu, " ");
}
