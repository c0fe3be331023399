"""An administrator changes the governance rules of an app (flags and limits) with a JSON merge patch.

Every process applies the change to existing and new tokens.
"""

import pytest

from cloud.access.apps import Wanted
from tests.builders.auth_world import DEVICES, WEBHOOKS, AuthWorld
from tests.builders.platform_admin import APPS, Platform, platform
from tests.harness.page_reader import PageReader

CALLBACK = "https://integrator.example/callback"
SEEN_S = 3.0
"""Time after which every process has polled the changes (`cloud/access/tokens/auth_state`)."""


def path(app: dict[str, object], rest: str = "/governance") -> str:
    return f"{APPS}/{app['client_id']}{rest}"


@pytest.mark.contract("C-035", "C-037", "C-038", "C-039", "C-040", "A-045")
async def test_governance_patch_changes_only_the_fields_in_its_body(world_on_either: AuthWorld) -> None:
    async with platform(world_on_either) as it:
        app, other = await it.register(), await it.register()
        before = (await it.ask("GET", path(other, ""))).document
        answered = await it.ask("PATCH", path(app), {"allow_service_tokens": True, "enforce_pkce": True})
        assert answered.status == 200
        assert answered.document == {
            "client_id": app["client_id"],
            "governance": {**app["governance"], "allow_service_tokens": True},
        }
        given = {
            "enforce_pkce": False,
            "allowed_redirect_hosts": ["integrator.example"],
            "allowed_webhook_hosts": ["hooks.integrator.example"],
            "allowed_scopes": ["webhooks:read"],
            "max_token_ttl_seconds": 600,
        }
        assert await it.govern(app, **given) == {"allow_service_tokens": True, **given}
        assert await it.govern(app) == {"allow_service_tokens": True, **given}
        assert await it.govern(app, **dict.fromkeys(given)) == {**app["governance"], "allow_service_tokens": True}
        assert (await it.ask("GET", path(app, ""))).document["governance"]["allow_service_tokens"] is True
        assert (await it.ask("GET", path(other, ""))).document == before


@pytest.mark.contract("A-045", "C-037")
async def test_governance_patch_with_an_unknown_flag_or_invalid_value_changes_no_flag(world: AuthWorld) -> None:
    async with platform(world) as it:
        app = await it.register()
        strange: list[object] = [
            {"allow_everything": True},
            {"allow_service_tokens": True, "unknown": None},
            {"allow_service_tokens": "true"},
            {"allow_service_tokens": 1},
            {"allowed_scopes": ["argus:everything"]},
            {"allowed_scopes": "webhooks:read"},
            {"allowed_redirect_hosts": ["https://integrator.example"]},
            {"allowed_redirect_hosts": ["Integrator.example"]},
            {"allowed_redirect_hosts": ["*.integrator.example"]},
            {"allowed_redirect_hosts": ["integrator.example", "integrator.example"]},
            {"allowed_webhook_hosts": ["integrator.example:8443"]},
            {"allowed_webhook_hosts": [f"h{number}.example" for number in range(51)]},
            {"max_token_ttl_seconds": 59},
            {"max_token_ttl_seconds": 90 * 86_400 + 1},
            {"max_token_ttl_seconds": 600.5},
            {"max_token_ttl_seconds": True},
            {"governance": {"allow_service_tokens": True}},
            [],
        ]
        for flags in strange:
            answered = await it.ask("PATCH", path(app), flags)
            assert answered.status == 400, flags
            assert answered.document["code"] in ("invalid_body", "invalid_scope", "invalid_governance"), flags
        assert (await it.ask("GET", path(app, ""))).document["governance"] == app["governance"]


@pytest.mark.contract("A-046")
async def test_governance_patch_with_an_outdated_etag_is_refused_with_412(world: AuthWorld) -> None:
    async with platform(world) as it:
        app = await it.register()
        read = (await it.ask("GET", path(app, ""))).headers["ETag"]
        assert (await it.ask("GET", path(app, ""), If_None_Match=read)).status == 304
        first = await it.ask("PATCH", path(app), {"allow_service_tokens": True}, If_Match=read)
        assert first.status == 200
        late = await it.ask("PATCH", path(app), {"enforce_pkce": False}, If_Match=read)
        assert (late.status, late.document["code"]) == (412, "precondition_failed")
        assert (await it.ask("PATCH", path(app), {"enforce_pkce": False}, If_Match=f"W/{read}")).status == 412
        assert (await it.ask("GET", path(app, ""))).headers["ETag"] == first.headers["ETag"]
        for tag in (first.headers["ETag"], f'"other", {first.headers["ETag"]}'):
            again = await it.ask("PATCH", path(app), {}, If_Match=tag)
            assert (again.status, again.headers["ETag"]) == (200, first.headers["ETag"])
        assert (await it.ask("PATCH", path(app), {"enforce_pkce": False}, If_Match="*")).status == 200
        assert (await it.ask("PATCH", path(app), {"enforce_pkce": True})).status == 200


@pytest.mark.contract("A-005")
async def test_governance_patch_with_an_invalid_value_is_refused_before_its_etag_is_compared(world: AuthWorld) -> None:
    async with platform(world) as it:
        app = await it.register()
        for flags in ({"allowed_scopes": ["webhooks:wrte"]}, {"allowed_redirect_hosts": ["a.example", "a.example"]}):
            answered = await it.ask("PATCH", path(app), flags, If_Match='"outdated"')
            assert answered.status == 400, flags


