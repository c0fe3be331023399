"""The api host with the rows of devices, observations and encounters over a real database, and named callers.

`north` holds every scope of these routes in org_north of tnt_north; `reader` may only read; `elsewhere` is another
organisation of the same tenant, `south` another tenant, `nowhere` has no organisation.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from cloud.clinical.devices import routes as devices_routes
from cloud.clinical.epcr import routes as epcr_routes
from cloud.clinical.observations import routes as observations_routes
from cloud.foundation.db import Database
from tests.builders.cloud_people import HandClock, Household, household
from tests.builders.http_surface import BASES, KnownTokens, caller, surface
from tests.builders.parts import make_parts

READ = ("argus:devices:read", "argus:epcr:read")
WRITE = ("argus:devices:write", "argus:epcr:write")
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
    """A client that sends requests as one of the callers. `home` is the household behind `north`."""

    client: httpx.AsyncClient
    database: Database
    clock: HandClock
    home: Household
    sent: list[httpx.Response] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, body: Any = None, *, who: str = "north", **headers: str
    ) -> httpx.Response:
        """Send a request and return the response. `headers` are named with underscores; bytes are sent unchanged."""
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
        """Enrol an oximeter, or the device that `more` describes."""
        body = {"serial_number": serial_number, "device_class": "oximeter", "manufacturer": "Synthetic Medical", **more}
        answer = await self.post("/api/v1/devices/enrol", body, who=who)
        assert answer.status_code in (200, 201), answer.text
        document: dict[str, Any] = answer.json()
        return document


@asynccontextmanager
async def api(database: Database) -> AsyncIterator[Api]:
    """Serve the api host, with the households `north` and `south` in the database.

    Each request has a connection of its own, so that the server has no idle connection to close at the end.
    """
    clock = HandClock()
    home = await household(database, clock)
    await household(database, clock, name="south")
    parts = make_parts(database, clock, bases=BASES)
    rows = (
        *devices_routes.routes(parts),
        *observations_routes.routes(parts),
        *epcr_routes.routes(parts),
    )
    async with (
        surface(*rows, tokens=KnownTokens(CALLERS)) as served,
        httpx.AsyncClient(base_url=served.url(""), headers={"Connection": "close"}) as client,
    ):
        yield Api(client, database, clock, home)


def alike(one: httpx.Response, other: httpx.Response) -> bool:
    """Return whether two refusals are equal except for the requested address and the trace."""
    told = [
        {name: value for name, value in answer.json().items() if name not in ("instance", "trace_id")}
        for answer in (one, other)
    ]
    names = [sorted(answer.headers) for answer in (one, other)]
    return one.status_code == other.status_code and told[0] == told[1] and names[0] == names[1]
