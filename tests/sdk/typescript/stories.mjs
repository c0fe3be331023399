// Performs the stories of `tests/sdk/stories.json` with the installed package, on a server that sends the scripted
// responses. Reads the table from standard input, and prints for each story what it gave: {result, error, slept_s,
// requests, token_requests, files}. Run in a folder in which `argus-sdk` is installed.
import { createServer } from "node:http";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { inspect } from "node:util";

import { Argus, webhooks } from "argus-sdk";
import { downloadFhir } from "argus-sdk/node";

const SECRET = "story-secret";

class ScriptedServer {
  requests = [];
  tokenRequests = 0;

  constructor(responses) {
    this.responses = [...responses];
    this.server = createServer((request, response) => void this.respond(request, response));
  }

  async start() {
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
  }

  async respond(request, response) {
    const body = await text(request);
    if (request.url === "/v1/oauth/token") return this.issueToken(request, response);
    const { headers } = request;
    this.requests.push({
      method: request.method,
      path: request.url,
      authorization: headers.authorization,
      idempotency_key: headers["idempotency-key"],
      accept: headers.accept,
      body: body && headers["content-type"] === "application/json" ? JSON.parse(body) : body || null,
    });
    const next = this.responses.shift();
    if (next === undefined) return response.writeHead(599).end("no response is left");
    if (next.cut) return request.socket.destroy();
    for (const [name, value] of Object.entries(next.headers ?? {})) response.setHeader(name, value.replaceAll("{api}", this.url));
    const sent = next.text ?? (next.body === undefined ? "" : JSON.stringify(next.body));
    if (next.cut_after_bytes === undefined) return response.writeHead(next.status).end(sent);
    response.writeHead(next.status, { "Content-Length": sent.length });
    response.write(sent.slice(0, next.cut_after_bytes), () => request.socket.destroy());
  }

  issueToken(request, response) {
    this.tokenRequests += 1;
    const isKnown = request.headers.authorization === `Basic ${Buffer.from(`app_story:${SECRET}`).toString("base64")}`;
    response.setHeader("Content-Type", "application/json");
    const answer = isKnown
      ? { access_token: `token-${this.tokenRequests}`, token_type: "Bearer", expires_in: 3600 }
      : { error: "invalid_client" };
    response.writeHead(isKnown ? 200 : 401).end(JSON.stringify(answer));
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** A clock that moves only by the pauses that the SDK requests. */
class StoryClock {
  slept = [];

  monotonicS() {
    return this.slept.reduce((sum, pause) => sum + pause, 0);
  }

  sleep(seconds) {
    this.slept.push(seconds);
    return Promise.resolve();
  }
}

const CALLS = {
  request: (argus, { method, path, query, body, idempotency_key: idempotencyKey }) =>
    argus.request(method, path, { query, ...(body && { body }), ...(idempotencyKey && { idempotencyKey }) }),
  list: (argus, { path, query }) => all(argus.list(path, { query })),
  wait_for_job: (argus, { job_id: id, poll_s: pollS, limit_s: limitS }) => argus.jobs.wait(id, { pollS, limitS }),
  job_result: (argus, { job_id: id }) => argus.jobs.result(id),
  graphql: (argus, { document_id: documentId, variables, is_query: isQuery = false }) =>
    argus.graphql({ documentId, variables, isQuery }),
  download_fhir: async (argus, { encounter_id: id }, folder) => {
    const paths = await downloadFhir(argus, id, folder);
    return Promise.all(paths.map(async (path) => JSON.parse(await readFile(path, "utf8"))));
  },
};

async function all(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

/** An error as the table names its members, and everything that a log of it would show. */
function shown(error) {
  const { code, status, traceId, retryAfterS } = error;
  return { code, status, trace_id: traceId, retry_after_s: retryAfterS, text: `${inspect(error, { depth: 10 })} ${JSON.stringify(error)}` };
}

async function outcome(action) {
  try {
    return { result: (await action()) ?? null, error: null };
  } catch (error) {
    return { result: null, error: shown(error) };
  }
}

async function performHttp({ responses, call }) {
  const server = new ScriptedServer(responses);
  await server.start();
  const folder = await mkdtemp(join(tmpdir(), "argus-story-"));
  const clock = new StoryClock();
  const clientSecret = call.wrong_secret ? "another-secret" : SECRET;
  const argus = new Argus({ apiUrl: server.url, authUrl: server.url, credentials: { clientId: "app_story", clientSecret }, clock });
  const told = await outcome(() => CALLS[call.do](argus, call, folder));
  const files = await readdir(folder);
  server.stop();
  await rm(folder, { recursive: true });
  return {
    ...told, slept_s: clock.slept, requests: server.requests, token_requests: server.tokenRequests, files,
    client: inspect(argus, { depth: 10 }),
  };
}

const performWebhook = ({ call: { headers, body, secrets, now_s: nowS } }) =>
  outcome(() => webhooks.verifyWebhook({ headers, body, secrets, nowS }));

const table = JSON.parse(await text(process.stdin));
const told = {};
for (const story of table.http) told[story.name] = await performHttp(story);
for (const story of table.webhooks) told[story.name] = await performWebhook(story);
console.log(JSON.stringify(told));
