"""A Bluetooth device is used only after a person has paired it, and a failed pairing is explained to that person."""

import asyncio
from pathlib import Path

import pytest
from bleak.exc import BleakError

from gateway.sessions.gatt.pairing import Pairings
from gateway.sessions.gatt.pairing_failures import PairingFailed, Trouble
from gateway.sessions.gatt.trusted_devices import TrustedDevices
from gateway.sessions.journal import Journal
from protocols.ble import uuids
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.options import Pairing
from tests.builders.ble_central import running_central
from tests.builders.ble_pairing import Person, World, world
from tests.builders.buffer_store import new_store, opened
from tests.harness.moved_clock import MovedClock
from tests.harness.scripted_radio import OXIMETER

PASSKEY = BleBehaviour(pairing=Pairing.PASSKEY, passkey=123_456)


async def trouble_of(there: World, address: str, person: Person) -> Trouble:
    with pytest.raises(PairingFailed) as caught:
        await there.pairings.pair(there.central, address, person)
    failure = caught.value
    assert failure.happened.endswith(".")
    assert failure.to_do.endswith((".", "?"))
    return failure.trouble


async def test_paired_device_is_trusted_after_a_gateway_restart(tmp_path: Path) -> None:
    async with world(tmp_path) as there, there.device() as oximeter:
        assert there.trust.trusted(oximeter.address) is None
        person = Person()
        device = await there.pairings.pair(there.central, oximeter.address.lower(), person)
        assert (device.address, device.bonded) == (oximeter.address, True)
        assert uuids.PULSE_OXIMETER in device.services
        assert person.steps == ["listening", "pairing", "looking"]
        ((name, fields),) = await there.told()
        assert (name, fields["address"], fields["who"]) == (
            "ble.device_paired",
            oximeter.address,
            "operator at the console",
        )
    async with world(tmp_path) as again:
        assert again.trust.trusted(device.address) == device
        assert await again.radio.bonded(device.address)


async def test_connection_after_pairing_is_retried_until_the_device_has_stored_its_keys(tmp_path: Path) -> None:
    new_store(tmp_path)
    async with opened(tmp_path / "buffer.db") as buffer, running_central() as it:
        trust = TrustedDevices(buffer)
        pairings = Pairings(trust, Journal(buffer, it.clock), it.clock)
        keyless = BleakError("PIN or Key Missing")
        it.radio.device(on_air=False).connects = [None, keyless, keyless, keyless]
        asked = asyncio.ensure_future(pairings.pair(it.central, OXIMETER, Person()))
        for _ in range(12):
            await it.advance(0.5)
            it.radio.advertise(OXIMETER)
        device = await it.outcome(asked)
        assert device.bonded
        assert trust.trusted(OXIMETER) == device


async def test_device_with_a_private_address_is_trusted_by_its_identity_address_after_bonding(
    tmp_path: Path,
) -> None:
    new_store(tmp_path)
    async with opened(tmp_path / "buffer.db") as buffer, running_central() as it:
        trust = TrustedDevices(buffer)
        pairings = Pairings(trust, Journal(buffer, it.clock), it.clock)
        it.radio.device("51:00:00:00:00:01", on_air=False).identity = OXIMETER
        it.radio.device(OXIMETER, on_air=False)
        asked = asyncio.ensure_future(pairings.pair(it.central, "51:00:00:00:00:01", Person()))
        await it.advance(0.5)
        it.radio.advertise("51:00:00:00:00:01")
        await it.advance(5.0)
        it.radio.advertise(OXIMETER)
        device = await it.outcome(asked)
        assert (device.address, device.bonded) == (OXIMETER, True)
        assert trust.trusted(OXIMETER) == device
        assert trust.trusted("51:00:00:00:00:01") is None
        assert await buffer.ble_devices() == [device]


async def test_pairing_succeeds_only_with_the_passkey_that_the_device_displays(tmp_path: Path) -> None:
    async with world(tmp_path) as there, there.device(behaviour=PASSKEY) as cuff:
        assert await trouble_of(there, cuff.address, Person(digits=None)) is Trouble.NO_DIGITS
        assert await trouble_of(there, cuff.address, Person(digits=111_111)) is Trouble.WRONG_DIGITS
        assert there.trust.paired == []
        assert not await there.radio.bonded(cuff.address)
        device = await there.pairings.pair(there.central, cuff.address, Person(digits=cuff))
        assert device.bonded


async def test_pairing_rejected_by_the_operator_makes_no_connection_and_stores_no_device(tmp_path: Path) -> None:
    async with world(tmp_path) as there, there.device() as oximeter:
        assert await trouble_of(there, oximeter.address, Person(yes=False)) is Trouble.NOT_CONFIRMED
        assert oximeter.status.connections == 0
        assert await there.buffer.ble_devices() == []


async def test_pairing_request_not_started_by_the_operator_is_rejected(tmp_path: Path) -> None:
    async with world(tmp_path) as there, there.device() as oximeter:
        assert not await there.pairings.confirm(oximeter.address, None)
        assert await there.pairings.passkey(oximeter.address) is None
        asked: list[bool] = []

        class Waiting(Person):
            async def show_step(self, step: str, says: str) -> None:
                if step == "pairing":
                    asked.append(await there.pairings.confirm("C0:00:00:00:00:99", None))

        await there.pairings.pair(there.central, oximeter.address, Waiting())
        assert asked == [False]
        assert [name for name, _ in await there.told()].count("ble.pairing_refused") == 3


