// What both programs share: openid-client configured by the server's own metadata (RFC 8414), jose as the verifier.
import * as openid from "openid-client";
import { createRemoteJWKSet, jwtVerify } from "jose";

export function discovered(facts, authentication) {
  return openid.discovery(new URL(facts.auth_url), facts.client_id, undefined, authentication, {
    algorithm: "oauth2",
    execute: [openid.allowInsecureRequests], // loopback, so without TLS
  });
}

export async function refused(call) {
  try {
    await call();
  } catch (error) {
    return { error: error.error ?? error.code, status: error.status ?? null };
  }
  return null;
}

export async function verified(facts, token, audience, path) {
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
