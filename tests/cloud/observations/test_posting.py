"""An app posts one observation, which is accepted, flagged or refused.

An accepted observation is exported together with the observations of vehicles.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cloud.clinical.assignments import AssignmentService
from cloud.clinical.devices import DeviceNotActive, Devices, DeviceUnknown, Enrolment
from cloud.clinical.observations.counting import count_in_encounter
from cloud.clinical.observations.errors import (
    DeviceClassMismatch,
    EncounterNotLinkable,
    MdcCodeMalformed,
    MdcCodeNotMeasured,
    ObservedAtOutOfRange,
    UnitCodeMalformed,
    UnitCodeMismatch,
    ValueNotFinite,
)
from cloud.clinical.observations.posted import PostedObservation, new_sequence, public_id
from cloud.clinical.observations.service import FUTURE_US_MAX, PAST_US_MAX, ObservationService
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor, Viewer
from protocols.uplink.observations import DeviceRef
from tests.builders.api_devices import enrolled, exported
from tests.builders.cloud_people import MINUTE_US, NOON_US, HandClock, Household, attach_device, household

IDS = UlidIds(HandClock())
SPO2 = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 98.0, "unit_code": "%"}


class Station:
    """A tenant with an oximeter, and the service that stores posted observations."""

    def __init__(self, database: Database, clock: HandClock, home: Household, device_id: str) -> None:
        self.database, self.clock, self.home, self.device_id = database, clock, home, device_id
        self.service = ObservationService(database, clock, IDS)

    async def post(self, *, actor: Actor | None = None, device_id: str | None = None, **body: Any) -> PostedObservation:
        draft = self.service.draft(device_id or self.device_id, **{**SPO2, **body})
        return await self.service.post(actor or self.home.viewer, draft)


async def station(database: Database, device_class: str = "oximeter") -> Station:
    clock = HandClock()
    home = await household(database, clock)
    device = await enrolled(database, clock, home, device_class, vehicle_id=home.vehicle.id)
    return Station(database, clock, home, device.id)


@pytest.mark.contract("C-124", "C-126", "C-128")
async def test_observation_posted_by_an_app_is_exported_with_api_as_its_origin(
    database: Database,
) -> None:
    here = await station(database)
    posted = await here.post()
    assert posted.id.startswith("obs_")
    assert posted.measured.flags == ()
    (document,) = await exported(database, here.clock, here.home.viewer)
    assert document["origin"] == "api"
    assert (document["id"], document["device_id"]) == (posted.id, here.device_id)
    assert (document["gateway"], document["epoch"], document["sequence"]) == (None, None, None)
    assert (document["type"], document["value"], document["unit"]) == (SPO2["mdc_code"], 98.0, "MDC_DIM_PERCENT")
    assert document["observed_at"] == "2026-03-24T12:00:00.000000Z"


async def test_observations_of_fifty_concurrent_posts_are_stored_with_distinct_ids(database: Database) -> None:
    here = await station(database)
    posted = await asyncio.gather(*(here.post(value=float(90 + number % 10)) for number in range(50)))
    documents = await exported(database, here.clock, here.home.viewer)
    assert len({one.id for one in posted}) == 50
    assert {one["id"] for one in documents} == {one.id for one in posted}


@pytest.mark.contract("A-105")
async def test_observation_with_an_unknown_mdc_code_is_stored_and_flagged(database: Database) -> None:
    here = await station(database)
    posted = await here.post(mdc_code="MDC_SYNTHETIC_THING", unit_code="{thing}/min")
    private = await here.post(mdc_code="X_PRIVATE_ACME_GLOW", unit_code="lx")
    assert [*posted.measured.flags, *private.measured.flags] == ["mdc_code_unknown", "mdc_code_unknown"]
    types = [document["type"] for document in await exported(database, here.clock, here.home.viewer)]
    assert sorted(types) == ["MDC_SYNTHETIC_THING", "X_PRIVATE_ACME_GLOW"]


async def test_observation_with_an_mdc_code_not_listed_for_its_device_class_is_stored_and_flagged(
    database: Database,
) -> None:
    here = await station(database)
    posted = await here.post(mdc_code="MDC_MASS_BODY_ACTUAL", value=71.5, unit_code="kg")
    assert posted.measured.flags == ("device_class_unchecked",)


REFUSED: list[tuple[dict[str, Any], type[DomainError]]] = [
    ({"mdc_code": "SpO2"}, MdcCodeMalformed),
    ({"mdc_code": "mdc_puls_oxim_sat_o2"}, MdcCodeMalformed),
    ({"mdc_code": "2:19384"}, MdcCodeMalformed),
    ({"mdc_code": "MDC_" + "A" * 200}, MdcCodeMalformed),
    ({"mdc_code": "MDC_DIM_PERCENT"}, MdcCodeNotMeasured),
    ({"unit_code": "furlong"}, UnitCodeMalformed),
    ({"unit_code": "mm[Hg]"}, UnitCodeMismatch),
    ({"mdc_code": "MDC_PRESS_BLD_NONINV_SYS", "unit_code": "mm[Hg]"}, DeviceClassMismatch),
    ({"value": float("nan")}, ValueNotFinite),
    ({"value": float("inf")}, ValueNotFinite),
    ({"observed_at_us": NOON_US - PAST_US_MAX - 1}, ObservedAtOutOfRange),
    ({"observed_at_us": NOON_US + FUTURE_US_MAX + 1}, ObservedAtOutOfRange),
    ({"encounter_id": "enc_absent"}, EncounterNotLinkable),
]


@pytest.mark.contract("A-105", "S-156")
async def test_invalid_observation_is_refused_and_not_stored(database: Database) -> None:
    here = await station(database)
    await here.post()
    for body, refusal in REFUSED:
        with pytest.raises(refusal):
            await here.post(**body)
        here.service = ObservationService(database, here.clock, IDS)  # a process that has not cached the device yet
        with pytest.raises(refusal):
            await here.post(**body)
    assert len(await exported(database, here.clock, here.home.viewer)) == 1


async def test_observation_in_another_unit_of_the_same_quantity_is_accepted(database: Database) -> None:
    here = await station(database, "thermometer")
    posted = await here.post(mdc_code="MDC_TEMP_BODY", value=98.6, unit_code="[degF]")
    (document,) = await exported(database, here.clock, here.home.viewer)
    assert (document["value"], document["unit_code"]) == (98.6, "[degF]")
    assert posted.measured.unit is not None


@pytest.mark.contract("A-106")
async def test_observed_time_up_to_thirty_days_in_the_past_or_five_minutes_ahead_is_accepted(
    database: Database,
) -> None:
    here = await station(database)
    await here.post(observed_at_us=NOON_US - PAST_US_MAX)
    await here.post(observed_at_us=NOON_US + FUTURE_US_MAX)
    times = [document["observed_at"] for document in await exported(database, here.clock, here.home.viewer)]
    assert times == ["2026-02-22T12:00:00.000000Z", "2026-03-24T12:05:00.000000Z"]


@pytest.mark.contract("A-106", "S-156")
async def test_post_for_a_retired_device_is_refused_until_it_is_enrolled_again(database: Database) -> None:
    here = await station(database)
    await here.post()
    await Enrolment(database, here.clock, IDS).retire(here.home.operator, here.device_id)
    with pytest.raises(DeviceNotActive):
        await here.post()
    await enrolled(database, here.clock, here.home)
    assert (await here.post()).device_id == here.device_id


@pytest.mark.contract("S-060", "S-066", "S-156", "A-013")
async def test_post_for_a_device_outside_the_tenant_or_organisation_or_clearance_is_refused_as_unknown(
    database: Database,
) -> None:
    here = await station(database)
    south = await household(database, here.clock, name="south")
    await here.post()
    strangers = [
        south.viewer,
        replace(here.home.viewer, organization_id="org_other"),
        replace(here.home.viewer, clearance=-1),
    ]
    for stranger in strangers:  # the last one has a clearance below everything
        with pytest.raises(DeviceUnknown):
            await here.post(actor=stranger)
    with pytest.raises(DeviceUnknown):
        await here.post(device_id="dev_absent")
    assert len(await exported(database, here.clock, here.home.viewer)) == 1


async def test_post_for_an_unenrolled_device_is_refused_as_unknown(database: Database) -> None:
    here = await station(database)
    async with database.transaction() as tx:
        seen = await attach_device(tx, Devices(IDS), here.home.gateway, DeviceRef("aabb", "Pulse 1"), NOON_US)
    with pytest.raises(DeviceUnknown):
        await here.post(device_id=seen)


@pytest.mark.contract("C-127", "A-021", "A-106")
async def test_post_may_name_an_encounter_to_which_the_device_is_not_assigned(database: Database) -> None:
    here = await station(database)
    await here.post(encounter_id="enc_north")
    await here.post(encounter_id="enc_north")
    await here.post()
    named = [document["encounter_id"] for document in await exported(database, here.clock, here.home.viewer)]
    assert named == ["enc_north", "enc_north", None]


@pytest.mark.contract("A-106", "S-156")
async def test_post_that_names_an_encounter_of_another_organisation_is_refused(database: Database) -> None:
    here = await station(database)
    await household(database, here.clock, name="south")
    await here.post()
    with pytest.raises(EncounterNotLinkable):
        await here.post(encounter_id="enc_south")


async def test_observations_posted_for_an_assigned_device_are_counted_for_its_encounter(
    database: Database,
) -> None:
    here = await station(database)
    desk = AssignmentService(database, here.clock, IDS)
    until = {"from_us": NOON_US - MINUTE_US, "until_us": NOON_US + MINUTE_US}
    await desk.assign(here.home.user("usr_1"), device_id=here.device_id, encounter_id="enc_north", **until)
    await here.post()
    await here.post(encounter_id="enc_north", observed_at_us=NOON_US + 2 * MINUTE_US)
    await here.post(observed_at_us=NOON_US + 3 * MINUTE_US)
    assert await count_in_encounter(database, here.home.viewer, "enc_north") == 2
    assert await count_in_encounter(database, Viewer("tnt_south", "org_south"), "enc_north") == 0


async def test_post_updates_the_last_seen_time_and_battery_of_the_device(database: Database) -> None:
    here = await station(database)
    devices = Enrolment(database, here.clock, IDS)
    await here.post(observed_at_us=NOON_US - MINUTE_US)
    (device,) = await devices.list(here.home.viewer)
    assert (device.last_seen_us, device.battery_percent) == (NOON_US - MINUTE_US, None)
    await here.post(mdc_code="MDC_ATTR_VAL_BATT_CHARGE", value=81.0, unit_code="%")
    await here.post(
        mdc_code="MDC_ATTR_VAL_BATT_CHARGE", value=99.0, unit_code="%", observed_at_us=NOON_US - 5 * MINUTE_US
    )
    (device,) = await devices.list(here.home.viewer)
    assert (device.last_seen_us, device.battery_percent) == (NOON_US, 81)


async def test_post_is_checked_against_the_changed_device_class_and_not_the_cached_class(database: Database) -> None:
    here = await station(database)
    await here.post()
    await enrolled(database, here.clock, here.home, "thermometer")
    await here.post(mdc_code="MDC_TEMP_BODY", value=36.6, unit_code="Cel")
    with pytest.raises(DeviceClassMismatch):
        await here.post()


def test_ids_of_posted_observations_increase_with_time() -> None:
    clock = HandClock()
    first = new_sequence(UlidIds(clock))
    clock.advance(us=1000)
    later = new_sequence(UlidIds(clock))
    assert first < later < 1 << 63
    assert public_id(first) < public_id(later)
    assert len(public_id(later)) == 17
