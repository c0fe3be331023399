"""An app gets a token with its credentials; every mistake gets the error response of RFC 6749."""

import base64
import hmac
from typing import Any

import jwt
import pytest
from joserfc import jwt as strict_jwt
from joserfc.jwk import KeySet

from cloud.access.apps import CATALOGUE, GrantType
from cloud.access.apps.secrets import LIVE_MAX
from cloud.access.apps.store import AppStore
from cloud.access.audit import Audit
from cloud.foundation.http import Host
from cloud.foundation.http.settings import HttpSection
from tests.builders.auth_world import API, DEVICES, ISSUER, WEBHOOKS, AuthWorld
from tests.harness.auth_server import PROBE, TOKEN, auth_server


@pytest.mark.contract("C-059", "C-061", "C-062", "C-063", "C-065", "C-071", "S-023", "A-026", "A-032", "A-038", "A-039")
async def test_app_obtains_a_verifiable_token_with_credentials_in_the_form_or_in_the_basic_header(
    world_on_either: AuthWorld,
) -> None:
    world = world_on_either
    async with auth_server(world) as server:
        by_form = await server.token(scope=WEBHOOKS)
        by_basic = await server.token(basic=(world.app.client_id, world.secret), scope=WEBHOOKS)
        published = (await server.ask("GET", "/.well-known/jwks.json")).document
    for answer in (by_form, by_basic):
        assert answer.status == 200
        assert set(answer.document) == {"access_token", "token_type", "expires_in", "scope"}
        assert (answer.document["token_type"], answer.document["expires_in"]) == ("Bearer", 3600)
        assert answer.document["scope"] == WEBHOOKS
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
    token = by_form.document["access_token"]
    now_s = world.clock.now_us() // 1_000_000
    read = strict_jwt.decode(token, KeySet.import_key_set(published), algorithms=["RS256"])
    assert read.header == {"alg": "RS256", "kid": published["keys"][-1]["kid"], "typ": "at+jwt"}
    assert read.claims == {
        "iss": ISSUER,
        "sub": "app_north",
        "aud": [API, ISSUER],
        "exp": now_s + 3600,
        "iat": now_s,
        "nbf": now_s,
        "jti": read.claims["jti"],
        "client_id": "app_north",
        "scope": WEBHOOKS,
        "tenant_id": "tnt_north",
        "organization_id": "org_north",
        "secrecy_level": "standard",
        "token_use": "access",
    }
    key = jwt.PyJWK(next(one for one in published["keys"] if one["kid"] == read.header["kid"]))
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    assert jwt.decode(token, key, algorithms=["RS256"], audience=API, issuer=ISSUER, options=options) == read.claims


