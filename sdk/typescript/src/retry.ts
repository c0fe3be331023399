/**
 * Decide whether a request is sent again, and after which pause.
 *
 * Only what may be repeated is: GET, HEAD, PUT and DELETE, and a POST with an `Idempotency-Key` to a path that takes one,
 * since the service ignores it elsewhere. It is repeated after 429 and 503, after 409 `idempotency_key_in_flight`, and after
 * a connection that was lost.
 */
import { takesKey } from "./addresses.js";
import { type ArgusError, ConnectionFailed } from "./errors.js";

/** Times that a request is sent. */
export const SENDS_MAX = 4;
/** A longer `Retry-After` is for the caller: the error has it at once. */
export const PAUSE_S_MAX = 60;
const BACKOFF_S = 0.5;
const STATUSES = new Set([429, 503]);
const REPEATABLE = new Set(["GET", "HEAD", "PUT", "DELETE"]);

/** Return whether a request may be repeated. */
export function isRepeatable(method: string, path: string, idempotencyKey: string | undefined): boolean {
  return REPEATABLE.has(method) || (method === "POST" && idempotencyKey !== undefined && takesKey(path));
}

/** Return the pause in s before the request is sent again, null if it is not. `sends`: how often it was sent.
 * `random`: from 0 to 1, so that clients that failed together do not return together. */
export function pauseBeforeNext(error: ArgusError, sends: number, random: number): number | null {
  const isTransient =
    error instanceof ConnectionFailed ||
    error.code === "idempotency_key_in_flight" ||
    (error.status !== null && STATUSES.has(error.status));
  if (!isTransient || sends >= SENDS_MAX) return null;
  if (error.retryAfterS !== null) return error.retryAfterS <= PAUSE_S_MAX ? error.retryAfterS : null;
  return BACKOFF_S * 2 ** (sends - 1) * (0.5 + random / 2);
}

/** Return the seconds of `Retry-After`: a number of seconds or a date (RFC 9110 10.2.3), null without one. */
export function retryAfterS(headers: Headers, nowMs: number): number | null {
  const text = headers.get("Retry-After");
  if (text === null) return null;
  if (/^[0-9]+$/.test(text)) return Number(text);
  // `Date.parse` reads much that is no date of HTTP: of "-1" and "1.5" it makes dates in the past.
  const atMs = text.endsWith(" GMT") ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? null : Math.max(0, Math.ceil((atMs - nowMs) / 1000));
}
