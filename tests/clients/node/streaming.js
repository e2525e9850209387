// A Node agent that sends a turn while its model is still writing it.
//
// The proto file and default settings, as `client.js`. What is to be done is named
// by `--scene`; prints what it saw as one JSON object.
"use strict";

const path = require("node:path");
const { parseArgs } = require("node:util");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const PROTO = path.resolve(__dirname, "../../../proto");

const { values: options } = parseArgs({
  options: { address: { type: "string" }, scene: { type: "string" } },
});

const definition = loader.loadSync("sidecall/v1/sidecall.proto", {
  includeDirs: [PROTO],
  keepCase: true,
  defaults: false,
  oneofs: true,
  enums: Number,
});
const { sidecall } = grpc.loadPackageDefinition(definition);
const client = new sidecall.v1.SidecallService(options.address, grpc.credentials.createInsecure());
const stream = client.ExecuteStream();

// A character outside of the basic plane, as JSON escapes it: two surrogates.
const READ = '{"id": "r\\ud83d\\ude00\\u00e9 é"}';

let blocks = 0;
function call(name, pieces) {
  const block = blocks++;
  stream.write({ tool_use_begun: { block, tool_use: { id: `toolu_${block}`, name } } });
  for (const json of pieces) stream.write({ input_fragment: { block, json } });
  stream.write({ tool_use_ended: { block } });
}

const seen = [];
const report = { finished: {}, bundle: [], seen };
const waiting = new Map();

/** The first event of this kind. */
function until(kind) {
  return new Promise((resolve) => waiting.set(kind, resolve));
}

stream.on("data", ({ event }) => {
  seen.push(event.event);
  const value = event[event.event];
  if (event.event === "call_finished") {
    const { result } = value;
    report.finished[result.call_id] = [result.outcome, result.failure?.message ?? ""];
  }
  if (event.event === "bundle_part") report.bundle.push(...value.items);
  const resolve = waiting.get(event.event);
  waiting.delete(event.event);
  resolve?.(value);
});
stream.on("error", (error) => {
  client.close();
  report.code = grpc.status[error.code];
  report.details = error.details;
  console.log(JSON.stringify(report));
});
stream.on("end", () => {
  client.close();
  if (report.code !== undefined) return;
  report.bundle_ids = report.bundle.map((item) => JSON.parse(item).tool_use_id);
  if (report.bundle.length > 0) console.log(JSON.stringify(report));
});

async function play() {
  stream.write({ open: { references: 1, shape: 1 } });
  if (options.scene === "turn") {
    const first = until("call_finished");
    // Cut between any two characters.
    call("read", [...READ]);
    report.before_commit = (await first).result.call_id;
    call("write", ['{"id": "w", "val', 'ue": "${read.v}"}']);
    stream.write({ commit: {} });
    stream.end();
    return;
  }
  const started = until("started");
  if (options.scene !== "broken") call("write", ['{"id": "w", "value": 1}']);
  call("hang", ['{"id": "h"}']);
  await started;
  if (options.scene === "cut") stream.end();
  if (options.scene === "vanish") stream.cancel();
  if (options.scene === "broken") stream.write({ input_fragment: { block: 9, json: "{" } });
}

play();
