/**
 * Verify a received webhook: the `v1` signatures of Standard Webhooks, HMAC-SHA-256 with a shared secret.
 *
 * Give both secrets for the 24 hours after a rotation. Verify the bytes as they were received: a parsed and written body
 * is another body. Skip a `webhook-id` that was received before, since delivery is at least once.
 */

import { ArgusError } from "./errors.js";

export interface WebhookEvent {
  readonly type: string;
  readonly timestamp: string;
  readonly data: unknown;
}

export type WebhookFault =
  | "header_missing" | "timestamp_malformed" | "timestamp_out_of_range" | "signature_invalid" | "secret_malformed"
  | "body_malformed";

const DETAILS: Readonly<Record<WebhookFault, string>> = {
  header_missing: "The message lacks webhook-id, webhook-timestamp or webhook-signature.",
  timestamp_malformed: "The header webhook-timestamp is not a number of seconds.",
  timestamp_out_of_range: "The time of the message differs too much from the clock of this machine.",
  signature_invalid: "No signature of the message fits a secret.",
  secret_malformed: "A secret is whsec_ and base64, or a text; of at least 24 bytes.",
  body_malformed: "The body is signed and is not a JSON object with a `type`.",
};

/** A message must not be believed, or a secret cannot be used. It has neither the secret nor the body. */
export class WebhookRefused extends ArgusError {
  override readonly name = "WebhookRefused";
  declare readonly code: WebhookFault;

  constructor(code: WebhookFault) {
    super({ code, detail: DETAILS[code] });
  }
}

export interface ReceivedWebhook {
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array | string;
  /** The secret, and the previous one after a rotation. */
  readonly secrets: readonly string[];
  /** Time in s since 1970; absent: now. */
  readonly nowS?: number;
  /** Age and lead of a message that are accepted, in s; absent: five minutes. */
  readonly toleranceS?: number;
}

export const TOLERANCE_S = 300;
export const SECRET_BYTES_MIN = 24;
/** Signatures of a message that are compared; Argus sends at most three. */
export const SIGNATURES_MAX = 16;
const PREFIX = "whsec_";
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const encoder = new TextEncoder();

/** Verify a message and return it. Throws `WebhookRefused`. */
export async function verifyWebhook(received: ReceivedWebhook): Promise<WebhookEvent> {
  const { headers, body, secrets, nowS = Date.now() / 1000, toleranceS = TOLERANCE_S } = received;
  if (secrets.length === 0) throw new WebhookRefused("secret_malformed");
  const keys = secrets.map(secretKey);
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature").split(" ");
  if (!/^[0-9]{1,12}$/.test(timestamp)) throw new WebhookRefused("timestamp_malformed");
  if (Math.abs(nowS - Number(timestamp)) > toleranceS) throw new WebhookRefused("timestamp_out_of_range");
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const content = joined(encoder.encode(`${id}.${timestamp}.`), bytes);
  const known = signatures.filter((one) => one.startsWith("v1,")).slice(0, SIGNATURES_MAX);
  const given = known.map((one) => fromBase64(one.slice(3)));
  if (!(await isSignedByAny(content, keys, given))) throw new WebhookRefused("signature_invalid");
  return parsed(bytes);
}

/** `verify` of Web Crypto compares in constant time. Every pair is compared, so the time does not name the one that fits. */
async function isSignedByAny(content: Bytes, keys: readonly Bytes[], signatures: readonly (Bytes | null)[]): Promise<boolean> {
  let isSigned = false;
  for (const raw of keys) {
    const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    for (const signature of signatures) {
      if (signature !== null && (await crypto.subtle.verify("HMAC", key, signature, content))) isSigned = true;
    }
  }
  return isSigned;
}

/** A secret with the prefix is base64; any other is its own bytes in UTF-8. */
function secretKey(secret: string): Bytes {
  const key = secret.startsWith(PREFIX) ? fromBase64(secret.slice(PREFIX.length)) : joined(encoder.encode(secret));
  if (key === null || key.length < SECRET_BYTES_MIN) throw new WebhookRefused("secret_malformed");
  return key;
}

function header(headers: ReceivedWebhook["headers"], name: string): string {
  const value =
    headers instanceof Headers
      ? headers.get(name)
      : Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
  if (typeof value !== "string" || value === "") throw new WebhookRefused("header_missing");
  return value;
}

function parsed(body: Uint8Array): WebhookEvent {
  try {
    const event = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as WebhookEvent;
    if (typeof event.type === "string") return event;
  } catch {
    // The sender signed it, and it is no event: reported below.
  }
  throw new WebhookRefused("body_malformed");
}

type Bytes = Uint8Array<ArrayBuffer>;

function joined(...parts: Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function fromBase64(text: string): Bytes | null {
  return BASE64.test(text) ? Uint8Array.from(atob(text), (character) => character.charCodeAt(0)) : null;
}
