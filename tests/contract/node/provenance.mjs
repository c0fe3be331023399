// Verifies transcripts of evidence with @noble/post-quantum, with canonical JSON, tree and chain of its own.
//
// Canonical JSON needs no library here: JavaScript sorts text by UTF-16 code units and writes numbers as RFC 8785 does.
import { createHash } from "node:crypto";
import { text } from "node:stream/consumers";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";

const bytes = (value) => new TextEncoder().encode(value);
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const written = (digest) => `sha256:${digest.toString("hex")}`;

function canonical(value) {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(",")}}`;
}

function rootOf(leaves) {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0];
  const split = 2 ** (Math.ceil(Math.log2(leaves.length)) - 1);
  return sha256(Buffer.of(1), rootOf(leaves.slice(0, split)), rootOf(leaves.slice(split)));
}

function isSigned(key, context, message, signature) {
  try {
    return ml_dsa65.verify(Buffer.from(signature, "hex"), bytes(canonical(message)), key, { context: bytes(context) });
  } catch {
    return false; // a signature of another length
  }
}

function check({ evidence_id, tenant_id, records, ...header }, keys) {
  let parent = { id: null, leaf: null };
  const leaves = [];
  const signatures = [];
  const chain = [];
  for (const [index, { signature, signature_alg, signature_kid, ...core }] of records.entries()) {
    const leaf = sha256(Buffer.of(0), bytes(canonical(core)));
    const key = signature_alg === "ml-dsa-65" ? keys.get(signature_kid) : undefined;
    const message = { core, evidence_id, tenant_id, signature_alg, signature_kid };
    if (key === undefined || !isSigned(key, "argus.prov.record.v1", message, signature)) signatures.push(index);
    if (core.parent_id !== parent.id || core.parent_hash !== parent.leaf) chain.push(index);
    parent = { id: core.id, leaf: written(leaf) };
    leaves.push(leaf);
  }
  const { root_signature, root_signature_alg, root_signature_kid, version } = header;
  const merkle_root = written(rootOf(leaves));
  const record_count = records.length;
  const root = { evidence_id, tenant_id, record_count, merkle_root, root_signature_alg, root_signature_kid, version };
  const key = root_signature_alg === "ml-dsa-65" ? keys.get(root_signature_kid) : undefined;
  return {
    signatures,
    chain,
    root: merkle_root === header.merkle_root && key !== undefined
      && isSigned(key, "argus.prov.root.v1", root, root_signature),
  };
}

const { keys, transcripts } = JSON.parse(await text(process.stdin));
const found = new Map(keys.map(({ kid, public_key }) => [kid, Buffer.from(public_key, "base64")]));
console.log(JSON.stringify(transcripts.map((transcript) => check(transcript, found))));