async def test_device_that_cannot_bond_is_paired_only_when_the_without_bond_option_is_given(tmp_path: Path) -> None:
    behaviour = BleBehaviour(pairing=Pairing.NONE)
    async with world(tmp_path) as there, there.device(behaviour=behaviour) as oximeter:
        with pytest.raises(PairingFailed, match="--without-bond") as caught:
            await there.pairings.pair(there.central, oximeter.address, Person())
        assert caught.value.trouble is Trouble.REFUSED
        person = Person()
        device = await there.pairings.pair(there.central, oximeter.address, person, without_bond=True)
        assert not device.bonded
        assert "nothing proves" in person.asked[0]
        assert there.trust.trusted(oximeter.address) == device


async def test_device_that_cannot_bond_is_paired_when_the_settings_require_no_bond(tmp_path: Path) -> None:
    behaviour = BleBehaviour(pairing=Pairing.NONE)
    async with world(tmp_path, require_bond=False) as there, there.device(behaviour=behaviour) as oximeter:
        device = await there.pairings.pair(there.central, oximeter.address, Person())
        assert not device.bonded
    async with world(tmp_path, require_bond=False) as there, there.device() as oximeter:
        device = await there.pairings.pair(there.central, oximeter.address, Person())
        assert device.bonded, "one that can bond does"


async def test_device_without_a_supported_service_is_rejected_with_the_services_it_offers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sessions.gatt.profiles.PROFILES", {})
    async with world(tmp_path) as there, there.device() as oximeter:
        with pytest.raises(PairingFailed, match=r"It offers: .*0x1822") as caught:
            await there.pairings.pair(there.central, oximeter.address, Person())
        assert caught.value.trouble is Trouble.NOT_OURS
        assert not await there.radio.bonded(oximeter.address)
        assert await there.buffer.ble_devices() == []


async def test_pairing_with_a_device_that_does_not_advertise_fails(tmp_path: Path) -> None:
    clock = MovedClock()
    async with world(tmp_path, clock=clock) as there:
        pairing = asyncio.create_task(trouble_of(there, "C0:00:00:00:00:01", Person()))
        for _ in range(100):
            await clock.advance(0.25)
        assert await pairing is Trouble.NOT_HEARD


async def test_pairing_with_an_invalid_bluetooth_address_is_rejected(tmp_path: Path) -> None:
    async with world(tmp_path) as there:
        for address in ("", "oximeter", "C0:00:00:00:00", "C0-00-00-00-00-01", "C0:00:00:00:00:01\n;"):
            assert await trouble_of(there, address, Person()) is Trouble.NO_ADDRESS


async def test_second_pairing_is_refused_as_busy_while_another_pairing_is_pending(tmp_path: Path) -> None:
    async with world(tmp_path) as there, there.device() as oximeter:
        again: list[Trouble] = []

        class Impatient(Person):
            async def show_step(self, step: str, says: str) -> None:
                if step == "listening":
                    again.append(await trouble_of(there, "C0:00:00:00:00:01", Person()))

        await there.pairings.pair(there.central, oximeter.address, Impatient())
        assert again == [Trouble.BUSY]


async def test_cancelled_pairing_leaves_no_bond_and_no_stored_device(tmp_path: Path) -> None:
    async with world(tmp_path) as there, there.device() as oximeter:
        at_the_end = asyncio.Event()

        class Gone(Person):
            async def show_step(self, step: str, says: str) -> None:
                if step == "looking":
                    at_the_end.set()
                    await asyncio.Event().wait()

        pairing = asyncio.create_task(there.pairings.pair(there.central, oximeter.address, Gone()))
        await at_the_end.wait()
        assert await there.radio.bonded(oximeter.address)
        pairing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pairing
        assert not await there.radio.bonded(oximeter.address)
        assert there.pairings.under_way is None
        assert there.trust.paired == []


async def test_paired_device_is_paired_again_only_when_its_bond_is_missing(tmp_path: Path) -> None:
    async with world(tmp_path) as there, there.device() as oximeter:

        async def well(address: str) -> bool:
            return await there.radio.bonded(address)

        device = await there.pairings.pair(there.central, oximeter.address, Person(), well=well)
        person = Person(yes=False)
        assert await there.pairings.pair(there.central, oximeter.address, person, well=well) == device
        assert person.steps == ["paired"]
        await there.radio.forget(oximeter.address)
        changed, served = there.trust.wait_for_change(), []

        class Looking(Person):
            async def show_step(self, step: str, says: str) -> None:
                served.append(there.trust.trusted(oximeter.address))

        await there.pairings.pair(there.central, oximeter.address, Looking(), well=well)
        assert set(served) == {None}, "nothing is taken from it while it is paired anew"
        assert changed.is_set()
        assert there.trust.trusted(oximeter.address) is not None
        assert await there.radio.bonded(oximeter.address)


async def test_forgotten_device_is_not_trusted_and_its_bond_is_deleted(tmp_path: Path) -> None:
    async with world(tmp_path) as there, there.device() as oximeter:
        await there.pairings.pair(there.central, oximeter.address, Person())
        assert await there.pairings.forget(there.central, oximeter.address.lower()) == ""
        assert there.trust.trusted(oximeter.address) is None
        assert await there.buffer.ble_devices() == []
        assert not await there.radio.bonded(oximeter.address)
        assert [name for name, _ in await there.told()] == ["ble.device_paired", "ble.device_forgotten"]
        with pytest.raises(PairingFailed, match="is not paired"):
            await there.pairings.forget(there.central, oximeter.address)


async def test_device_with_the_name_of_a_paired_device_at_another_address_is_reported(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as there, there.device() as ours:
        device = await there.pairings.pair(there.central, ours.address, Person())
        assert there.trust.namesakes("C0:00:00:00:00:01", device.name.lower()) == [device]
        assert there.trust.namesakes(device.address, device.name) == []
