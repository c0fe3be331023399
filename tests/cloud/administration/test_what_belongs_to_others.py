"""To an administrator who may not see an object, every page responds as if the object did not exist.

Such an object belongs to another tenant or organisation, or is above the administrator's clearance. The test reads the
table of routes, so it covers each page that is added.
"""

from collections.abc import Mapping
from typing import Any

from cloud.access.apps import Apps
from cloud.access.identity import Role
from cloud.access.tenancy import Tenancy
from cloud.foundation.viewer import SecrecyLevel
from cloud.partners.administration.routes import routes
from cloud.work.schedules import SCHEDULE, NewSchedule, schedules_of
from tests.builders.administration_desk import EVA, Office, office, parts_of
from tests.builders.auth_world import DEVICES, AuthWorld
from tests.builders.job_rows import JobRows
from tests.builders.webhook_story import WebhookStory
from tests.harness.page_reader import PASSWORD, Form, Page, PageReader

ABSENT = {"client_id": "app_0", "user_id": "usr_0", "webhook_id": "wh_0", "delivery_id": "dlv_0", "job_id": "job_0"} | {
    "schedule_id": "sch_0"
}
SECRET = SecrecyLevel.SECRET


async def owned(world: AuthWorld) -> dict[str, str]:
    """Create an app, a user, a webhook and a job of `org_north` with the secrecy level `secret`.

    Return a map from path parameters, such as `user_id`, to the ids.
    """
    station = {"organization_id": world.home.organization.id, "clearance": SECRET}
    app, _ = await world.register("tnt_north", DEVICES, **station)
    member = await world.surface.users.add(
        world.home.operator, "zoe@example.org", PASSWORD, roles=[Role.MEMBER], **station
    )
    story = WebhookStory(world.database, world.home, world.clock, [])
    webhook = await story.subscribe("https://owned.example/hook", clearance=SECRET)
    await story.close()
    (job_id,) = await JobRows(world.database, world.clock).enqueue(
        tenant_id="tnt_north", organization_id=station["organization_id"], secrecy_level=SECRET
    )
    ids = {"client_id": app.client_id, "user_id": member.id, "webhook_id": webhook.id, "job_id": job_id}
    ids["schedule_id"] = await scheduled(world, station)
    return {**ids, "delivery_id": "dlv_0"}


async def scheduled(world: AuthWorld, station: Mapping[str, Any]) -> str:
    """Add a schedule with the secrecy level `secret` of an app of `org_north`; return its id."""
    await Apps(world.database, world.clock, world.ids).entitle(world.home.operator, [SCHEDULE])
    scopes = ("argus:epcr:read", "argus:jobs:write", SCHEDULE)
    await world.register("scheduled", *scopes, **station)
    new = NewSchedule(
        client_id="app_scheduled",
        name="Nightly export",
        kind="export.bulk",
        payload={"data": "encounters", "format": "csv"},
        cron="0 3 * * *",
        time_zone="UTC",
        secrecy_level=SECRET.word,
    )
    return (await parts_of(world).shared(schedules_of).add(world.home.operator, new)).id


async def administrator(it: Office, name: str, clearance: SecrecyLevel, organization_id: str | None) -> PageReader:
    """Add an administrator of `tnt_north` with this clearance and organisation, and sign in; return the browser
    session."""
    users, username = it.world.surface.users, f"{name}@example.org"
    await users.add(
        it.world.home.operator,
        username,
        PASSWORD,
        roles=[Role.ADMINISTRATOR],
        clearance=clearance,
        organization_id=organization_id,
    )
    return await it.sign_in_browser(username)


async def test_object_of_another_tenant_or_organisation_gets_the_same_404_page_as_an_absent_object(
    world: AuthWorld,
) -> None:
    async with office(world) as it:
        mine = await owned(world)
        other = await Tenancy(world.database, world.clock, world.ids).add_organization(world.home.operator, "Other")
        owner = await administrator(it, "owner", SECRET, world.home.organization.id)
        await world.person(EVA, tenant="south")
        strangers = {
            "another tenant": await it.sign_in_browser(EVA),
            "another organisation": await administrator(it, "other", SECRET, other.id),
            "a lower clearance": await administrator(it, "low", SecrecyLevel.STANDARD, world.home.organization.id),
        }
        rows = [row for row in routes(parts_of(world)) if "{" in row.path]
        assert len(rows) > 15
        for row in rows:
            path = row.path.format(**mine)
            if row.method == "GET":
                assert (await owner.get(path)).status == 200, path
            for whose, stranger in strangers.items():
                theirs, absent = [await asked(stranger, row.method, row.path.format(**ids)) for ids in (mine, ABSENT)]
                assert theirs.status == absent.status == 404, (whose, path)
                assert theirs.text == absent.text, (whose, path)
        for area in ("apps", "users", "webhooks", "jobs", "schedules"):
            shown = (await owner.get(f"/admin/{area}")).answered.octets
            (id,) = [id for name, id in mine.items() if f"/admin/{area}/{id}".encode() in shown]
            for whose, stranger in strangers.items():
                assert id.encode() not in (await stranger.get(f"/admin/{area}")).answered.octets, (whose, area)


async def asked(reader: PageReader, method: str, path: str) -> Page:
    """Get a page, or submit to `path` a form that contains the required fields of every form of these pages."""
    if method == "GET":
        return await reader.get(path)
    token = (await reader.get("/admin/users/new")).form("/admin/users").fields["form_token"]
    return await reader.submit(Form(method, path, {"form_token": token, "role:member": "on", f"scope:{DEVICES}": "on"}))


async def test_every_change_through_a_page_is_audited_with_its_actor_and_trace_id(world: AuthWorld) -> None:
    async with office(world) as it:
        mine, ada = await owned(world), await it.user_id("ada@example.org")
        one = f"/admin/apps/{world.app.client_id}"
        for action in ("scopes", "governance", "secret", "service-token"):
            await it.send(one, f"{one}/{action}")
        zoe = await administrator(it, "zed", SECRET, world.home.organization.id)
        theirs = f"/admin/webhooks/{mine['webhook_id']}"
        for action in ("test", "secret", "disable", "enable"):
            page = await zoe.get(theirs)
            await zoe.submit(page.form(f"{theirs}/{action}"))
        zed = await it.user_id("zed@example.org")
        for actor, actions in (
            (ada, ("app.approve", "app.govern", "app.rotate_secret", "app.service_token")),
            (zed, ("webhook.test", "webhook.rotate_secret", "webhook.disable", "webhook.enable")),
        ):
            for action in actions:
                (entry,) = await it.trail(action)
                assert (entry.actor, entry.trace_id is None) == (actor, False), action
