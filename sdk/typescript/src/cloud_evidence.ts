/** Evidence of the cloud as bytes: `argus-sdk/evidence` verifies what was signed, not what was parsed. */
import { segment } from "./addresses.js";
import type { Argus } from "./client.js";
import { decoded, parseStrictJson } from "./evidence/strict_json.js";
import { usable } from "./evidence/unusable.js";
import type { Schemas } from "./operations.js";
import { jsonOf } from "./transport.js";

export interface WantedTranscript {
  /** `jsonld`: a PROV-O document with the transcript inside. */
  readonly format?: "json" | "jsonld";
  readonly algorithm?: "ml-dsa-65" | "hmac-sha256";
  readonly context?: "inline" | "strict";
  /** Record whose inclusion the response proves. */
  readonly proofOf?: string;
  /** Number of records of an earlier transcript, with which the response proves that it is consistent. */
  readonly consistentWith?: number;
}

export class CloudEvidence {
  constructor(private readonly argus: Argus) {}

  /** Return the transcript of evidence. The default algorithm is the one that can be verified without the cloud. */
  async transcript(evidenceId: string, wanted: WantedTranscript = {}): Promise<Uint8Array> {
    const { format = "json", algorithm = "ml-dsa-65", context, proofOf, consistentWith } = wanted;
    const query = { format, algorithm, context, proof_of: proofOf, consistent_with: consistentWith };
    return (await this.argus.exchange("GET", pathOf(evidenceId), { query })).body;
  }

  /** Return the document of the published keys, for `verifyProvenanceLocal`. */
  async keys(): Promise<Uint8Array> {
    return (await this.argus.exchange("GET", "/.well-known/provenance-keys/ml-dsa-65")).body;
  }

  /** Let the cloud verify a transcript, which is authoritative. Throws `EvidenceUnusable` for text that is not JSON. */
  async verify(evidenceId: string, transcript: Uint8Array | string): Promise<Schemas["ProvenanceVerification"]> {
    const body = new TextEncoder().encode(`{"transcript":${checkedText(transcript)}}`);
    const headers = { "Content-Type": "application/json" };
    // It changes nothing but the audit trail.
    const reply = await this.argus.exchange("POST", `${pathOf(evidenceId)}/verify`, { body, headers, isRepeatable: true });
    return jsonOf(reply) as Schemas["ProvenanceVerification"];
  }
}

/** Return the text of a transcript, which is sent as it is. It is read before, so that it is one value and no further
 * members. */
function checkedText(transcript: Uint8Array | string): string {
  return usable("transcript_malformed", () => {
    const text = decoded(transcript);
    parseStrictJson(text);
    return text;
  });
}

function pathOf(evidenceId: string): string {
  return `/v1/evidence/${segment(evidenceId)}/provenance`;
}
