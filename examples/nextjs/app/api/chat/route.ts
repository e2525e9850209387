import { createAnthropic } from "@ai-sdk/anthropic";
import { Sidecall } from "@sidecall/client";
import { sidecallTools } from "@sidecall/client/ai";
import { convertToModelMessages, stepCountIs, streamText, type UIMessage } from "ai";

// gRPC needs Node.js.
export const runtime = "nodejs";
export const dynamic = "force-dynamic";

// One connection for the process.
const sidecall = new Sidecall();

export async function POST(request: Request): Promise<Response> {
  const { id, messages } = (await request.json()) as { id: string; messages: UIMessage[] };
  const anthropic = createAnthropic({
    baseURL: `${process.env["MODEL_URL"]}/v1`,
    apiKey: "none",
  });
  const { tools } = await sidecallTools(sidecall, { sessionId: id });
  const result = streamText({
    model: anthropic("scripted"),
    messages: await convertToModelMessages(messages),
    tools,
    maxOutputTokens: 1024,
    stopWhen: stepCountIs(5),
    abortSignal: request.signal,
  });
  return result.toUIMessageStreamResponse();
}
