// The runner of the SDK for TypeScript: reads `{"facts": …, "call": …}` from each line of standard input, performs the call
// with the installed package, and writes {result | error and texts, slept_s} to a line of standard output.
//
// It runs in a folder in which `argus-sdk` is installed. The table of stories describes calls and results.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inspect } from "node:util";

import { Argus, ArgusError, evidence, webhooks } from "argus-sdk";
import { downloadFhir, downloadJobResult } from "argus-sdk/node";

/** A clock that moves only by the pauses that the SDK requests. */
class HandClock {
  slept_s = [];

  monotonicS() {
    return this.slept_s.reduce((sum, pause) => sum + pause, 0);
  }

  sleep(seconds) {
    this.slept_s.push(seconds);
    return Promise.resolve();
  }
}

async function all(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

const WITHOUT_A_CLIENT = {
  verify_webhook: ({ body, headers, secrets, now_s: nowS, tolerance_s: toleranceS }) =>
    webhooks.verifyWebhook({ body, headers, secrets, nowS, ...(toleranceS !== undefined && { toleranceS }) }),
  verify_provenance: async ({ transcript, keys, evidence_id: evidenceId, tenant_id: tenantId, content_hashes: hashes }) => {
    const expected = { evidenceId, tenantId, ...(hashes && { contentHashes: new Map(Object.entries(hashes)) }) };
    const verdict = await evidence.verifyProvenanceLocal(await readFile(transcript), keys && (await readFile(keys)), expected);
    return { outcome: verdict.outcome, broken_links: verdict.broken_links };
  },
};

const OF_A_CLIENT = {
  request: (argus, { method, path, query, body, idempotency_key: idempotencyKey }) =>
    argus.request(method, path, { query, ...(body && { body }), ...(idempotencyKey && { idempotencyKey }) }),
  exchange: async (argus, { method, path, headers }) => {
    const reply = await argus.exchange(method, path, { headers });
    return { status: reply.status, etag: reply.headers.get("etag"), text: new TextDecoder().decode(reply.body) };
  },
  list: (argus, { path, query }) => all(argus.list(path, { query })),
  wait_for_job: (argus, { job_id: id, poll_s: pollS, limit_s: limitS }) => argus.jobs.wait(id, { pollS, limitS }),
  job_result: (argus, { job_id: id }) => argus.jobs.result(id),
  graphql: (argus, { document_id: documentId, variables, operation_name: operationName, is_query: isQuery = false }) =>
    argus.graphql.execute({ documentId, variables, isQuery, operationName }),
  download_fhir: async (argus, { encounter_id: id }, { folder }) => {
    const paths = await downloadFhir(argus, id, folder);
    return Promise.all(paths.map(async (path) => JSON.parse(await readFile(path, "utf8"))));
  },
  download_result: async (argus, { job_id: id }, { folder }) => {
    await downloadJobResult(argus, id, join(folder, "result"));
    return readFile(join(folder, "result"), "utf8");
  },
  transcript: async (argus, { evidence_id: id }) => new TextDecoder().decode(await argus.evidence.transcript(id)),
  verify_by_cloud: (argus, { evidence_id: id, transcript }) => argus.evidence.verify(id, new TextEncoder().encode(transcript)),
};

function client({ api_url: apiUrl, auth_url: authUrl, client_id: clientId, client_secret }, call, clock) {
  const clientSecret = call.wrong_secret ? "wrong" : client_secret;
  return new Argus({ apiUrl, authUrl, credentials: { clientId, clientSecret }, clock });
}

async function perform(call, facts) {
  const clock = new HandClock();
  const free = WITHOUT_A_CLIENT[call.do];
  const argus = free ? null : client(facts, call, clock);
  try {
    const result = await (free ? free(call) : OF_A_CLIENT[call.do](argus, call, facts));
    return { result: result ?? null, slept_s: clock.slept_s };
  } catch (error) {
    if (!(error instanceof ArgusError)) throw error;
    const { code, status, traceId: trace_id, retryAfterS: retry_after_s, problemUrl: problem_url, members, detail, retryable } = error;
    const texts = [inspect(error, { depth: 10 }), JSON.stringify(error), inspect(argus, { depth: 10 })];
    return { kind: error.constructor.name, error: { code, status, trace_id, retry_after_s, problem_url, members, detail, retryable }, texts, slept_s: clock.slept_s };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { call, facts } = JSON.parse(line);
  console.log(JSON.stringify(await perform(call, facts)));
}
