/**
 * The bytes that the signatures of a transcript cover, and the check of a signature by ML-DSA-65 (FIPS 204).
 *
 * - The core of a record is the record without `signature`, `signature_alg` and `signature_kid`.
 * - A record's signature is over the canonical JSON of `{core, evidence_id, signature_alg, signature_kid, tenant_id}`.
 * - The root's signature is over that of `{evidence_id, merkle_root, record_count, root_signature_alg,
 *   root_signature_kid, tenant_id, version}`.
 *
 * The context string of FIPS 204 section 5.2 separates the signatures of records from those of roots.
 */
import { concatBytes } from "@noble/hashes/utils.js";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";

import { canonicalJson } from "./canonical_json.js";
import { hashText } from "./merkle.js";

export const ML_DSA_65 = "ml-dsa-65";
export const HMAC_SHA256 = "hmac-sha256";
/** Size of a signature of each algorithm (FIPS 204 table 2; FIPS 198-1 with SHA-256). */
export const SIGNATURE_BYTES: ReadonlyMap<string, number> = new Map([[ML_DSA_65, 3309], [HMAC_SHA256, 32]]);
/** Size of a raw ML-DSA-65 public key (FIPS 204 table 2). */
export const PUBLIC_KEY_BYTES = 1952;
const encoder = new TextEncoder();
export const RECORD_CONTEXT = encoder.encode("argus.prov.record.v1");
export const ROOT_CONTEXT = encoder.encode("argus.prov.root.v1");
const CORE_BEFORE = encoder.encode('{"core":');
const COMMA = encoder.encode(",");

/** The evidence and tenant that a transcript must be of. */
export interface Identity {
  readonly evidenceId: string;
  readonly tenantId: string;
}

/** Return what all records of a transcript have in common in their signed bytes, for `recordMessage`. */
export function signedHeader(identity: Identity, algorithm: string, kid: string): Uint8Array {
  return canonicalJson({
    evidence_id: identity.evidenceId, signature_alg: algorithm, signature_kid: kid, tenant_id: identity.tenantId,
  });
}

/** Return the bytes that a record's signature covers. `core` is the first member in canonical order, so the result is
 * canonical too. */
export function recordMessage(core: Uint8Array, header: Uint8Array): Uint8Array {
  return concatBytes(CORE_BEFORE, core, COMMA, header.subarray(1));
}

/** Return the bytes that the signature of a Merkle root of `recordCount` records covers. */
export function rootMessage(
  root: Uint8Array, recordCount: number, version: string, identity: Identity, algorithm: string, kid: string,
): Uint8Array {
  return canonicalJson({
    evidence_id: identity.evidenceId,
    tenant_id: identity.tenantId,
    record_count: recordCount,
    merkle_root: hashText(root),
    root_signature_alg: algorithm,
    root_signature_kid: kid,
    version,
  });
}

/** Return whether `signature` was made over `message` under the context string with this key. */
export function isSigned(key: Uint8Array, context: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return ml_dsa65.verify(signature, message, key, { context });
}
