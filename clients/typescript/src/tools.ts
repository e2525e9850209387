/** Tools, as a model is told of them. */

import { create } from "@bufbuild/protobuf";

import type { Connection } from "./connection.js";
import type { JsonObject } from "./json.js";
import type { Shape as ShapeWord } from "./turn/shape.js";
import {
  ListToolsRequestSchema,
  References,
  Shape,
  SidecallService,
  type ToolDefinition,
} from "./wire/sidecall/v1/sidecall_pb.js";
import { EFFECTS, type Effect } from "./words.js";

/** Which tools, and how they are written. */
export interface ListToolsOptions {
  /** Whose request they are for; it decides what `definitions` holds. */
  readonly shape?: ShapeWord | undefined;
  /** The model may write references: schemas take them, and `instructions` teaches them. */
  readonly references?: boolean | undefined;
  /** Also the tools that workers offer to this session alone. */
  readonly sessionId?: string | undefined;
  /** Descriptions say how long a call usually takes. */
  readonly latencies?: boolean | undefined;
}

/** A tool. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of its input. */
  readonly inputSchema: JsonObject;
  /** What running it twice means; not set where the server does not say. */
  readonly effect: Effect | undefined;
}

/** The tools that a caller may use. */
export interface ToolList<Definition = unknown> {
  /** By name. */
  readonly tools: readonly Tool[];
  /** For the `tools` of the provider's request; empty unless a shape was named. */
  readonly definitions: Definition[];
  /** For the system prompt; empty unless references were asked for. */
  readonly instructions: string;
}

/** The number of each shape on the wire. */
export const SHAPES = {
  anthropic: Shape.ANTHROPIC,
  openai_chat: Shape.OPENAI_CHAT,
  openai_responses: Shape.OPENAI_RESPONSES,
  gemini: Shape.GEMINI,
  bedrock: Shape.BEDROCK,
  ai_sdk: Shape.AI_SDK,
  langchain: Shape.LANGCHAIN,
} as const satisfies Record<ShapeWord, Shape>;

/** All pages of the list. */
export async function listTools(
  connection: Connection,
  options: ListToolsOptions,
  once: { deadline: number; signal: AbortSignal | undefined },
): Promise<ToolList> {
  const tools: Tool[] = [];
  const definitions: unknown[] = [];
  let instructions = "";
  let pageToken = "";
  do {
    const request = create(ListToolsRequestSchema, {
      shape: options.shape ? SHAPES[options.shape] : Shape.UNSPECIFIED,
      references: options.references ? References.ON : References.OFF,
      sessionId: options.sessionId ?? "",
      latencies: options.latencies ?? false,
      pageToken,
    });
    const page = await connection.unary(SidecallService.method.listTools, request, once);
    tools.push(...page.tools.map(toolFromWire));
    if (page.toolsJson !== "") definitions.push(...(JSON.parse(page.toolsJson) as unknown[]));
    instructions ||= page.instructions;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return { tools, definitions, instructions };
}

function toolFromWire(tool: ToolDefinition): Tool {
  return {
    name: tool.name,
    description: tool.description,
    inputSchema: JSON.parse(tool.inputSchemaJson) as JsonObject,
    effect: EFFECTS.word(tool.effect),
  };
}
