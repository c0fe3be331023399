/**
 * Client of the Argus API: requests with a token, retries, errors with a code, lists that are read page by page.
 *
 * The types of paths, values and results are generated from the OpenAPI document (`operations.ts`), so there is one method
 * for all operations instead of one each.
 */
import { ArgusError } from "./errors.js";
import { Fhir } from "./fhir.js";
import { AUTH_PATHS } from "./generated/hosts.js";
import { type GraphqlOperation, sendGraphql } from "./graphql.js";
import { Jobs } from "./jobs.js";
import type { Given, Item, Method, Operation, PathOf, Result, Sending } from "./operations.js";
import { cursorOf, itemsOf, nextLink } from "./paging.js";
import { isRepeatable } from "./retry.js";
import { type ClientCredentials, TokenSource } from "./tokens.js";
import { Transcripts } from "./transcripts.js";
import { type Clock, type Reply, SYSTEM_CLOCK, Transport } from "./transport.js";

export interface ArgusOptions {
  /** Addresses of the api host (or the sandbox) and of the auth host. */
  readonly apiUrl: string;
  readonly authUrl: string;
  /** Client credentials, or an access token, such as a service token. */
  readonly credentials: ClientCredentials | { readonly token: string };
  /** Limit of one sending in s, until the body was read. */
  readonly timeoutS?: number;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
}

/** A request whose path is in no generated type: an extension of the contract, or one that a program composes. */
export interface AnyRequest extends Sending {
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly body?: unknown;
  /** Absent: by the path, as the OpenAPI document states it. */
  readonly host?: "api" | "auth" | undefined;
  readonly isRepeatable?: boolean | undefined;
}

const TIMEOUT_S = 60;
/** Pages of one list. A server that always names a further page must not keep a program for ever. */
const PAGES_MAX = 100_000;

export class Argus {
  readonly jobs: Jobs;
  readonly fhir: Fhir;
  readonly transcripts: Transcripts;
  readonly #urls: { readonly api: URL; readonly auth: URL };
  readonly #transport: Transport;
  readonly #tokens: TokenSource | null;
  readonly #token: string | null;

