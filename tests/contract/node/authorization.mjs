// openid-client as an integrator's web application: it makes an authorization request, somebody else walks through the
// pages, and it redeems what came back. One step a run: `begin` prints the address and what must be remembered,
// `finish` takes the address that the browser was sent to.
import { readFileSync } from "node:fs";
import * as openid from "openid-client";
import { discovered, refused, verified } from "./strict.mjs";

const facts = JSON.parse(readFileSync(0, "utf8"));
const configuration = await discovered(
  facts,
  facts.client_secret ? openid.ClientSecretBasic(facts.client_secret) : openid.None(),
);

async function begin() {
  const verifier = openid.randomPKCECodeVerifier();
  const state = openid.randomState();
  const address = openid.buildAuthorizationUrl(configuration, {
    redirect_uri: facts.redirect_uri,
    scope: facts.scope,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
  });
  return { address: address.href, verifier, state, supports_pkce: configuration.serverMetadata().supportsPKCE() };
}

function redeemed(address, verifier, state) {
  return openid.authorizationCodeGrant(configuration, new URL(address), {
    pkceCodeVerifier: verifier,
    expectedState: state,
  });
}

async function finish() {
  const { returned, verifier, state } = facts;
  const mixedUp = new URL(returned);
  mixedUp.searchParams.set("iss", "https://elsewhere.example");
  const anonymous = new URL(returned);
  anonymous.searchParams.delete("iss");
  const findings = {
    // None of these reaches the server, since this client looks before it asks.
    mixed_up: await refused(() => redeemed(mixedUp, verifier, state)),
    anonymous: await refused(() => redeemed(anonymous, verifier, state)),
    another_state: await refused(() => redeemed(returned, verifier, "another")),
    another_verifier: await refused(() => redeemed(returned, openid.randomPKCECodeVerifier(), state)),
  };
  const answer = await redeemed(returned, verifier, state);
  return {
    ...findings,
    token: answer.access_token,
    token_type: answer.token_type,
    scope: answer.scope,
    ...(await verified(facts, answer.access_token, facts.api_url, "/.well-known/jwks.json")),
    twice: await refused(() => redeemed(returned, verifier, state)),
  };
}

process.stdout.write(JSON.stringify(facts.step === "begin" ? await begin() : await finish()));
