"""An administrator adds users, restores their access, and cannot take away their own access."""

import asyncio
from dataclasses import replace

import pyotp
import pytest

from cloud.access.identity import Role
from cloud.access.identity.errors import PasswordUnfit
from cloud.access.identity.second_factor import STEP_S, SecondFactorStore
from cloud.foundation.viewer import SecrecyLevel
from tests.builders.administration_desk import ADA, BO, EVA, office
from tests.builders.auth_world import MASTER, AuthWorld
from tests.harness.page_reader import PASSWORD, Page, PageReader


async def test_user_added_through_a_form_can_sign_in_with_the_generated_password(world_on_either: AuthWorld) -> None:
    async with office(world_on_either) as it:
        page = await it.send("/admin/users/new", "/admin/users", username="Bo@Example.org")
        password = page.told["Password"]
        bo = PageReader(it.server)
        assert (await bo.sign_in(BO, password=password)).location == "/sign-in"
        (entry,) = await it.trail("user.add")
        assert (entry.object, entry.metadata) == (await it.user_id(BO), {"roles": ["member"]})
        shown = await it.ada.get("/admin/users")
        assert "bo@example.org member" in shown.text
        assert password.encode() not in shown.answered.octets


async def test_rejected_user_form_is_returned_with_the_entered_user_name(world: AuthWorld) -> None:
    async with office(world) as it:
        for status, fields in (
            (409, {"username": ADA}),
            (422, {"username": "two words"}),
            (422, {"username": BO, "role:member": None}),
            (403, {"username": BO, "secrecy_level": "secret"}),
            (404, {"username": BO, "organization_id": "org_nowhere"}),
        ):
            page = await it.send("/admin/users/new", "/admin/users", **fields)
            assert page.status == status, fields
            assert page.form("/admin/users").fields["username"] == fields["username"]
        assert await it.trail("user.add") == []


async def test_user_search_finds_a_user_by_part_of_the_user_name(world: AuthWorld) -> None:
    async with office(world) as it:
        await world.person("Bo_100%@example.org")
        for typed, found in (("BO_", True), ("100%25", True), ("bo%25org", False), ("b%25100", False), ("", True)):
            page = await it.ada.get(f"/admin/users?named={typed}")
            assert ("bo_100%@example.org" in page.text) == found, typed
        assert "No user has this name." in (await it.ada.get("/admin/users?named=nobody")).text


async def test_disabled_user_cannot_sign_in_until_enabled(world: AuthWorld) -> None:
    async with office(world) as it:
        await world.person(BO, Role.MEMBER)
        bo, one = await it.sign_in_browser(BO), f"/admin/users/{await it.user_id(BO)}"
        page = await it.ada.follow(await it.send(one, f"{one}/disable"))
        assert "disabled and signed out" in page.text
        assert "/sign-in" in (await bo.get("/sign-in")).forms[0].action
        assert (await bo.sign_in(BO)).status == 422
        await it.ada.submit(page.form(f"{one}/enable"))
        assert (await bo.sign_in(BO)).status == 303
        assert [len(await it.trail(f"user.{what}")) for what in ("disable", "enable")] == [1, 1]


async def test_roles_form_sets_the_roles_of_a_user_and_requires_at_least_one_role(world: AuthWorld) -> None:
    async with office(world) as it:
        await world.person(BO, Role.MEMBER)
        bo, one = await it.sign_in_browser(BO), f"/admin/users/{await it.user_id(BO)}"
        await it.send(one, f"{one}/roles", **{"role:administrator": "on"})
        assert (await bo.get("/admin/users")).status == 200
        page = await it.send(one, f"{one}/roles", **{"role:administrator": None, "role:member": None})
        assert page.status == 422
        assert [entry.metadata for entry in await it.trail("user.set_roles")] == [
            {"roles": ["administrator", "member"]}
        ]


async def test_password_reset_by_an_administrator_ends_the_sessions_of_the_user(world: AuthWorld) -> None:
    async with office(world) as it:
        await world.person(BO)
        bo, one = await it.sign_in_browser(BO), f"/admin/users/{await it.user_id(BO)}"
        page = await it.send(one, f"{one}/password")
        assert (await bo.get("/admin")).status == 303
        assert (await bo.sign_in(BO)).status == 422
        assert (await bo.sign_in(BO, password=page.told["Password"])).status == 303
        assert len(await it.trail("user.set_password")) == 1


async def test_second_factor_reset_by_an_administrator_ends_the_sessions_of_the_user(world: AuthWorld) -> None:
    async with office(world) as it:
        await world.person(BO)
        bo, one = await it.sign_in_browser(BO), f"/admin/users/{await it.user_id(BO)}"
        await give_second_factor(world, BO)
        page = await it.ada.get(one)
        assert "Second step set up" in page.text
        page = await it.ada.follow(await it.ada.submit(page.form(f"{one}/second-factor")))
        assert "The second step is reset" in page.text
        assert "Second step not set up" in page.text
        assert (await bo.get("/admin")).status == 303
        assert len(await it.trail("user.reset_second_factor")) == 1


async def give_second_factor(world: AuthWorld, username: str) -> None:
    """Store a second factor for a user, as the set-up page would; no user in these tests is required to have one."""
    user = await world.surface.users.find(world.home.operator, username)
    async with world.database.transaction() as tx:
        step = world.clock.now_us() // 1_000_000 // STEP_S
        assert await SecondFactorStore().set(tx, MASTER, user.id, pyotp.random_base32(32), step)


