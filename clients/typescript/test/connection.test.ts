import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import {
  type handleUnaryCall,
  type Metadata,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { context, propagation, type TextMapPropagator, trace } from "@opentelemetry/api";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { type ConnectionOptions, OptionsError, Sidecall, UnreachableError } from "../src/index.js";
import {
  type ListToolsRequest,
  type ListToolsResponse,
  ListToolsResponseSchema,
  type StatusRequest,
  type StatusResponse,
  StatusResponseSchema,
} from "../src/wire/sidecall/v1/sidecall_pb.js";
import { Peer } from "./support/peer.js";

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

/** A server that remembers what came with its requests. */
async function listening(credentials?: ServerCredentials) {
  const seen: Metadata[] = [];
  const status = (
    { metadata }: ServerUnaryCall<StatusRequest, StatusResponse>,
    answer: sendUnaryData<StatusResponse>,
  ) => {
    seen.push(metadata);
    answer(null, create(StatusResponseSchema));
  };
  const peer = await Peer.start({ status }, credentials);
  opened.push({ close: () => peer.kill() });
  const client = (options: ConnectionOptions = {}) => {
    const sidecall = new Sidecall({ address: peer.address, connectTimeoutMs: 2000, ...options });
    opened.push(sidecall);
    return sidecall;
  };
  return { client, seen, port: peer.address.split(":")[1] };
}

describe("an address", () => {
  test.each([
    ["", "no server can be"],
    ["localhost", "no server can be"],
    ["ftp://localhost:1", "no server can be"],
    ["localhost:80/path", "no server can be"],
  ])("that is none is refused: %j", (address, words) => {
    expect(() => new Sidecall({ address })).toThrow(words);
  });

  test("is the environment's where none is given, else the usual socket", () => {
    const before = process.env["SIDECALL_ADDRESS"];
    try {
      process.env["SIDECALL_ADDRESS"] = "unix:///tmp/of-the-environment.sock";
      expect(new Sidecall().address).toBe("unix:///tmp/of-the-environment.sock");
      process.env["SIDECALL_ADDRESS"] = "";
      expect(new Sidecall().address).toBe("unix:///run/sidecall/sidecall.sock");
    } finally {
      if (before === undefined) delete process.env["SIDECALL_ADDRESS"];
      else process.env["SIDECALL_ADDRESS"] = before;
    }
  });

  test("may name http, and a proxy of the environment is not asked", async () => {
    const { client, port } = await listening();
    process.env["http_proxy"] = "http://127.0.0.1:1";
    try {
      await client({ address: `http://127.0.0.1:${port}` }).status();
    } finally {
      delete process.env["http_proxy"];
    }
  });
});

describe("options that stand against each other are refused", () => {
  test.each<[string, ConnectionOptions]>([
    ["a bearer in the clear", { address: "example.com:443", bearer: "secret" }],
    ["TLS on a Unix socket", { address: "unix:///s.sock", tls: true }],
    ["TLS on http", { address: "http://example.com:80", tls: true }],
    ["a certificate without its key", { address: "example.com:443", tls: { cert: "x" } }],
  ])("%s", (_, options) => {
    expect(() => new Sidecall(options)).toThrow(OptionsError);
  });
});

describe("a connection that was left alone", () => {
  /** Stands before a server; connections that are held lose what is sent, without a word. */
  async function between(port: number) {
    const held: Socket[] = [];
    const proxy = createServer((near) => {
      held.push(near);
      const far = connect(port, "127.0.0.1");
      for (const each of [near, far]) each.on("error", () => undefined);
      near.pipe(far).pipe(near);
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    opened.push({
      close: () => {
        proxy.close();
        for (const socket of held) socket.destroy();
      },
    });
    const hold = () => {
      for (const socket of held) socket.unpipe();
    };
    return { address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, held, hold };
  }

  test("for long is not trusted: the process may have stood still", async () => {
    const { client, port } = await listening();
    const { address, held, hold } = await between(Number(port));
    const sidecall = client({ address });
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      await sidecall.status();
      hold();
      vi.setSystemTime(Date.now() + 60_000);
      await sidecall.status();
    } finally {
      vi.useRealTimers();
    }

    expect(held).toHaveLength(2);
  });

  test("for a moment is used again", async () => {
    const { client, port } = await listening();
    const { address, held } = await between(Number(port));
    const sidecall = client({ address });
    for (let count = 0; count < 3; count += 1) await sidecall.status();

    expect(held).toHaveLength(1);
  });
});

test("an answer is as large as the server makes it", async () => {
  const instructions = "x".repeat(5 << 20);
  const listTools: handleUnaryCall<ListToolsRequest, ListToolsResponse> = (_, answer) =>
    answer(null, create(ListToolsResponseSchema, { instructions }));
  const peer = await Peer.start({ listTools });
  const sidecall = new Sidecall({ address: peer.address });
  opened.push(sidecall, { close: () => peer.kill() });

  expect((await sidecall.listTools()).instructions).toBe(instructions);
});

test("a bearer goes with each request, asked for anew", async () => {
  const { client, seen } = await listening();
  const tokens = ["t1", "t2"];
  const sidecall = client({ bearer: async () => tokens.shift() ?? "" });
  await sidecall.status();
  await sidecall.status();

  expect(seen.map((metadata) => metadata.get("authorization"))).toEqual([
    ["Bearer t1"],
    ["Bearer t2"],
  ]);
});

test("the active trace goes with each request", async () => {
  const key = Symbol.for("test.trace");
  const propagator: TextMapPropagator = {
    inject: (active, carrier, setter) =>
      setter.set(carrier, "traceparent", String(active.getValue(key))),
    extract: (active) => active,
    fields: () => ["traceparent"],
  };
  propagation.setGlobalPropagator(propagator);
  const active = context
    .active()
    .setValue(key, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  context.setGlobalContextManager({
    active: () => active,
    with: (_context, run, self, ...args) => run.call(self as never, ...args),
    bind: (_context, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  try {
    const { client, seen } = await listening();
    await client().status();

    expect(seen[0]?.get("traceparent")).toEqual([
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ]);
  } finally {
    context.disable();
    propagation.disable();
    trace.disable();
  }
});

describe.skipIf(spawnSync("openssl", ["version"]).status !== 0)("TLS", () => {
  let folder: string;
  const file = (name: string) => join(folder, name);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "sidecall-tls-"));
    const names = ["-subj", "/CN=sidecall", "-addext", "subjectAltName=DNS:sidecall.internal"];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    for (const name of ["server", "other"]) {
      const out = ["-keyout", file(`${name}.key`), "-out", file(`${name}.pem`)];
      execFileSync("openssl", ["req", "-x509", ...kind, ...names, ...out], { stdio: "pipe" });
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const secured = (isMutual = false) =>
    listening(
      ServerCredentials.createSsl(
        readFileSync(file("other.pem")),
        [
          {
            private_key: readFileSync(file("server.key")),
            cert_chain: readFileSync(file("server.pem")),
          },
        ],
        isMutual,
      ),
    );
  const serverName = "sidecall.internal";

  test("is spoken with a server whose certificate is known, as text or as a file", async () => {
    const { client, seen } = await secured();
    await client({ tls: { ca: file("server.pem"), serverName }, bearer: "b" }).status();
    await client({ tls: { ca: readFileSync(file("server.pem"), "utf8"), serverName } }).status();

    expect(seen).toHaveLength(2);
  });

  test("is not spoken with any other", async () => {
    const { client, seen } = await secured();
    const unknown = client({ tls: { ca: file("other.pem"), serverName }, connectTimeoutMs: 300 });
    await expect(unknown.status()).rejects.toThrow(UnreachableError);
    const misnamed = client({ tls: { ca: file("server.pem") }, connectTimeoutMs: 300 });
    await expect(misnamed.status()).rejects.toThrow(UnreachableError);

    expect(seen).toEqual([]);
  });

  test("shows the client's certificate where the server asks for it", async () => {
    const { client } = await secured(true);
    const own = { cert: file("other.pem"), key: file("other.key") };
    await client({ tls: { ca: file("server.pem"), serverName, ...own } }).status();
    const without = client({ tls: { ca: file("server.pem"), serverName }, connectTimeoutMs: 300 });

    await expect(without.status({ timeoutMs: 600 })).rejects.toThrow();
  });
});
