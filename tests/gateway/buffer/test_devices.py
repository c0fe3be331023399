"""The store keeps devices, their configurations and named state values across a restart, up to a limit."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.buffer import device_reports, devices
from gateway.buffer.devices import StoredDevice
from tests.builders.buffer_store import new_store, opened
from tests.harness.moved_clock import MovedClock


async def test_device_keeps_its_first_seen_time_and_model_when_seen_again(tmp_path: Path) -> None:
    path, clock = new_store(tmp_path), MovedClock(wall_us=1_000_000)
    async with opened(path, clock=clock) as buffer:
        await buffer.remember_device("00000000000000aa", "Invented Oximeter")
        await clock.advance(5.0)
        await buffer.remember_device("00000000000000aa", "")
    async with opened(path) as buffer:
        assert await buffer.devices() == [
            StoredDevice(
                system_id="00000000000000aa", model="Invented Oximeter", first_seen_us=1_000_000, last_seen_us=6_000_000
            )
        ]


async def test_device_configuration_is_replaced_by_a_later_configuration_with_the_same_id(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.remember_configuration(b"\x00\xaa", 0x4000, b"old")
        await buffer.remember_configuration(b"\x00\xaa", 0x4001, b"other")
        await buffer.remember_configuration(b"\x00\xaa", 0x4000, b"new")
    async with opened(path) as buffer:
        known = {config_id: octets for _, config_id, octets in await buffer.configurations()}
    assert known == {0x4000: b"new", 0x4001: b"other"}


async def test_stored_state_value_is_overwritten_by_a_later_value_of_the_same_key(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        assert await buffer.state_get("wall_us") is None
        await buffer.state_put("wall_us", "1")
        await buffer.state_put("wall_us", "2")
    async with opened(path) as buffer:
        assert await buffer.state_get("wall_us") == "2"


async def test_oldest_devices_and_configurations_are_removed_when_their_limits_are_exceeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "DEVICES_MAX", 3)
    monkeypatch.setattr(devices, "CONFIGURATIONS_MAX", 2)
    clock = MovedClock()
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        for n in range(6):
            await buffer.remember_device(f"{n:016x}", "Invented")
            await buffer.remember_configuration(bytes([n]), 0x4000, b"x")
            await clock.advance(1.0)
        assert [device.system_id[-1] for device in await buffer.devices()] == ["3", "4", "5"]
        assert [known.system_id for known in await buffer.configurations()] == [b"\x04", b"\x05"]


async def test_stored_device_report_is_encrypted_and_replaced_by_the_next_report(tmp_path: Path) -> None:
    path, clock = new_store(tmp_path), MovedClock()
    async with opened(path, clock=clock) as buffer:
        await buffer.remember_device_reports([("aa", b"old report"), ("bb", b"synthetic octets of a deviation")])
        await clock.advance(1.0)
        await buffer.remember_device_reports([("aa", b"new report")])
    async with opened(path) as buffer:
        assert await buffer.device_reports() == [b"synthetic octets of a deviation", b"new report"]
    assert b"synthetic octets" not in b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())


async def test_stored_device_report_moved_to_the_row_of_another_device_is_not_loaded(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.remember_device_reports([("aa", b"one"), ("bb", b"two")])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE device_reports SET system_id = 'cc' WHERE system_id = 'aa'")
    async with opened(path) as buffer:
        assert await buffer.device_reports() == [b"two"]


async def test_oldest_device_reports_are_removed_when_their_limit_is_exceeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_reports, "REPORTS_MAX", 3)
    clock = MovedClock()
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        for n in range(6):
            await buffer.remember_device_reports([(f"{n:016x}", bytes([n]))])
            await clock.advance(1.0)
        assert await buffer.device_reports() == [b"\x03", b"\x04", b"\x05"]
