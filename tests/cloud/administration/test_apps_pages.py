"""An administrator registers an app, changes its governance rules (flags and limits) and rotates its secret.

Two administrators who change one app at the same time cannot overwrite each other's change unnoticed.
"""

import asyncio
from dataclasses import replace

from cloud.access.apps import Governance, GrantType
from tests.builders.administration_desk import BO, office
from tests.builders.auth_world import DEVICES, WEBHOOKS, AuthWorld
from tests.harness.page_reader import Page

NORTH = "/admin/apps/app_north"
SCOPE = {f"scope:{WEBHOOKS}": "on"}


async def test_secrets_of_an_app_registered_through_a_form_are_shown_once(world_on_either: AuthWorld) -> None:
    async with office(world_on_either) as it:
        page = await it.send("/admin/apps/new", "/admin/apps", name="Case sync connector", **SCOPE)
        assert page.status == 200, page.text
        assert page.answered.headers["Cache-Control"] == "no-store"
        assert "script-src 'self'" in page.answered.headers["Content-Security-Policy"]
        assert page.answered.octets.count(b"data-copy=") == 3
        client_id, secret = page.told["Client id"], page.told["Client secret"]
        assert page.told["Secret that signs call-backs"].startswith("whsec_")
        answer = await it.server.token(basic=(client_id, secret), scope=WEBHOOKS)
        assert answer.status == 200
        shown = await it.ada.get(f"/admin/apps/{client_id}")
        assert secret.encode() not in shown.answered.octets
        assert "Case sync connector" in (await it.ada.get("/admin/apps")).text
        (entry,) = await it.trail("app.create")
        assert (entry.actor, entry.object) == (await it.user_id("ada@example.org"), client_id)
        assert entry.trace_id is not None


async def test_app_form_submitted_twice_registers_one_app(world: AuthWorld) -> None:
    async with office(world) as it:
        form = (await it.ada.get("/admin/apps/new")).form("/admin/apps")
        await it.ada.submit(form, name="Once", **SCOPE)
        page = await it.ada.submit(form, name="Once", **SCOPE)
        assert page.status == 409
        assert "the form was sent already" in page.text
        assert len(await it.trail("app.create")) == 1


async def test_invalid_app_form_is_returned_with_the_error_and_the_entered_values(world: AuthWorld) -> None:
    async with office(world) as it:
        typed = {"name": "Portal", "redirect_uris": "http://portal.example/cb", "grant:authorization_code": "on"}
        page = await it.send("/admin/apps/new", "/admin/apps", **SCOPE, **typed)
        assert page.status == 400
        assert "A redirect URI is https" in page.text
        kept = page.form("/admin/apps").fields
        assert {**typed, **SCOPE}.items() <= kept.items()
        page = await it.ada.fill(page.form("/admin/apps"), redirect_uris="https://portal.example/cb\r\n")
        app = await world.apps.find(page.told["Client id"])
        assert app is not None
        assert app.redirect_uris == ("https://portal.example/cb",)
        assert set(app.grant_types) == {GrantType.AUTHORIZATION_CODE, GrantType.CLIENT_CREDENTIALS}


async def test_admin_scope_cannot_be_granted_to_an_app_through_a_page(world: AuthWorld) -> None:
    async with office(world) as it:
        admin = {"scope:argus:platform:admin": "on"}
        assert (await it.send("/admin/apps/new", "/admin/apps", name="Root", **admin)).status == 400
        page = await it.send(NORTH, f"{NORTH}/scopes", **admin)
        assert (page.status, await it.trail("app.approve")) == (400, [])


async def test_governance_form_saves_the_entered_rules_and_changes_nothing_when_resubmitted(world: AuthWorld) -> None:
    async with office(world) as it:
        page = await it.send(
            NORTH,
            f"{NORTH}/governance",
            allow_service_tokens=None,
            allowed_webhook_hosts="hooks.example\r\n\r\nmore.example",
            max_token_ttl_seconds="600",
            limit_scopes="on",
            **{f"allowed:{WEBHOOKS}": None},
        )
        assert "The rules are saved." in (await it.ada.follow(page)).text
        app = await world.apps.find("app_north")
        assert app is not None
        assert app.governance == Governance(
            allow_service_tokens=False,
            allowed_webhook_hosts=("hooks.example", "more.example"),
            allowed_scopes=(DEVICES, "argus:epcr:write"),
            max_token_ttl_seconds=600,
        )
        # Submitted unchanged, the form changes nothing.
        await it.send(NORTH, f"{NORTH}/governance")
        assert await world.apps.find("app_north") == app


async def test_invalid_governance_rule_is_rejected_with_the_field_name_and_the_entered_values(world: AuthWorld) -> None:
    async with office(world) as it:
        for field, value in (("max_token_ttl_seconds", "an hour"), ("allowed_webhook_hosts", "https://hooks.example")):
            typed = {"allowed_redirect_hosts": "app.example", "enforce_pkce": None, field: value}
            page = await it.send(NORTH, f"{NORTH}/governance", **typed)
            assert page.status == 400
            assert field in page.text
            kept = page.form(f"{NORTH}/governance").fields
            assert (kept["allowed_redirect_hosts"], kept[field]) == ("app.example", value)
            assert "enforce_pkce" not in kept
        assert await it.trail("app.govern") == []


