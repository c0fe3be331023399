// Prints the groups of the client with their methods, the errors and the limits of the installed package, as JSON.
import * as sdk from "argus-sdk";
import * as node from "argus-sdk/node";
import { ERROR_BYTES_MAX, CALL_LIMIT_S, DOCUMENT_BYTES_MAX, TIMEOUT_S } from "./node_modules/argus-sdk/dist/transport.js";
import { PAGES_MAX } from "./node_modules/argus-sdk/dist/paging.js";
import { PAUSE_S_MAX, SENDS_MAX } from "./node_modules/argus-sdk/dist/retry.js";
import { SECRET_BYTES_MIN, SIGNATURES_MAX, TOLERANCE_S } from "./node_modules/argus-sdk/dist/webhooks.js";

const hosts = { apiUrl: "https://api.example.org", authUrl: "https://auth.example.org" };
const argus = new sdk.Argus({ ...hosts, credentials: { token: "t" } });
const methodsOf = (value) => Object.getOwnPropertyNames(Object.getPrototypeOf(value)).filter((name) => name !== "constructor");
const groups = Object.fromEntries(Object.entries(argus).map(([name, group]) => [name, methodsOf(group)]));
const errors = [...Object.values(sdk), ...Object.values(sdk.evidence), ...Object.values(sdk.webhooks)].filter(
  (one) => typeof one === "function" && (one === sdk.ArgusError || one.prototype instanceof sdk.ArgusError),
);
console.log(
  JSON.stringify({
    client: methodsOf(argus),
    groups,
    node: Object.keys(node),
    errors: [...new Set(errors.map((one) => one.name))],
    limits: {
      document_bytes: DOCUMENT_BYTES_MAX, error_bytes: ERROR_BYTES_MAX, silence_s: TIMEOUT_S, call_s: CALL_LIMIT_S,
      sends: SENDS_MAX, pause_s: PAUSE_S_MAX, pages: PAGES_MAX,
      tolerance_s: TOLERANCE_S, signatures: SIGNATURES_MAX, secret_bytes: SECRET_BYTES_MIN,
      transcript_bytes: sdk.evidence.TRANSCRIPT_BYTES_MAX,
    },
  }),
);
