"""An administrator registers apps over HTTP and reads them; the secret is in the first response only."""

from typing import Any

import pytest

from cloud.access.apps import CATALOGUE
from cloud.foundation.ids import SHAPE
from cloud.foundation.viewer import SecrecyLevel
from tests.builders.auth_world import AuthWorld
from tests.builders.platform_admin import APPS, CASE_SYNC, Platform, platform

GOVERNANCE = {
    "allow_service_tokens": False,
    "enforce_pkce": True,
    "allowed_redirect_hosts": None,
    "allowed_webhook_hosts": None,
    "allowed_scopes": None,
    "max_token_ttl_seconds": None,
}
NOON = "2026-03-24T12:00:00.000000Z"
CALLBACK = "https://integrator.example/callback"


@pytest.mark.contract("C-019", "C-020", "C-021", "C-022")
async def test_scope_catalogue_lists_every_scope_with_its_description(world: AuthWorld) -> None:
    async with platform(world) as it:
        for who in ("reader", "admin"):
            answered = await it.ask("GET", "/v1/platform/scopes", who=who)
            assert answered.status == 200
            assert answered.document == {
                "scopes": [{"name": scope.name, "description": scope.description} for scope in CATALOGUE]
            }
        again = await it.ask("GET", "/v1/platform/scopes", If_None_Match=answered.headers["ETag"])
        assert again.status == 304
        assert (await it.ask("GET", "/v1/platform/scopes", who="member")).status in (401, 403)


@pytest.mark.contract("C-025", "C-026", "C-027", "C-030", "C-031", "A-042", "A-043", "S-023")
async def test_registered_app_obtains_a_token_immediately(world_on_either: AuthWorld) -> None:
    async with platform(world_on_either) as it:
        answered = await it.ask("POST", APPS, CASE_SYNC)
        shown = dict(answered.document)
        client_id, secret, callback = (
            shown.pop(name) for name in ("client_id", "client_secret", "callback_signing_secret")
        )
        assert (answered.status, answered.headers["Location"]) == (201, f"https://auth.argus.example{APPS}/{client_id}")
        assert client_id.startswith("app_")
        assert SHAPE.fullmatch(client_id)
        assert len(secret) >= 43
        assert callback.startswith("whsec_")
        assert answered.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answered.headers
        assert shown == {
            **CASE_SYNC,
            "approved_scopes": ["webhooks:write"],
            "token_endpoint_auth_method": "client_secret_basic",
            "tenant_id": "tnt_north",
            "organization_id": None,
            "governance": GOVERNANCE,
            "secrets": [{"created_at": NOON, "expires_at": None}],
            "created_at": NOON,
        }
        answered = await it.granted({"client_id": client_id}, secret)
        assert (answered.status, answered.document["scope"]) == (200, "webhooks:write")


@pytest.mark.contract("C-028", "C-029", "C-032", "C-033", "C-034", "S-026")
async def test_app_details_and_app_list_contain_no_secrets(world: AuthWorld) -> None:
    async with platform(world) as it:
        made = await it.register(grant_types=["authorization_code"], redirect_uris=[CALLBACK])
        rotated = (await it.ask("POST", f"{APPS}/{made['client_id']}/rotate-secret")).document
        for who in ("admin", "reader"):
            inspected = await it.ask("GET", f"{APPS}/{made['client_id']}", who=who)
            listed = await it.ask("GET", APPS, who=who)
            assert inspected.document in listed.document["apps"]
            for answered in (inspected, listed):
                text = answered.octets.decode()
                assert not {"client_secret", "callback_signing_secret", "digest"} & _keys(answered.document)
                for secret in it.secrets:
                    assert not any(secret[at : at + 5] in text for at in range(len(secret) - 4))
        assert len(it.secrets) == 4
        assert made["client_secret"] != rotated["client_secret"]
        kept = {"name", "grant_types", "redirect_uris", "requested_scopes", "approved_scopes", "governance"}
        assert {name: inspected.document[name] for name in kept} == {name: made[name] for name in kept}
        assert [one["expires_at"] for one in inspected.document["secrets"]] == [None, "2026-03-25T12:00:00.000000Z"]


def _keys(document: object) -> set[str]:
    """Return the names of all members of a JSON document, at any depth."""
    if isinstance(document, list):
        return set().union(*map(_keys, document))
    if isinstance(document, dict):
        return set(document) | _keys(list(document.values()))
    return set()


@pytest.mark.contract("A-044", "S-063")
async def test_app_list_of_the_platform_api_is_paged(world: AuthWorld) -> None:
    async with platform(world) as it:
        made = {(await it.register(name=f"App {number}"))["client_id"] for number in range(5)}
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await it.ask("GET", f"{APPS}?limit=2{cursor and '&cursor='}{cursor}")).document
            assert len(page["apps"]) <= 2
            seen += [app["client_id"] for app in page["apps"]]
            cursor, before = page["next_cursor"], cursor
            if cursor is not None:
                foreign = await it.ask("GET", f"{APPS}?cursor={cursor}", who="south")
                assert (foreign.status, foreign.document["code"]) == (400, "invalid_cursor")
        assert made < set(seen)
        assert seen == sorted(set(seen))
        assert before
        assert (await it.ask("GET", f"{APPS}?limit=0")).status == 400


