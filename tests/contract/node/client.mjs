// Two strict strangers against a running cloud: openid-client fetches tokens, jose verifies them.
// Facts come as JSON on standard input, findings go as JSON to standard output.
import { readFileSync } from "node:fs";
import * as openid from "openid-client";
import { createRemoteJWKSet, jwtVerify } from "jose";

const facts = JSON.parse(readFileSync(0, "utf8"));
const server = {
  issuer: facts.auth_url,
  token_endpoint: `${facts.auth_url}/v1/oauth/token`,
  jwks_uri: `${facts.auth_url}/.well-known/jwks.json`,
};

function configured(authentication) {
  const configuration = new openid.Configuration(server, facts.client_id, undefined, authentication);
  openid.allowInsecureRequests(configuration); // loopback, so without TLS
  return configuration;
}

async function refused(call) {
  try {
    await call();
  } catch (error) {
    return { error: error.error ?? error.code, status: error.status ?? null };
  }
  return null;
}

async function verified(token, audience, path) {
  const keys = createRemoteJWKSet(new URL(facts.auth_url + path));
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer: facts.auth_url,
    audience,
    typ: "at+jwt",
    algorithms: ["RS256"],
    requiredClaims: ["sub", "exp", "iat", "jti", "client_id", "scope", "tenant_id"],
    maxTokenAge: "1 hour",
  });
  return { header: protectedHeader, payload };
}

const findings = {};
for (const [name, authentication] of [
  ["basic", openid.ClientSecretBasic(facts.client_secret)],
  ["post", openid.ClientSecretPost(facts.client_secret)],
]) {
  const answer = await openid.clientCredentialsGrant(configured(authentication), { scope: facts.scope });
  findings[name] = {
    token_type: answer.token_type,
    expires_in: answer.expires_in,
    scope: answer.scope,
    ...(await verified(answer.access_token, facts.api_url, "/.well-known/jwks.json")),
    versioned: (await verified(answer.access_token, facts.api_url, "/v1/auth/jwks.json")).payload.jti,
    elsewhere: await refused(() => verified(answer.access_token, "https://elsewhere.example", "/v1/auth/jwks.json")),
  };
}
// A 401 always carries a challenge (RFC 9110 §15.5.2), and that is what this client then reports.
findings.wrong_secret = await refused(() =>
  openid.clientCredentialsGrant(configured(openid.ClientSecretBasic("wrong")), { scope: facts.scope }),
);
findings.unapproved_scope = await refused(() =>
  openid.clientCredentialsGrant(configured(openid.ClientSecretPost(facts.client_secret)), {
    scope: "argus:platform:admin",
  }),
);
process.stdout.write(JSON.stringify(findings));
