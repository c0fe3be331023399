// Runs the server audits of graphql-http. Input: the address and an access token; output: the result of each audit.
// The audits of variables send an introspection, which the contract refuses. In its place, an approved document with a
// variable is sent.
import { readFileSync } from "node:fs";
import { serverAudits } from "graphql-http";

const { url, token } = JSON.parse(readFileSync(0, "utf8"));
const WITH_VARIABLE = { query: "query Shown($shown: Boolean!) { __typename @include(if: $shown) }", variables: { shown: true } };
const fetchFn = (to, options = {}) => {
  const introspects = options.method === "POST" && options.body?.includes("query Type($name: String!)");
  const body = introspects ? JSON.stringify(WITH_VARIABLE) : options.body;
  return fetch(to, { ...options, body, headers: { ...options.headers, authorization: `Bearer ${token}` } });
};
const results = [];
for (const audit of serverAudits({ url, fetchFn })) {
  const { id, name, status, reason } = await audit.fn();
  results.push({ id, name, status, reason: reason ?? null });
}
console.log(JSON.stringify(results));
