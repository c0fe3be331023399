/**
 * Send a request and read its response, with retries and limits. It knows no token and no path.
 *
 * Redirects are not followed: a response must not lead a token to another host.
 */
import { ArgusError, ConnectionFailed, errorOf, ResponseUnusable } from "./errors.js";
import { pauseBeforeNext, retryAfterS } from "./retry.js";

/** Size of a response in memory, which is also that of a transcript to verify. The longest one in JSON-LD takes 88 MB. */
export const DOCUMENT_BYTES_MAX = 192 * 2 ** 20;
/** Longest pause before and within a response. The service cancels slow requests itself before. */
export const TIMEOUT_S = 60;

export const ERROR_BYTES_MAX = 2 ** 20;
/** Longest time of a call with all its attempts, so that a response that never ends does not keep a program for ever. A
 * download of 1 GB takes it at 300 kB/s. */
export const CALL_LIMIT_S = 3600;
const NOT_MODIFIED = 304;

/** The clock of a client, which a test moves. */
export interface Clock {
  /** Seconds since some moment, which never go back. */
  monotonicS(): number;
  /** Return after so many seconds, or throw when `signal` is aborted. */
  sleep(seconds: number, signal?: AbortSignal): Promise<void>;
}

export interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body?: string | Uint8Array | undefined;
  readonly isRepeatable: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Reads the body of a successful response from its chunks. It is called again when the request is sent again. */
export type Read<T> = (chunks: AsyncIterable<Uint8Array>, response: Response) => Promise<T>;

/** A response whose body was read. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export interface TransportOptions {
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Longest pause before and within a response. */
  readonly timeoutS: number;
}

export class Transport {
  constructor(private readonly options: TransportOptions) {}

  get clock(): Clock {
    return this.options.clock;
  }

  /** Send a request until a response was read, or it may not be sent again. Throws `ArgusError`, the reason of `signal`, or
   * an error of `read`. */
  async send<T>(request: Outgoing, read: Read<T>): Promise<T> {
    const untilS = this.clock.monotonicS() + CALL_LIMIT_S;
    for (let sends = 1; ; sends += 1) {
      try {
        return await this.sendOnce(request, read, untilS);
      } catch (error) {
        if (!(error instanceof ArgusError) || !request.isRepeatable || this.clock.monotonicS() > untilS) throw error;
        const pauseS = pauseBeforeNext(error, sends, Math.random());
        if (pauseS === null) throw error;
        await this.clock.sleep(pauseS, request.signal);
      }
    }
  }

  private async sendOnce<T>(request: Outgoing, read: Read<T>, untilS: number): Promise<T> {
    const { method, url, headers, body, signal } = request;
    const stall = new Stall(this.options.timeoutS);
    try {
      const response = await arrives(request, stall, () =>
        this.options.fetch(url, {
          method,
          headers,
          body: (body ?? null) as BodyInit | null,
          redirect: "manual",
          signal: signal === undefined ? stall.signal : AbortSignal.any([signal, stall.signal]),
        }),
      );
      const chunks = this.chunks(request, response, stall, untilS);
      if (response.ok || response.status === NOT_MODIFIED) return await read(chunks, response);
      const text = await readAtMost(chunks, ERROR_BYTES_MAX);
      throw errorOf(response.status, response.headers, text ?? new Uint8Array(), retryAfterS(response.headers, Date.now()));
    } finally {
      stall.end();
    }
  }

  private async *chunks(request: Outgoing, response: Response, stall: Stall, untilS: number): AsyncGenerator<Uint8Array, void> {
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    try {
      for (;;) {
        const { value } = await arrives(request, stall, () => reader.read());
        if (value === undefined) return;
        if (this.clock.monotonicS() > untilS) {
          throw new ConnectionFailed(`The response from ${request.url.host} was not whole after ${CALL_LIMIT_S} s.`);
        }
        yield value;
      }
    } finally {
      await reader.cancel().catch(() => undefined); // it has failed before, or the caller reads no further
    }
  }
}

/** Ends a request that has been silent for too long. */
class Stall {
  private readonly controller = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly limitS: number) {}

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  begin(): void {
    this.timer = setTimeout(() => this.controller.abort(new DOMException("silent", "TimeoutError")), this.limitS * 1000);
  }

  end(): void {
    clearTimeout(this.timer);
  }
}

/** Return what arrives next from the network. Throws `ArgusError` if nothing does. */
async function arrives<T>({ url, signal }: Outgoing, stall: Stall, next: () => Promise<T>): Promise<T> {
  stall.begin();
  try {
    return await next();
  } catch (error) {
    signal?.throwIfAborted();
    throw failureOf(url, error);
  } finally {
    stall.end();
  }
}

/** The clock of the machine. */
export const SYSTEM_CLOCK: Clock = {
  monotonicS: () => performance.now() / 1000,
  sleep: (seconds, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, seconds * 1000);
      signal?.addEventListener("abort", stop, { once: true });
    }),
};

/** Read a response with its body. */
export async function readReply(chunks: AsyncIterable<Uint8Array>, { status, headers }: Response): Promise<Reply> {
  const body = await readAtMost(chunks, DOCUMENT_BYTES_MAX);
  if (body !== null) return { status, headers, body };
  throw new ResponseUnusable({ code: "response_too_large", detail: `The response is larger than ${DOCUMENT_BYTES_MAX} bytes.` });
}

/** Return the body of a response as JSON, null if it has none. Throws `ArgusError` if it is no JSON. */
export function jsonOf({ body }: Reply): unknown {
  if (body.length === 0) return null;
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw new ResponseUnusable({ code: "response_malformed", detail: "The response is not JSON." });
  }
}

/** Return the body, null if it is larger. */
async function readAtMost(chunks: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of chunks) {
    size += part.length;
    if (size > bytesMax) return null;
    parts.push(part);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Return the error for a response that did not arrive whole. */
function failureOf(url: URL, error: unknown): ConnectionFailed {
  return new ConnectionFailed(`No whole response from ${url.host}: ${reasonOf(error)}.`);
}

/** Return the code of a system error, such as ECONNREFUSED, else the kind of error. Messages may name addresses. */
function reasonOf(error: unknown): string {
  const { cause, name } = error as { cause?: { code?: unknown }; name?: string };
  return typeof cause?.code === "string" ? cause.code : name === "TimeoutError" ? "it took too long" : "connection lost";
}
