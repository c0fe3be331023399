// Runs the server audits of graphql-http. Input: the address and an access token; output: the result of each audit.
import { readFileSync } from "node:fs";
import { serverAudits } from "graphql-http";

const { url, token } = JSON.parse(readFileSync(0, "utf8"));
const fetchFn = (to, options = {}) =>
  fetch(to, { ...options, headers: { ...options.headers, authorization: `Bearer ${token}` } });
const results = [];
for (const audit of serverAudits({ url, fetchFn })) {
  const { id, name, status, reason } = await audit.fn();
  results.push({ id, name, status, reason: reason ?? null });
}
console.log(JSON.stringify(results));
