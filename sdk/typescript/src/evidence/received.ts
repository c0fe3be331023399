/**
 * A transcript that was received: its members with their types checked, and nothing yet believed.
 *
 * What is malformed here (a member is absent or has the wrong type, too many records) is no transcript at all, and
 * `readTranscript` throws. What is well-formed and wrong is for `verification` to report.
 */
import { canonicalJson, isUnicode } from "./canonical_json.js";
import { type JsonObject, type JsonValue, NotUsable } from "./strict_json.js";

export const RECORDS_MAX = 10_000;
const SIGNATURE_MEMBERS = new Set(["signature", "signature_alg", "signature_kid"]);
const TEXTS = [
  "id", "operation", "actor_id", "actor_kind", "content_hash", "signed_at", "signature", "signature_alg",
] as const;
const TEXTS_OR_NULL = ["parent_hash", "trace_id", "job_id"] as const;

/** A record of a received transcript. `core` is the canonical JSON that its leaf covers. */
export interface ReceivedRecord {
  readonly id: string;
  readonly operation: string;
  readonly signedAt: string;
  readonly core: Uint8Array;
  readonly contentHash: string;
  readonly parentId: string | null;
  readonly parentHash: string | null;
  readonly signature: string;
  readonly algorithm: string;
  readonly kid: string | null;
}

/** A received transcript. `recordCount` is the stated number of records, null if it states none. */
export interface ReceivedTranscript {
  readonly evidenceId: string;
  readonly tenantId: string;
  readonly records: readonly ReceivedRecord[];
  readonly recordCount: number | null;
  readonly merkleRoot: string;
  readonly rootSignature: string;
  readonly rootAlgorithm: string;
  readonly rootKid: string | null;
  readonly version: string;
}

/** Read a transcript in its JSON form. Throws `NotUsable`, which names the member that is malformed. */
export function readTranscript(value: JsonValue | undefined): ReceivedTranscript {
  if (!isObject(value)) throw new NotUsable("the transcript is not an object");
  const records = value.records;
  if (!Array.isArray(records)) throw new NotUsable("records is not a list");
  if (records.length > RECORDS_MAX) throw new NotUsable(`records has more than ${RECORDS_MAX} records`);
  const count = value.record_count ?? null;
  if (count !== null && !(Number.isSafeInteger(count) && (count as number) >= 0)) {
    throw new NotUsable("record_count is not a number of records");
  }
  text(value, "format");
  return {
    evidenceId: text(value, "evidence_id"),
    tenantId: text(value, "tenant_id"),
    records: records.map((record, index) => readRecord(record, `records[${index}]`)),
    recordCount: count as number | null,
    merkleRoot: text(value, "merkle_root"),
    rootSignature: text(value, "root_signature"),
    rootAlgorithm: text(value, "root_signature_alg"),
    rootKid: textOrNull(value, "root_signature_kid"),
    version: text(value, "version"),
  };
}

/** Return whether a JSON value is an object. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function readRecord(value: JsonValue, place: string): ReceivedRecord {
  if (!isObject(value)) throw new NotUsable(`${place} is not an object`);
  for (const name of TEXTS) {
    if (typeof value[name] !== "string") throw new NotUsable(`${place}.${name} is not text`);
  }
  for (const name of TEXTS_OR_NULL) {
    if (value[name] !== null && typeof value[name] !== "string") {
      throw new NotUsable(`${place}.${name} is neither text nor null`);
    }
  }
  const kid = textOrNull(value, "signature_kid", place);
  let core: Uint8Array;
  try {
    core = canonicalJson(coreOf(value));
  } catch (error) {
    throw error instanceof NotUsable ? new NotUsable(`${place}: ${error.message}`) : error;
  }
  const texts = value as Record<(typeof TEXTS)[number], string>;
  return {
    id: texts.id,
    operation: texts.operation,
    signedAt: texts.signed_at,
    core,
    contentHash: texts.content_hash,
    parentId: textOrNull(value, "parent_id", place),
    parentHash: value.parent_hash as string | null,
    signature: texts.signature,
    algorithm: texts.signature_alg,
    kid,
  };
}

/** Return the members of a record that its leaf covers. */
function coreOf(record: JsonObject): JsonObject {
  const core = Object.create(null) as JsonObject;
  for (const [name, value] of Object.entries(record)) if (!SIGNATURE_MEMBERS.has(name)) core[name] = value;
  return core;
}

function text(value: JsonObject, name: string, place = ""): string {
  const found = value[name];
  const shown = place ? `${place}.${name}` : name;
  if (typeof found !== "string") throw new NotUsable(`${shown} is not text`);
  if (!isUnicode(found)) throw new NotUsable(`${shown} is not Unicode text`);
  return found;
}

/** Return an optional member: text, or null if it is null or absent. */
function textOrNull(value: JsonObject, name: string, place = ""): string | null {
  return value[name] === null || value[name] === undefined ? null : text(value, name, place);
}
