// Two strict strangers against a running cloud: openid-client fetches tokens, jose verifies them.
// Facts come as JSON on standard input, findings go as JSON to standard output.
import { readFileSync } from "node:fs";
import * as openid from "openid-client";
import { discovered, refused, verified } from "./strict.mjs";

const facts = JSON.parse(readFileSync(0, "utf8"));

const findings = {};
for (const [name, authentication] of [
  ["basic", openid.ClientSecretBasic(facts.client_secret)],
  ["post", openid.ClientSecretPost(facts.client_secret)],
]) {
  const configuration = await discovered(facts, authentication);
  const answer = await openid.clientCredentialsGrant(configuration, { scope: facts.scope });
  findings[name] = {
    token_type: answer.token_type,
    expires_in: answer.expires_in,
    scope: answer.scope,
    ...(await verified(facts, answer.access_token, facts.api_url, "/.well-known/jwks.json")),
    versioned: (await verified(facts, answer.access_token, facts.api_url, "/v1/auth/jwks.json")).payload.jti,
    elsewhere: await refused(() =>
      verified(facts, answer.access_token, "https://elsewhere.example", "/v1/auth/jwks.json"),
    ),
  };
  const introspected = await openid.tokenIntrospection(configuration, answer.access_token);
  await openid.tokenRevocation(configuration, answer.access_token);
  findings[name].introspected = introspected.active;
}
// A 401 always carries a challenge (RFC 9110 §15.5.2), and that is what this client then reports.
const wrong = await discovered(facts, openid.ClientSecretBasic("wrong"));
findings.wrong_secret = await refused(() => openid.clientCredentialsGrant(wrong, { scope: facts.scope }));
const right = await discovered(facts, openid.ClientSecretPost(facts.client_secret));
findings.unapproved_scope = await refused(() =>
  openid.clientCredentialsGrant(right, { scope: "argus:platform:admin" }),
);
process.stdout.write(JSON.stringify(findings));
