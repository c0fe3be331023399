"""The administration pages admit only signed-in administrators, accept only their own forms, and explain refusals."""

from dataclasses import replace

import pytest

from cloud.access.identity import Role
from cloud.partners.administration.routes import routes
from tests.builders.administration_desk import ADA, BO, office, parts_of
from tests.builders.auth_world import AuthWorld
from tests.harness.page_reader import Form, PageReader


def addresses(world: AuthWorld) -> list[tuple[str, str]]:
    """Return the method and the path of every administration route, with ids in the place of path parameters."""
    ids = {
        "client_id": "app_north",
        "user_id": "usr_x",
        "webhook_id": "wh_x",
        "delivery_id": "dlv_x",
        "job_id": "job_x",
        "schedule_id": "sch_x",
    }
    rows = routes(parts_of(world))
    return [(row.method, row.path.format(**ids)) for row in rows]


async def test_visitor_without_a_session_is_redirected_to_sign_in_and_then_to_the_requested_page(
    world: AuthWorld,
) -> None:
    async with office(world) as it:
        stranger = PageReader(it.server)
        page = await stranger.get("/admin/audit?actor=operator&days=7")
        assert page.location == "/sign-in?next=%2Fadmin%2Faudit%3Factor%3Doperator%26days%3D7"
        form = (await stranger.get(page.location)).form("/sign-in")
        page = await stranger.submit(form, username=ADA, password="correct horse battery")
        assert page.location == "/admin/audit?actor=operator&days=7"
        assert (await stranger.follow(page)).status == 200


async def test_every_administration_route_redirects_a_visitor_without_a_session_to_sign_in(world: AuthWorld) -> None:
    async with office(world) as it:
        stranger = PageReader(it.server)
        for method, path in addresses(world):
            page = await (stranger.get(path) if method == "GET" else stranger.submit(Form(method, path)))
            assert (page.status, page.location[:14]) == (303, "/sign-in?next="), path


async def test_user_with_the_member_role_gets_403_with_the_reason_from_every_administration_route(
    world: AuthWorld,
) -> None:
    async with office(world) as it:
        await world.person(BO, Role.MEMBER)
        bo = await it.sign_in_browser(BO)
        for method, path in addresses(world):
            page = await (bo.get(path) if method == "GET" else bo.submit(Form(method, path)))
            assert page.status == 403, path
            assert "bo@example.org is not an administrator" in page.text
        # They may sign in as another user, and return to this page.
        page = await bo.submit((await bo.get("/admin/keys")).form("/sign-out"))
        assert page.location == "/sign-in?next=%2Fadmin%2Fkeys"


async def test_user_who_loses_the_administrator_role_gets_403_from_the_next_requested_page(world: AuthWorld) -> None:
    async with office(world) as it:
        assert (await it.ada.get("/admin/apps")).status == 200
        await world.surface.users.set_roles(world.home.operator, ADA, [Role.MEMBER])
        assert (await it.ada.get("/admin/apps")).status == 403


@pytest.mark.contract("S-015")
async def test_form_with_a_wrong_token_or_origin_is_rejected_with_403(world: AuthWorld) -> None:
    async with office(world) as it:
        await world.person(BO, Role.MEMBER)
        for page, action in (
            ("/admin/apps/app_north", "/admin/apps/app_north/secret"),
            ("/admin/apps/app_north/delete", "/admin/apps/app_north/delete"),
            ("/admin/users/new", "/admin/users"),
        ):
            form = (await it.ada.get(page)).form(action)
            forged = replace(form, fields={**form.fields, "form_token": "A" * 43})
            assert (await it.ada.submit(forged)).status == 403
            assert (await it.ada.submit(form, "https://evil.example")).status == 403
            without = replace(form, fields={k: v for k, v in form.fields.items() if k != "form_token"})
            answered = await it.ada.submit(without)
            assert answered.status == 403
            assert "was not sent from this page" in answered.text
        assert await world.apps.find("app_north") == world.app
        assert await it.trail("app.rotate_secret") == []


async def test_content_security_policy_forbids_scripts_and_allows_only_stylesheets_of_the_same_origin(
    world: AuthWorld,
) -> None:
    async with office(world) as it:
        page = await it.ada.get("/admin/apps")
        policy = page.answered.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self';")
        assert page.answered.headers["Cache-Control"] == "no-store"
        assert b"<script" not in page.answered.octets


async def test_administration_pages_are_shown_in_the_language_chosen_by_the_administrator(world: AuthWorld) -> None:
    async with office(world) as it:
        page = await it.ada.get("/admin/audit?days=7")
        assert "Search" in page.text
        page = await it.ada.submit(page.form("/admin/language"), lang="pl")
        assert page.location == "/admin/audit?days=7"
        page = await it.ada.follow(page)
        assert "Dziennik" in page.text
        assert page.answered.headers["Content-Language"] == "pl"
        page = await it.send("/admin/apps/new", "/admin/apps", name="x", **{"grant:client_credentials": None})
        assert "Wybierz co najmniej jeden z zakresów" in page.text


async def test_page_after_sign_in_links_to_the_administration_only_for_administrators(world: AuthWorld) -> None:
    async with office(world) as it:
        await world.person(BO, Role.MEMBER)
        assert "/admin" in (await it.ada.get("/sign-in")).links
        assert "/admin" not in (await (await it.sign_in_browser(BO)).get("/sign-in")).links
