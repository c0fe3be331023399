"""The store keeps the paired Bluetooth devices across a restart, up to a limit."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import ble_devices
from gateway.buffer.ble_devices import PairedDevice, TooManyPaired
from gateway.buffer.migrations import VERSION
from tests.builders.buffer_store import new_store, opened
from tests.databases.make_buffer import OXIMETER

DATABASES = Path(__file__).parents[2] / "databases"


def paired(number: int) -> PairedDevice:
    return replace(OXIMETER, address=f"C0:FF:EE:00:00:{number:02X}", paired_us=number)


async def test_paired_devices_survive_a_restart_until_they_are_forgotten(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    unmet = replace(paired(2), system_id="", bonded=False, services=())
    async with opened(path) as buffer:
        await buffer.remember_ble_device(unmet)
        await buffer.remember_ble_device(paired(1))
    async with opened(path) as buffer:
        assert await buffer.ble_devices() == [paired(1), unmet]
        await buffer.forget_ble_device(unmet.address)
        await buffer.forget_ble_device("00:00:00:00:00:00")
    async with opened(path) as buffer:
        assert await buffer.ble_devices() == [paired(1)]


async def test_stored_entry_of_a_paired_device_is_replaced_when_the_device_is_paired_again(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path)) as buffer:
        await buffer.remember_ble_device(paired(1))
        again = replace(paired(1), name="Renamed", bonded=False, services=(0x1809,), paired_us=9)
        await buffer.remember_ble_device(again)
        assert await buffer.ble_devices() == [again]


async def test_device_above_the_limit_of_paired_devices_is_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble_devices, "PAIRED_MAX", 2)
    async with opened(new_store(tmp_path)) as buffer:
        for number in (1, 2):
            await buffer.remember_ble_device(paired(number))
        with pytest.raises(TooManyPaired, match="forget one"):
            await buffer.remember_ble_device(paired(3))
        await buffer.remember_ble_device(replace(paired(2), name="Paired again"))
        assert [each.name for each in await buffer.ble_devices()] == ["Invented Oximeter", "Paired again"]


async def test_paired_device_can_be_stored_after_the_migration_of_an_older_store_file(tmp_path: Path) -> None:
    for form in (1, 2, 3):
        path = Path(shutil.copy(DATABASES / f"buffer_v{form}.db", tmp_path))
        async with opened(path) as buffer:
            assert await buffer.ble_devices() == []
            await buffer.remember_ble_device(OXIMETER)
            assert await buffer.ble_devices() == [OXIMETER]


async def test_paired_device_is_read_from_a_store_file_of_the_current_version(tmp_path: Path) -> None:
    path = Path(shutil.copy(DATABASES / f"buffer_v{VERSION}.db", tmp_path))
    async with opened(path) as buffer:
        assert await buffer.ble_devices() == [OXIMETER]
