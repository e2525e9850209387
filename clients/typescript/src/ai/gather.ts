/** Gathers the calls that are made together, so that they are sent as one turn. */

/** Waits for calls and runs those together that came together. */
export class Gatherer<Call, Result> {
  readonly #run: (calls: readonly Call[]) => Promise<readonly Result[]>;
  readonly #gatherMs: number;
  /** By what the calls of one step have in common. */
  readonly #groups = new Map<unknown, Group<Call, Result>>();

  constructor(run: (calls: readonly Call[]) => Promise<readonly Result[]>, gatherMs: number) {
    this.#run = run;
    this.#gatherMs = gatherMs;
  }

  /** Adds a call to those of its step; answers with its own result. */
  add(step: unknown, call: Call): Promise<Result> {
    return new Promise((resolve, reject) => {
      const group = this.#groups.get(step) ?? { calls: [], timer: undefined };
      this.#groups.set(step, group);
      group.calls.push({ call, resolve, reject });
      // Another call of the step begins the wait anew.
      clearTimeout(group.timer);
      group.timer = setTimeout(() => void this.#flush(step, group), this.#gatherMs);
    });
  }

  async #flush(step: unknown, { calls }: Group<Call, Result>): Promise<void> {
    this.#groups.delete(step);
    try {
      const results = await this.#run(calls.map(({ call }) => call));
      calls.forEach(({ resolve }, index) => {
        resolve(results[index] as Result);
      });
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  }
}

interface Group<Call, Result> {
  readonly calls: {
    call: Call;
    resolve: (result: Result) => void;
    reject: (error: unknown) => void;
  }[];
  timer: NodeJS.Timeout | undefined;
}
