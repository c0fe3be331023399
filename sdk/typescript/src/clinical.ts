/** Devices and encounters, with their measurements and their FHIR bundle. */
import { segment } from "./addresses.js";
import type { Argus } from "./client.js";
import type { Keyed, QueryOf, Schemas, Sending } from "./operations.js";

const FHIR_JSON = "application/fhir+json";

/** The devices of the organisation. */
export class Devices {
  constructor(private readonly argus: Argus) {}

  /** Return the devices, all or those of a vehicle. */
  list(query: QueryOf<"GET", "/api/v1/devices"> = {}, sending: Sending = {}) {
    return this.argus.list("/api/v1/devices", { ...sending, query });
  }

  /** Enrol a device. A repetition with the same serial number returns the same device, so it may be sent again. */
  enrol(body: Schemas["DeviceEnrolment"], sending: Sending = {}) {
    return this.argus.request("POST", "/api/v1/devices/enrol", { ...sending, body, isRepeatable: true });
  }

  /** Store a measurement. `flags` of the response lists doubts about it. */
  postObservation(deviceId: string, body: Schemas["ObservationToPost"], sending: Sending & Keyed = {}) {
    return this.argus.request("POST", "/api/v1/devices/{deviceId}/observations", { ...sending, path: { deviceId }, body });
  }
}

/** The encounters of the organisation, without patient data. */
export class Encounters {
  constructor(private readonly argus: Argus) {}

  /** Return encounters in the order of their creation. */
  list(query: QueryOf<"GET", "/api/v1/epcr/encounters"> = {}, sending: Sending = {}) {
    return this.argus.list("/api/v1/epcr/encounters", { ...sending, query });
  }

  /** Create an encounter. */
  begin(body: Schemas["EncounterToBegin"], sending: Sending & Keyed = {}) {
    return this.argus.request("POST", "/api/v1/epcr/encounters", { ...sending, body });
  }

  /** Return the summary of an encounter. */
  read(encounterId: string, sending: Sending = {}): Promise<Schemas["EncounterPartnerSummary"]> {
    const path = { encounterId };
    return this.argus.request("GET", "/api/v1/epcr/encounters/{encounterId}", { ...sending, path }) as Promise<
      Schemas["EncounterPartnerSummary"]
    >;
  }

  /** Return the observations of an encounter, or with `interval_s` a summary of each interval. */
  listObservations(
    encounterId: string, query: QueryOf<"GET", "/api/v1/epcr/encounters/{encounterId}/observations"> = {}, sending: Sending = {},
  ) {
    return this.argus.list("/api/v1/epcr/encounters/{encounterId}/observations", { ...sending, path: { encounterId }, query });
  }

  /** Return blocks of samples, or with `points` the least and the greatest sample of each interval. */
  listWaveforms(
    encounterId: string, query: QueryOf<"GET", "/api/v1/epcr/encounters/{encounterId}/waveforms"> = {}, sending: Sending = {},
  ) {
    return this.argus.list("/api/v1/epcr/encounters/{encounterId}/waveforms", { ...sending, path: { encounterId }, query });
  }

  /** Return what happened in an encounter, in the order of time. */
  listTimeline(
    encounterId: string, query: QueryOf<"GET", "/api/v1/epcr/encounters/{encounterId}/timeline"> = {}, sending: Sending = {},
  ) {
    return this.argus.list("/api/v1/epcr/encounters/{encounterId}/timeline", { ...sending, path: { encounterId }, query });
  }

  /** Return the parts of the FHIR R4 bundle of an encounter as bytes. Post each one unchanged to a FHIR server, in this order.
   * `downloadFhir` of `argus-sdk/node` writes them to files. */
  async *fhirParts(encounterId: string, sending: Sending = {}): AsyncGenerator<Uint8Array, void> {
    const path = `/api/v1/epcr/encounters/${segment(encounterId)}/fhir-bundle`;
    for await (const reply of this.argus.linked(path, { ...sending, headers: { ...sending.headers, Accept: FHIR_JSON } })) {
      yield reply.body;
    }
  }
}
