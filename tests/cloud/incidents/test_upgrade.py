"""The migration creates incidents for encounters dispatched earlier, and publishes no event for them."""

from cloud.clinical.devices.tables import silent_devices
from cloud.clinical.epcr import MissionChange, Missions
from cloud.clinical.incidents import Incidents
from cloud.foundation.db import migrate, open_database
from cloud.foundation.events.tables import outbox_events
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from cloud.vehicles.fleet.tables import silent_gateways
from protocols.epcr.encounter import EncounterStatus
from tests.builders.cloud_people import NOON_US, HandClock
from tests.cloud.db.test_migrations import run_sql

BEFORE = "0008"
OPERATOR = Actor.operator("tnt_1")


def row(table: str, **values: str | int) -> str:
    """Return an INSERT statement for a row with these values. The id of the only tenant is added, except in the table
    of tenants."""
    given = {**({} if table == "tenants" else {"tenant_id": "tnt_1"}), **values}
    said = ", ".join(repr(value) for value in given.values())
    return " ".join(("INSERT INTO", table, f"({', '.join(given)}) VALUES ({said})"))


def encounter(id: str, cad: str, status: str, **more: str | int) -> str:
    facts = {"care_model": "prehospital_emergency", "secrecy_level": 0, "created_at_us": NOON_US, **more}
    return row("encounters", id=id, organization_id="org_1", status=status, cad_incident_id=cad, **facts)


async def test_migration_creates_incidents_for_existing_encounters(empty_database_url: str):
    await migrate(empty_database_url, revision=BEFORE, create=True)
    of_station = {"organization_id": "org_1"}
    await run_sql(
        empty_database_url,
        row("tenants", id="tnt_1", name="Rescue", created_at_us=0),
        row("organizations", id="org_1", name="Station", created_at_us=0),
        row("vehicles", id="veh_1", name="RTW 1", created_at_us=0, **of_station),
        encounter("enc_01A", "cad_1", "in_progress"),
        encounter("enc_01B", "cad_1", "completed", vehicle_id="veh_1", created_at_us=NOON_US + 1),
        encounter("enc_01C", "cad_2", "cancelled"),
        row(
            "devices",
            id="dev_1",
            model="",
            status="active",
            secrecy_level=0,
            created_at_us=0,
            last_seen_us=NOON_US,
            **of_station,
        ),
        row("gateways", id="gw_1", vehicle_id="veh_1", public_key="", registered_at_us=7, **of_station),
    )
    await migrate(empty_database_url, create=True)
    database, clock = await open_database(empty_database_url), HandClock()
    service = Incidents(clock, UlidIds(clock))
    found = {one.cad_incident_id: one for one in await service.list(database, OPERATOR, count=9)}
    one, other = found["cad_1"], found["cad_2"]
    assert (one.id, one.status, one.encounters, one.open_encounters) == ("inc_01A", "open", 2, 1)
    assert (one.opened_at_us, one.closed_at_us) == (NOON_US, None)
    assert (other.status, other.open_encounters, other.closed_at_us) == ("closed", 0, NOON_US)
    change = MissionChange(status=EncounterStatus.COMPLETED)
    await Missions(database, clock, UlidIds(clock)).change(OPERATOR, "enc_01A", change)
    assert [each.status for each in await service.list(database, OPERATOR, count=9)] == ["closed", "closed"]
    async with database.read() as tx:
        told = [row.type for row in await tx.execute(outbox_events.select())]
        silent = [(row.device_id, row.last_seen_us) for row in await tx.execute(silent_devices.select())]
        gateways = [(row.gateway_id, row.since_us) for row in await tx.execute(silent_gateways.select())]
    assert told == ["incident.closed", "epcr.encounter.finished"]
    assert (silent, gateways) == ([("dev_1", NOON_US)], [("gw_1", 7)])
    await database.close()
