/**
 * Offline verification of a transcript of evidence: no network, no cloud.
 *
 * It needs the keys that the cloud publishes at `/.well-known/provenance-keys/ml-dsa-65`. The keys of `hmac-sha256` are
 * secret, so such a transcript is `unverifiable` here: request it with `algorithm=ml-dsa-65`, or send it to the cloud's
 * verify operation, which is authoritative.
 */
import { sha256 } from "@noble/hashes/sha2.js";

import { isUnicode } from "./canonical_json.js";
import { isDocument, readDocument } from "./prov_o.js";
import { type PublishedKey, type PublishedKeys, readKeys } from "./keys.js";
import { hashText } from "./merkle.js";
import { readTranscript, type ReceivedTranscript } from "./received.js";
import { HMAC_SHA256, ML_DSA_65 } from "./signed_bytes.js";
import { type JsonValue, NotUsable, parseStrictJson } from "./strict_json.js";
import { type EvidenceFault, EvidenceUnusable, usable } from "./unusable.js";
import { type BrokenLink, findBrokenLinks, type Progress, type Reason } from "./verification.js";

export { EvidenceUnusable };
export type { BrokenLink, EvidenceFault, JsonValue, PublishedKeys, Reason };

/** Size of a transcript: 10 000 records with ML-DSA-65 take 72 MB, and more with indentation or as JSON-LD. */
export const TRANSCRIPT_BYTES_MAX = 192 * 2 ** 20;

/** JSON: as text or bytes, or parsed. Text is better: `JSON.parse` keeps the last of two members of one name. */
export type Json = string | Uint8Array | object;

export interface Options {
  /** Evidence and tenant that the transcript must be of; absent: those that it states. */
  readonly evidenceId?: string;
  readonly tenantId?: string;
  /** Hash of the content (`contentHash`) after a record of the transcript, by the record's id. */
  readonly contentHashes?: ReadonlyMap<string, string>;
  readonly onProgress?: Progress;
}

/** Result of a check, with the members of the cloud's verify operation and more. */
export interface Verdict {
  /** `unverifiable`: nothing is wrong except that no key of the transcript's algorithm was given, or that keys were
   * withdrawn. */
  readonly outcome: "intact" | "broken" | "unverifiable";
  readonly valid: boolean;
  readonly evidence_id: string;
  readonly tenant_id: string;
  readonly algorithm: string;
  readonly checked_records: number;
  readonly merkle_root: string;
  readonly merkle_root_verified: boolean;
  /** Whether the PROV-O graph of a JSON-LD document states the same as the transcript inside it. */
  readonly graph: "absent" | "matches" | "differs";
  /** `checked`: the content was compared for the records of `contentHashes`, and for no others. */
  readonly content: "checked" | "not_checked";
  /** Times of the first and the last record as they state them; null without records. */
  readonly signed: { readonly from: string; readonly to: string } | null;
  readonly broken_links: readonly BrokenLink[];
}

/**
 * Verify a transcript in JSON or JSON-LD form with published keys.
 *
 * `keys` is the document of `/.well-known/provenance-keys/ml-dsa-65`; null or absent: none, so nothing can be verified.
 * A transcript that was changed is a result and no error. Throws `EvidenceUnusable`.
 */
export async function verifyProvenanceLocal(transcript: Json, keys?: Json | null, options: Options = {}): Promise<Verdict> {
  const { received, graph } = usable("transcript_malformed", () => read(transcript));
  checkExpected(options, received);
  const known = keys === undefined || keys === null ? new Map<string, PublishedKey>() : readPublishedKeys(keys);
  const found = await findBrokenLinks(received, known, options, options.onProgress);
  const links = graph === "differs" ? [ofGraph(), ...found] : found;
  const hasKey = received.rootAlgorithm === ML_DSA_65 && known.size > 0;
  const { records } = received;
  const first = records[0], last = records.at(-1);
  return {
    outcome: outcomeOf(links, hasKey),
    valid: links.length === 0,
    evidence_id: received.evidenceId,
    tenant_id: received.tenantId,
    algorithm: received.rootAlgorithm,
    checked_records: records.length,
    merkle_root: received.merkleRoot,
    merkle_root_verified: !found.some((link) => link.index !== null || !WHOLE.has(link.reason)),
    graph,
    content: (options.contentHashes?.size ?? 0) === 0 ? "not_checked" : "checked",
    signed: first === undefined || last === undefined ? null : { from: first.signedAt, to: last.signedAt },
    broken_links: links,
  };
}

