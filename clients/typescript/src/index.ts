/**
 * The client of Sidecall.
 *
 * @packageDocumentation
 */

export { type RequestOptions, Sidecall } from "./client.js";
export type { Bearer, ConnectionOptions, Pem, TlsOptions } from "./connection.js";
export { toMs as durationMs } from "./duration.js";
export {
  AbortedError,
  BrokenError,
  OptionsError,
  RefusedError,
  SidecallError,
  UnknownShapeError,
  UnreachableError,
} from "./errors.js";
export type { BatchEvent } from "./event.js";
export type { BatchOptions } from "./options.js";
export type { Edge, Plan, PlanEstimate, PlannedCall } from "./plan.js";
export { type ProgressOutput, showProgress } from "./progress.js";
export type { Violation } from "./refusal.js";
export type { Attempt, CallResult, Content, Failure, Timings } from "./result.js";
export type { StreamOptions, TurnStream } from "./stream.js";
export type { ListToolsOptions, Tool, ToolList } from "./tools.js";
export type {
  AiSdkToolResult,
  AnthropicToolResult,
  BedrockToolResult,
  GeminiResponsePart,
  Items,
  Json,
  LangChainToolMessage,
  Messages,
  OpenAIOutputItem,
  OpenAIToolMessage,
  Shape,
  ShapeOf,
} from "./turn/shape.js";
export type { Summary, TurnResult } from "./turn_result.js";
export type { StatusResponse } from "./wire/sidecall/v1/sidecall_pb.js";
export type {
  EdgeKind,
  EdgeStrength,
  Effect,
  FailureCode,
  FailureOrigin,
  Outcome,
  RetryAdvice,
  Source,
} from "./words.js";
export { content, type Part, type ToolOutput } from "./worker/output.js";
export {
  type InputOf,
  type Run,
  type StandardResult,
  type StandardSchema,
  type ToolContext,
  ToolError,
  type ToolOptions,
} from "./worker/tool.js";
export type { Worker, WorkerOptions } from "./worker/worker.js";
