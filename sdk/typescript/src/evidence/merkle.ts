/**
 * Merkle tree over the records of a transcript (RFC 9162 section 2.1). Leaves and inner nodes are hashed with different
 * first bytes, so an inner node cannot be presented as a record.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

export const HASH_BYTES = 32;
export const HASH_PREFIX = "sha256:";
const LEAF = 0;
const NODE = 1;

/** Return the hash of a leaf whose content is `entry` (RFC 9162 2.1.1). */
export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256.create().update(Uint8Array.of(LEAF)).update(entry).digest();
}

/** Return the root over `leaves`, the leaf hashes in order (RFC 9162 2.1.2). Time is linear, memory logarithmic. */
export function merkleRoot(leaves: Iterable<Uint8Array>): Uint8Array {
  const subtrees: { size: number; root: Uint8Array }[] = [];
  for (const leaf of leaves) {
    let top = { size: 1, root: leaf };
    for (let last = subtrees.at(-1); last?.size === top.size; last = subtrees.at(-1)) {
      top = { size: top.size * 2, root: nodeHash(last.root, top.root) };
      subtrees.pop();
    }
    subtrees.push(top);
  }
  const last = subtrees.pop();
  if (last === undefined) return sha256(new Uint8Array());
  return subtrees.reduceRight((right, left) => nodeHash(left.root, right), last.root);
}

/** Return a SHA-256 hash as transcripts write it, such as `sha256:b94d…`. */
export function hashText(hash: Uint8Array): string {
  return HASH_PREFIX + bytesToHex(hash);
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256.create().update(Uint8Array.of(NODE)).update(left).update(right).digest();
}
