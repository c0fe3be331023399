"""Share links for tests: a cloud with an encounter, the batches of its vehicle, and the docs host with their page."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from cloud.access.apps import Apps
from cloud.access.audit import Audit, AuditEntry
from cloud.clinical.epcr import IDENTIFIED
from cloud.clinical.handover import routes as handover_routes
from cloud.foundation.arrivals import SETTLE, WantedDevices
from cloud.foundation.http import Host
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.sharing import token_hash
from tests.builders.care_changes import change
from tests.builders.encounter_reading import assigned
from tests.builders.http_surface import BASES, Surface, surface
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.parts import make_parts
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN

TOKEN = "abcdefghijklmnopqrstuvwxyz0"
LINK = "share-0123456789abcdef"


@dataclass
class SharedCall:
    """An encounter in the cloud, and a client of the docs host."""

    cloud: CloudUnderTest
    gateway: GatewayInVehicle
    encounter: str
    client: httpx.AsyncClient
    served: Surface
    settled: Sequence[WantedDevices | None]
    """For each reader: whose staged rows it had written."""

    def stated(self, key: str, value: str | None, **more: Any) -> FieldChange:
        """Return a change of the encounter's record, stored by the vehicle now."""
        return change(key, value, encounter=self.encounter, gateway_time_us=self.gateway.now_us, **more)

    def shared(self, token: str = TOKEN, link: str = LINK) -> FieldChange:
        return self.stated(Annotation.SHARE, token_hash(token), entry=link)

    def revoked(self, link: str = LINK) -> FieldChange:
        return self.stated(Annotation.SHARE, None, entry=link, action=Action.REMOVE)

    async def send(self, *changes: FieldChange) -> None:
        """Send a batch of field changes from the vehicle, which the cloud receives now."""
        delivery = self.cloud.handover.delivery(self.gateway.send_changes(*changes))
        await self.cloud.take(replace(delivery, received_at_us=self.cloud.clock.now_us()))

    async def view(self, token: str = TOKEN, **more: Any) -> httpx.Response:
        return await self.client.post(self.served.url("/h/view", Host.DOCS), json={"token": token, **more})

    async def audited(self, action: str) -> Sequence[AuditEntry]:
        async with self.cloud.database.read() as tx:
            return await Audit(self.cloud.clock).list(tx, OPERATOR, action=action)

    async def entitle(self, *scopes: str) -> None:
        await Apps(self.cloud.database, self.cloud.clock, self.cloud.ids).entitle(OPERATOR, scopes)


@asynccontextmanager
async def shared_call(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> AsyncIterator[SharedCall]:
    """Serve the docs host for a tenant that is entitled to identified hand-overs. Its vehicle has sent an oximeter's
    values, which are assigned to the encounter."""
    await cloud.take(gateway.send(96.0, 93.0))
    encounter = await assigned(cloud)
    parts = make_parts(cloud.database, cloud.clock, bases=BASES)
    settle, settled = parts.supplies[SETTLE](parts), list[WantedDevices | None]()

    async def record(*, waveforms: bool = True, of: WantedDevices | None = None) -> None:
        settled.append(of)
        await settle(waveforms=waveforms, of=of)

    parts.supplies.supply(SETTLE, lambda _: record)
    async with (
        surface(*handover_routes.routes(parts), hosts=[Host.DOCS]) as served,
        httpx.AsyncClient(headers={"Connection": "close"}, verify=PLAIN, timeout=WITHIN_S) as client,
    ):
        call = SharedCall(cloud, gateway, encounter, client, served, settled)
        await call.entitle(IDENTIFIED)
        yield call
