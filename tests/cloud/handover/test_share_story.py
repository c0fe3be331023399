"""A share link on its whole way: the crew's tap, the gateway's store and uplink, a broker, ingest, the docs host."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cloud.access.apps import Apps
from cloud.clinical.epcr import IDENTIFIED, Epcr
from cloud.clinical.handover import routes as handover_routes
from cloud.foundation.clock import SystemClock as CloudClock
from cloud.foundation.db import Database
from cloud.foundation.http import Host
from gateway.epcr.handover.statements import HandoverStatements, LinkState
from gateway.transports.clock import SystemClock
from protocols.epcr.change import FieldChange
from protocols.uplink.lanes import Lane
from tests.builders.care_changes import ANNA, change
from tests.builders.http_surface import surface
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, CloudUnderTest
from tests.builders.parts import make_parts
from tests.builders.report_drafts import drafts_of
from tests.builders.uplink_gateway import TestGateway, gateway_store, sending
from tests.cloud.ingest.test_with_gateway import cloud_of, ingesting
from tests.harness.broker import Broker, broker_running
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.plain_http import PLAIN

pytestmark = pytest.mark.broker
ENCOUNTER = "enc_story"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with broker_running(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[TestGateway]:
    async with gateway_store(tmp_path / "gateway") as gateway:
        yield gateway


def named(text: str, clock: SystemClock) -> FieldChange:
    return change("patient.last_name", text, encounter=ENCOUNTER, gateway_time_us=clock.wall_us())


async def test_link_made_without_coverage_opens_after_it_returns_and_ends_when_the_crew_revokes_it(
    database: Database, gateway: TestGateway, broker: Broker
):
    clock = SystemClock()
    cloud: CloudUnderTest = await cloud_of(database, gateway)
    await Epcr(database, cloud.clock, cloud.ids).begin(OPERATOR, organization_id=ORGANIZATION, id=ENCOUNTER)
    await Apps(database, cloud.clock, cloud.ids).entitle(OPERATOR, (IDENTIFIED,))
    drafts = drafts_of(gateway.buffer, clock)
    statements = HandoverStatements(drafts, gateway.buffer, clock, docs_url="https://docs.example")
    await drafts.open(ENCOUNTER, author=ANNA, change_ids=[f"open-{number}" for number in range(8)])
    link = await statements.share(ENCOUNTER, author=ANNA, reason="shared")
    assert statements.link_state(ENCOUNTER) is LinkState.PENDING
    parts = make_parts(database, CloudClock())
    async with (
        surface(*handover_routes.routes(parts), hosts=[Host.DOCS]) as served,
        httpx.AsyncClient(headers={"Connection": "close"}, verify=PLAIN, timeout=WITHIN_S) as client,
    ):

        async def view() -> httpx.Response:
            return await client.post(served.url("/h/view", Host.DOCS), json={"token": link.token})

        assert (await view()).status_code == 404
        async with ingesting(cloud, broker), sending(gateway.uplink(broker)):
            await eventually(lambda: statements.link_state(ENCOUNTER) is LinkState.WITHOUT_CALL)
            assert (await view()).status_code == 200
            await drafts.append_changes([named("Żółć", clock)])
            await eventually(lambda: gateway.all_acked(Lane.EPCR))
            assert "Żółć" in (await view()).json()["html"]
            await statements.revoke(ENCOUNTER, author=ANNA, reason="revoked")
            await eventually(lambda: gateway.all_acked(Lane.EPCR))
            assert (await view()).status_code == 410
