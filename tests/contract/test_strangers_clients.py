"""Strict third-party libraries get tokens and verify them: Authlib and joserfc, openid-client and jose.

The tests import nothing of the cloud, so they see what an integrator's libraries see.
"""

from typing import Any

import httpx
import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.harness.eventually import WITHIN_S
from tests.harness.node import run_script
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import App, RunningCloud

SCOPE = "argus:devices:read argus:epcr:write"
CLAIMS = ("sub", "exp", "iat", "nbf", "jti", "client_id", "scope", "tenant_id", "organization_id", "token_use")


@pytest.fixture(scope="module")
def narrow(cloud: RunningCloud) -> App:
    """Register an app that has only the scopes in `SCOPE`."""
    whose = ["--tenant", "tnt_one", "--organization", "org_north"]
    scopes = [word for name in SCOPE.split() for word in ("--scope", name)]
    (made,) = cloud.commands(["apps", "add", *whose, "--name", "Narrow", *scopes, "--json"])
    cloud.secrets.add(made["client_secret"])
    return App("narrow", "tnt_one", "org_north", made["client_id"], made["client_secret"])


def client(cloud: RunningCloud, how: str, secret: str | None = None, app: App | None = None) -> OAuth2Client:
    app = app or cloud.apps["north"]
    return OAuth2Client(
        client_id=app.client_id,
        client_secret=secret or app.client_secret,
        token_endpoint=f"{cloud.urls['auth']}/v1/oauth/token",
        token_endpoint_auth_method=how,
        scope=SCOPE,
        trust_env=False,
        timeout=WITHIN_S,
    )


def key_set(cloud: RunningCloud, path: str = "/.well-known/jwks.json") -> KeySet:
    answer = httpx.get(cloud.urls["auth"] + path, trust_env=False, verify=PLAIN, timeout=WITHIN_S)
    assert answer.status_code == 200
    return KeySet.import_key_set(answer.json())


def verified(cloud: RunningCloud, token: str, **expected: str) -> Any:
    """Verify a token as RFC 9068 requires of a resource server; return the decoded token."""
    decoded = jwt.decode(token, key_set(cloud), algorithms=["RS256"])
    registry = jwt.JWTClaimsRegistry(
        leeway=0,
        iss={"essential": True, "value": expected.get("iss", cloud.urls["auth"])},
        aud={"essential": True, "value": expected.get("aud", cloud.urls["api"])},
        **{claim: {"essential": True} for claim in CLAIMS},
    )
    registry.validate(decoded.claims)
    return decoded


@pytest.mark.contract("C-059", "C-061", "C-062", "C-063", "C-065", "C-066", "C-069", "C-070", "C-071")
@pytest.mark.parametrize("how", ["client_secret_basic", "client_secret_post"])
def test_token_fetched_by_authlib_is_verified_by_joserfc(cloud: RunningCloud, how: str) -> None:
    token = client(cloud, how).fetch_token()
    decoded = verified(cloud, token["access_token"])
    assert (token["token_type"], token["expires_in"], token["scope"].split()) == ("Bearer", 3600, SCOPE.split())
    assert decoded.header["typ"] == "at+jwt"
    assert decoded.header["kid"] in {key.kid for key in key_set(cloud)}
    assert decoded.claims["tenant_id"] == "tnt_one"
    assert decoded.claims["organization_id"] == "org_north"
    assert decoded.claims["exp"] - decoded.claims["iat"] == 3600


@pytest.mark.contract("S-054")
def test_jwks_document_contains_only_public_key_members(cloud: RunningCloud) -> None:
    with cloud.client(host="auth") as auth:
        keys = auth.get("/.well-known/jwks.json").json()["keys"]
    assert keys
    assert all(set(key) == {"kty", "kid", "use", "alg", "n", "e"} for key in keys)


@pytest.mark.contract("C-067", "C-068", "C-072", "C-073")
def test_both_urls_of_the_jwks_document_return_the_same_bytes(cloud: RunningCloud) -> None:
    with cloud.client(host="auth") as auth:
        first, second = auth.get("/.well-known/jwks.json"), auth.get("/v1/auth/jwks.json")
    assert first.content == second.content
    assert first.headers["ETag"] == second.headers["ETag"]
    assert "max-age=300" in first.headers["Cache-Control"]
    assert first.headers["Access-Control-Allow-Origin"] == "*"


def test_joserfc_refuses_a_token_for_another_audience_or_issuer(cloud: RunningCloud) -> None:
    token = client(cloud, "client_secret_basic").fetch_token()["access_token"]
    for expected in ({"aud": "https://elsewhere.example"}, {"iss": f"{cloud.urls['auth']}/"}):
        with pytest.raises(JoseError):
            verified(cloud, token, **expected)


@pytest.mark.contract("C-060", "C-064")
def test_authlib_parses_the_response_to_a_refused_token_request_as_an_oauth_error(
    cloud: RunningCloud, narrow: App
) -> None:
    with pytest.raises(OAuthError, match="invalid_client"):
        client(cloud, "client_secret_basic", secret="wrong").fetch_token()
    with pytest.raises(OAuthError, match="invalid_scope"):
        client(cloud, "client_secret_post", app=narrow).fetch_token(scope="argus:platform:admin")
    with pytest.raises(OAuthError, match="unsupported_grant_type"):
        client(cloud, "client_secret_post").fetch_token(grant_type="password", username="a", password="b")


@pytest.mark.contract("C-059", "C-062", "C-065", "C-066", "C-067", "C-071")
def test_tokens_fetched_by_openid_client_are_verified_by_jose(cloud: RunningCloud, narrow: App) -> None:
    app = narrow
    findings = run_script(
        "client.mjs",
        {
            "auth_url": cloud.urls["auth"],
            "api_url": cloud.urls["api"],
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "scope": SCOPE,
        },
    )
    for how in ("basic", "post"):
        found = findings[how]
        assert (found["token_type"], found["expires_in"], found["scope"].split()) == ("bearer", 3600, SCOPE.split())
        assert found["header"]["alg"] == "RS256"
        assert found["payload"]["client_id"] == app.client_id
        assert found["payload"]["jti"] == found["versioned"]
        assert found["elsewhere"]["error"] == "ERR_JWT_CLAIM_VALIDATION_FAILED"
        assert found["introspected"] is True
    assert findings["wrong_secret"] == {"error": "OAUTH_WWW_AUTHENTICATE_CHALLENGE", "status": 401}
    assert findings["unapproved_scope"] == {"error": "invalid_scope", "status": 400}
