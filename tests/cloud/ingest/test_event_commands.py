"""`argus-cloud events list` and `argus-cloud devices history` as an operator and a script use them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cloud.cli import app
from cloud.foundation.db import open_database
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, GatewayInVehicle
from tests.cloud.ingest.test_device_descriptions import DAY_US, PULSE, UPDATED

TENANT = ("--tenant", "ten_test")


class Console:
    """The command line `argus-cloud`, run in the test process on a cloud with some events of a vehicle."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["--config", str(self._config), *words])

    def json(self, *words: str) -> Any:
        result = self.run(*words, *TENANT, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def types(self, *words: str) -> list[str]:
        return [event["type"] for event in self.json("events", "list", *words)]


@pytest.fixture
async def console(database_url: str, tmp_path: Path) -> Console:
    gateway = GatewayInVehicle()
    opened = await open_database(database_url)
    cloud = await CloudUnderTest(opened).register(gateway)
    for days, description in ((20, PULSE), (5, UPDATED)):
        gateway.now_us = NOW_US - days * DAY_US
        await cloud.take(gateway.send_event(), gateway.send_description(description))
    await cloud.take(gateway.send_description(replace(PULSE, model="Cuff 2"), device="8877665544332211"))
    gateway.now_us = NOW_US - DAY_US
    await cloud.take(gateway.gap(gateway.many(2)))
    await opened.close()
    config = tmp_path / "cloud.toml"
    config.write_text(f'database_url = "{database_url}"\n')
    return Console(config)


VEHICLE = ["device.connected", "device.described"] * 2 + ["device.described", "gap.recorded"]


def test_events_list_has_the_events_of_vehicles_and_of_the_cloud_in_the_order_of_time(console: Console) -> None:
    assert console.types() == [*VEHICLE, "gateway.epoch_started"]
    assert console.types("--source", "vehicle") == VEHICLE
    assert console.types("--source", "cloud") == ["gateway.epoch_started"]
    assert console.types("--limit", "2") == ["gap.recorded", "gateway.epoch_started"]


def test_events_list_is_filtered_by_gateway_vehicle_device_type_and_time(console: Console) -> None:
    assert console.types("--gateway", "gw_test") == [*VEHICLE, "gateway.epoch_started"]
    assert console.types("--vehicle", "veh_test") == VEHICLE
    assert console.types("--device", OXIMETER.system_id) == VEHICLE[:4]
    assert console.types("--type", "gap", "--type", "device.connected") == [*VEHICLE[:3:2], "gap.recorded"]
    assert console.types("--since", "2027-01-14T00:00:00Z") == ["gap.recorded", "gateway.epoch_started"]
    assert console.types("--until", "2027-01-01T00:00:00Z") == VEHICLE[:2]


def test_event_of_a_vehicle_names_its_batch_device_and_fields(console: Console) -> None:
    first, *_ = console.json("events", "list")
    assert first == {
        "id": "epoch-a/event/1",
        "at": "2026-12-26T08:00:00.000000Z",
        "type": "device.connected",
        "source": "vehicle",
        "organization_id": "org_test",
        "gateway_id": "gw_test",
        "vehicle_id": "veh_test",
        "device": OXIMETER.system_id,
        "key": "gw_test",
        "payload": {"attempt": 1},
    }


def test_events_list_prints_json_lines_and_a_table(console: Console) -> None:
    lines = console.run("events", "list", *TENANT, "--ndjson").stdout.splitlines()
    assert [json.loads(line) for line in lines] == console.json("events", "list")
    table = console.run("events", "list", *TENANT).stdout
    assert "gap.recorded" in table
    assert "epoch-a/event/1" not in table


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--device", "dev_9"), "There is no device 'dev_9'"),
        (("--vehicle", "veh_9"), "There is no vehicle 'veh_9'"),
        (("--gateway", "gw_9"), "There is no gateway 'gw_9'"),
        (("--since", "yesterday"), "A time reads like"),
    ],
)
def test_events_list_refuses_an_unknown_id_or_a_malformed_time(
    console: Console, words: tuple[str, ...], sentence: str
) -> None:
    result = console.run("events", "list", *TENANT, *words)
    assert result.exit_code == 1
    assert sentence in result.stderr


def test_devices_that_ran_a_firmware_on_a_day_are_listed(console: Console) -> None:
    def ran(*words: str) -> list[tuple[str, str]]:
        found = console.json("devices", "history", *words)
        return [(row["system_id"], row["description"]["firmware_revision"]) for row in found]

    both = sorted([(OXIMETER.system_id, "1.0"), (OXIMETER.system_id, "1.1"), ("8877665544332211", "1.0")])
    assert sorted(ran()) == both
    assert ran("--firmware", "1.0", "--on", "2027-01-01") == [(OXIMETER.system_id, "1.0")]
    assert ran("--firmware", "1.0", "--on", "2027-01-12") == [("8877665544332211", "1.0")]
    assert ran("--firmware", "1.1", "--model", "Pulse 1") == [(OXIMETER.system_id, "1.1")]
    assert ran("--firmware", "1.2") == []
    assert "1.1" in console.run("devices", "history", *TENANT).stdout
    assert console.json("devices", "list")[0]["described_at"] is not None
    assert "A time reads like" in console.run("devices", "history", *TENANT, "--on", "Monday").stderr
