"""The audit page finds entries by actor, object and trace id; the keys page shows the stage of each signing key."""

from dataclasses import replace

import pytest

from cloud.access.audit import Audit
from cloud.foundation.trace import begin_trace
from cloud.partners.webhooks import WebhookKeys
from tests.builders.administration_desk import ADA, Office, office
from tests.builders.auth_world import MASTER, AuthWorld
from tests.harness.page_reader import Page

DAY_MIN = 24 * 60


def entries(page: Page) -> int:
    return page.text.count(" done ") + page.text.count(" refused ")


async def note(it: Office, action: str, object: str, count: int = 1) -> str:
    """Record `count` audit entries by the operator with one new trace id, and return the trace id."""
    trace = begin_trace()
    audit = Audit(it.world.clock)
    async with it.world.database.transaction() as tx:
        for _ in range(count):
            await audit.record(tx, replace(it.world.home.operator, trace=trace), action, object)
    return trace.trace_id


@pytest.mark.contract("C-017")
async def test_audit_entries_of_one_request_are_found_by_its_trace_id(world_on_either: AuthWorld) -> None:
    async with office(world_on_either) as it:
        wanted = await note(it, "device.enrol", "dev_1", 2)
        other = await note(it, "device.retire", "dev_2")
        it.world.pass_time(minutes=400 * DAY_MIN)
        await it.ada.sign_in(ADA)
        for typed in (wanted, wanted.upper(), f"  00-{wanted}-00f067aa0ba902b7-01 "):
            page = await it.ada.get(f"/admin/audit?days=1&trace_id={typed.strip().replace(' ', '+')}")
            assert (entries(page), "dev_1" in page.text, "dev_2" in page.text) == (2, True, False), typed
        assert entries(await it.ada.get(f"/admin/audit?trace_id={other}")) == 1
        page = await it.ada.get("/admin/audit?trace_id=yesterday")
        assert "A trace id has 32 hexadecimal digits" in page.text
        page = await it.ada.get(f"/admin/audit?trace_id={'0' * 32}")
        assert "No entry matches" in page.text


async def test_audit_entries_can_be_filtered_by_actor_or_action_or_object_or_age(world: AuthWorld) -> None:
    async with office(world) as it:
        await note(it, "device.enrol", "dev_1")
        world.pass_time(minutes=2 * DAY_MIN)
        await it.ada.sign_in(ADA)
        await note(it, "device.enrol", "dev_2")
        for query, count in (
            ("actor=operator&action=device.enrol", 2),
            ("actor=operator&action=device.enrol&days=1", 1),
            ("action=device.enrol&object=dev_2", 1),
            ("actor=Ada@example.org&action=user.sign_in", 2),
            (f"actor={await it.user_id(ADA)}&action=user.sign_in", 2),
            ("actor=nobody@example.org", 0),
        ):
            assert entries(await it.ada.get(f"/admin/audit?{query}")) == count, query
        page = await it.ada.get("/admin/audit?action=user.sign_in")
        assert page.text.index("2026-03-26") < page.text.index("2026-03-24")


async def test_audit_list_split_into_pages_contains_every_entry_once(world: AuthWorld) -> None:
    async with office(world) as it:
        for number in range(4):
            await note(it, "device.enrol", f"dev_{number}", 30)
        found, address = [], "/admin/audit?action=device.enrol"
        while address:
            page = await it.ada.get(address)
            found.append(entries(page))
            onward = [link for link in page.links if link.startswith("?") and "cursor=" in link]
            address = f"/admin/audit{onward[0]}" if onward else ""
        assert found == [50, 50, 20]
        # A cursor belongs to its search.
        page = await it.ada.get("/admin/audit?action=device.enrol")
        (onward,) = [link for link in page.links if "cursor=" in link]
        assert (await it.ada.get(f"/admin/audit{onward}&actor=operator")).status == 400


@pytest.mark.contract("C-013", "S-062")
async def test_audit_entries_of_another_tenant_are_not_found(world: AuthWorld) -> None:
    async with office(world) as it:
        eva = await it.south()
        trace = await note(it, "device.enrol", "dev_1")
        for query in (f"trace_id={trace}", "action=device.enrol", "object=dev_1"):
            assert "No entry matches" in (await eva.get(f"/admin/audit?{query}")).text


async def test_keys_page_shows_which_signing_key_is_current_and_which_is_next(world: AuthWorld) -> None:
    async with office(world) as it:
        await WebhookKeys(world.database, world.clock, lambda: MASTER).current()
        page = await it.ada.get("/admin/keys")
        assert "next 2026-03-24 12:00:00 UTC" in page.text
        assert "current 2026-03-24 12:00:00 UTC" in page.text
        assert "argus-cloud keys rotate" in page.text
        assert "argus-cloud webhooks keys rotate" in page.text


@pytest.mark.finding("security-13")
@pytest.mark.parametrize("action", ["/admin/keys/rotate", "/admin/keys/rotate-webhook-key"])
async def test_tenant_administrator_cannot_rotate_a_signing_key_shared_by_all_tenants(
    world: AuthWorld, action: str
) -> None:
    async with office(world) as it:
        webhook_keys = WebhookKeys(world.database, world.clock, lambda: MASTER)
        before = (await webhook_keys.current()).kid, [key.kid for key in await world.keys.list()]
        page = await it.ada.get("/admin/keys")
        assert [form.action for form in page.forms if "rotate" in form.action] == []
        world.pass_time(minutes=15)
        it.world.surface.keys._make = it.world.keys._make  # generating a key takes a second
        answered = await it.ada.submit(replace(page.form("/admin/language"), action=action))
        assert answered.status == 404
        assert ((await webhook_keys.current()).kid, [key.kid for key in await world.keys.list()]) == before
