/** A function of this process as a tool. */

import { create } from "@bufbuild/protobuf";

import { fromMs } from "../duration.js";
import { OptionsError } from "../errors.js";
import { isObject, type JsonObject, toText } from "../json.js";
import {
  Effect as WireEffect,
  type WorkerTool,
  WorkerToolSchema,
} from "../wire/sidecall/v1/sidecall_pb.js";
import { EFFECTS, type Effect } from "../words.js";
import type { ToolOutput } from "./output.js";

/**
 * A schema of any library that follows Standard Schema and Standard JSON Schema:
 * zod from 4.2 on, ArkType, Valibot with its JSON Schema package.
 */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
    readonly jsonSchema?:
      | { readonly input: (options: { target: "draft-2020-12" }) => Record<string, unknown> }
      | undefined;
  };
}

/** What a Standard Schema's validation comes to. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

/** What a function's input is: of a schema its output, of plain JSON Schema unknown. */
export type InputOf<Schema> = Schema extends StandardSchema<infer Output> ? Output : JsonObject;

/** What is said of a tool. */
export interface ToolOptions<Schema = StandardSchema | JsonObject> {
  /** What it is for, for the model. */
  readonly description: string;
  /** A zod schema (or another Standard Schema), or JSON Schema of an object. */
  readonly input: Schema;
  /** What running it twice means. `at_most_once`, so that nothing is done twice by mistake. */
  readonly effect?: Exclude<Effect, "transactional"> | undefined;
  /** Time for a call that names none itself, waits included. */
  readonly timeoutMs?: number | undefined;
  /** How long it usually runs, until that is measured. */
  readonly latencyMs?: number | undefined;
}

/** What a function is told beside its input. */
export interface ToolContext {
  /** Raised when nobody waits for the result any more, or its time is over. */
  readonly signal: AbortSignal;
  readonly callId: string;
  readonly batchId: string;
  readonly sessionId: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Of a tool that is `keyed`: the same over all attempts of the call. */
  readonly idempotencyKey: string | undefined;
  /** The input as the model wrote it, for numbers that no double holds. */
  readonly inputText: string;
  /** Says how far it is. Of words that come too fast some are left out, never the last. */
  progress(progress: { done?: number; total?: number; message?: string }): void;
}

/** A function as a tool. */
export type Run<Input = unknown> = (
  input: Input,
  context: ToolContext,
) => ToolOutput | Promise<ToolOutput>;

/** Thrown by a function: the tool ran and said no. The model reads the message. */
export class ToolError extends Error {
  override name = "ToolError";
}

/** A tool that a worker offers. */
export interface Offered {
  readonly wire: WorkerTool;
  /** What is to be run for an input's text. */
  readonly run: (inputText: string, context: ToolContext) => Promise<ToolOutput>;
}

/** A function with what is said of it, as the wire has it. */
export function offered<Schema extends StandardSchema | JsonObject>(
  name: string,
  options: ToolOptions<Schema>,
  run: Run<InputOf<Schema>>,
): Offered {
  const standard = standardOf(options.input);
  const wire = create(WorkerToolSchema, {
    name,
    description: options.description,
    inputSchemaJson: toText(schemaOf(name, options.input)),
    effect: options.effect ? EFFECTS.value(options.effect) : WireEffect.AT_MOST_ONCE,
    timeout: fromMs(options.timeoutMs),
    latency: fromMs(options.latencyMs),
  });
  return {
    wire,
    run: async (inputText, context) => {
      let input: unknown = JSON.parse(inputText === "" ? "{}" : inputText);
      if (standard) input = valid(await standard.validate(input));
      return run(input as InputOf<Schema>, context);
    },
  };
}

function standardOf(schema: StandardSchema | JsonObject): StandardSchema["~standard"] | undefined {
  const standard = schema["~standard"] as StandardSchema["~standard"] | undefined;
  return typeof standard?.validate === "function" ? standard : undefined;
}

function schemaOf(name: string, schema: StandardSchema | JsonObject): JsonObject {
  const standard = standardOf(schema);
  if (!standard) return schema as JsonObject;
  if (!standard.jsonSchema) {
    throw new OptionsError(
      `the input of ${name}: this version of ${standard.vendor} makes no JSON Schema of its own; zod does from 4.2 on, or give JSON Schema`,
    );
  }
  const { $schema: _, ...rest } = standard.jsonSchema.input({ target: "draft-2020-12" });
  if (rest["type"] !== "object") {
    throw new OptionsError(
      `the input of ${name} is no object: wrap it, as in z.object({value: …})`,
    );
  }
  return rest;
}

function valid(result: StandardResult<unknown>): unknown {
  if (!result.issues) return result.value;
  const issues = result.issues.map(({ message, path = [] }) => {
    const at = path.map((step) => String(typeof step === "object" ? step.key : step)).join(".");
    return at === "" ? message : `${at}: ${message}`;
  });
  throw new ToolError(`the input is not valid: ${issues.join("; ")}`);
}

/** What is said of a function that threw, whatever that was. */
export function errorText(error: unknown): string {
  for (const words of [told, String]) {
    try {
      return words(error);
    } catch {
      // What is thrown may be anything: a circle, or what throws itself when it is read.
    }
  }
  return "the tool failed with something that has no words";
}

function told(error: unknown): string {
  if (error instanceof Error) return String(error.message || error.name);
  return isObject(error) ? toText(error) : String(error);
}
