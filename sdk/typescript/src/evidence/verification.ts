/**
 * Check a transcript with published keys, and name each broken record with the reason.
 *
 * Each record is checked for its signature and for its link to the record before, and the root for its value and its
 * signature. A fault is reported where it is, and not again where it shows: if a record was changed, the `parent_hash` of
 * the next one does not match, but only the changed record is named, since its own signature fails.
 *
 * What a transcript cannot show is for the cloud: whether it is the latest, and whether an HMAC signature is valid.
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";

import { includes } from "./key_period.js";
import type { PublishedKey, PublishedKeys } from "./keys.js";
import { HASH_BYTES, HASH_PREFIX, hashText, leafHash, merkleRoot } from "./merkle.js";
import type { ReceivedRecord, ReceivedTranscript } from "./received.js";
import {
  type Identity, isSigned, ML_DSA_65, RECORD_CONTEXT, recordMessage, ROOT_CONTEXT, rootMessage, SIGNATURE_BYTES, signedHeader,
} from "./signed_bytes.js";

/** Reason why a record, or the transcript as a whole, is not verified; the same words as the cloud's verify operation. */
export type Reason =
  | "signature_invalid" | "signature_malformed" | "algorithm_unknown" | "algorithm_mismatch" | "key_unknown"
  | "key_withdrawn" | "signed_outside_key_period"
  | "parent_missing" | "record_out_of_order" | "parent_hash_mismatch" | "record_duplicate" | "content_hash_mismatch"
  | "tenant_mismatch" | "evidence_mismatch" | "identity_mismatch" | "record_count_mismatch" | "merkle_root_mismatch"
  | "root_signature_invalid" | "root_signature_malformed" | "root_algorithm_unknown" | "root_key_unknown"
  | "root_key_withdrawn" | "graph_mismatch";

/** A fault. `record_id` and `index` (from 0) are those of the record, null if it concerns the whole transcript. */
export interface BrokenLink {
  readonly record_id: string | null;
  readonly index: number | null;
  readonly reason: Reason;
}

/** What a verifier knows beside the transcript and the keys. */
export interface Expected {
  /** Evidence and tenant that the transcript must be of; absent: those that it states. */
  readonly evidenceId?: string | undefined;
  readonly tenantId?: string | undefined;
  /** Hash of the content after a record (`sha256:…`), by the record's id. */
  readonly contentHashes?: ReadonlyMap<string, string> | undefined;
}

/** Is called about 20 times a second while records are checked. It may throw, which ends the check. */
export type Progress = (checked: number, records: number) => void;

/** Faults of a record whose signature is valid. */
const FAULTS_OF_KEYS: ReadonlySet<Reason> = new Set(["key_withdrawn", "signed_outside_key_period"]);
/** Work between two pauses, in ms: short enough for a page to stay responsive. */
const SLICE_MS = 50;

/** Check a transcript, and return its faults. Pauses now and then, so that a page or a server goes on. */
export async function findBrokenLinks(
  transcript: ReceivedTranscript, keys: PublishedKeys, expected: Expected = {}, progress?: Progress,
): Promise<BrokenLink[]> {
  const identity = {
    evidenceId: expected.evidenceId ?? transcript.evidenceId,
    tenantId: expected.tenantId ?? transcript.tenantId,
  };
  const whole: BrokenLink[] = [];
  if (identity.evidenceId !== transcript.evidenceId) whole.push(ofTranscript("evidence_mismatch"));
  if (identity.tenantId !== transcript.tenantId) whole.push(ofTranscript("tenant_mismatch"));
  const check = new Check(transcript, keys, identity, expected.contentHashes ?? new Map());
  let pauseAt = performance.now() + SLICE_MS;
  for (const [index, record] of transcript.records.entries()) {
    check.add(record, index);
    if (performance.now() < pauseAt) continue;
    progress?.(index + 1, transcript.records.length);
    await new Promise((resolve) => setTimeout(resolve));
    pauseAt = performance.now() + SLICE_MS;
  }
  const root = check.root();
  if (whole.length === 0 && nothingFits(check.broken, root, transcript.records.length)) {
    whole.push(ofTranscript("identity_mismatch"));
  }
  return [...whole, ...check.broken, ...root];
}

/** State of one check. */
class Check {
  readonly broken: BrokenLink[] = [];
  private readonly leaves: Uint8Array[] = [];
  private readonly headers = new Map<string, Uint8Array>();
  private readonly chain: Chain;

  constructor(
    private readonly transcript: ReceivedTranscript,
    private readonly keys: PublishedKeys,
    private readonly identity: Identity,
    private readonly contentHashes: ReadonlyMap<string, string>,
  ) {
    this.chain = new Chain(new Set(transcript.records.map((record) => record.id)));
  }

  /** Check the next record. */
  add(record: ReceivedRecord, index: number): void {
    const leaf = leafHash(record.core);
    this.leaves.push(leaf);
    const duplicate = this.chain.isDuplicate(record);
    const fault = this.signatureFault(record);
    const link = duplicate ? "record_duplicate" : this.chain.add(record, hashText(leaf), fault === null || FAULTS_OF_KEYS.has(fault));
    const content = this.contentHashes.get(record.id) ?? record.contentHash;
    const reasons = [link, fault, content === record.contentHash ? null : ("content_hash_mismatch" as const)];
    for (const reason of reasons) if (reason !== null) this.broken.push({ record_id: record.id, index, reason });
  }