@pytest.mark.contract("C-064", "A-018", "A-038")
async def test_token_request_without_a_scope_gets_exactly_the_approved_scopes(world: AuthWorld) -> None:
    async with auth_server(world) as server:
        for more in ({}, {"scope": ""}):
            assert (await server.token(**more)).document["scope"].split() == list(world.app.approved_scopes)
        assert (await server.token(scope=f"{DEVICES} {DEVICES}")).document["scope"] == DEVICES
        # Writing implies reading.
        assert (await server.token(scope="argus:devices:read")).document["scope"] == "argus:devices:read"
        token = (await server.token(scope=DEVICES)).document["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == [API]


@pytest.mark.contract("C-064", "A-017", "S-022")
async def test_token_request_with_any_unapproved_or_malformed_scope_is_refused(world: AuthWorld) -> None:
    unapproved = [scope.name for scope in CATALOGUE if scope.name not in world.app.approved_scopes]
    refused = [name for name in unapproved if name not in ("argus:devices:read", "argus:epcr:read", "webhooks:read")]
    strange = ["argus:everything", f"{DEVICES}  {WEBHOOKS}", f" {DEVICES}", f"{DEVICES} ", DEVICES.upper(), "argus:*"]
    async with auth_server(world) as server:
        for scope in (*refused, "argus:platform:admin", f"{DEVICES} argus:jobs:read", *strange, "a" * 3000):
            answer = await server.token(scope=scope)
            assert answer.error == (400, "invalid_scope"), scope
            assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.contract("S-018", "A-032")
async def test_unknown_client_and_wrong_secret_get_the_same_error(world: AuthWorld) -> None:
    async with auth_server(world, limits=HttpSection(failures_per_minute=1000)) as server:
        answers = [
            await server.token(client_id="app_north", client_secret="wrong"),
            await server.token(client_id="app_nobody", client_secret=world.secret),
            await server.token(client_id="app_north"),
            await server.token(client_id="../etc", client_secret="x" * 1000),
            await server.token(client_id="app_north\u00e9", client_secret="x"),
            await server.token(basic=("app_north", "wrong")),
            await server.token(basic=("app_nobody", world.secret)),
            await server.token(basic=("", "")),
            await server.ask("POST", TOKEN, data={"grant_type": "client_credentials"}),
        ]
    for answer in answers:
        assert answer.error == (401, "invalid_client")
        assert answer.octets == answers[0].octets
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.contract("S-018", "C-063")
async def test_client_credentials_grant_is_refused_to_a_public_client_or_an_app_without_that_grant(
    world: AuthWorld,
) -> None:
    public, _ = await world.register("page", confidential=False)
    delegated, secret = await world.register(
        "portal", grant_types=(GrantType.AUTHORIZATION_CODE,), redirect_uris=["https://portal.example/callback"]
    )
    async with auth_server(world) as server:
        assert (await server.token(client_id=public.client_id)).error == (400, "unauthorized_client")
        answer = await server.token(client_id=delegated.client_id, client_secret=secret or "")
        assert answer.error == (400, "unauthorized_client")
        answer = await server.token(client_id=public.client_id, client_secret="anything")
        assert answer.error == (401, "invalid_client")


@pytest.mark.contract("S-019")
async def test_client_credentials_in_the_url_or_by_two_methods_in_one_request_are_refused(world: AuthWorld) -> None:
    basic = (world.app.client_id, world.secret)
    async with auth_server(world) as server:
        both = await server.token(basic=basic, client_id=basic[0], client_secret=basic[1])
        assert both.error == (400, "invalid_request")
        assert (await server.token(basic=basic, client_id=basic[0])).status == 200
        assert (await server.token(basic=basic, client_id="app_other")).error == (400, "invalid_request")
        query = f"{TOKEN}?client_secret={world.secret}"
        form = {"grant_type": "client_credentials", "client_id": basic[0]}
        answer = await server.ask("POST", query, data=form)
        assert answer.error == (400, "invalid_request")
        assert world.secret.encode() not in answer.octets


async def test_basic_credentials_are_form_decoded_and_parsed_strictly(world: AuthWorld) -> None:
    encoded = base64.b64encode(f"app%5Fnorth:{world.secret.replace('-', '%2D')}".encode()).decode()
    form = {"grant_type": "client_credentials"}
    async with auth_server(world) as server:
        for scheme in ("Basic", "basic", "BASIC"):
            headers = {"Authorization": f"{scheme} {encoded}"}
            assert (await server.ask("POST", TOKEN, data=form, headers=headers)).status == 200
        no_colon = base64.b64encode(b"app_north").decode()
        strange = ("Basic", f"Basic {no_colon}", "Basic /w==", f"Basic {encoded[:-3]}\u00e9")
        for header in (*strange, f"Bearer {encoded}", "Negotiate x"):
            answer = await server.ask("POST", TOKEN, data=form, headers={"Authorization": header})
            assert answer.error == (401, "invalid_client"), header
        twice = [("Authorization", f"Basic {encoded}")] * 2
        assert (await server.ask("POST", TOKEN, data=form, headers=twice)).error == (400, "invalid_request")


@pytest.mark.contract("C-060", "S-020")
async def test_token_request_with_an_unsupported_grant_type_is_refused(world: AuthWorld) -> None:
    async with auth_server(world) as server:
        for grant in ("password", "refresh_token", "implicit", "session", "Authorization_Code", "CLIENT_CREDENTIALS"):
            answer = await server.token(grant_type=grant, username="ada@example.org", password="correct horse battery")
            assert answer.error == (400, "unsupported_grant_type")
        assert (await server.token(grant_type="")).error == (400, "invalid_request")


@pytest.mark.contract("C-061", "S-021")
async def test_token_endpoint_accepts_only_a_form_sent_by_post(world: AuthWorld) -> None:
    async with auth_server(world) as server:
        assert (await server.ask("POST", TOKEN, json={"grant_type": "client_credentials"})).status == 415
        answer = await server.ask("GET", TOKEN)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        doubled = "grant_type=client_credentials&grant_type=client_credentials"
        assert (await server.ask("POST", TOKEN, data=doubled, headers=kind)).error == (400, "invalid_request")
        unknown = await server.token(audience="x", resource="y")  # RFC 6749 §3.2: ignored
        assert unknown.status == 200


@pytest.mark.contract("S-052", "S-053")
async def test_access_token_is_accepted_only_in_a_single_authorization_header(world: AuthWorld) -> None:
    token = await world.token(DEVICES)
    async with auth_server(world) as server:
        assert (await server.probe(token)).status == 200
        for scheme in ("bearer", "BEARER"):
            answer = await server.ask("GET", PROBE, Host.API, headers={"Authorization": f"{scheme} {token}"})
            assert answer.status == 200
        twice = [("Authorization", f"Bearer {token}")] * 2
        assert (await server.ask("GET", PROBE, Host.API, headers=twice)).status == 400
        assert (await server.ask("GET", f"{PROBE}?access_token={token}", Host.API)).status == 401
        assert (await server.ask("GET", PROBE, Host.API, data={"access_token": token})).status == 401
        assert (await server.probe("A" * 65_536)).status in (401, 431)
        assert (await server.probe(token, Host.SANDBOX)).document["code"] == "wrong_environment"
        assert (await server.probe(await world.token(WEBHOOKS))).document["code"] == "insufficient_scope"


@pytest.mark.contract("S-051", "A-037")
async def test_client_can_revoke_only_its_own_token(world: AuthWorld) -> None:
    other, other_secret = await world.register("other")
    token = await world.token(DEVICES)
    ours = {"client_id": world.app.client_id, "client_secret": world.secret}
    theirs = {"client_id": other.client_id, "client_secret": other_secret or ""}
    async with auth_server(world) as server:
        assert (await server.ask("POST", "/v1/oauth/revoke", data={"token": token, **theirs})).status == 400
        assert (await server.probe(token)).status == 200
        assert (await server.ask("POST", "/v1/oauth/revoke", data={"token": token})).status == 401
        assert (await server.ask("POST", "/v1/oauth/revoke", data=ours)).error == (400, "invalid_request")
        for _ in range(2):
            assert (await server.ask("POST", "/v1/oauth/revoke", data={"token": token, **ours})).status == 200
        world.pass_time(seconds=3)
        assert (await server.probe(token)).document["code"] == "invalid_token"
        assert (await server.ask("POST", "/v1/oauth/revoke", data={"token": "nonsense", **ours})).status == 200
    async with world.database.read() as tx:
        (entry,) = await Audit(world.clock).list(tx, world.home.viewer, action="token.revoke")
    assert (entry.actor, entry.object[:4], entry.outcome) == (world.app.client_id, "tok_", "done")


@pytest.mark.contract("S-031")
async def test_wrong_client_secrets_are_throttled_separately_for_each_client_address(world: AuthWorld) -> None:
    limits = HttpSection(trusted_proxies=["127.0.0.1/32"])
    async with auth_server(world, limits=limits) as server:

        async def attempt(address: str, secret: str) -> Any:
            form = {"grant_type": "client_credentials", "client_id": world.app.client_id, "client_secret": secret}
            return await server.ask("POST", TOKEN, data=form, headers={"X-Forwarded-For": address})

        answers = [await attempt("192.0.2.7", "wrong") for _ in range(50)]
        assert answers[0].status == 401
        assert answers[-1].status == 429
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert (await attempt("198.51.100.9", world.secret)).status == 200


@pytest.mark.contract("S-024")
async def test_authentication_takes_the_same_steps_for_an_unknown_client_as_for_a_wrong_secret(
    world: AuthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Count steps and not microseconds: equal reads and comparisons do not reveal which apps exist."""
    steps: list[str] = []

    def counted(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def step(*arguments: Any, **named: Any) -> Any:
            steps.append(name)
            return real(*arguments, **named)

        monkeypatch.setattr(owner, name, step)

    counted(AppStore, "find")
    counted(AppStore, "live_secrets")
    counted(hmac, "compare_digest")
    taken = {}
    for client_id in (world.app.client_id, "app_nobody"):
        steps.clear()
        assert await world.apps.authenticate(client_id, "wrong") is None
        taken[client_id] = list(steps)
    assert taken["app_nobody"] == taken[world.app.client_id]
    assert taken["app_nobody"].count("compare_digest") == LIVE_MAX
