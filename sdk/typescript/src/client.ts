/**
 * Client of the Argus API: requests with a token, retries, errors with a code, lists that are read page by page.
 *
 * Each operation has a method in a group, as in the SDK for Python. The types of paths, values and results are generated from
 * the OpenAPI document (`operations.ts`), so `request` and `list` are typed for every operation too.
 */
import { isOnAuthHost, onHost, secureUrl, segment } from "./addresses.js";
import { Devices, Encounters } from "./clinical.js";
import { CloudEvidence } from "./cloud_evidence.js";
import { ArgusError } from "./errors.js";
import { Graphql } from "./graphql.js";
import { Jobs } from "./jobs.js";
import type { Given, Item, Keyed, Method, Operation, PathOf, Result, Sending } from "./operations.js";
import { addPage, cursorOf, itemsOf, nextLink } from "./paging.js";
import { Apps, Discovery, Observability, Scopes, Webhooks } from "./platform.js";
import { isRepeatable } from "./retry.js";
import { type ClientCredentials, TokenSource } from "./tokens.js";
import { type Clock, jsonOf, readReply, type Reply, SYSTEM_CLOCK, TIMEOUT_S, Transport } from "./transport.js";

export interface ArgusOptions {
  /** Addresses of the api host (or the sandbox) and of the auth host. */
  readonly apiUrl: string;
  readonly authUrl: string;
  /** Client credentials, or an access token, such as a service token. */
  readonly credentials: ClientCredentials | { readonly token: string };
  /** Longest pause before and within a response in s; absent: 60. */
  readonly timeoutS?: number;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
}

/** A request whose path is in no generated type: an extension of the contract, or one that a program composes. */
export interface AnyRequest extends Sending, Keyed {
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly body?: unknown;
  /** Absent: by the path, as the OpenAPI document states it. */
  readonly host?: "api" | "auth" | undefined;
}

export class Argus {
  readonly scopes: Scopes;
  readonly apps: Apps;
  readonly webhooks: Webhooks;
  readonly devices: Devices;
  readonly encounters: Encounters;
  readonly jobs: Jobs;
  readonly evidence: CloudEvidence;
  readonly graphql: Graphql;
  readonly observability: Observability;
  readonly discovery: Discovery;
  readonly #urls: { readonly api: URL; readonly auth: URL };
  readonly #transport: Transport;
  readonly #tokens: TokenSource | null;
  readonly #token: string | null;

  constructor(options: ArgusOptions) {
    const { credentials, clock = SYSTEM_CLOCK, timeoutS = TIMEOUT_S } = options;
    // A function of its own, since `fetch` of a browser refuses to be the method of another object.
    const send = options.fetch ?? ((...words: Parameters<typeof fetch>) => fetch(...words));
    this.#urls = { api: secureUrl(options.apiUrl), auth: secureUrl(options.authUrl) };
    this.#transport = new Transport({ fetch: send, clock, timeoutS });
    this.#token = "token" in credentials ? credentials.token : null;
    this.#tokens = "token" in credentials ? null : new TokenSource(credentials, this.#transport, this.#urls.auth);
    this.scopes = new Scopes(this);
    this.apps = new Apps(this);
    this.webhooks = new Webhooks(this);
    this.devices = new Devices(this);
    this.encounters = new Encounters(this);
    this.jobs = new Jobs(this, this.#transport);
    this.evidence = new CloudEvidence(this);
    this.graphql = new Graphql(this);
    this.observability = new Observability(this);
    this.discovery = new Discovery(this);
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
    const seen = new Set<string>();
    let cursor: string | null = null;
    do {
      const started: AnyRequest = cursor === null ? { ...sending, query } : { ...sending, query: { ...query, cursor } };
      for await (const reply of this.linked(first, started)) {
        const page = jsonOf(reply);
        yield* itemsOf(page) as Item<Result<Operation<"GET", P>>>[];
        cursor = cursorOf(page);
        if (cursor !== null) addPage(seen, cursor);
      }
    } while (cursor !== null);
  }

  /** Return a response and those that its `Link` leads to, one after the other, such as the parts of a FHIR bundle. */
  async *linked(path: string, request: AnyRequest = {}): AsyncGenerator<Reply, void> {
    const seen = new Set<string>();
    let url: URL | null = this.#url(path, request);
    while (url !== null) {
      addPage(seen, url.href);
      const reply: Reply = await this.#authorized("GET", url, path, request);
      yield reply;
      url = nextLink(reply.headers, url);
    }
  }

  /** Send any request with the token, and return the whole response. Throws `ArgusError`. */
  async exchange(method: string, path: string, request: AnyRequest = {}): Promise<Reply> {
    return this.#authorized(method, this.#url(path, request), path, request);
  }

  /** Send a request with the token. A refused token is replaced once, since it may have been revoked early. */
  async #authorized(method: string, url: URL, path: string, given: AnyRequest): Promise<Reply> {
    const request = { ...given, isRepeatable: given.isRepeatable ?? isRepeatable(method, path, given.idempotencyKey) };
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

  #send(method: string, url: URL, request: AnyRequest & { isRepeatable: boolean }, token: string): Promise<Reply> {
    const { idempotencyKey, body, isRepeatable, signal } = request;
    const headers = new Headers(request.headers);
    if (!headers.has("Accept")) headers.set("Accept", "application/json");
    headers.set("Authorization", `Bearer ${token}`);
    if (idempotencyKey !== undefined) headers.set("Idempotency-Key", idempotencyKey);
    const isBytes = body instanceof Uint8Array;
    if (body !== undefined && !headers.has("Content-Type")) {
      headers.set("Content-Type", isBytes ? "application/octet-stream" : "application/json");
    }
    const text = body === undefined || isBytes ? body : JSON.stringify(body);
    return this.#transport.send({ method, url, headers, body: text, isRepeatable, signal }, readReply);
  }

  #url(path: string, { host, query = {} }: AnyRequest): URL {
    const url = onHost(this.#urls[host ?? (isOnAuthHost(path) ? "auth" : "api")], path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
    }
    return url;
  }
}

/** Return a path with its parameters, each of which stays one segment. */
function filled(path: string, parameters: unknown): string {
  const values = (parameters ?? {}) as Readonly<Record<string, unknown>>;
  return path.replace(/\{([^}]+)\}/g, (_whole, name: string) => segment(String(values[name])));
}