@pytest.mark.contract("C-039", "C-064", "A-045", "S-051")
async def test_scope_forbidden_by_governance_is_refused_in_existing_tokens_and_omitted_from_new_tokens(
    world: AuthWorld,
) -> None:
    async with platform(world) as it:
        app = await it.register(requested_scopes=[WEBHOOKS, DEVICES])
        token = (await it.granted(app)).document["access_token"]
        assert (await it.server.probe(token)).status == 200
        await it.govern(app, allowed_scopes=[WEBHOOKS])
        world.pass_time(seconds=SEEN_S)
        assert (await it.server.probe(token)).status == 403
        answered = await it.granted(app)
        assert (answered.status, answered.document["scope"]) == (200, WEBHOOKS)
        assert (await it.granted(app, scope=DEVICES)).error == (400, "invalid_scope")
        await it.govern(app, allowed_scopes=None)
        assert (await it.granted(app, scope=DEVICES)).status == 200


@pytest.mark.contract("C-039", "A-045")
async def test_governance_of_an_app_limits_the_lifetime_of_its_tokens(world: AuthWorld) -> None:
    async with platform(world) as it:
        app = await it.register()
        assert (await it.granted(app)).document["expires_in"] == 3600
        await it.govern(app, max_token_ttl_seconds=90, allow_service_tokens=True)
        assert (await it.granted(app)).document["expires_in"] == 90
        minted = await it.ask("POST", path(app, "/service-token"))
        assert minted.document["expires_at"] == "2026-03-24T12:01:30.000000Z"
        refused = await it.ask("POST", path(app, "/service-token"), {"ttl_seconds": 91})
        assert (refused.status, refused.document["code"]) == (400, "invalid_ttl")
        await it.govern(app, max_token_ttl_seconds=90 * 86_400)
        assert (await it.granted(app)).document["expires_in"] == 3600, "it shortens, and never lengthens"


@pytest.mark.contract("C-039", "C-055", "A-045")
async def test_governance_of_an_app_sets_its_allowed_redirect_hosts_and_pkce_requirement(world: AuthWorld) -> None:
    async with platform(world) as it:
        app = await it.register(grant_types=["authorization_code"], redirect_uris=[CALLBACK])
        asked = f"/v1/oauth/authorize?response_type=code&client_id={app['client_id']}&state=s&redirect_uri={CALLBACK}"
        reader = PageReader(it.server)
        assert "error=invalid_request" in (await reader.get(asked)).location
        await it.govern(app, enforce_pkce=False)
        assert (await reader.get(asked)).location.startswith("/sign-in?")
        await it.govern(app, allowed_redirect_hosts=["elsewhere.example"])
        page = await reader.get(asked)
        assert (page.status, "Location" in page.answered.headers) == (400, False)


@pytest.mark.contract("C-023", "S-051", "C-064")
async def test_scope_withheld_from_a_tenant_cannot_be_granted_to_any_of_its_apps(world_on_either: AuthWorld) -> None:
    async with platform(world_on_either) as it:
        app = await it.register(requested_scopes=[WEBHOOKS, DEVICES])
        token = (await it.granted(app)).document["access_token"]
        withheld, changed = await it.world.apps.withhold(it.world.home.operator, ["argus:devices:read"])
        assert set(withheld) == {"argus:devices:read", DEVICES}, "writing would give the reading"
        assert app["client_id"] in {one.client_id for one in changed}
        it.world.pass_time(seconds=SEEN_S)
        assert (await it.server.probe(token)).status == 403
        await _nowhere(it, app, "argus:devices:read")
        await _nowhere(it, app, DEVICES)
        assert (await it.granted(app)).document["scope"] == WEBHOOKS
        answered = await it.ask("GET", "/v1/platform/scopes", who="south")
        assert DEVICES in {scope["name"] for scope in answered.document["scopes"]}
        await it.world.apps.withhold(it.world.home.operator, [])
        assert (await it.register(requested_scopes=[DEVICES]))["approved_scopes"] == [DEVICES]
        assert (await it.granted(app)).document["scope"] == WEBHOOKS, "what was lost has to be approved again"


async def _nowhere(it: Platform, app: dict[str, str], scope: str) -> None:
    listed = (await it.ask("GET", "/v1/platform/scopes")).document["scopes"]
    assert scope not in {one["name"] for one in listed}
    assert (await it.granted(app, scope=scope)).error == (400, "invalid_scope")
    refused = await it.ask("POST", APPS, {**_wanted(), "requested_scopes": [scope]})
    assert (refused.status, refused.document["code"]) == (400, "invalid_scope")
    for attempt in (
        it.world.apps.approve(it.world.home.operator, app["client_id"], [scope]),
        it.world.apps.register(it.world.home.operator, Wanted(name="x", scopes=[scope]), by_operator=True),
    ):
        with pytest.raises(Exception, match="not available to this tenant"):
            await attempt


def _wanted() -> dict[str, object]:
    return {"name": "x", "grant_types": ["client_credentials"], "redirect_uris": []}