@pytest.mark.contract("A-042", "S-023")
async def test_secret_rotation_of_a_public_client_is_refused(world: AuthWorld) -> None:
    async with platform(world) as it:
        public = await it.register(
            grant_types=["authorization_code"], redirect_uris=["http://127.0.0.1/cb"], token_endpoint_auth_method="none"
        )
        assert "client_secret" not in public
        assert public["secrets"] == []
        answered = await it.ask("POST", f"{APPS}/{public['client_id']}/rotate-secret")
        assert (answered.status, answered.document["code"]) == (409, "app_public")
        one, other = await it.register(), await it.register()
        assert one["name"] == other["name"]
        assert one["client_id"] != other["client_id"]


REFUSED_URIS = {
    "no URI at all": None,
    "plain http": "http://integrator.example/callback",
    "http on the loopback for a client that has a secret": "http://127.0.0.1/cb",
    "a fragment": f"{CALLBACK}#f",
    "an empty fragment": f"{CALLBACK}#",
    "a wildcard": "https://*.integrator.example/callback",
    "a wildcard in the path": "https://integrator.example/*",
    "a user": "https://integrator.example@evil.example/",
    "a password": "https://a:b@integrator.example/",
    "port 0": "https://integrator.example:0/",
    "no port that there is": "https://integrator.example:65536/",
    "dot segments": "https://integrator.example/a/../b",
    "hidden dot segments": "https://integrator.example/a/%2e%2E/b",
    "a code of its own": f"{CALLBACK}?code=1",
    "a state of its own": f"{CALLBACK}?keep=this&st%61te",
    "a backslash": "https://integrator.example\\@evil.example/",
    "a line end": f"{CALLBACK}\r\nSet-Cookie: a=b",
    "a space": f"{CALLBACK} x",
    "markup": f"{CALLBACK}<script>",
    "letters of another alphabet": "https://integrät.example/",
    "no host": "https:///callback",
    "no slashes": "https:callback",
    "a script": "javascript:alert(1)",
    "data": "data:text/html,x",
    "a scheme of its own": "com.integrator.app:/callback",
    "no scheme": "//integrator.example/callback",
    "a path alone": "/callback",
    "another case": "HTTPS://INTEGRATOR.example/callback",
    "half an address": "https://[::1/callback",
    "nothing": "",
    "more than a kilobyte": "https://integrator.example/" + "a" * 1000,
}


@pytest.mark.contract("A-042", "C-026")
async def test_registration_of_an_app_with_an_unsafe_redirect_uri_is_refused(world: AuthWorld) -> None:
    async with platform(world) as it:
        accepted = {}
        for what, uri in REFUSED_URIS.items():
            body = {**CASE_SYNC, "grant_types": ["authorization_code"], "redirect_uris": [] if uri is None else [uri]}
            answered = await it.ask("POST", APPS, body)
            if answered.status != 400 or answered.document["code"] not in ("invalid_redirect_uri", "invalid_body"):
                accepted[what] = answered.document
        assert accepted == {}
        native: dict[str, Any] = {"grant_types": ["authorization_code"], "token_endpoint_auth_method": "none"}
        for uri in ("http://localhost/cb", "http://192.0.2.1/cb", "http://127.0.0.1.evil.example/cb", "http://127.1/"):
            assert (await it.ask("POST", APPS, {**CASE_SYNC, **native, "redirect_uris": [uri]})).status == 400, uri
        for uri in ("http://127.0.0.1/cb", "http://[::1]:8080/cb", "https://integrator.example:8443/cb?keep=this"):
            assert (await it.register(**native, redirect_uris=[uri]))["redirect_uris"] == [uri]


REFUSED: list[tuple[dict[str, object], int, str]] = [
    ({"requested_scopes": ["argus:everything"]}, 400, "invalid_scope"),
    ({"requested_scopes": ["webhooks:write", "argus:platform:admin"]}, 400, "invalid_scope"),
    ({"requested_scopes": []}, 400, "invalid_body"),
    ({"requested_scopes": "webhooks:write"}, 400, "invalid_body"),
    ({"grant_types": ["password"]}, 400, "invalid_grant_types"),
    ({"grant_types": ["client_credentials", "refresh_token"]}, 400, "invalid_grant_types"),
    ({"grant_types": []}, 400, "invalid_grant_types"),
    ({"name": ""}, 400, "invalid_body"),
    ({"name": "x" * 201}, 400, "invalid_body"),
    ({"name": 1}, 400, "invalid_body"),
    ({"client_id": "app_chosen"}, 400, "invalid_body"),
    ({"client_secret": "chosen"}, 400, "invalid_body"),
    ({"tenant_id": "tnt_south"}, 400, "invalid_body"),
    ({"approved_scopes": ["argus:epcr:read"]}, 400, "invalid_body"),
    ({"organization_id": "org_south"}, 404, "organization_unknown"),
    ({"organization_id": "org_nowhere"}, 404, "organization_unknown"),
    ({"token_endpoint_auth_method": "private_key_jwt"}, 400, "invalid_body"),
]


