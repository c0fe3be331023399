"""The routes of transcripts on a real database with evidence in two tenants, and named callers.

`north` belongs to org_north of tnt_north, `elsewhere` to another organisation of it, `tenant` to none. `cleared` may
see secret evidence, `narrow` lacks the scope, and `south` belongs to another tenant.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.access.audit import Audit, AuditEntry
from cloud.foundation.db import Database
from cloud.foundation.http import Parts
from cloud.foundation.viewer import SecrecyLevel, Viewer
from cloud.work.evidence.recorder import Document, Entry, EvidenceRecorder, File
from cloud.work.provenance.routes import routes
from cloud.work.provenance_keys import RecordSigner
from protocols.provenance.transcript import ActorKind, Operation
from tests.builders.cloud_people import HandClock, household
from tests.builders.evidence import piece
from tests.builders.http_surface import BASES, KnownTokens, caller, surface
from tests.builders.parts import make_parts
from tests.harness.plain_http import PLAIN

SCOPES = ("argus:provenance:read",)
CALLERS = {
    "north": caller(scopes=SCOPES),
    "elsewhere": caller(organization="org_elsewhere", client="app_elsewhere", scopes=SCOPES),
    "tenant": caller(organization=None, client="app_tenant", scopes=SCOPES),
    "cleared": caller(client="app_cleared", scopes=SCOPES, clearance=SecrecyLevel.SECRET),
    "narrow": caller(client="app_narrow", scopes=("argus:jobs:read",)),
    "south": caller(tenant="tnt_south", organization="org_south", client="app_south", scopes=SCOPES),
}
OPERATIONS = (Operation.CREATE, Operation.UPDATE, Operation.EXPORT)


@dataclass
class EvidenceDesk:
    """A client of the api host, which sends each request as one of the callers, and the recorder of the evidence."""

    client: httpx.AsyncClient
    parts: Parts
    database: Database
    recorder: EvidenceRecorder

    async def append(
        self,
        operations: Sequence[Operation] = OPERATIONS,
        id: str = "evd_1",
        *,
        tenant: str = "tnt_north",
        organization: str = "org_north",
        level: SecrecyLevel = SecrecyLevel.STANDARD,
        file: bytes | None = None,
    ) -> None:
        """Record operations on evidence."""
        evidence = piece(id, tenant=tenant, organization=organization, level=level)
        for operation in operations:
            content = File(file) if file is not None else Document({"state": operation.value})
            entry = Entry(
                operation=operation,
                actor_id="usr_1",
                actor_kind=ActorKind.USER,
                content=content if operation is not Operation.EXPORT or file is not None else Document(),
                trace_id="0af7651916cd43dd8448eb211c80319c",
            )
            async with self.database.transaction() as tx:
                await self.recorder.append(tx, evidence, entry)

    async def get(self, query: str = "", *, id: str = "evd_1", who: str = "north") -> httpx.Response:
        path = f"/v1/evidence/{id}/provenance{query}"
        return await self.client.get(path, headers={"Authorization": f"Bearer {who}"})

    async def transcript(self, query: str = "", **more: str) -> dict[str, Any]:
        response = await self.get(query, **more)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def post(self, body: Any, *, id: str = "evd_1", who: str = "north") -> httpx.Response:
        """Send a body to the verification: JSON values, or bytes as they are."""
        headers = {"Authorization": f"Bearer {who}", "Content-Type": "application/json"}
        path = f"/v1/evidence/{id}/provenance/verify"
        if isinstance(body, bytes):
            return await self.client.post(path, headers=headers, content=body)
        return await self.client.post(path, headers=headers, json=body)

    async def verify(self, transcript: Any, **more: str) -> dict[str, Any]:
        response = await self.post({"transcript": transcript}, **more)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def audited(self, tenant: str = "tnt_north") -> Sequence[AuditEntry]:
        """The audit entries of verifications, newest first."""
        async with self.database.read() as tx:
            return await Audit(self.parts.clock).list(
                tx, Viewer(tenant, None, SecrecyLevel.TOP_SECRET), action="evidence.verify"
            )


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[EvidenceDesk]:
    clock = HandClock()
    for name in ("north", "south"):
        await household(database, clock, name=name)
    parts = make_parts(database, clock, bases=BASES, objects=tmp_path / "objects")
    recorder = EvidenceRecorder(clock, parts.ids, parts.shared(RecordSigner.of))
    async with (
        surface(*routes(parts), tokens=KnownTokens(CALLERS), clock=clock) as served,
        httpx.AsyncClient(base_url=served.url(""), headers={"Connection": "close"}, timeout=60, verify=PLAIN) as client,
    ):
        yield EvidenceDesk(client, parts, database, recorder)
