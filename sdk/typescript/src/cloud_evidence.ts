/** Transcripts of evidence from the cloud, as bytes: `argus-sdk/evidence` verifies what was signed, not what was parsed. */
import { concatBytes } from "@noble/hashes/utils.js";

import { type Argus, jsonOf, segment } from "./client.js";
import type { Schemas } from "./operations.js";

export interface Wanted {
  readonly format?: "json" | "jsonld";
  readonly algorithm?: "ml-dsa-65" | "hmac-sha256";
}

const encoder = new TextEncoder();

export class Transcripts {
  constructor(private readonly argus: Argus) {}

  /** Return the transcript of evidence. The default algorithm is the one that can be verified without the cloud. */
  async get(evidenceId: string, { format = "json", algorithm = "ml-dsa-65" }: Wanted = {}): Promise<Uint8Array> {
    return (await this.argus.exchange("GET", pathOf(evidenceId), { query: { format, algorithm } })).body;
  }

  /** Return the document of the published keys, for `verifyProvenanceLocal`. */
  async publishedKeys(): Promise<Uint8Array> {
    return (await this.argus.exchange("GET", "/.well-known/provenance-keys/ml-dsa-65")).body;
  }

  /** Let the cloud verify a transcript in its JSON form, which is authoritative. */
  async verify(evidenceId: string, transcript: Uint8Array | string): Promise<Schemas["ProvenanceVerification"]> {
    const given = typeof transcript === "string" ? encoder.encode(transcript) : transcript;
    const body = concatBytes(encoder.encode('{"transcript":'), given, encoder.encode("}"));
    const headers = { "Content-Type": "application/json" };
    const reply = await this.argus.exchange("POST", `${pathOf(evidenceId)}/verify`, { body, headers });
    return jsonOf(reply) as Schemas["ProvenanceVerification"];
  }
}

function pathOf(evidenceId: string): string {
  return `/v1/evidence/${segment(evidenceId)}/provenance`;
}
