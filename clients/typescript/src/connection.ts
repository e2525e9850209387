/** The channel to the server. */

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type CallOptions,
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";

import { OptionsError, RefusedError, SidecallError, UnreachableError } from "./errors.js";
import { isRefused, isServiceError, refusal } from "./refusal.js";
import { delayMs } from "./resend.js";
import * as trace from "./trace.js";

/** PEM text, bytes of it, or the path of a file that holds it. */
export type Pem = string | Uint8Array;

/** TLS of a connection over TCP. */
export interface TlsOptions {
  /** Who may have signed the server's certificate; the system's roots where it is left out. */
  readonly ca?: Pem;
  /** The client's own certificate, with `key`. */
  readonly cert?: Pem;
  readonly key?: Pem;
  /** The name in the server's certificate, where it is not the address's host. */
  readonly serverName?: string;
}

/** A token, the file that it stands in, or what gives one. */
export type Bearer = string | { readonly file: string } | (() => string | Promise<string>);

/** Where the server is and how to reach it. */
export interface ConnectionOptions {
  /**
   * `unix:///run/sidecall/sidecall.sock`, `host:port`, or `https://host:port` for
   * TLS. Left out: `SIDECALL_ADDRESS`, else the socket just named.
   */
  readonly address?: string | undefined;
  /** TLS with the system's roots (`true`) or with these. */
  readonly tls?: boolean | TlsOptions | undefined;
  /**
   * Sent as `Authorization: Bearer …`; only over TLS, a Unix socket or loopback. A file
   * is read, and a function asked, for each request: a token that is renewed needs no new
   * client.
   */
  readonly bearer?: Bearer | undefined;
  /** How long to wait for a connection before anything is sent. 5 s. */
  readonly connectTimeoutMs?: number | undefined;
}

/** How often at most something is asked that can be asked twice. */
const TRIES_MAX = 4;

/** How long a connection is trusted that nothing was asked over. */
const IDLE_MAX_MS = 30_000;

const DEFAULT_ADDRESS = "unix:///run/sidecall/sidecall.sock";
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/;

/** The channel. It opens with the first request, and keeps no process alive. */
export class Connection {
  /** As it was given. */
  readonly address: string;
  readonly #connect: () => Client;
  #client: Client;
  /** Streams and requests that have not ended. */
  #open = 0;
  #usedAt = Date.now();
  readonly #bearer: ConnectionOptions["bearer"];
  readonly #connectTimeoutMs: number;

  constructor(options: ConnectionOptions) {
    // `||`: an empty variable is one that is not set.
    this.address = options.address ?? (process.env["SIDECALL_ADDRESS"] || DEFAULT_ADDRESS);
    this.#bearer = options.bearer;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 5000;
    const { target, isTls } = located(this.address, options.tls);
    if (options.bearer !== undefined && !isTls && !isLocal(target)) {
      throw new OptionsError(
        `the bearer token would travel in the clear to ${target}: set \`tls\`, or leave \`bearer\` out`,
      );
    }
    const tls = typeof options.tls === "object" ? options.tls : {};
    const secured = isTls ? secure(tls) : credentials.createInsecure();
    const settings = {
      // A sidecar is near: no proxy of the environment stands between.
      "grpc.enable_http_proxy": 0,
      // What the server may send is bounded there, by its configuration.
      "grpc.max_receive_message_length": -1,
      // A server that starts a moment later is found at once.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 2000,
      // One that hangs is found out while something is asked of it.
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 10_000,
      ...(tls.serverName !== undefined && {
        "grpc.ssl_target_name_override": tls.serverName,
        "grpc.default_authority": tls.serverName,
      }),
    };
    this.#connect = () => new Client(target, secured, settings);
    this.#client = this.#connect();
  }

