"""The routes of jobs on a real database, with named callers, and workers' statements instead of a worker.

`north` has the app `app_north` in org_north of tnt_north, and `other` another app there; `reader` may only read
jobs. `cleared` may see secret jobs. `elsewhere` belongs to another organisation of tnt_north, `tenant` to none, and
`south` to another tenant. `narrow` may start jobs but not read encounters. `importer` may change devices, profiles and
encounters of org_north, and `lists`, without an organisation, profiles of tnt_north.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from cloud.access.apps import Apps, Wanted
from cloud.foundation.db import Database
from cloud.foundation.http import Parts
from cloud.foundation.objects import Download, ObjectStore, Result, Results, object_store_of
from cloud.foundation.objects.routes import routes as download_routes
from cloud.foundation.tracing import spans_of
from cloud.foundation.viewer import SecrecyLevel
from cloud.work.imports.routes import routes as upload_routes
from cloud.work.jobs.model import JobError, JobResult, JobStatus, LeasedJob
from cloud.work.jobs.routes import routes
from tests.builders.cloud_people import HandClock, Household, household
from tests.builders.http_surface import BASES, KnownTokens, caller, surface
from tests.builders.job_rows import JobRows
from tests.builders.parts import make_parts
from tests.harness.plain_http import PLAIN

DAY_US = 86_400_000_000
RETENTION_US = 30 * DAY_US
KINDS = ("argus:epcr:read", "argus:devices:read", "argus:profiles:write")
ALL = ("argus:jobs:write", *KINDS)
WRITES = ("argus:jobs:write", "argus:devices:write", "argus:profiles:write", "argus:epcr:write")
CALLERS = {
    "north": caller(scopes=ALL),
    "other": caller(client="app_other", scopes=ALL),
    "reader": caller(scopes=("argus:jobs:read",)),
    "narrow": caller(scopes=("argus:jobs:write",)),
    "cleared": caller(client="app_cleared", scopes=ALL, clearance=SecrecyLevel.SECRET),
    "elsewhere": caller(organization="org_elsewhere", client="app_elsewhere", scopes=ALL),
    "tenant": caller(organization=None, client="app_tenant", scopes=ALL),
    "importer": caller(client="app_importer", scopes=WRITES),
    "lists": caller(organization=None, client="app_lists", scopes=WRITES),
    "south": caller(tenant="tnt_south", organization="org_south", client="app_south", scopes=ALL),
}
BODY: Mapping[str, Any] = {"kind": "graph.compute", "payload": {"analyses": ["components"]}}


@dataclass
class JobDesk:
    """A client of the api host, which sends each request as one of the callers in `CALLERS`."""

    client: httpx.AsyncClient
    parts: Parts
    database: Database
    clock: HandClock
    home: Household
    rows: JobRows
    objects: ObjectStore

    async def ask(
        self, method: str, path: str, body: Any = None, *, who: str = "north", key: str | None = None, **more: str
    ) -> httpx.Response:
        """Send a request as the caller `who`; `key` is its Idempotency-Key, and `more` are headers."""
        headers = {"Authorization": f"Bearer {who}", **{name.replace("_", "-"): text for name, text in more.items()}}
        if key is not None:
            headers["Idempotency-Key"] = key
        if isinstance(body, bytes):
            headers.setdefault("Content-Type", "application/json")
            return await self.client.request(method, path, headers=headers, content=body)
        return await self.client.request(method, path, headers=headers, json=body)

    async def post(self, who: str = "north", *, key: str | None = None, **fields: Any) -> httpx.Response:
        """Request a job; `fields` replace or add fields of the body."""
        return await self.ask("POST", "/v1/jobs", {**BODY, **fields}, who=who, key=key)

    async def start(self, who: str = "north", **fields: Any) -> str:
        """Start a job and return its id."""
        response = await self.post(who, **fields)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    async def upload(self, data: bytes, who: str = "importer") -> str:
        """Send a file; return its id."""
        sent = await self.ask("POST", "/v1/jobs/uploads", data, who=who, Content_Type="application/octet-stream")
        assert sent.status_code == 201, sent.text
        return str(sent.json()["upload_id"])

    async def result(self, job_id: str, who: str = "north") -> Any:
        """Download the result of a job, and return its JSON document."""
        result = await self.get(f"/v1/jobs/{job_id}/result", who)
        assert result.status_code == 200, result.text
        address = urlsplit(result.json()["signed_url"])
        return (await self.client.get(f"{address.path}?{address.query}")).json()

    async def get(self, path: str, who: str = "north") -> httpx.Response:
        return await self.ask("GET", path, who=who)

    async def list(self, query: str = "", who: str = "north") -> dict[str, Any]:
        response = await self.get(f"/v1/jobs{query}", who)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def run(self, tenant_id: str = "tnt_north") -> LeasedJob:
        """Let a worker claim the oldest queued job."""
        return await self.rows.claim_one(tenant_id)

    async def succeed(self, leased: LeasedJob, content: bytes = b'{"a":1}') -> bool:
        """Let a worker store a result and end its job; return whether it could."""
        stored = await self.objects.put(f"results/{leased.tenant_id}/20260324/{leased.id}", content)
        download = Download("application/json", "graph.json")
        now_us = self.clock.now_us()
        done = await self.rows.settle(
            leased,
            result=JobResult(stored.name, download.media_type, stored.size_bytes),
            result_expires_at_us=now_us + RETENTION_US,
        )
        if done:
            async with self.database.transaction() as tx:
                await Results().keep(tx, Result(leased.id, leased.tenant_id, stored, download), now_us)
        return done

    async def fail(self, leased: LeasedJob) -> bool:
        error = JobError("source_unavailable", "The source did not respond.", True)
        return await self.rows.settle(leased, JobStatus.FAILED, error=error)


@asynccontextmanager
async def job_desk(
    database: Database, folder: Path, sections: Mapping[str, Mapping[str, Any]] | None = None
) -> AsyncIterator[JobDesk]:
    """Run the api host with the routes of jobs on a database to which the tenants `north` and `south` are added.
    `folder` is the folder of results, unless `sections` name a bucket."""
    clock = HandClock()
    home = await household(database, clock)
    south = await household(database, clock, name="south")
    settings: dict[str, Any] = dict(sections or {})
    if "objects" not in settings:
        settings["objects_dir"] = str(folder)
    parts = make_parts(database, clock, bases=BASES, sections=settings)
    apps = Apps(database, clock, parts.ids)
    for name in ("north", "other", "importer", "lists", "south"):
        client_id, scopes = f"app_{name}", WRITES if name in ("importer", "lists") else ALL
        wanted = Wanted(name=client_id, scopes=scopes, client_id=client_id)
        await apps.register((south if name == "south" else home).operator, wanted, by_operator=True)
    objects = object_store_of(parts.settings)
    assert objects is not None
    rows = (*routes(parts), *upload_routes(parts), *download_routes(parts))
    async with (
        surface(*rows, tokens=KnownTokens(CALLERS), clock=clock, spans=parts.shared(spans_of)) as served,
        # Beside other tests, many concurrent requests may take longer than the five seconds of httpx.
        httpx.AsyncClient(base_url=served.url(""), headers={"Connection": "close"}, timeout=60, verify=PLAIN) as client,
    ):
        yield JobDesk(client, parts, database, clock, home, JobRows(database, clock), objects)
