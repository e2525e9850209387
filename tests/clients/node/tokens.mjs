// Counts a text's tokens by the tokenizers that come with LangChain, as one JSON
// object by encoding.

import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";

const require = createRequire(path.join(process.env.NODE_PATH, "index.js"));
const { Tiktoken } = require("js-tiktoken/lite");

const text = process.argv[2];
const counts = {};
for (const encoding of ["o200k_base", "cl100k_base"]) {
  const ranks = require(`js-tiktoken/ranks/${encoding}`);
  counts[encoding] = new Tiktoken(ranks.default ?? ranks).encode(text).length;
}
process.stdout.write(JSON.stringify(counts));