async def test_administrator_cannot_disable_demote_or_reset_their_own_account(world: AuthWorld) -> None:
    async with office(world) as it:
        await world.person(BO)
        mine, theirs = [f"/admin/users/{await it.user_id(name)}" for name in (ADA, BO)]
        page = await it.ada.get(mine)
        assert "This is you" in page.text
        assert not [form for form in page.forms if form.action.startswith(mine)]
        form = (await it.ada.get(theirs)).form(f"{theirs}/roles")
        for what in ("roles", "disable", "password"):
            assert (await it.ada.submit(replace(form, action=f"{mine}/{what}"))).status == 409, what


@pytest.mark.parametrize("what", ["roles", "disable"])
async def test_one_administrator_remains_when_two_administrators_demote_or_disable_each_other_concurrently(
    world_on_either: AuthWorld, what: str
) -> None:
    async with office(world_on_either) as it:
        await it.world.person(BO)
        bo = await it.sign_in_browser(BO)
        forms = []
        for reader, name in ((it.ada, BO), (bo, ADA)):
            one = f"/admin/users/{await it.user_id(name)}"
            form = (await reader.get(one)).form(f"{one}/{what}")
            form.fields.pop("role:administrator", None)
            forms.append((reader, form, {"role:member": "on"} if what == "roles" else {}))
        pages: list[Page] = await asyncio.gather(*(reader.submit(form, **more) for reader, form, more in forms))
        assert sum("done=" in page.answered.headers.get("Location", "") for page in pages) == 1
        found = [await it.world.surface.users.find(it.world.home.operator, name) for name in (ADA, BO)]
        assert sum(Role.ADMINISTRATOR in one.roles and one.disabled_at_us is None for one in found) == 1


async def test_users_of_another_tenant_are_not_found_by_any_page_or_form(world: AuthWorld) -> None:
    async with office(world) as it:
        eva = await it.south()
        await world.person(BO)
        one = f"/admin/users/{await it.user_id(BO)}"
        assert BO not in (await eva.get("/admin/users")).text
        assert (await eva.get(one)).status == 404
        form = (await it.ada.get(one)).form(f"{one}/disable")
        token = (await eva.get("/admin/users/new")).form("/admin/users").fields["form_token"]
        for what in ("roles", "disable", "enable", "password", "second-factor"):
            sent = replace(form, action=f"{one}/{what}", fields={"form_token": token, "role:member": "on"})
            assert (await eva.submit(sent)).status == 404, what
        assert EVA not in (await it.ada.get("/admin/users")).text


async def test_administrator_of_one_organisation_can_add_users_only_to_that_organisation(world: AuthWorld) -> None:
    async with office(world) as it:
        await world.surface.users.add(
            world.home.operator, BO, PASSWORD, roles=[Role.ADMINISTRATOR], organization_id=world.home.organization.id
        )
        bo = await it.sign_in_browser(BO)
        page = await bo.get("/admin/users/new")
        await bo.submit(page.form("/admin/users"), username="cy@example.org")
        cy = await world.surface.users.find(world.home.operator, "cy@example.org")
        assert (cy.organization_id, cy.clearance) == (world.home.organization.id, SecrecyLevel.STANDARD)
        assert ADA not in (await bo.get("/admin/users")).text
        page = await bo.submit(page.form("/admin/users"), username="di@example.org", organization_id="org_south")
        assert page.status == 404


async def test_user_who_changes_their_password_is_signed_out_of_other_browsers(world: AuthWorld) -> None:
    async with office(world) as it:
        elsewhere = await it.sign_in_browser(ADA)
        fresh = "a whole new sentence"
        page = await change(it.ada, present=PASSWORD, wanted=fresh, again=fresh)
        assert "Your password is changed" in page.text
        assert (await it.ada.get("/admin")).status == 200
        assert (await elsewhere.get("/admin")).status == 303
        assert (await elsewhere.sign_in(ADA, password=fresh)).status == 303
        assert [entry.outcome for entry in await it.trail("user.change_password")] == ["done"]


async def test_password_change_form_rejects_mismatched_and_short_passwords_and_throttles_wrong_guesses(
    world: AuthWorld,
) -> None:
    async with office(world) as it:
        wrong = {"present": "not the present one", "wanted": "a whole new sentence", "again": "a whole new sentence"}
        page = await change(it.ada, present=PASSWORD, wanted="a whole new sentence", again="another sentence")
        assert "not the same" in page.text
        page = await change(it.ada, present=PASSWORD, wanted="short", again="short")
        assert "12 to 256 characters" in page.text
        for _ in range(5):
            page = await change(it.ada, **wrong)
        assert page.status == 422
        page = await change(it.ada, present=PASSWORD, wanted=wrong["wanted"], again=wrong["again"])
        assert (page.status, page.answered.headers["Retry-After"]) == (429, "15")
        assert (await PageReader(it.server).sign_in(ADA)).status == 303
        with pytest.raises(PasswordUnfit):
            await world.surface.users.set_password(world.home.operator, ADA, "short")


async def change(reader: PageReader, **fields: str) -> Page:
    return await reader.submit((await reader.get("/sign-in/password")).form("/sign-in/password"), **fields)
