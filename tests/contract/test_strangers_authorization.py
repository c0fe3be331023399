"""The authorization code grant as an integrator's libraries use it, through the real pages.

The native app uses Authlib and a loopback redirect, and its user has a real Chromium. The web application uses
openid-client and has a secret; the test submits the forms for its user. Both libraries find the endpoints in the
server's metadata (RFC 8414), use PKCE, and check `state` and `iss`. joserfc and jose verify the tokens.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from playwright.async_api import Browser

from tests.contract.test_strangers_clients import verified
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.node import run_script
from tests.harness.person_at_forms import allowed
from tests.harness.plain_http import PLAIN
from tests.harness.receiver import receiving
from tests.harness.running_cloud import RunningCloud

SCOPE = "argus:devices:read argus:epcr:write"
WEB_REDIRECT = "https://integrator.example/callback"
NATIVE_REDIRECT = "http://127.0.0.1/cb"
VERIFIER = "native-" + "v" * 40


@dataclass(frozen=True)
class Integration:
    """A web app and a native app of one integrator, and a user of both."""

    web: dict[str, Any]
    native: dict[str, Any]
    username: str
    password: str


@pytest.fixture(scope="module")
def integration(cloud: RunningCloud) -> Integration:
    of_north = ["--tenant", "tnt_one", "--organization", "org_north"]
    granted = ["--grant", "authorization_code", "--scope", "argus:devices:read", "--scope", "argus:epcr:write"]
    apps = [
        ["apps", "add", *of_north, "--name", "Hand-over web", *granted, "--redirect-uri", WEB_REDIRECT, "--json"],
        [
            "apps",
            "add",
            *of_north,
            "--name",
            "Hand-over desk",
            *granted,
            "--redirect-uri",
            NATIVE_REDIRECT,
            "--public",
            "--json",
        ],
    ]
    person = ["users", "add", *of_north, "--username", "mia@rescue.example", "--role", "member", "--json"]
    web, native, mia = cloud.commands(*apps, person)
    cloud.secrets |= {web["client_secret"], mia["password"]}
    return Integration(web, native, mia["username"], mia["password"])


def metadata(cloud: RunningCloud) -> dict[str, Any]:
    """Fetch the server metadata and let Authlib validate it, with https in place of the loopback's http."""
    issuer = cloud.urls["auth"]
    address = get_well_known_url(issuer, external=True)
    document: dict[str, Any] = httpx.get(address, trust_env=False, verify=PLAIN, timeout=WITHIN_S).json()
    AuthorizationServerMetadata(json.loads(json.dumps(document).replace("http://", "https://"))).validate()
    assert document["issuer"] == issuer
    return document


@pytest.mark.contract("C-053", "C-054", "C-056", "C-057", "C-058", "C-059", "C-063", "C-065", "S-003", "S-013", "A-033")
@pytest.mark.contract("A-035", "A-037")
@pytest.mark.asyncio(loop_scope="session")
async def test_authlib_gets_a_token_after_the_user_consents_in_chromium(
    browser: Browser, cloud: RunningCloud, integration: Integration
) -> None:
    server = metadata(cloud)
    async with receiving() as listener:
        redirect_uri = f"http://127.0.0.1:{listener.port}/cb"
        with OAuth2Client(
            client_id=integration.native["client_id"],
            token_endpoint_auth_method="none",
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            trust_env=False,
            timeout=WITHIN_S,
        ) as app:
            address, state = app.create_authorization_url(server["authorization_endpoint"], code_verifier=VERIFIER)
            await _allowed_in(browser, address, integration)
            await eventually(lambda: _codes(listener.received))
            (returned,) = _codes(listener.received)
            told = parse_qs(urlsplit(returned).query)
            assert told["iss"] == [cloud.urls["auth"]]
            with pytest.raises(OAuthError):
                app.fetch_token(
                    server["token_endpoint"], authorization_response=returned, state=state, code_verifier="w" * 43
                )
            token = app.fetch_token(
                server["token_endpoint"], authorization_response=returned, state=state, code_verifier=VERIFIER
            )
    cloud.secrets.add(token["access_token"])
    assert (token["token_type"], token["scope"]) == ("Bearer", SCOPE)
    claims = verified(cloud, token["access_token"]).claims
    assert claims["sub"].startswith("usr_")
    assert claims["auth_time"] <= claims["iat"]
    assert claims["organization_id"] == "org_north"
    with cloud.client() as api:
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        assert api.get("/api/v1/devices", headers=bearer).status_code == 200


def _codes(received: list[Any]) -> list[str]:
    """Return the redirect URLs with an authorization code; drop other requests of the browser, such as for an icon."""
    return [f"http://127.0.0.1{one.path}" for one in received if "code=" in one.path]


async def _allowed_in(browser: Browser, address: str, integration: Integration) -> None:
    """Sign in and give consent in a browser as a person does, finding the fields by their labels."""
    page = await browser.new_page(locale="en-GB")
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    await page.goto(address)
    await page.get_by_label("User name").fill(integration.username)
    await page.get_by_label("Password").fill(integration.password)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("Hand-over desk").first.wait_for()
    assert "argus:epcr:write" in await page.inner_text("main")
    async with page.expect_navigation(url="http://127.0.0.1:*/cb?*"):
        await page.get_by_role("button", name="Allow").click()
    assert faults == []
    await page.close()


@pytest.mark.contract("C-053", "C-055", "C-057", "C-058", "C-059", "C-062", "C-063", "C-065", "C-071", "S-013", "A-034")
@pytest.mark.contract("A-036", "A-037")
def test_openid_client_completes_the_code_grant_and_refuses_a_response_with_a_wrong_issuer_or_state(
    cloud: RunningCloud, integration: Integration
) -> None:
    facts = {
        "auth_url": cloud.urls["auth"],
        "api_url": cloud.urls["api"],
        "client_id": integration.web["client_id"],
        "client_secret": integration.web["client_secret"],
        "redirect_uri": WEB_REDIRECT,
        "scope": SCOPE,
    }
    begun = run_script("authorization.mjs", {**facts, "step": "begin"})
    assert begun["supports_pkce"] is True
    request = begun["address"].removeprefix(cloud.urls["auth"])
    returned = allowed(cloud.urls["auth"], request, integration.username, integration.password)
    assert returned.startswith(f"{WEB_REDIRECT}?")
    found = run_script("authorization.mjs", {**facts, **begun, "step": "finish", "returned": returned})
    cloud.secrets.add(found["token"])
    assert found["mixed_up"] == found["anonymous"] == found["another_state"]
    assert found["mixed_up"] == {"error": "OAUTH_INVALID_RESPONSE", "status": None}
    assert found["another_verifier"] == found["twice"] == {"error": "invalid_grant", "status": 400}
    assert (found["token_type"], found["scope"]) == ("bearer", SCOPE)
    assert found["payload"]["client_id"] == integration.web["client_id"]
    assert found["payload"]["sub"].startswith("usr_")
    with cloud.client() as api:
        bearer = {"Authorization": f"Bearer {found['token']}"}
        answer = api.get("/api/v1/devices", headers=bearer)
    # At its end the script redeemed the code a second time, which ends the token; each process sees that
    # within seconds, so either status is right now.
    assert answer.status_code in (200, 401)