async def test_form_opened_before_a_change_by_another_administrator_is_rejected_with_412(world: AuthWorld) -> None:
    async with office(world) as it:
        await world.person(BO)
        bo = await it.sign_in_browser(BO)
        seen_by_ada, seen_by_bo = await it.ada.get(NORTH), await bo.get(NORTH)
        await bo.fill(seen_by_bo.form(f"{NORTH}/governance"), allow_service_tokens=None)
        for action in ("governance", "scopes", "secret", "service-token"):
            page = await it.ada.submit(seen_by_ada.form(f"{NORTH}/{action}"))
            assert page.status == 412, action
            assert "This was changed since you opened the page" in page.text
        form = seen_by_ada.form(f"{NORTH}/governance")
        gone = replace(form, action=f"{NORTH}/delete")
        assert (await it.ada.submit(gone)).status == 412
        app = await world.apps.find("app_north")
        assert app is not None
        assert not app.governance.allow_service_tokens


async def test_app_secret_is_rotated_with_or_without_a_grace_period(world: AuthWorld) -> None:
    async with office(world) as it:
        page = await it.send(NORTH, f"{NORTH}/secret")
        fresh = page.told["Client secret"]
        assert "The previous secret works until 2026-03-25 12:00:00 UTC" in page.text
        for secret in (world.secret, fresh):
            assert (await it.server.token(basic=("app_north", secret))).status == 200
        world.pass_time(minutes=1)
        shown = await it.ada.get(NORTH)
        assert "previous stops working 2026-03-25 12:00:00 UTC" in shown.text
        page = await it.ada.fill(shown.form(f"{NORTH}/secret"), grace_hours="0")
        assert "The previous secret has stopped working." in page.text
        assert (await it.server.token(basic=("app_north", fresh))).status == 401
        assert (await it.server.token(basic=("app_north", page.told["Client secret"]))).status == 200
        assert [entry.metadata["grace_hours"] for entry in await it.trail("app.rotate_secret")] == [0, 24]


async def test_rotation_form_submitted_twice_rotates_the_app_secret_once(world: AuthWorld) -> None:
    async with office(world) as it:
        form = (await it.ada.get(NORTH)).form(f"{NORTH}/secret")
        world.pass_time(minutes=1)
        pages: list[Page] = await asyncio.gather(*(it.ada.submit(form) for _ in range(2)))
        assert sorted(page.status for page in pages) == [200, 412]
        assert len(await it.trail("app.rotate_secret")) == 1


async def test_service_token_minted_through_a_form_is_refused_after_governance_forbids_service_tokens(
    world: AuthWorld,
) -> None:
    async with office(world) as it:
        page = await it.send(NORTH, f"{NORTH}/service-token", ttl_seconds="3600", **{f"scope:{WEBHOOKS}": None})
        token = page.told["Token"]
        assert (await it.server.probe(token)).status == 200
        assert "It expires 2026-03-24 13:00:00 UTC" in page.text
        (entry,) = await it.trail("app.service_token")
        assert entry.metadata["jti"] == page.told["Token id (for revoking it)"]
        await it.send(NORTH, f"{NORTH}/governance", allow_service_tokens=None)
        assert "does not allow service tokens" in (await it.ada.get(NORTH)).text
        world.pass_time(seconds=60)
        assert (await it.server.probe(token)).status == 401


async def test_app_is_deleted_through_a_confirmation_page(world: AuthWorld) -> None:
    async with office(world) as it:
        assert f"{NORTH}/delete" in (await it.ada.get(NORTH)).links
        page = await it.send(f"{NORTH}/delete", f"{NORTH}/delete")
        assert "The app is deleted." in (await it.ada.follow(page)).text
        assert (await it.ada.get(NORTH)).status == 404
        assert (await it.server.token(basic=("app_north", world.secret))).status == 401
        assert len(await it.trail("app.remove")) == 1


async def test_apps_of_another_tenant_are_not_found_by_any_page_or_form(world: AuthWorld) -> None:
    async with office(world) as it:
        eva = await it.south()
        form = (await it.ada.get(NORTH)).form(f"{NORTH}/secret")
        assert "Dispatch" not in (await eva.get("/admin/apps")).text
        for path in (NORTH, f"{NORTH}/delete"):
            assert (await eva.get(path)).status == 404
        token = (await eva.get("/admin/keys")).form("/admin/language").fields["form_token"]
        for action in ("scopes", "governance", "secret", "service-token", "delete"):
            sent = replace(form, action=f"{NORTH}/{action}", fields={**form.fields, "form_token": token})
            assert (await eva.submit(sent)).status == 404, action
        assert await world.apps.find("app_north") == world.app


async def test_app_list_is_split_into_pages(world: AuthWorld) -> None:
    async with office(world) as it:
        for number in range(51):
            await world.register(f"z{number:02}", DEVICES)
        page = await it.ada.get("/admin/apps")
        (onward,) = [link for link in page.links if link.startswith("?cursor=")]
        assert "app_z48" in page.text
        assert "app_z49" not in page.text
        last = await it.ada.get(f"/admin/apps{onward}")
        assert "app_z50" in last.text
        assert not [link for link in last.links if link.startswith("?cursor=")]
        assert (await it.ada.get("/admin/apps?cursor=AAAA")).status == 400
