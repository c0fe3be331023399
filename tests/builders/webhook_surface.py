"""A running auth host with the webhook routes on a real database, the deliveries that they cause, and named callers.

`north` is an app of org_north in tnt_north that is approved for every event; `plain` is another app there, approved
only for webhooks; `reader` may only read; `elsewhere` belongs to another organisation of the tenant, `whole` to the
whole tenant, `south` to another tenant; `stranger` has no scope for webhooks.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from cloud.access.apps import Apps, Wanted
from cloud.access.audit import Audit
from cloud.access.tenancy import Tenancy
from cloud.clinical.epcr import CareModel, Dispatch, Epcr, Missions
from cloud.foundation.db import Database
from cloud.foundation.egress import AllowList, Egress
from cloud.foundation.events import Relay
from cloud.foundation.http import Host
from cloud.foundation.viewer import SecrecyLevel
from cloud.partners.webhooks import FanOut, judge_of
from cloud.partners.webhooks.catalogue import public_event
from cloud.partners.webhooks.routes import routes
from tests.builders.auth_world import MASTER
from tests.builders.cloud_people import household
from tests.builders.egress_names import PUBLIC, Names
from tests.builders.http_surface import BASES, KnownTokens, caller, surface
from tests.builders.parts import make_parts
from tests.builders.webhook_story import WebhookStory, webhook_story
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN
from tests.harness.receiver import Receiver

WEBHOOKS = "/v1/webhooks"
TARGET = "https://integrator.example/webhooks/argus"
EVERYTHING = ("webhooks:write", "argus:epcr:read", "argus:devices:read")
WRITE, READ = ("webhooks:write", "webhooks:read"), ("webhooks:read",)
CALLERS = {
    "north": caller(scopes=WRITE),
    "plain": caller(client="app_plain", scopes=WRITE),
    "reader": caller(scopes=READ),
    "elsewhere": caller(organization="org_elsewhere", client="app_elsewhere", scopes=WRITE),
    "whole": caller(organization=None, client="app_whole", scopes=WRITE),
    "south": caller(tenant="tnt_south", organization="org_south", client="app_south", scopes=WRITE),
    "stranger": caller(scopes=("argus:jobs:read",)),
}


@dataclass
class WebhookSurface:
    """A client that sends requests as one of the callers. `story` has the clock, the relay and the delivery worker."""

    client: httpx.AsyncClient
    story: WebhookStory
    apps: Apps
    epcr: Epcr
    missions: Missions

    async def ask(self, method: str, path: str = "", body: Any = None, *, who: str = "north", **more: Any) -> Any:
        """Send a request to `/v1/webhooks` followed by `path`, as the caller `who`, and return the response."""
        content = {} if body is None else {"json": body}
        headers = {"Authorization": f"Bearer {who}", **more.pop("headers", {})}
        return await self.client.request(method, WEBHOOKS + path, headers=headers, **content, **more)

    async def create(self, *events: str, url: str = TARGET, who: str = "north", **more: Any) -> dict[str, Any]:
        """Create a webhook for `events`, by default `incident.updated`; return the response's document."""
        body = {"url": url, "events": list(events) or ["incident.updated"], **more}
        answer = await self.ask("POST", body=body, who=who)
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def deliveries(self, webhook_id: str, **query: str) -> list[dict[str, Any]]:
        """Return the delivery log of a webhook, newest first."""
        answer = await self.ask("GET", f"/{webhook_id}/deliveries", params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["deliveries"]
        return found

    async def dispatch(self, cad_incident_id: str = "cad_999", *, vehicle_id: str | None = None) -> str:
        """Create an encounter in org_north from a dispatch; return the encounter's id."""
        dispatch = Dispatch(
            organization_id="org_north",
            care_model=CareModel.PREHOSPITAL_EMERGENCY,
            vehicle_id=vehicle_id,
            cad_incident_id=cad_incident_id,
        )
        begun = await self.epcr.dispatch(self.story.home.viewer, dispatch)
        return begun.encounter.id

    async def audited(self) -> list[tuple[str, str]]:
        """Return (action, object) of the audit entries in tnt_north, oldest first, without the entries of the test's
        set-up."""
        async with self.story.database.read() as tx:
            entries = await Audit(self.story.clock).list(tx, self.story.home.operator)
        return [(entry.action, entry.object) for entry in reversed(entries) if entry.actor != "operator"]


@asynccontextmanager
async def webhook_surface(database: Database, *allowed: Receiver) -> AsyncIterator[WebhookSurface]:
    """Run the auth host with the webhook routes and all callers' apps until the block ends; yield a client."""
    story = await webhook_story(database, *allowed)
    story.relay = Relay(database, story.outbox, [FanOut(story.clock, story.ids, public_event)], story.clock)
    apps = Apps(database, story.clock, story.ids)
    south = await household(database, story.clock, name="south")
    tenancy = Tenancy(database, story.clock, story.ids)
    await tenancy.add_organization(story.home.operator, "Station elsewhere", id="org_elsewhere")
    for name, operator, organization, scopes in (
        ("north", story.home.operator, "org_north", EVERYTHING),
        ("plain", story.home.operator, "org_north", ("webhooks:write",)),
        ("elsewhere", story.home.operator, "org_elsewhere", EVERYTHING),
        ("whole", story.home.operator, None, EVERYTHING),
        ("south", south.operator, "org_south", EVERYTHING),
    ):
        wanted = Wanted(
            name=name,
            scopes=scopes,
            organization_id=organization,
            client_id=f"app_{name}",
            clearance=SecrecyLevel.SECRET,
        )
        await apps.register(operator, wanted, by_operator=True)
    await story.fan_out()  # deliver nothing about the creation of the tenants
    names = Names(integrator_example=[[PUBLIC]], inside_example=[["10.0.0.7"]])
    egress = Egress(AllowList([receiver.pair for receiver in allowed]), names)
    rows = routes(make_parts(database, story.clock, bases=BASES, master=MASTER, made={judge_of: egress.judge}))
    try:
        async with (
            surface(*rows, tokens=KnownTokens(CALLERS)) as served,
            httpx.AsyncClient(
                base_url=served.url("", Host.AUTH), headers={"Connection": "close"}, verify=PLAIN, timeout=WITHIN_S
            ) as client,
        ):
            epcr, missions = Epcr(database, story.clock, story.ids), Missions(database, story.clock, story.ids)
            yield WebhookSurface(client, story, apps, epcr, missions)
    finally:
        await egress.close()
        await story.close()
