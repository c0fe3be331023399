/**
 * Send a request and read its whole response, with retries and limits. It knows no token and no path.
 *
 * Redirects are not followed: a response must not lead a token to another host.
 */
import { ArgusError, errorOf } from "./errors.js";
import { CONNECTION_FAILED, pauseBeforeNext, retryAfterS } from "./retry.js";

/** Size of a response: a transcript of 10 000 records as JSON-LD has 88 MB. */
export const BODY_BYTES_MAX = 128 * 2 ** 20;

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

/** A response whose body was read. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export interface TransportOptions {
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Limit of one sending, until the body was read. */
  readonly timeoutS: number;
}

export class Transport {
  constructor(private readonly options: TransportOptions) {}

  get clock(): Clock {
    return this.options.clock;
  }

  /** Send a request until it succeeds or may not be sent again. Throws `ArgusError`, or the reason of `signal`. */
  async send(request: Outgoing): Promise<Reply> {
    for (let sends = 1; ; sends += 1) {
      try {
        return await this.sendOnce(request);
      } catch (error) {
        if (!(error instanceof ArgusError) || !request.isRepeatable) throw error;
        const pauseS = pauseBeforeNext(error, sends, Math.random());
        if (pauseS === null) throw error;
        await this.clock.sleep(pauseS, request.signal);
      }
    }
  }

  /** Request an address that needs no token, and return the response with its body unread. Throws `ArgusError`. */
  async open(url: URL, signal?: AbortSignal): Promise<Response> {
    let response: Response;
    try {
      response = await this.options.fetch(url, { redirect: "manual", signal: signal ?? null });
    } catch (error) {
      signal?.throwIfAborted();
      throw failureOf(url, error);
    }
    if (response.ok) return response;
    throw errorOf(response.status, response.headers, await readLimited(response), retryAfterS(response.headers, Date.now()));
  }

  private async sendOnce({ method, url, headers, body, signal }: Outgoing): Promise<Reply> {
    const deadline = AbortSignal.timeout(this.options.timeoutS * 1000);
    let response: Response;
    let read: Uint8Array;
    try {
      response = await this.options.fetch(url, {
        method,
        headers,
        body: (body ?? null) as BodyInit | null,
        redirect: "manual",
        signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
      });
      read = await readLimited(response);
    } catch (error) {
      if (error instanceof ArgusError) throw error;
      signal?.throwIfAborted();
      throw failureOf(url, error);
    }
    if (response.ok || response.status === NOT_MODIFIED) return { status: response.status, headers: response.headers, body: read };
    throw errorOf(response.status, response.headers, read, retryAfterS(response.headers, Date.now()));
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

async function readLimited(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
    size += part.value.length;
    if (size > BODY_BYTES_MAX) {
      await reader?.cancel();
      throw new ArgusError({ code: "response_too_large", detail: `The response has more than ${BODY_BYTES_MAX} bytes.` });
    }
    parts.push(part.value);
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
export function failureOf(url: URL, error: unknown): ArgusError {
  return new ArgusError({ code: CONNECTION_FAILED, detail: `No whole response from ${url.host}: ${reasonOf(error)}.` });
}

/** Return the code of a system error, such as ECONNREFUSED, else the kind of error. Messages may name addresses. */
function reasonOf(error: unknown): string {
  const { cause, name } = error as { cause?: { code?: unknown }; name?: string };
  return typeof cause?.code === "string" ? cause.code : name === "TimeoutError" ? "it took too long" : "connection lost";
}