  constructor(options: ArgusOptions) {
    const { credentials, clock = SYSTEM_CLOCK, timeoutS = TIMEOUT_S } = options;
    // A function of its own, since `fetch` of a browser refuses to be the method of another object.
    const send = options.fetch ?? ((...words: Parameters<typeof fetch>) => fetch(...words));
    this.#urls = { api: hostUrl(options.apiUrl), auth: hostUrl(options.authUrl) };
    this.#transport = new Transport({ fetch: send, clock, timeoutS });
    this.#token = "token" in credentials ? credentials.token : null;
    this.#tokens = "token" in credentials ? null : new TokenSource(credentials, this.#transport, this.#urls.auth);
    this.jobs = new Jobs(this, this.#transport);
    this.fhir = new Fhir(this);
    this.transcripts = new Transcripts(this);
  }

  /** Send an operation of the document, and return the body of its response. Throws `ArgusError`. */
  async request<M extends Method, P extends PathOf<M>>(
    method: M, path: P, ...[values]: Given<Operation<M, P>>
  ): Promise<Result<Operation<M, P>>> {
    const reply = await this.exchange(method, filled(path as string, values?.path), (values ?? {}) as AnyRequest);
    return jsonOf(reply) as Result<Operation<M, P>>;
  }

  /** Return the items of a list, page by page as they are read. Throws `ArgusError`. */
  async *list<P extends PathOf<"GET">>(
    path: P, ...[values]: Given<Operation<"GET", P>>
  ): AsyncGenerator<Item<Result<Operation<"GET", P>>>, void> {
    const first = filled(path as string, values?.path);
    const { query, ...sending } = (values ?? {}) as AnyRequest;
    let cursor: string | null = null;
    do {
      const started: AnyRequest = cursor === null ? { ...sending, query } : { ...sending, query: { ...query, cursor } };
      for await (const reply of this.linked(first, started)) {
        const page = jsonOf(reply);
        yield* itemsOf(page) as Item<Result<Operation<"GET", P>>>[];
        const following = cursorOf(page);
        if (following !== null && following === cursor) throw samePage();
        cursor = following;
      }
    } while (cursor !== null);
  }

  /** Return a response and those that its `Link` leads to, one after the other, such as the parts of a FHIR bundle. */
  async *linked(path: string, request: AnyRequest = {}): AsyncGenerator<Reply, void> {
    const { query: _, ...sending } = request;
    let next: string | null = path;
    for (let page = 0; next !== null; page += 1) {
      if (page === PAGES_MAX) throw new ArgusError({ code: "too_many_pages", detail: `The list has ${page} pages.` });
      const reply: Reply = await this.exchange("GET", next, page === 0 ? request : sending);
      yield reply;
      const following: string | null = nextLink(reply.headers, this.#url(path, request));
      if (following !== null && following === next) throw samePage();
      next = following;
    }
  }

  /** Execute a GraphQL operation, and return its data. Throws `GraphqlFailed` if it has errors. */
  graphql<T = unknown>(operation: GraphqlOperation): Promise<T> {
    return sendGraphql<T>(this, operation);
  }

  /** Send any request with the token, and return the whole response. Throws `ArgusError`. */
  async exchange(method: string, path: string, request: AnyRequest = {}): Promise<Reply> {
    const url = this.#url(path, request);
    const token = this.#token ?? (await (this.#tokens as TokenSource).get());
    try {
      return await this.#send(method, url, request, token);
    } catch (error) {
      // The request was not executed, so it may be repeated whatever its method.
      if (this.#tokens === null || !(error instanceof ArgusError) || error.status !== 401) throw error;
      this.#tokens.discard(token);
      return await this.#send(method, url, request, await this.#tokens.get());
    }
  }

  #send(method: string, url: URL, request: AnyRequest, token: string): Promise<Reply> {
    const { idempotencyKey, body, signal } = request;
    const headers = new Headers(request.headers);
    if (!headers.has("Accept")) headers.set("Accept", "application/json");
    headers.set("Authorization", `Bearer ${token}`);
    if (idempotencyKey !== undefined) headers.set("Idempotency-Key", idempotencyKey);
    const isBytes = body instanceof Uint8Array;
    if (body !== undefined && !headers.has("Content-Type")) {
      headers.set("Content-Type", isBytes ? "application/octet-stream" : "application/json");
    }
    return this.#transport.send({
      method,
      url,
      headers,
      body: body === undefined || isBytes ? body : JSON.stringify(body),
      isRepeatable: request.isRepeatable ?? isRepeatable(method, idempotencyKey),
      signal,
    });
  }

  #url(path: string, { host, query = {} }: AnyRequest): URL {
    const base = this.#urls[host ?? hostOf(path)];
    const url = new URL(path, base);
    if (url.origin !== base.origin) throw new ArgusError({ code: "foreign_link", detail: "The path leads to another host." });
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
    }
    return url;
  }
}

/** Return the body of a response as JSON, null if it has none. Throws `ArgusError` if it is no JSON. */
export function jsonOf({ status, body }: Reply): unknown {
  if (body.length === 0) return null;
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw new ArgusError({ code: "response_malformed", detail: "The response is not JSON.", status });
  }
}

/** Return a path with its parameters, each of which stays one segment. */
function filled(path: string, parameters: unknown): string {
  const values = (parameters ?? {}) as Readonly<Record<string, unknown>>;
  return path.replace(/\{([^}]+)\}/g, (_whole, name: string) => segment(String(values[name])));
}

/** Return text as one segment of a path. Throws `ArgusError` for one that would lead to another path. */
export function segment(text: string): string {
  if (text === "" || text === "." || text === "..") {
    throw new ArgusError({ code: "unusable_id", detail: "An id that is empty, `.` or `..` would lead to another path." });
  }
  return encodeURIComponent(text);
}

function samePage(): ArgusError {
  return new ArgusError({ code: "response_malformed", detail: "The next page of the list is the same page." });
}

function hostOf(path: string): "api" | "auth" {
  const given = path.split("?", 1)[0]?.split("/") ?? [];
  const isAuth = AUTH_PATHS.some((template) => {
    const parts = template.split("/");
    return parts.length === given.length && parts.every((part, index) => part.startsWith("{") || part === given[index]);
  });
  return isAuth ? "auth" : "api";
}

/** Return the address of a host. Throws `TypeError` for one without TLS, except on this machine, since it gets tokens. */
function hostUrl(text: string): URL {
  const url = new URL(text);
  const isHere = ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isHere)) {
    throw new TypeError(`${url.origin} is not https. A token must not be sent without TLS.`);
  }
  return url;
}
