// A Node worker with nothing but the proto file and default settings.
//
// Offers `echo_node`, which answers with its input and the trace that it is in. Says
// `ready` once it was welcomed, and `bye` once the server has let it go.
"use strict";

const path = require("node:path");
const { parseArgs } = require("node:util");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const { values: options } = parseArgs({ options: { address: { type: "string" } } });

const definition = loader.loadSync("sidecall/v1/sidecall.proto", {
  includeDirs: [path.resolve(__dirname, "../../../proto")],
  keepCase: true,
  longs: String,
  defaults: true,
  oneofs: true,
});
const { sidecall } = grpc.loadPackageDefinition(definition);
const client = new sidecall.v1.SidecallService(options.address, grpc.credentials.createInsecure());

const stream = client.ServeTools();
const tool = {
  name: "echo_node",
  description: "Says what it is told.",
  input_schema_json: '{"type": "object"}',
  effect: "EFFECT_READ_ONLY",
};
stream.write({ hello: { name: "node", shared: true, tools: [tool] } });
stream.on("data", (told) => {
  switch (told.message) {
    case "welcome":
      console.log("ready");
      break;
    case "heartbeat":
      stream.write({ heartbeat: {} });
      break;
    case "attempt": {
      const { attempt_id, input_json, context } = told.attempt;
      const seen = { input: JSON.parse(input_json), traceparent: context.traceparent };
      stream.write({ result: { attempt_id, content: [{ json: JSON.stringify(seen) }] } });
      break;
    }
  }
});
stream.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
stream.on("end", () => {
  console.log("bye");
  stream.end();
  client.close();
});
