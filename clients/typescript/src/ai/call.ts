/** A call as the AI SDK makes it. */
export interface Call {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  readonly signal: AbortSignal | undefined;
}
