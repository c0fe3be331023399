/** The published keys of a cloud, in the form of `/.well-known/provenance-keys/ml-dsa-65`. */
import { type KeyPeriod, readPeriod } from "./key_period.js";
import { isObject } from "./received.js";
import { ML_DSA_65, PUBLIC_KEY_BYTES } from "./signed_bytes.js";
import { type JsonValue, NotUsable } from "./strict_json.js";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const KEYS_MAX = 1000;

/** A raw ML-DSA-65 public key, and the period in which it signs. */
export interface PublishedKey {
  readonly raw: Uint8Array;
  readonly period: KeyPeriod;
}

/** Published keys by their identifiers. */
export type PublishedKeys = ReadonlyMap<string, PublishedKey>;

/** Read the document of published keys. Throws `NotUsable`. Keys of other algorithms are left out. */
export function readKeys(document: JsonValue): PublishedKeys {
  const entries = isObject(document) ? document.keys : undefined;
  if (!Array.isArray(entries)) throw new NotUsable("it has no list `keys`");
  if (entries.length > KEYS_MAX) throw new NotUsable(`it has more than ${KEYS_MAX} keys`);
  const keys = new Map<string, PublishedKey>();
  for (const entry of entries) {
    if (!isObject(entry) || entry.alg !== ML_DSA_65) continue;
    const raw = typeof entry.public_key === "string" ? fromBase64(entry.public_key) : null;
    if (raw?.length !== PUBLIC_KEY_BYTES) throw new NotUsable("one of its keys is not an ML-DSA-65 key in base64");
    if (typeof entry.kid !== "string") throw new NotUsable("one of its keys has no identifier");
    if (keys.has(entry.kid)) throw new NotUsable("two of its keys have one identifier");
    keys.set(entry.kid, { raw, period: readPeriod(entry) });
  }
  if (keys.size === 0) throw new NotUsable("it has no ML-DSA-65 key");
  return keys;
}

function fromBase64(text: string): Uint8Array | null {
  return BASE64.test(text) ? Uint8Array.from(atob(text), (character) => character.charCodeAt(0)) : null;
}
