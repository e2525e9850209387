// A Node agent with nothing but the proto file and default settings.
//
// Sends one turn of Anthropic content blocks, takes the stream to its end and
// prints what it saw as one JSON object; the Rust test that starts it judges.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { parseArgs } = require("node:util");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const PROTO = path.resolve(__dirname, "../../../proto");

const { values: options } = parseArgs({
  options: {
    address: { type: "string" },
    tool: { type: "string" },
    calls: { type: "string" },
    "cancel-when-started": { type: "boolean", default: false },
    ca: { type: "string" },
    cert: { type: "string" },
    key: { type: "string" },
  },
});

const definition = loader.loadSync("sidecall/v1/sidecall.proto", {
  includeDirs: [PROTO],
  keepCase: true,
  defaults: false,
  oneofs: true,
});
const { sidecall } = grpc.loadPackageDefinition(definition);

// TLS where an authority is named.
const read = (file) => (file === undefined ? null : fs.readFileSync(file));
const credentials =
  options.ca === undefined
    ? grpc.credentials.createInsecure()
    : grpc.credentials.createSsl(read(options.ca), read(options.key), read(options.cert));
const client = new sidecall.v1.SidecallService(options.address, credentials);

const content = Array.from({ length: Number(options.calls) }, (_, number) => ({
  type: "tool_use",
  id: `toolu_${number}`,
  name: options.tool,
  input: { n: number },
}));

const finished = [];
const bundle = [];
const pieces = new Map();
let continues = false;

const stream = client.ExecuteBatch({ anthropic_json: JSON.stringify(content) });

stream.on("data", ({ event }) => {
  switch (event.event) {
    case "started":
      if (options["cancel-when-started"]) stream.cancel();
      break;
    case "result_part": {
      const { call_id: id, text } = event.result_part;
      pieces.set(id, (pieces.get(id) ?? "") + text);
      break;
    }
    case "call_finished": {
      const { result } = event.call_finished;
      const inline = (result.content ?? []).map((block) => block.text ?? block.json ?? "").join("");
      const whole = inline + (pieces.get(result.call_id) ?? "");
      finished.push({ id: result.call_id, is_error: result.is_error ?? false, length: whole.length });
      break;
    }
    case "bundle_part": {
      const items = [...event.bundle_part.items];
      if (continues) bundle[bundle.length - 1] += items.shift();
      bundle.push(...items);
      continues = event.bundle_part.last_item_continues ?? false;
      break;
    }
  }
});

stream.on("error", (error) => {
  client.close();
  if (options["cancel-when-started"] && error.code === grpc.status.CANCELLED) {
    console.log(JSON.stringify({ cancelled: true }));
    return;
  }
  console.error(error);
  process.exitCode = 1;
});

stream.on("end", () => {
  client.close();
  if (options["cancel-when-started"]) return;
  const bundle_ids = bundle.map((item) => JSON.parse(item).tool_use_id);
  const bundle_lengths = bundle.map((item) => item.length);
  console.log(JSON.stringify({ finished, bundle_ids, bundle_lengths }));
});