  /**
   * Waits for a connection. What is sent after it was not lost before it left.
   *
   * @throws {UnreachableError} when none comes about in time
   */
  async ready(deadline: number | undefined, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#renew();
    if (this.#client.getChannel().getConnectivityState(true) === connectivityState.READY) return;
    const until = Math.min(
      Date.now() + this.#connectTimeoutMs,
      deadline ?? Number.POSITIVE_INFINITY,
    );
    await new Promise<void>((resolve, reject) => {
      const aborted = () => reject(signal?.reason);
      signal?.addEventListener("abort", aborted, { once: true });
      this.#client.waitForReady(until, (error) => {
        signal?.removeEventListener("abort", aborted);
        if (error) reject(new UnreachableError(this.address, error));
        else resolve();
      });
    });
  }

  /** Opens a stream of answers. */
  async serverStream<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
    options: CallOptions = {},
  ): Promise<ClientReadableStream<MessageShape<O>>> {
    const metadata = await this.#metadata();
    const { path, serialize, deserialize } = codec(method);
    return this.#watched(
      this.#client.makeServerStreamRequest(
        path,
        serialize,
        deserialize,
        request,
        metadata,
        options,
      ),
    );
  }

  /** Opens a stream both ways. */
  async bidiStream<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    options: CallOptions = {},
  ): Promise<ClientDuplexStream<MessageShape<I>, MessageShape<O>>> {
    const metadata = await this.#metadata();
    const { path, serialize, deserialize } = codec(method);
    return this.#watched(
      this.#client.makeBidiStreamRequest(path, serialize, deserialize, metadata, options),
    );
  }

  /**
   * Asks, and asks again while no answer comes that is the server's own: what is asked
   * this way can be asked twice.
   */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
    options: { deadline: number; signal?: AbortSignal | undefined },
  ): Promise<MessageShape<O>> {
    const { deadline, signal } = options;
    for (let count = 1; ; count += 1) {
      await this.ready(deadline, signal);
      try {
        return await this.#once(method, request, options);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (!isServiceError(error)) throw error;
        const read = refusal(error);
        const isLost = error.code === status.UNAVAILABLE && read.reason === "";
        const wait = isLost ? delayMs(count, 0, deadline - Date.now(), Math.random()) : undefined;
        if (wait !== undefined && count < TRIES_MAX) {
          await sleep(wait, undefined, { signal });
        } else if (isRefused(read)) {
          throw new RefusedError(read);
        } else {
          throw new SidecallError(`no answer came: ${read.message}`, { cause: error });
        }
      }
    }
  }

  async #once<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
    { deadline, signal }: { deadline: number; signal?: AbortSignal | undefined },
  ): Promise<MessageShape<O>> {
    const metadata = await this.#metadata();
    const { path, serialize, deserialize } = codec(method);
    return new Promise((resolve, reject) => {
      const cancel = () => call.cancel();
      const answered = (error: ServiceError | null, answer?: MessageShape<O>) => {
        this.#ended();
        signal?.removeEventListener("abort", cancel);
        if (error === null && answer !== undefined) resolve(answer);
        else reject(error);
      };
      this.#open += 1;
      const call = this.#client.makeUnaryRequest(
        path,
        serialize,
        deserialize,
        request,
        metadata,
        { deadline },
        answered,
      );
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  close(): void {
    this.#client.close();
  }

  /**
   * Connects anew where nothing was asked for long. The process may have stood still
   * meanwhile, as serverless ones do, and the connection have gone without a word: what
   * is sent over such a one is lost, and nobody knows whether it ran.
   */
  #renew(): void {
    if (this.#open > 0 || Date.now() - this.#usedAt < IDLE_MAX_MS) return;
    this.#client.close();
    this.#client = this.#connect();
    this.#usedAt = Date.now();
  }

  #ended(): void {
    this.#open -= 1;
    this.#usedAt = Date.now();
  }

  /** A stream whose error is its reader's: one that nobody reads any more ends no process. */
  #watched<S extends NodeJS.EventEmitter>(stream: S): S {
    this.#open += 1;
    stream.on("error", () => undefined);
    stream.once("status", () => this.#ended());
    return stream;
  }

  async #metadata(): Promise<Metadata> {
    await trace.ready();
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(trace.injected())) metadata.set(name, value);
    if (this.#bearer !== undefined) {
      metadata.set("authorization", `Bearer ${await shown(this.#bearer)}`);
    }
    return metadata;
  }
}

/** The token by now, without the line's end that a file has. */
async function shown(bearer: Bearer): Promise<string> {
  if (typeof bearer === "string") return bearer.trim();
  if (typeof bearer === "function") return (await bearer()).trim();
  const { file } = bearer;
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SidecallError(`the token's file cannot be read; nothing was sent: ${why}`, {
      cause,
    });
  });
  if (text.trim() === "") {
    throw new SidecallError(`the token's file ${file} is empty; nothing was sent`);
  }
  return text.trim();
}

/** An RPC of the service. */
export type Method<I extends DescMessage, O extends DescMessage> = DescMethod & {
  input: I;
  output: O;
};

function codec<I extends DescMessage, O extends DescMessage>(method: Method<I, O>) {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    serialize: (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
    deserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
  };
}

function isLocal(target: string): boolean {
  return target.startsWith("unix:") || LOOPBACK.test(target);
}

/** The target as grpc-js has it, and whether TLS is spoken there. */
function located(
  address: string,
  tls: ConnectionOptions["tls"],
): { target: string; isTls: boolean } {
  const isWanted = tls !== undefined && tls !== false;
  if (address.startsWith("unix:") || address.startsWith("/")) {
    if (isWanted) throw new OptionsError("`tls` is for TCP: a Unix socket needs none");
    return { target: address.startsWith("/") ? `unix://${address}` : address, isTls: false };
  }
  const [, scheme, host] = /^(?:(https?):\/\/)?([^/]+)\/?$/.exec(address) ?? [];
  if (host === undefined || !/:\d+$/.test(host)) {
    throw new OptionsError(
      `no server can be at ${JSON.stringify(address)}: write unix:///path, host:port or https://host:port`,
    );
  }
  if (scheme === "http" && isWanted) {
    throw new OptionsError("`tls` stands against an address with http://: write https://");
  }
  return { target: host, isTls: isWanted || scheme === "https" };
}

function secure(tls: TlsOptions): ChannelCredentials {
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new OptionsError("`tls.cert` and `tls.key` go together: give both or neither");
  }
  return credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert));
}

/** PEM as it is, or the file of that name. */
function pem(value: Pem | undefined): Buffer | null {
  if (value === undefined) return null;
  if (typeof value !== "string") return Buffer.from(value);
  return value.includes("-----BEGIN") ? Buffer.from(value) : readFileSync(value);
}
