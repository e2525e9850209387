/**
 * An agent in a pod. `POST /ask` with a question, and it answers.
 *
 * It asks the model until that calls no more tools, and leaves the tools to the Sidecall
 * beside it: their addresses, credentials and rates are nothing that it knows of.
 */

import { createServer } from "node:http";
import { text } from "node:stream/consumers";

import { Sidecall } from "@sidecall/client";

const MODEL_URL = process.env.MODEL_URL;
const QUESTION = "What should I know before I call Lovelace?";
const TURNS = 10;

type Block = { type: string; text?: string };
type Answer = { role: "assistant"; content: Block[] };

const sidecall = new Sidecall();

/** One answer of the model's. */
async function complete(body: object): Promise<Answer> {
  const answer = await fetch(`${MODEL_URL}/v1/messages`, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`the model answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as Answer;
}

/** The model's last word. */
async function ask(question: string): Promise<string> {
  const { definitions: tools, instructions: system } = await sidecall.listTools({
    shape: "anthropic",
    references: true,
  });
  const messages: object[] = [{ role: "user", content: question }];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const answer = await complete({ model: "scripted", max_tokens: 1024, system, tools, messages });
    const { messages: next, results } = await sidecall.execute(answer, { references: true });
    if (next.length === 0) return answer.content[0]?.text ?? "";
    for (const result of results) console.log(`${result.tool}: ${result.outcome}`);
    messages.push({ role: "assistant", content: answer.content }, ...next);
  }
  return "I found no end of it.";
}

const server = createServer(async (request, response) => {
  if (request.method === "POST") {
    try {
      const question = await text(request);
      response.end(`${await ask(question || QUESTION)}\n`);
    } catch (error) {
      console.error(error);
      response.writeHead(502).end(`${error}\n`);
    }
  } else {
    response.writeHead(request.url === "/healthz" ? 200 : 404).end();
  }
});

server.listen(Number(process.env.PORT ?? 8080), () => {
  const address = server.address();
  console.log(`listening at ${typeof address === "object" ? address?.port : address}`);
});

// The sidecar is there until this process is gone: answers that are being given are given.
process.on("SIGTERM", () => {
  server.close(() => sidecall.close());
  server.closeIdleConnections();
});