@pytest.mark.contract("C-023", "C-026", "A-022", "A-042", "S-022")
async def test_invalid_registration_is_refused_with_its_error_code_and_stores_no_app(world: AuthWorld) -> None:
    async with platform(world) as it:
        before = (await it.ask("GET", APPS)).document
        for changed, status, code in REFUSED:
            answered = await it.ask("POST", APPS, {**CASE_SYNC, **changed})
            assert (answered.status, answered.document["code"]) == (status, code), changed
        assert (await it.ask("GET", APPS)).document == before


@pytest.mark.contract("C-024", "C-036", "C-042", "C-046", "A-022", "A-030")
async def test_change_of_an_app_requires_the_admin_scope(world: AuthWorld) -> None:
    async with platform(world) as it:
        app = await it.register()
        path = f"{APPS}/{app['client_id']}"
        changes = (
            ("POST", APPS, CASE_SYNC),
            ("PATCH", f"{path}/governance", {"allow_service_tokens": True}),
            ("POST", f"{path}/service-token", {"scopes": ["webhooks:write"]}),
            ("POST", f"{path}/rotate-secret", None),
        )
        own = (await it.granted(app)).document["access_token"]
        it.tokens |= {"itself": own}
        for method, target, body in changes:
            for who in ("reader", "itself"):
                answered = await it.ask(method, target, body, who=who)
                assert (answered.status, answered.document["code"]) == (403, "insufficient_scope"), target
            # A token that is only good for the api host is invalid on this host.
            assert (await it.ask(method, target, body, who="member")).status == 401
        assert (await it.ask("GET", path)).document["secrets"] == app["secrets"]


@pytest.mark.contract("S-060", "S-061", "S-062", "C-013")
async def test_app_outside_the_tenant_or_organisation_or_clearance_of_the_caller_is_not_found(world: AuthWorld) -> None:
    async with platform(world) as it:
        wide = await it.register(name="Of the whole tenant")
        await world.register("cleared", organization_id=None, client_id="app_cleared", clearance=SecrecyLevel.SECRET)
        for who, client_id in (("south", wide["client_id"]), ("station", wide["client_id"]), ("admin", "app_cleared")):
            await _absent(it, who, client_id)
        assert (await it.ask("GET", f"{APPS}/app_cleared", who="cleared")).status == 200
        own = await it.register(who="station")
        assert own["organization_id"] == "org_north"
        refused = await it.ask("POST", APPS, {**CASE_SYNC, "organization_id": "org_elsewhere"}, who="station")
        assert (refused.status, refused.document["code"]) == (404, "organization_unknown")
        assert (await it.register(organization_id="org_north"))["organization_id"] == "org_north"


async def _absent(it: Platform, who: str, client_id: str) -> None:
    listed = (await it.ask("GET", f"{APPS}?limit=200", who=who)).document["apps"]
    assert client_id not in [app["client_id"] for app in listed]
    for method, rest, body in (
        ("GET", "", None),
        ("PATCH", "/governance", {"allow_service_tokens": True}),
        ("POST", "/service-token", {"scopes": ["webhooks:write"]}),
        ("POST", "/rotate-secret", None),
    ):
        answers = [await it.ask(method, f"{APPS}/{name}{rest}", body, who=who) for name in (client_id, "app_none")]
        assert [(one.status, one.document["code"]) for one in answers] == [(404, "app_unknown")] * 2


@pytest.mark.contract("C-017")
async def test_audit_entry_of_an_app_change_names_the_actor_the_action_and_the_app(world: AuthWorld) -> None:
    async with platform(world) as it:
        app = await it.register()
        path = f"{APPS}/{app['client_id']}"
        await it.govern(app, allow_service_tokens=True, enforce_pkce=None)
        answered = await it.ask("POST", f"{path}/service-token", {"scopes": ["webhooks:write"]})
        await it.ask("POST", f"{path}/rotate-secret", {"grace_hours": 2})
        claims = await world.surface.verifier.claims(answered.document["token"])
        assert claims is not None
        for action, metadata in (
            ("app.create", {}),
            ("app.govern", {"changed": ["allow_service_tokens", "enforce_pkce"]}),
            ("app.service_token", {"jti": claims.jti}),
            ("app.rotate_secret", {"grace_hours": 2}),
        ):
            (entry,) = await it.entries(action)
            assert (entry.object, entry.client_id, entry.metadata) == (app["client_id"], "app_console_north", metadata)
            assert entry.actor.startswith("usr_")
            assert entry.trace_id
        trace_id = answered.headers["X-Argus-Trace-ID"]
        assert [entry.trace_id for entry in await it.entries("app.service_token")] == [trace_id]
