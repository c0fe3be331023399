"""Integrators post observations over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloud.access.audit import Audit
from cloud.clinical.devices import Enrolment
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from tests.builders.api_devices import exported
from tests.builders.api_surface import Api, alike, api
from tests.builders.contract_samples import sample, shape_faults

SPO2 = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 98.0, "unit_code": "%"}
PATH = "/api/v1/devices/{deviceId}/observations"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        yield served


async def stored(here: Api) -> list[dict[str, Any]]:
    return await exported(here.database, here.clock, here.home.viewer)


def of(device: dict[str, Any]) -> str:
    return PATH.replace("{deviceId}", device["id"])


@pytest.mark.contract("C-124", "C-125", "C-128", "A-021")
async def test_response_to_the_contract_sample_request_has_the_fields_of_the_contract(here: Api) -> None:
    device = await here.enrol(device_class="defib")
    shown = sample("POST", PATH)
    assert shown.request is not None
    assert shown.request.body is not None
    answer = await here.ask("POST", of(device), shown.request.body.encode())
    assert answer.status_code == 201
    assert shape_faults(shown.answer, answer.json()) == []
    assert answer.json() | {"id": "obs_1"} == {
        "id": "obs_1",
        "device_id": device["id"],
        **SPO2,
        "observed_at": "2026-03-24T12:00:00.000000Z",
        "encounter_id": None,
        "flags": [],
    }
    assert [one["id"] for one in await stored(here)] == [answer.json()["id"]]


MISTAKES: list[tuple[dict[str, Any], int, str]] = [
    ({"value": "98"}, 400, "invalid_body"),
    ({"value": True}, 400, "invalid_body"),
    ({"value": None}, 400, "invalid_body"),
    ({"note": "x"}, 400, "invalid_body"),
    ({"observed_at": "yesterday"}, 400, "moment_malformed"),
    ({"observed_at": "2026-03-24T12:00:00"}, 400, "moment_malformed"),
    ({"observed_at": "2026-02-22T11:59:59Z"}, 422, "observed_at_out_of_range"),
    ({"observed_at": "2026-03-24T12:05:01Z"}, 422, "observed_at_out_of_range"),
    ({"mdc_code": "spo2"}, 422, "mdc_code_malformed"),
    ({"unit_code": "furlong"}, 422, "unit_code_malformed"),
    ({"unit_code": "kPa"}, 422, "unit_code_mismatch"),
    ({"mdc_code": "MDC_TEMP_BODY", "unit_code": "Cel"}, 422, "device_class_mismatch"),
    ({"encounter_id": "enc_south"}, 422, "encounter_not_linkable"),
]


@pytest.mark.contract("C-125", "C-126", "A-105", "A-106", "S-156")
async def test_post_of_an_invalid_observation_gets_the_status_and_code_of_its_error(here: Api) -> None:
    device = await here.enrol()
    told = []
    for change, _, _ in MISTAKES:
        answer = await here.post(of(device), {**SPO2, **change})
        told.append((change, answer.status_code, answer.json()["code"]))
    assert told == MISTAKES
    assert await stored(here) == []


@pytest.mark.contract("S-156", "A-003")
async def test_post_of_a_non_finite_value_is_refused_with_400(here: Api) -> None:
    device = await here.enrol()
    for value in ("NaN", "Infinity", "-Infinity", "1e309", "-1e309"):
        body = f'{{"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": {value}, "unit_code": "%"}}'.encode()
        assert (await here.post(of(device), body)).status_code == 400
    assert await stored(here) == []


@pytest.mark.contract("S-060", "S-061", "S-066", "A-006", "A-015")
async def test_post_for_a_device_of_another_tenant_or_organisation_gets_the_404_of_an_absent_device(here: Api) -> None:
    device = await here.enrol()
    await here.post(of(device), SPO2)
    absent = await here.post(PATH.replace("{deviceId}", "dev_absent"), SPO2)
    assert absent.status_code == 404
    for who in ("south", "elsewhere"):
        assert alike(await here.post(of(device), SPO2, who=who), absent)
    assert alike(await here.post(PATH.replace("{deviceId}", "dev.1"), SPO2), absent)
    assert len(await stored(here)) == 1


@pytest.mark.contract("A-106", "S-156")
async def test_post_for_a_retired_device_is_refused_with_409(here: Api) -> None:
    device = await here.enrol()
    await Enrolment(here.database, here.clock, UlidIds(here.clock)).retire(here.home.operator, device["id"])
    answer = await here.post(of(device), SPO2)
    assert (answer.status_code, answer.json()["code"]) == (409, "device_not_active")


@pytest.mark.contract("A-106", "C-127")
async def test_post_repeated_with_an_idempotency_key_stores_one_observation(here: Api) -> None:
    device = await here.enrol()
    body = {**SPO2, "encounter_id": "enc_north"}
    first = await here.post(of(device), body, Idempotency_Key="key-1")
    again = await asyncio.gather(*(here.post(of(device), body, Idempotency_Key="key-1") for _ in range(5)))
    assert first.status_code == 201
    assert {one.json()["id"] for one in again} == {first.json()["id"]}
    assert (await here.post(of(device), SPO2, Idempotency_Key="key-1")).status_code == 422
    assert [one["encounter_id"] for one in await stored(here)] == ["enc_north"]


async def test_three_equal_posts_without_an_idempotency_key_store_three_observations(here: Api) -> None:
    device = await here.enrol()
    ids = {(await here.post(of(device), SPO2)).json()["id"] for _ in range(3)}
    assert len(ids) == len(await stored(here)) == 3


@pytest.mark.contract("A-105")
async def test_post_with_an_unknown_mdc_code_is_stored_and_flagged(here: Api) -> None:
    device = await here.enrol()
    answer = await here.post(of(device), {**SPO2, "mdc_code": "MDC_SYNTHETIC_THING"})
    assert (answer.status_code, answer.json()["flags"]) == (201, ["mdc_code_unknown"])


@pytest.mark.contract("C-017")
async def test_audit_entry_of_a_posted_observation_does_not_contain_its_value(here: Api) -> None:
    device = await here.enrol()
    answer = await here.post(of(device), {**SPO2, "value": 31.4159})
    async with here.database.read() as tx:
        entry, _ = await Audit(here.clock).list(tx, here.home.viewer)
    assert (entry.action, entry.object) == ("observation.post", answer.json()["id"])
    assert "31.4159" not in repr(entry)