  /** Check the root over the records so far, and its signature. */
  root(): BrokenLink[] {
    const { recordCount, merkleRoot: stated } = this.transcript;
    const computed = merkleRoot(this.leaves);
    const broken: BrokenLink[] = [];
    if (recordCount !== null && recordCount !== this.leaves.length) broken.push(ofTranscript("record_count_mismatch"));
    if (stated !== hashText(computed)) broken.push(ofTranscript("merkle_root_mismatch"));
    const fault = this.rootSignatureFault(computed);
    if (fault !== null) broken.push(ofTranscript(fault));
    return broken;
  }

  private signatureFault(record: ReceivedRecord): Reason | null {
    const size = SIGNATURE_BYTES.get(record.algorithm);
    if (size === undefined) return "algorithm_unknown";
    const { rootAlgorithm } = this.transcript;
    if (record.algorithm !== rootAlgorithm && SIGNATURE_BYTES.has(rootAlgorithm)) return "algorithm_mismatch";
    const signature = fromHexadecimal(record.signature, size);
    if (signature === null) return "signature_malformed";
    const key = this.key(record.algorithm, record.kid);
    if (key === null || record.kid === null) return "key_unknown";
    const message = recordMessage(record.core, this.header(record.algorithm, record.kid));
    if (!isSigned(key.raw, RECORD_CONTEXT, message, signature)) return "signature_invalid";
    if (!includes(key.period, record.signedAt)) return "signed_outside_key_period";
    return key.period.isWithdrawn ? "key_withdrawn" : null;
  }

  private rootSignatureFault(computed: Uint8Array): Reason | null {
    const { rootAlgorithm, rootKid, rootSignature, merkleRoot: text, recordCount, version } = this.transcript;
    const size = SIGNATURE_BYTES.get(rootAlgorithm);
    if (size === undefined) return "root_algorithm_unknown";
    const signature = fromHexadecimal(rootSignature, size);
    if (signature === null) return "root_signature_malformed";
    const key = this.key(rootAlgorithm, rootKid);
    if (key === null || rootKid === null) return "root_key_unknown";
    // The signature may fit what the transcript states or what its records give. If it fits either, the fault is in the
    // other and is reported there.
    const count = this.leaves.length;
    const stated = text.startsWith(HASH_PREFIX) ? fromHexadecimal(text.slice(HASH_PREFIX.length), HASH_BYTES) : null;
    const signed: [Uint8Array, number][] = [[computed, count]];
    if (stated !== null && (text !== hashText(computed) || (recordCount ?? count) !== count)) {
      signed.push([stated, recordCount ?? count]);
    }
    const fits = signed.some(([root, records]) =>
      isSigned(key.raw, ROOT_CONTEXT, rootMessage(root, records, version, this.identity, rootAlgorithm, rootKid), signature));
    if (!fits) return "root_signature_invalid";
    return key.period.isWithdrawn ? "root_key_withdrawn" : null;
  }

  /** Return the key of this algorithm and identifier. There is never one of HMAC, whose keys are secret. */
  private key(algorithm: string, kid: string | null): PublishedKey | null {
    return algorithm === ML_DSA_65 && kid !== null ? (this.keys.get(kid) ?? null) : null;
  }

  private header(algorithm: string, kid: string): Uint8Array {
    let header = this.headers.get(kid);
    if (header === undefined) this.headers.set(kid, (header = signedHeader(this.identity, algorithm, kid)));
    return header;
  }
}

/** The chain of parents so far. */
class Chain {
  private readonly seen = new Set<string>();
  /** The record before, its leaf, and whether its signature is valid. */
  private previous: { id: string; leaf: string; isGenuine: boolean } | null = null;
  /** The last record with a valid signature, and its leaf. */
  private genuine: { id: string; leaf: string } | null = null;

  constructor(private readonly allIds: ReadonlySet<string>) {}

  /** Return whether the record came before. It is then no part of the chain. */
  isDuplicate(record: ReceivedRecord): boolean {
    return this.seen.has(record.id);
  }

  /** Add a record, and return the fault of its link to the record before. */
  add(record: ReceivedRecord, leaf: string, isGenuine: boolean): Reason | null {
    const fault = this.fault(record);
    this.seen.add(record.id);
    this.previous = { id: record.id, leaf, isGenuine };
    if (isGenuine) this.genuine = { id: record.id, leaf };
    return fault;
  }

  private fault({ parentId, parentHash }: ReceivedRecord): Reason | null {
    let fits: boolean;
    if (this.previous !== null && parentId === this.previous.id) {
      // A changed parent is named itself. Its child states the hash that the parent had, and is not at fault.
      fits = parentHash === this.previous.leaf || !this.previous.isGenuine;
    } else if (this.genuine !== null && parentId === this.genuine.id) {
      // Records that were inserted in between have no valid signature, and are named themselves.
      fits = parentHash === this.genuine.leaf;
    } else if (this.genuine === null && parentId === null) {
      fits = parentHash === null;
    } else {
      return parentId === null || this.allIds.has(parentId) ? "record_out_of_order" : "parent_missing";
    }
    return fits ? null : "parent_hash_mismatch";
  }
}

/** Return whether no signature fits, of any record or of the root. */
function nothingFits(records: readonly BrokenLink[], root: readonly BrokenLink[], count: number): boolean {
  const invalid = records.filter((link) => link.reason === "signature_invalid").length;
  return count > 0 && invalid === count && root.some((link) => link.reason === "root_signature_invalid");
}

function ofTranscript(reason: Reason): BrokenLink {
  return { record_id: null, index: null, reason };
}

/** Return the bytes of lower-case hexadecimal text of this length, else null: upper case would give a signature a second
 * text. */
function fromHexadecimal(text: string, sizeBytes: number): Uint8Array | null {
  if (text.length !== 2 * sizeBytes || !/^[0-9a-f]*$/.test(text)) return null;
  const value = hexToBytes(text);
  return bytesToHex(value) === text ? value : null;
}
