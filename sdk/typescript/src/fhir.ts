/** The FHIR bundle of an encounter, which has several parts if it is large. */
import { segment } from "./addresses.js";
import type { Argus } from "./client.js";

export const FHIR_JSON = "application/fhir+json";

export class Fhir {
  constructor(private readonly argus: Argus) {}

  /** Return the parts of the bundle of an encounter as bytes, which can be posted unchanged to a FHIR server. */
  async *parts(encounterId: string, options: { signal?: AbortSignal } = {}): AsyncGenerator<Uint8Array, void> {
    const path = `/api/v1/epcr/encounters/${segment(encounterId)}/fhir-bundle`;
    for await (const reply of this.argus.linked(path, { headers: { Accept: FHIR_JSON }, ...options })) yield reply.body;
  }
}
