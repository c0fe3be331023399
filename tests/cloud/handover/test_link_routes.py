"""A tenant lists and revokes the share links of its encounters by the API."""

from collections.abc import AsyncIterator

import pytest

from cloud.access.audit import Audit
from cloud.clinical.handover.model import ShareLink
from cloud.clinical.handover.tables import share_links
from cloud.foundation.db import Database, Records
from tests.builders.api_surface import Api, api

PATH = "/api/v1/epcr/encounters/enc_north/share-links"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        yield served


async def share(here: Api, link_id: str) -> None:
    link = ShareLink(
        tenant_id="tnt_north",
        id=link_id,
        token_hash=f"{link_id:0>64}",
        encounter_id="enc_north",
        organization_id="org_north",
        vehicle_id="veh_north",
        author="usr_staff",
        added_at_us=here.clock.now_us(),
    )
    async with here.database.transaction() as tx:
        await Records(ShareLink, share_links).add(tx, link)


async def test_links_are_listed_without_their_hash_and_author_and_revoked_once(here: Api) -> None:
    await share(here, "share-1")
    listed = await here.get(PATH, who="reader")
    assert listed.status_code == 200, listed.text
    (link,) = listed.json()["data"]
    assert (link["id"], link["vehicle_id"], link["revoked_at"]) == ("share-1", "veh_north", None)
    assert "usr_staff" not in listed.text
    revoked = await here.ask("DELETE", PATH)
    assert revoked.status_code == 200, revoked.text
    assert revoked.json()["data"][0]["revoked_at"] is not None
    assert (await here.ask("DELETE", PATH)).json() == revoked.json()
    async with here.database.read() as tx:
        entries = await Audit(here.clock).list(tx, here.home.operator, action="handover.link_revoked")
    assert [(entry.object, entry.metadata) for entry in entries] == [("share-1", {"encounter": "enc_north"})]


async def test_reader_revokes_nothing_and_unknown_encounters_are_not_found(here: Api) -> None:
    await share(here, "share-1")
    assert (await here.ask("DELETE", PATH, who="reader")).status_code == 403
    absent = PATH.replace("enc_north", "enc_absent")
    assert [(await here.get(absent)).status_code, (await here.ask("DELETE", absent)).status_code] == [404, 404]
    assert (await here.get(PATH)).json()["data"][0]["revoked_at"] is None
