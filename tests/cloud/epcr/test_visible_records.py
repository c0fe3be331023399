"""Partners and a treating hospital see their part of the record that a vehicle sent."""

from dataclasses import replace

import pytest

from cloud.access.audit.tables import audit_entries
from cloud.clinical.epcr import Encounters, EncounterUnknown, Epcr, VisibleRecords
from cloud.clinical.epcr.records import CareRecords
from cloud.foundation.db import Database
from cloud.foundation.master_key import MasterKey
from cloud.foundation.viewer import Actor
from protocols.epcr.element import Audience
from protocols.epcr.projection import VisibleRecord
from tests.builders.care_changes import ENCOUNTER, change
from tests.builders.contract_canaries import CANARIES, found_in
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, VEHICLE, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle

MASTER = MasterKey(b"m" * 32)


@pytest.fixture
async def cloud(database: Database) -> CloudUnderTest:
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(gateway)
    epcr = Epcr(cloud.database, cloud.clock, cloud.ids)
    await epcr.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE, id=ENCOUNTER)
    await cloud.take(
        gateway.send_changes(
            change("patient.last_name", CANARIES["name"]),
            change("patient.national_number", "44051401359"),
            change("vitals.spo2", "97"),
        )
    )
    return cloud


async def seen(cloud: CloudUnderTest, audience: Audience, actor: Actor = OPERATOR) -> VisibleRecord:
    records = VisibleRecords(lambda: MASTER)
    return await CareRecords(cloud.database, cloud.clock).visible(actor, ENCOUNTER, audience, records)


def keys(record: VisibleRecord) -> list[str]:
    return [field.element.key for field in record.fields]


@pytest.mark.contract("C-106", "A-097", "A-098")
async def test_partners_see_the_released_elements_and_the_hospital_sees_identity_too(cloud: CloudUnderTest) -> None:
    partners, hospital = await seen(cloud, Audience.PARTNERS), await seen(cloud, Audience.TREATMENT)
    assert keys(partners) == ["vitals.spo2"]
    assert keys(hospital) == ["patient.last_name", "patient.national_number", "vitals.spo2"]
    assert partners.patient == hospital.patient
    assert found_in(repr(partners)) == []


@pytest.mark.contract("S-152")
async def test_pseudonyms_of_two_tenants_differ_and_outlive_the_process(cloud: CloudUnderTest) -> None:
    async with cloud.database.read() as tx:
        encounter = await Encounters().find(tx, OPERATOR, ENCOUNTER)
        assert encounter is not None
        first, later = [(await VisibleRecords(lambda: MASTER).for_partners(tx, encounter)).patient for _ in range(2)]
        assert first == later
        same_id = replace(encounter, id="enc_same"), replace(encounter, id="enc_same", tenant_id="ten_other")
        one, other = [(await VisibleRecords(lambda: MASTER).for_partners(tx, each)).patient for each in same_id]
    assert len({first, one, other}) == 3


async def test_each_preview_is_audited_without_content(cloud: CloudUnderTest) -> None:
    await seen(cloud, Audience.PARTNERS)
    (entry,) = [row for row in await cloud.rows(audit_entries) if row.action == "epcr.record_read"]
    assert entry.object == ENCOUNTER
    assert entry.metadata == '{"as":"partners","fields":1,"withheld":0}'


async def test_record_of_another_tenant_is_not_found(cloud: CloudUnderTest) -> None:
    with pytest.raises(EncounterUnknown):
        await seen(cloud, Audience.PARTNERS, Actor.operator("ten_other"))
