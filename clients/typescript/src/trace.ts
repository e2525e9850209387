/**
 * OpenTelemetry's context, where `@opentelemetry/api` is installed: out to the
 * server with each request, in to the functions of a worker.
 */

/** What is used of `@opentelemetry/api`. */
interface Api {
  context: { active(): unknown; with<T>(context: unknown, run: () => T): T };
  propagation: {
    inject(context: unknown, carrier: Record<string, string>): void;
    extract(context: unknown, carrier: Readonly<Record<string, string>>): unknown;
  };
}

// A name that is no literal: a bundler leaves it to run time, where it may be missing.
const NAME = ["@opentelemetry", "api"].join("/");

let api: Api | undefined;
const loaded: Promise<void> = import(NAME).then(
  (module: Api & { default?: Api }) => {
    api = module.propagation ? module : module.default;
  },
  () => undefined,
);

/** Resolves when it is known whether the API is there. */
export function ready(): Promise<void> {
  return loaded;
}

/** The active context as headers: `traceparent`, `tracestate`, `baggage`. */
export function injected(): Readonly<Record<string, string>> {
  const carrier: Record<string, string> = {};
  api?.propagation.inject(api.context.active(), carrier);
  return carrier;
}

/** Runs a function in the context that came with a request. */
export function within<T>(headers: Readonly<Record<string, string>>, run: () => T): T {
  if (!api) return run();
  return api.context.with(api.propagation.extract(api.context.active(), headers), run);
}
