// Uses a running cloud with the installed package, as an integrator does. Reads {api_url, auth_url, client_id, client_secret,
// folder, name} from standard input; prints what it found.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { Argus, ArgusError, evidence } from "argus-sdk";
import { downloadFhir, downloadJobResult } from "argus-sdk/node";

const { api_url: apiUrl, auth_url: authUrl, client_id: clientId, client_secret: clientSecret, folder, name } = JSON.parse(
  await text(process.stdin),
);
const argus = new Argus({ apiUrl, authUrl, credentials: { clientId, clientSecret } });

async function failure(action) {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ArgusError)) throw error;
    return { status: error.status, code: error.code, has_trace: error.traceId !== null, text: `${error.stack} ${JSON.stringify(error)}` };
  }
  return null;
}

const found = {};
const enrolled = [];
for (const number of [1, 2, 3]) {
  const body = { serial_number: `${name}-${number}`, device_class: "oximeter", manufacturer: "ACME" };
  enrolled.push((await argus.request("POST", "/api/v1/devices/enrol", { body })).id);
}
const listed = [];
for await (const device of argus.list("/api/v1/devices", { query: { limit: 2 } })) listed.push(device.id);
found.lists_all_devices = enrolled.every((id) => listed.includes(id));

const begin = (idempotencyKey, cad) =>
  argus.request("POST", "/api/v1/epcr/encounters", { body: { care_model: "event_medical", cad_incident_id: cad }, idempotencyKey });
const key = crypto.randomUUID();
const encounter = await begin(key, name);
found.same_key_is_one_encounter = (await begin(key, name)).id === encounter.id;
found.reused_key = await failure(() => begin(key, `${name}-other`));
found.absent = await failure(() =>
  argus.request("GET", "/api/v1/epcr/encounters/{encounterId}", { path: { encounterId: "enc_absent" } }));
await argus.request("POST", "/api/v1/devices/{deviceId}/observations", {
  path: { deviceId: enrolled[0] },
  body: { mdc_code: "MDC_PULS_OXIM_SAT_O2", value: 97, unit_code: "%", encounter_id: encounter.id },
  idempotencyKey: crypto.randomUUID(),
});

const [bundle] = await downloadFhir(argus, encounter.id, folder);
const resources = JSON.parse(await readFile(bundle, "utf8")).entry.map((entry) => entry.resource.resourceType);
found.bundle_has_the_observation = resources.includes("Observation");

const job = await argus.jobs.start(
  { kind: "export.bulk", payload: { data: "encounters", format: "ndjson" } }, { idempotencyKey: crypto.randomUUID() });
found.job = (await argus.jobs.wait(job.id, { pollS: 0.05, limitS: 60 })).status;
await downloadJobResult(argus, job.id, join(folder, "encounters.ndjson"));
found.export_has_the_encounter = (await readFile(join(folder, "encounters.ndjson"), "utf8")).includes(encounter.id);
found.ended_job = await failure(() => argus.jobs.cancel(job.id));
const kinds = [];
for await (const one of argus.list("/v1/jobs", { query: { kind: "export.bulk" } })) kinds.push(one.id);
found.lists_the_job = kinds.includes(job.id);

const summary = await argus.request("GET", "/api/v1/epcr/encounters/{encounterId}", { path: { encounterId: encounter.id } });
const keys = await argus.evidence.keys();
const transcript = await argus.evidence.transcript(summary.evidence_id);
const verified = async (source) => (await evidence.verifyProvenanceLocal(source, keys, { evidenceId: summary.evidence_id }));
found.outcome = (await verified(transcript)).outcome;
found.graph = (await verified(await argus.evidence.transcript(summary.evidence_id, { format: "jsonld" }))).graph;
found.secret_outcome = (await verified(await argus.evidence.transcript(summary.evidence_id, { algorithm: "hmac-sha256" }))).outcome;
const changed = new TextDecoder().decode(transcript).replace('"actor_id":"', '"actor_id":"x');
const [here, there] = [await verified(changed), await argus.evidence.verify(summary.evidence_id, changed)];
found.cloud_agrees = (await argus.evidence.verify(summary.evidence_id, transcript)).valid;
const pairs = (links) => JSON.stringify(links.map(({ record_id, reason }) => [record_id, reason]));
found.changed_is_reported_alike = !here.valid && pairs(here.broken_links) === pairs(there.broken_links);

const wrong = new Argus({ apiUrl, authUrl, credentials: { clientId, clientSecret: "not-the-secret" } });
found.refused = await failure(() => wrong.jobs.result(job.id));
console.log(JSON.stringify(found));
