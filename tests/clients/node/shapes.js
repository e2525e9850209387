// Sends turns and bundles with the providers' own npm SDKs, as an agent's next
// request.
//
// Those check nothing at run time: what judges is a server on loopback that holds
// what they sent to the rules of the APIs. Reads JSON objects from standard input, one
// a line: `shape`, `turn`, `bundle` and `tools`. Says of each on a line of its own how
// many items its bundle has, or what is wrong, and ends with 1 where anything is.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const Anthropic = require("@anthropic-ai/sdk");
const OpenAI = require("openai");

/** Every member is known, and all that must be there is. */
function members(item, needed, allowed = []) {
  const known = [...needed, ...allowed];
  const unknown = Object.keys(item).filter((key) => !known.includes(key));
  assert.deepEqual(unknown, [], `${JSON.stringify(item)} has members that the API does not know`);
  for (const key of needed) assert.ok(item[key] != null, `${JSON.stringify(item)} has no ${key}`);
}

function text(value) {
  assert.equal(typeof value, "string");
  assert.ok(value.trim().length > 0, "a text without anything in it");
}

/** The parts of a content: texts, and files of these kinds. */
function parts(content, of, files) {
  if (typeof content === "string") return text(content);
  assert.ok(Array.isArray(content) && content.length > 0, "a content without anything in it");
  for (const part of content) {
    if (part.type === of) {
      members(part, ["type", "text"]);
      text(part.text);
    } else {
      assert.ok(part.type in files, `a part of type ${part.type}`);
      members(part, ["type", ...files[part.type]]);
    }
  }
}

function answers(calls, answered) {
  assert.deepEqual(answered, calls, "each call is answered once, in the order of the turn");
}

const RULES = {
  "/v1/messages": ({ messages, tools }) => {
    const [turn, answer] = messages.slice(-2);
    assert.deepEqual([turn.role, answer.role], ["assistant", "user"]);
    const calls = turn.content.filter((block) => block.type === "tool_use");
    for (const block of answer.content) {
      members(block, ["type", "tool_use_id"], ["content", "is_error", "toolset_name"]);
      assert.equal(block.type, "tool_result");
      const files = block.is_error ? {} : { image: ["source"], document: ["source"] };
      if ("content" in block) parts(block.content, "text", files);
    }
    answers(calls.map((call) => call.id), answer.content.map((block) => block.tool_use_id));
    answers(calls.map((call) => call.toolset_name), answer.content.map((block) => block.toolset_name));
    for (const tool of tools) {
      members(tool, ["name", "input_schema"], ["description"]);
      assert.equal(tool.input_schema.type, "object");
    }
  },
  "/v1/chat/completions": ({ messages, tools }) => {
    const at = messages.findLastIndex((message) => message.role === "assistant");
    const answered = messages.slice(at + 1);
    for (const message of answered) {
      members(message, ["role", "tool_call_id", "content"]);
      assert.equal(message.role, "tool");
      text(message.content);
    }
    answers(messages[at].tool_calls.map((call) => call.id), answered.map((one) => one.tool_call_id));
    for (const tool of tools) {
      members(tool, ["type", "function"]);
      members(tool.function, ["name", "parameters"], ["description"]);
      assert.equal(tool.function.parameters.type, "object");
    }
  },
  "/v1/responses": ({ input, tools }) => {
    const outputs = { function_call: "function_call_output", custom_tool_call: "custom_tool_call_output" };
    const calls = input.filter((item) => item.type in outputs);
    const answered = input.slice(input.indexOf(input.findLast((item) => item.type in outputs)) + 1);
    for (const item of answered) {
      const own = item.type === "function_call_output" ? ["namespace"] : [];
      members(item, ["type", "call_id", "output"], ["caller", ...own]);
      parts(item.output, "input_text", {
        input_image: ["detail", "image_url"],
        input_file: ["filename", "file_data"],
      });
    }
    answers(calls.map((call) => call.call_id), answered.map((item) => item.call_id));
    answers(calls.map((call) => outputs[call.type]), answered.map((item) => item.type));
    answers(calls.map((call) => call.caller?.caller_id), answered.map((item) => item.caller?.caller_id));
    for (const tool of tools) {
      members(tool, ["type", "name", "parameters", "strict"], ["description"]);
      assert.equal(tool.parameters.type, "object");
    }
  },
};

function serve() {
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
      let status = 200;
      let answer = { type: "message", content: [], choices: [], output: [] };
      try {
        RULES[request.url.split("?")[0]](JSON.parse(body));
      } catch (fault) {
        status = 400;
        answer = { error: { type: "invalid_request_error", message: fault.message } };
      }
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(answer));
    });
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}

const SEND = {
  anthropic: (baseURL, { turn, bundle, tools }) =>
    new Anthropic({ baseURL, apiKey: "none", maxRetries: 0 }).messages.create({
      model: turn.model,
      max_tokens: 16,
      tools,
      messages: [
        { role: "user", content: "Go." },
        { role: turn.role, content: turn.content },
        { role: "user", content: bundle },
      ],
    }),
  openai_chat: (baseURL, { turn, bundle, tools }) =>
    new OpenAI({ baseURL: `${baseURL}/v1`, apiKey: "none", maxRetries: 0 }).chat.completions.create({
      model: turn.model,
      tools,
      messages: [{ role: "user", content: "Go." }, turn.choices[0].message, ...bundle],
    }),
  openai_responses: (baseURL, { turn, bundle, tools }) =>
    new OpenAI({ baseURL: `${baseURL}/v1`, apiKey: "none", maxRetries: 0 }).responses.create({
      model: turn.model,
      tools,
      input: [{ role: "user", content: "Go." }, ...turn.output, ...bundle],
    }),
};

async function main() {
  const lines = fs.readFileSync(0, "utf8").split("\n").filter(Boolean);
  const server = await serve();
  const baseURL = `http://127.0.0.1:${server.address().port}`;
  for (const held of lines.map((line) => JSON.parse(line))) {
    try {
      await SEND[held.shape](baseURL, held);
      console.log(held.bundle.length);
    } catch (fault) {
      process.exitCode = 1;
      console.log(fault.message.replaceAll(/\s+/g, " "));
    }
  }
  server.close();
  server.closeAllConnections();
}

main();
