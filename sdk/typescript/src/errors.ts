/** Errors of the client. No error has a token, a secret, a body that was sent, or the query of an address. */

import type { Schemas } from "./operations.js";

/** An invalid value of a request, with its place. */
export interface InvalidValue {
  readonly detail: string;
  /** JSON Pointer into the body. */
  readonly pointer?: string;
  /** Name in the query or the form. */
  readonly parameter?: string;
  readonly did_you_mean?: string;
}

/** What is known of a failure; `code` is stable, and programs decide by it. */
export interface Failure {
  readonly code: string;
  /** What is wrong and what to do, for people. */
  readonly detail: string;
  readonly status?: number | null;
  readonly traceId?: string | null;
  readonly retryAfterS?: number | null;
  readonly errors?: readonly InvalidValue[];
  readonly problemUrl?: string | null;
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Base of all errors of the SDK: a request, a job, a GraphQL operation or a check failed. */
export class ArgusError extends Error {
  override readonly name: string = "ArgusError";
  readonly code: string;
  readonly detail: string;
  /** Status of the response; null if there was none or it was no failure of HTTP. */
  readonly status: number | null;
  /** Quote it to support; null if the response has none. */
  readonly traceId: string | null;
  /** Seconds after which the request may be repeated; null if the response does not state them. */
  readonly retryAfterS: number | null;
  readonly errors: readonly InvalidValue[];
  /** Page that describes the code; null if the response has none. */
  readonly problemUrl: string | null;
  /** Further members of the problem, such as `expired_at`. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(failure: Failure) {
    const { code, detail, status = null, traceId = null, retryAfterS = null, errors = [], problemUrl = null, members = {} } = failure;
    super(`${status === null ? "" : `${status} `}${code}: ${detail}${traceId === null ? "" : ` (trace ${traceId})`}`);
    this.code = code;
    this.detail = detail;
    this.status = status;
    this.traceId = traceId;
    this.retryAfterS = retryAfterS;
    this.errors = errors;
    this.problemUrl = problemUrl;
    this.members = members;
  }
}

/** The service refused a request. `code` is that of its problem document (RFC 9457) or of OAuth (RFC 6749). */
export class ApiError extends ArgusError {
  override readonly name = "ApiError";
}

/** No complete response arrived: `connection_failed`. A request that changes something may have been executed. */
export class ConnectionFailed extends ArgusError {
  override readonly name = "ConnectionFailed";

  constructor(detail: string) {
    super({ code: "connection_failed", detail });
  }
}

/** The SDK does not send a request to this address: `insecure_address`, `malformed_address`, `foreign_link` or
 * `unusable_id`. */
export class AddressRefused extends ArgusError {
  override readonly name = "AddressRefused";
}

/** The response is complete and not what the API promises: `response_malformed`, `response_too_large`,
 * `token_response_malformed`, or `result_pending` where a result was requested too early. */
export class ResponseUnusable extends ArgusError {
  override readonly name = "ResponseUnusable";
}

/** A job failed or was cancelled. `code` is that of the job's error, or `job_cancelled`; `traceId` is the trace of the
 * request that started the job. */
export class JobFailed extends ArgusError {
  override readonly name = "JobFailed";
  /** Whether a new job with the same payload may succeed. */
  readonly retryable: boolean;

  constructor(readonly job: Schemas["JobShown"]) {
    const { error, status } = job;
    super({ code: error?.code ?? `job_${status}`, detail: error?.message ?? `The job was ${status}.`, traceId: job.trace_id });
    this.retryable = error?.retryable ?? false;
  }
}

/** A job did not end within the time limit of the caller: `job_wait_exceeded`. It continues; `job` is its last state. */
export class JobWaitExceeded extends ArgusError {
  override readonly name = "JobWaitExceeded";

  constructor(readonly job: Schemas["JobShown"], limitS: number) {
    const detail = `The job did not end within ${limitS} s. It continues.`;
    super({ code: "job_wait_exceeded", detail, traceId: job.trace_id });
  }
}

/** A GraphQL operation has errors. `code` is that of the first one; `data` is what was returned beside them. */
export class GraphqlFailed extends ArgusError {
  override readonly name = "GraphqlFailed";

  constructor(failure: Failure, readonly data: unknown, readonly graphqlErrors: readonly GraphqlFault[]) {
    super(failure);
  }
}

/** An error of a GraphQL response. */
export interface GraphqlFault {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** Return the error for a response that is no success: a problem document (RFC 9457), an error of OAuth (RFC 6749), or
 * something else, such as a page of a proxy, of which nothing is repeated. */
export function errorOf(status: number, headers: Headers, body: Uint8Array, retryAfterS: number | null): ApiError {
  const found = parsedObject(body);
  const refusal = graphqlRefusal(found.errors);
  const traceId = textOf(found.trace_id) ?? headers.get("X-Argus-Trace-ID");
  return new ApiError({
    code: textOf(found.code) ?? textOf(found.error) ?? refusal.code ?? `http_${status}`,
    detail: textOf(found.detail) ?? textOf(found.error_description) ?? textOf(found.title) ?? refusal.detail ?? UNEXPLAINED,
    status,
    traceId,
    retryAfterS,
    errors: Array.isArray(found.errors) ? (found.errors as InvalidValue[]) : [],
    problemUrl: found.type === "about:blank" ? null : textOf(found.type),
    members: Object.fromEntries(Object.entries(found).filter(([name]) => !SHOWN.has(name))),
  });
}

const UNEXPLAINED = "The response has no explanation.";
/** Members of a problem document that an error has under names of their own. */
const SHOWN = new Set(["type", "title", "status", "detail", "code", "trace_id", "errors", "instance"]);

function parsedObject(body: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Return code and message of a refused GraphQL request, whose errors have a form of their own. */
function graphqlRefusal(errors: unknown): { code: string | null; detail: string | null } {
  const first: unknown = Array.isArray(errors) ? errors[0] : null;
  const { message, extensions } = (first ?? {}) as { message?: unknown; extensions?: { code?: unknown } | null };
  return { code: textOf(extensions?.code), detail: textOf(message) };
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