/** Read published keys. Throws `EvidenceUnusable`. `verifyProvenanceLocal` does it itself; a program that keeps keys checks
 * them. */
export function readPublishedKeys(keys: Json): PublishedKeys {
  return usable("keys_malformed", () => readKeys(parsed(keys)));
}

/** Return the hash of a content in the form of a record's `content_hash`. */
export function contentHash(content: Uint8Array): string {
  return hashText(sha256(content));
}

/** Return whether only the cloud can check signatures of this algorithm. */
export function isSecretAlgorithm(algorithm: string): boolean {
  return algorithm === HMAC_SHA256;
}

const NO_KEY: ReadonlySet<Reason> = new Set(["key_unknown", "root_key_unknown"]);
const WITHDRAWN: ReadonlySet<Reason> = new Set(["key_withdrawn", "root_key_withdrawn"]);
/** Faults of the whole transcript that are not of its root. */
const WHOLE: ReadonlySet<Reason> = new Set(["tenant_mismatch", "evidence_mismatch", "identity_mismatch"]);

function outcomeOf(links: readonly BrokenLink[], hasKey: boolean): Verdict["outcome"] {
  if (links.length === 0) return "intact";
  const only = (reasons: ReadonlySet<Reason>): boolean => links.every((link) => reasons.has(link.reason));
  return (!hasKey && only(NO_KEY)) || only(WITHDRAWN) ? "unverifiable" : "broken";
}

function ofGraph(): BrokenLink {
  return { record_id: null, index: null, reason: "graph_mismatch" };
}

/** Refuse what the caller expects if it can fit no transcript, or names a record that this one does not have: a check that
 * leaves it out would look like one that passed. */
function checkExpected({ evidenceId, tenantId, contentHashes }: Options, { records }: ReceivedTranscript): void {
  for (const [name, text] of Object.entries({ evidenceId, tenantId })) {
    if (!isUnicode(text ?? "")) throw new EvidenceUnusable("identity_malformed", `The expected ${name} is not Unicode text.`);
  }
  if (contentHashes === undefined) return;
  const ids = new Set(records.map(({ id }) => id));
  for (const [id, hash] of contentHashes) {
    if (!ids.has(id)) throw new EvidenceUnusable("record_unknown", `The transcript has no record ${id}.`);
    if (!/^sha256:[0-9a-f]{64}$/.test(hash)) {
      const detail = `The hash for the record ${id} is not sha256: and 64 lower-case hexadecimal digits.`;
      throw new EvidenceUnusable("content_hash_malformed", detail);
    }
  }
}

function read(source: Json): { received: ReceivedTranscript; graph: Verdict["graph"] } {
  const value = parsed(source);
  if (!isDocument(value)) return { received: readTranscript(value), graph: "absent" };
  const { transcript, graphMatches } = readDocument(value);
  return { received: readTranscript(transcript), graph: graphMatches ? "matches" : "differs" };
}

function parsed(source: Json): JsonValue {
  if (typeof source !== "string" && !(source instanceof Uint8Array)) return source as JsonValue;
  if (source.length > TRANSCRIPT_BYTES_MAX) throw new NotUsable(`it is larger than ${TRANSCRIPT_BYTES_MAX} bytes`);
  return parseStrictJson(source);
}
