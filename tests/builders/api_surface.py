"""A running api host with the routes of the clinical slices on a real database, and named callers.

`north` has every scope of these routes in org_north of tnt_north; `reader` may only read there; `elsewhere` belongs to
another organisation of tnt_north, `south` to another tenant, and `nowhere` to no organisation; `stranger` has only a
scope that none of these routes accepts.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from cloud.clinical.devices import routes as devices_routes
from cloud.clinical.encounter_data import routes as encounter_data_routes
from cloud.clinical.epcr import list_routes as encounter_list_routes
from cloud.clinical.epcr import mission_routes
from cloud.clinical.epcr import routes as epcr_routes
from cloud.clinical.fhir import routes as fhir_routes
from cloud.clinical.handover import link_routes
from cloud.clinical.observations import routes as observations_routes
from cloud.clinical.profiles import routes as profiles_routes
from cloud.foundation.db import Database
from cloud.partners.graphql import routes as graphql_routes
from tests.builders.cloud_people import HandClock, Household, household
from tests.builders.http_surface import BASES, KnownTokens, caller, surface
from tests.builders.parts import make_parts
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN

READ = ("argus:devices:read", "argus:epcr:read", "argus:profiles:read")
WRITE = ("argus:devices:write", "argus:epcr:write", "argus:profiles:write")
CALLERS = {
    "north": caller(scopes=WRITE),
    "reader": caller(scopes=READ),
    "elsewhere": caller(organization="org_elsewhere", scopes=WRITE),
    "south": caller(tenant="tnt_south", organization="org_south", client="app_south", scopes=WRITE),
    "nowhere": caller(organization=None, scopes=WRITE),
    "stranger": caller(scopes=("argus:jobs:read",)),
}


@dataclass
class Api:
    """A client of the api host, which sends each request as one of the callers in `CALLERS`. `home` is the tenant of
    the caller `north`, including the tenant's organisation and gateway."""

    client: httpx.AsyncClient
    database: Database
    clock: HandClock
    home: Household
    sent: list[httpx.Response] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, body: Any = None, *, who: str = "north", **headers: str
    ) -> httpx.Response:
        """Send a request as the caller `who`, and return the response.

        Underscores in the names of `headers` become hyphens. A `body` of bytes is sent unchanged, any other as JSON.
        """
        given = {"Authorization": f"Bearer {who}", **{name.replace("_", "-"): text for name, text in headers.items()}}
        content = {"content": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        if body is not None:
            given["Content-Type"] = "application/json"
        return await self.client.request(method, path, headers=given, **content)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        return await self.ask("POST", path, body, **more)

    async def enrol(self, serial_number: str = "SN-0001", *, who: str = "north", **more: Any) -> dict[str, Any]:
        """Enrol an oximeter and return the response's document; `more` replaces or adds fields of the request."""
        body = {"serial_number": serial_number, "device_class": "oximeter", "manufacturer": "Synthetic Medical", **more}
        answer = await self.post("/api/v1/devices/enrol", body, who=who)
        assert answer.status_code in (200, 201), answer.text
        document: dict[str, Any] = answer.json()
        return document


@asynccontextmanager
async def api(database: Database, sections: Mapping[str, Mapping[str, Any]] | None = None) -> AsyncIterator[Api]:
    """Run the api host on a database to which the tenants `north` and `south` are added; yield a client of it.
    `sections` are sections of the settings.

    Each request uses a new connection, so that the server has no idle connection to close at the end.
    """
    clock = HandClock()
    home = await household(database, clock)
    await household(database, clock, name="south")
    parts = make_parts(database, clock, bases=BASES, sections=sections)
    rows = (
        *devices_routes.routes(parts),
        *observations_routes.routes(parts),
        *encounter_list_routes.routes(parts),
        *epcr_routes.routes(parts),
        *fhir_routes.routes(parts),
        *encounter_data_routes.routes(parts),
        *mission_routes.routes(parts),
        *link_routes.routes(parts),
        *profiles_routes.routes(parts),
        *graphql_routes.routes(parts),
    )
    async with (
        surface(*rows, tokens=KnownTokens(CALLERS)) as served,
        httpx.AsyncClient(
            base_url=served.url(""), headers={"Connection": "close"}, verify=PLAIN, timeout=WITHIN_S
        ) as client,
    ):
        yield Api(client, database, clock, home)


def alike(one: httpx.Response, other: httpx.Response) -> bool:
    """Return whether two refusals are equal except for the requested address (`instance`) and the trace id."""
    told = [
        {name: value for name, value in answer.json().items() if name not in ("instance", "trace_id")}
        for answer in (one, other)
    ]
    names = [sorted(answer.headers) for answer in (one, other)]
    return one.status_code == other.status_code and told[0] == told[1] and names[0] == names[1]
