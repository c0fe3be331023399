// Requests documents through a `fetch` of its own, and prints how requests end that get no whole response: {endless, silent},
// each with the code of the error and how often the request was sent.
import { Argus, ArgusError } from "argus-sdk";

async function ending(bodyOf, timeoutS) {
  let nowS = 0;
  let sent = 0;
  const clock = { monotonicS: () => nowS, sleep: () => Promise.resolve() };
  const fetch = async (_url, { signal }) => {
    sent += 1;
    return new Response(bodyOf(signal, (seconds) => (nowS += seconds)));
  };
  const hosts = { apiUrl: "https://api.example.org", authUrl: "https://auth.example.org" };
  const argus = new Argus({ ...hosts, credentials: { token: "t" }, clock, fetch, timeoutS });
  try {
    return await argus.request("GET", "/.well-known/openapi.json");
  } catch (error) {
    if (!(error instanceof ArgusError)) throw error;
    return { code: error.code, detail: error.detail, sent };
  }
}

/** Sends a chunk each 59 s. */
const endless = (_signal, pass) =>
  new ReadableStream({
    pull(controller) {
      pass(59);
      controller.enqueue(new Uint8Array(1000));
    },
  });

/** Sends nothing, as `fetch` does until it is aborted. */
const silent = (signal) =>
  new ReadableStream({ start: (controller) => signal.addEventListener("abort", () => controller.error(signal.reason)) });

console.log(JSON.stringify({ endless: await ending(endless, 60), silent: await ending(silent, 0.01) }));
