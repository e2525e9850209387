/** The real program, on a socket of its own, before an upstream on loopback. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const BINARY = resolve(
  process.env["SIDECALL_TEST_BINARY"] ??
    join(import.meta.dirname, "../../../../target/debug/sidecall"),
);

/** A request that the upstream has: what it says of it is the tool's answer. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** As the bytes were. */
  readonly body: string;
  readonly headers: IncomingMessage["headers"];
  answer(body: unknown, status?: number): void;
  /** Resolves when the connection is gone, answered or not. */
  readonly closed: Promise<void>;
}

/** The tools' upstream. */
export class Upstream {
  readonly asked: Asked[] = [];
  readonly #server: Server;
  #handler: (asked: Asked) => void = (asked) => asked.answer({ path: asked.path });
  readonly #waiting: { path: string; found: (asked: Asked) => void }[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<Upstream> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Upstream(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What answers from now on. */
  handle(handler: (asked: Asked) => void): void {
    this.#handler = handler;
  }

  /** The next request to a path. */
  next(path: string): Promise<Asked> {
    return new Promise((found) => this.#waiting.push({ path, found }));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      // Whoever asked is gone before it had asked.
      return;
    }
    const url = new URL(request.url ?? "/", this.url);
    const asked: Asked = {
      method: request.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      body: Buffer.concat(chunks).toString(),
      headers: request.headers,
      closed: new Promise((resolve) => response.once("close", resolve)),
      answer: (body, status = 200) => {
        const isText = typeof body === "string";
        response.writeHead(status, { "content-type": isText ? "text/plain" : "application/json" });
        response.end(isText ? body : JSON.stringify(body));
      },
    };
    this.asked.push(asked);
    const at = this.#waiting.findIndex(({ path }) => path === asked.path);
    for (const { found } of at < 0 ? [] : this.#waiting.splice(at, 1)) found(asked);
    this.#handler(asked);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Tools of every effect; `{url}` is the upstream's. */
const CONFIG = `
listen: {unix: {path: "{socket}"}}
apis:
  world: {url: "{url}", ordering: none, retry: {attempts: 1}}
tools:
  get_user:
    description: One user by id.
    input: {type: object, properties: {id: {}}, required: [id]}
    http: {api: world, get: /user, query: {id: "{id}"}}
  list_orders:
    description: A user's orders.
    input: {type: object, properties: {user: {type: string}}, required: [user]}
    http: {api: world, get: /orders, query: {user: "{user}"}}
  save:
    description: Saves something.
    input: {type: object, properties: {value: {}}}
    http: {api: world, post: /save, json: {value: "{value}"}}
  pay:
    description: Pays something, once for each key.
    input: {type: object, properties: {value: {}}}
    http: {api: world, post: /pay, json: {value: "{value}"}}
    effect: keyed
`;

/** A running server. */
export class Sidecar {
  readonly socket: string;
  readonly #folder: string;
  readonly config: string;
  #child: ChildProcess | undefined;

  constructor(upstream: Upstream, extra = "") {
    this.#folder = mkdtempSync(join(tmpdir(), "sidecall-ts-"));
    this.socket = join(this.#folder, "s.sock");
    this.config = join(this.#folder, "sidecall.yaml");
    const config = CONFIG.replaceAll("{url}", upstream.url).replace("{socket}", this.socket);
    writeFileSync(this.config, config + extra);
  }

  get address(): string {
    return `unix://${this.socket}`;
  }

  /** Starts it. A client that connects meanwhile waits. */
  start(): void {
    if (!existsSync(BINARY)) {
      throw new Error(`${BINARY} is missing: cargo build, or set SIDECALL_TEST_BINARY`);
    }
    this.#child = spawn(BINARY, ["serve", "-c", this.config], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
