"""Integrators read and enrol devices over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cloud.access.audit import Audit
from cloud.clinical.devices import Devices, Enrolment
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from protocols.uplink.observations import DeviceRef
from tests.builders.api_surface import Api, api
from tests.builders.cloud_people import NOON_US, attach_device
from tests.builders.contract_samples import sample, shape_faults

ENROL = "/api/v1/devices/enrol"
LIST = "/api/v1/devices"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        yield served


@pytest.mark.contract("C-120", "C-122", "C-123", "A-104")
async def test_repeated_enrolment_request_returns_200_with_the_same_device(here: Api) -> None:
    body = {"serial_number": "SN-0001", "device_class": "defib", "manufacturer": "ACME"}
    first, again = await here.post(ENROL, body), await here.post(ENROL, body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json() | {"id": "dev_1"} == {
        "id": "dev_1",
        "serial_number": "SN-0001",
        "device_class": "defib",
        "status": "active",
        "manufacturer": "ACME",
        "system_id": None,
        "vehicle_id": None,
        "last_seen_at": None,
        "battery_percent": None,
        "power": None,
        "model": None,
        "described_at": None,
        "description": None,
    }


@pytest.mark.contract("C-115", "C-117", "C-119", "C-123")
async def test_responses_to_the_contract_sample_requests_have_the_fields_of_the_contract(here: Api) -> None:
    enrol, listing = sample("POST", ENROL), sample("GET", LIST)
    assert enrol.request is not None
    assert enrol.request.body is not None
    made = await here.ask("POST", enrol.request.target, enrol.request.body.encode())
    assert shape_faults(enrol.answer, made.json()) == []
    assert shape_faults(listing.answer, (await here.get(LIST)).json()) == []
    assert listing.request is not None
    assert (await here.get(listing.request.target)).json() == []


@pytest.mark.contract("C-120", "S-157")
async def test_twenty_concurrent_enrolment_requests_create_one_device(here: Api) -> None:
    made = await asyncio.gather(*(here.enrol() for _ in range(20)))
    assert len({one["id"] for one in made}) == 1
    assert len((await here.get(LIST)).json()) == 1


@pytest.mark.contract("C-118")
async def test_device_of_each_class_in_the_contract_can_be_enrolled(here: Api) -> None:
    for device_class in ("defib", "ecg", "oximeter", "bp", "glucose", "etco2", "thermometer", "multiparameter"):
        assert (await here.enrol(device_class=device_class))["device_class"] == device_class


MISTAKES: list[tuple[dict[str, Any], int]] = [
    ({"device_class": "toaster"}, 400),
    ({"serial_number": ""}, 400),
    ({"serial_number": 7}, 400),
    ({"manufacturer": None}, 400),
    ({"organization_id": "org_south"}, 400),
    ({"serial_number": "   "}, 422),
    ({"serial_number": "a\u200bb"}, 422),
    ({"vehicle_id": "veh_south"}, 422),
    ({"vehicle_id": "veh_absent"}, 422),
]


@pytest.mark.contract("C-118", "C-122")
async def test_invalid_enrolment_is_refused_and_stores_no_device(here: Api) -> None:
    told = []
    for change, _ in MISTAKES:
        body = {"serial_number": "SN-0001", "device_class": "ecg", "manufacturer": "ACME", **change}
        told.append((change, (await here.post(ENROL, body)).status_code))
    assert told == MISTAKES
    assert (await here.get(LIST)).json() == []


@pytest.mark.contract("C-121", "A-020", "A-024", "A-013")
async def test_device_routes_require_a_token_with_an_organisation_and_the_scope_of_the_route(here: Api) -> None:
    for who, listed, enrolled in (
        ("north", 200, 201),
        ("reader", 200, 403),
        ("stranger", 403, 403),
        ("nowhere", 403, 403),
        ("unknown", 401, 401),
    ):
        body = {"serial_number": "SN-0001", "device_class": "ecg", "manufacturer": "ACME"}
        assert (await here.get(LIST, who=who)).status_code == listed
        assert (await here.post(ENROL, body, who=who)).status_code == enrolled


@pytest.mark.contract("C-116")
async def test_device_list_is_filtered_by_vehicle(here: Api) -> None:
    carried = await here.enrol("SN-1", vehicle_id="veh_north")
    await here.enrol("SN-2")
    assert [one["id"] for one in (await here.get(f"{LIST}?vehicle_id=veh_north")).json()] == [carried["id"]]
    assert (await here.get(f"{LIST}?vehicle_id=veh_south")).json() == []


@pytest.mark.contract("A-103", "S-063")
async def test_device_list_read_through_its_next_links_contains_every_device_once(here: Api) -> None:
    made = [(await here.enrol(f"SN-{number}", vehicle_id="veh_north"))["id"] for number in range(5)]
    path: str | None = f"{LIST}?limit=2&vehicle_id=veh_north"
    seen: list[str] = []
    pages = 0
    while path is not None:
        answer = await here.get(path)
        seen += [one["id"] for one in answer.json()]
        pages += 1
        link = answer.links.get("next")
        path = None if link is None else link["url"].removeprefix("https://api.example.org")
    assert (sorted(seen), pages) == (sorted(made), 3)


@pytest.mark.contract("S-063", "S-062")
async def test_cursor_of_a_device_list_is_refused_for_another_caller_or_another_filter(here: Api) -> None:
    for number in range(3):
        await here.enrol(f"SN-{number}")
    link = (await here.get(f"{LIST}?limit=1")).links["next"]["url"]
    cursor = parse_qs(urlsplit(link).query)["cursor"][0]
    refused = [
        await here.get(f"{LIST}?cursor={cursor}", who="south"),
        await here.get(f"{LIST}?cursor={cursor}", who="elsewhere"),
        await here.get(f"{LIST}?cursor={cursor}&vehicle_id=veh_north"),
        await here.get(f"{LIST}?cursor=abc"),
    ]
    assert [(one.status_code, one.json()["code"]) for one in refused] == [(400, "invalid_cursor")] * 4
    assert (await here.get(f"{LIST}?cursor={cursor}&limit=9")).status_code == 200


@pytest.mark.contract("S-062", "S-066", "C-013")
async def test_devices_of_another_organisation_or_tenant_are_not_listed(here: Api) -> None:
    await here.enrol()
    assert (await here.get(LIST, who="elsewhere")).json() == []
    assert (await here.get(LIST, who="south")).json() == []


@pytest.mark.contract("C-115")
async def test_device_seen_by_a_vehicle_is_listed_with_its_last_seen_time_after_enrolment(here: Api) -> None:
    devices = Devices(UlidIds(here.clock))
    async with here.database.transaction() as tx:
        seen = await attach_device(tx, devices, here.home.gateway, DeviceRef("1122334455667788", "Pulse 1"), NOON_US)
        await devices.battery(tx, here.home.tenant.id, seen, percent=64, measured_at_us=NOON_US)
    assert (await here.get(LIST)).json() == []
    body = {
        "serial_number": "SN-1",
        "device_class": "oximeter",
        "manufacturer": "ACME",
        "system_id": "1122334455667788".upper(),
    }
    answer = await here.post(ENROL, body)
    shown = answer.json()
    assert (answer.status_code, shown["id"], shown["vehicle_id"]) == (201, seen, "veh_north")
    assert (shown["last_seen_at"], shown["battery_percent"]) == ("2026-03-24T12:00:00.000000Z", 64)
    assert (await here.post(ENROL, {**body, "serial_number": "SN-2"})).json()["code"] == "system_id_taken"


async def test_system_id_of_a_retired_device_can_be_enrolled_for_another_device(here: Api) -> None:
    old = await here.enrol("SN-1", system_id="aabb")
    await Enrolment(here.database, here.clock, UlidIds(here.clock)).retire(here.home.operator, old["id"])
    new = await here.enrol("SN-2", system_id="aabb")
    shown = {one["id"]: (one["status"], one["system_id"]) for one in (await here.get(LIST)).json()}
    assert shown == {old["id"]: ("retired", None), new["id"]: ("active", "aabb")}


@pytest.mark.contract("C-017")
async def test_enrolment_request_is_audited_with_its_trace_id(here: Api) -> None:
    answer = await here.post(ENROL, {"serial_number": "SN-1", "device_class": "ecg", "manufacturer": "ACME"})
    async with here.database.read() as tx:
        (entry,) = await Audit(here.clock).list(tx, here.home.viewer)
    assert (entry.action, entry.object, entry.actor) == ("device.enrol", answer.json()["id"], "app_north")
    assert entry.trace_id == answer.headers["X-Argus-Trace-ID"]


async def test_request_for_an_unchanged_device_list_with_its_etag_returns_304(here: Api) -> None:
    await here.enrol()
    tag = (await here.get(LIST)).headers["ETag"]
    assert (await here.get(LIST, If_None_Match=tag)).status_code == 304
