"""Pairing and bonds on the virtual radio: which devices get a bond, what a bond protects, and how a bond ends."""

import stat
from pathlib import Path

import pytest
from bleak import BleakClient
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError
from bumble.hci import Address, HCI_LE_Set_Random_Address_Command

from gateway.transports.ble.stack import BleUnavailable
from simulators.ble.bonds import FILE_NAME
from simulators.ble.client import VirtualClient
from simulators.ble.ether import Ether
from tests.harness.eventually import eventually
from tests.harness.virtual_radio import OXIMETER, Arrivals, Losses, Person, RadioHere, bare_device, connect, find

NOTIFIED, GUARDED = "2a5f", "2a23"
CODE = 123_456


async def radio(tmp_path: Path, ether: Ether, person: Person) -> RadioHere:
    backend = RadioHere(ether, tmp_path / "bonds")
    await backend.open(person)
    return backend


async def test_just_works_pairing_succeeds_only_after_the_operator_confirms_it(tmp_path: Path) -> None:
    ether, person = Ether(), Person(agrees=False)
    backend, device = await radio(tmp_path, ether, person), await bare_device(ether)
    device.pairs()
    client = await connect(backend)
    with pytest.raises(BleakDBusError, match="AuthenticationFailed"):
        await client.pair()
    assert not await backend.bonded(OXIMETER)
    await client.disconnect()
    person.agrees = True
    client = await connect(backend)
    await client.pair()
    assert await backend.bonded(OXIMETER)
    assert await client.read_gatt_char(GUARDED) == bytes(8)
    assert person.asked == [f"confirm {OXIMETER}", f"confirm {OXIMETER}"]
    await backend.close()


async def test_passkey_pairing_requests_the_passkey_shown_on_the_device_once(tmp_path: Path) -> None:
    ether, person = Ether(), Person(code=CODE)
    backend, device = await radio(tmp_path, ether, person), await bare_device(ether)
    device.pairs(code=CODE)
    client = await connect(backend)
    await client.pair()
    await client.pair()  # already paired: no question is shown
    assert await backend.bonded(OXIMETER)
    assert person.asked == [f"passkey {OXIMETER}"]
    await backend.close()


@pytest.mark.parametrize("code", [654_321, None], ids=["wrong", "nobody there"])
async def test_pairing_with_a_wrong_or_missing_passkey_creates_no_bond(tmp_path: Path, code: int | None) -> None:
    ether, person = Ether(), Person(code=code)
    backend, device = await radio(tmp_path, ether, person), await bare_device(ether)
    device.pairs(code=CODE)
    client = await connect(backend)
    with pytest.raises(BleakDBusError, match="AuthenticationFailed"):
        await client.pair()
    assert not await backend.bonded(OXIMETER)
    await client.disconnect()
    person.code = CODE
    client = await connect(backend)
    await client.pair()
    assert await backend.bonded(OXIMETER)
    await backend.close()


async def test_connect_with_pair_option_bonds_and_encrypts_the_link(tmp_path: Path) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether, Person()), await bare_device(ether)
    device.pairs()
    found = await find(backend, OXIMETER)
    client = BleakClient(found, backend=VirtualClient, pair=True, central=backend._central)
    await client.connect()
    assert await backend.bonded(OXIMETER)
    assert device.link.is_encrypted
    await backend.close()


async def test_read_of_a_protected_characteristic_fails_when_pairing_is_rejected(tmp_path: Path) -> None:
    ether, person = Ether(), Person(agrees=False)
    backend, device = await radio(tmp_path, ether, person), await bare_device(ether)
    device.pairs()
    client = await connect(backend)
    with pytest.raises(BleakGATTProtocolError) as refused:
        await client.read_gatt_char(GUARDED)
    assert refused.value.code == 0x0E
    await client.disconnect()
    person.agrees = True
    client = await connect(backend)
    assert await client.read_gatt_char(GUARDED) == bytes(8)
    assert await backend.bonded(OXIMETER)
    await backend.close()


async def test_security_request_of_a_device_starts_pairing_after_the_operator_confirms_it(tmp_path: Path) -> None:
    ether, person = Ether(), Person()
    backend, device = await radio(tmp_path, ether, person), await bare_device(ether)
    device.pairs()
    client = await connect(backend)
    device.device.request_pairing(device.link)
    await client.pair()  # waits for that pairing, or finds its bond
    assert device.link.is_encrypted
    assert person.asked == [f"confirm {OXIMETER}"]
    await backend.close()


async def test_stored_bond_encrypts_the_link_after_a_restart(tmp_path: Path) -> None:
    ether, person = Ether(), Person()
    backend, device = await radio(tmp_path, ether, person), await bare_device(ether)
    device.pairs()
    await (await connect(backend)).pair()
    await backend.close()
    await eventually(lambda: not device.device.connections)

    again = await radio(tmp_path, ether, person)
    assert await again.bonded(OXIMETER)
    await connect(again)
    assert device.link.is_encrypted
    assert person.asked == [f"confirm {OXIMETER}"]
    await again.close()


async def test_bonded_device_with_a_new_private_address_is_resolved_to_its_identity_address(tmp_path: Path) -> None:
    ether, person = Ether(), Person()
    backend, device = await radio(tmp_path, ether, person), await bare_device(ether)
    device.pairs()
    client = await connect(backend)
    await client.pair()
    await client.disconnect()
    await eventually(lambda: not device.device.connections)
    await device.device.stop_advertising()
    device.device.random_address = Address.generate_private_address(device.device.irk)
    await device.device.send_sync_command(
        HCI_LE_Set_Random_Address_Command(random_address=device.device.random_address)
    )
    await device.advertise()
    on_air = device.device.random_address.to_string(False)
    client = await connect(backend)
    assert on_air != OXIMETER
    assert device.link.is_encrypted
    await client.disconnect()
    await backend.forget(OXIMETER)
    assert (await find(backend, on_air)).address == on_air
    await backend.close()


async def test_damaged_bond_file_is_rejected_with_the_advice_to_pair_again(tmp_path: Path) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether, Person()), await bare_device(ether)
    device.pairs()
    await (await connect(backend)).pair()
    path = tmp_path / "bonds" / FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [FILE_NAME]
    await backend.close()
    path.write_text('{"version": 1, "irk": "00', encoding="utf-8")
    with pytest.raises(BleUnavailable, match="pair the devices again"):
        await backend.open(Person())


async def test_connect_to_a_device_that_lost_its_bond_fails_until_it_is_paired_again(tmp_path: Path) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether, Person()), await bare_device(ether)
    device.pairs()
    client = await connect(backend)
    await client.pair()
    await client.disconnect()
    device.forgets_bonds()
    found, lost = await find(backend, OXIMETER), Losses()
    client = backend.client(found, lost)
    with pytest.raises(BleakError, match="Key Missing"):
        await client.connect()
    assert not client.is_connected
    assert lost.clients
    await backend.forget(OXIMETER)
    assert not await backend.bonded(OXIMETER)
    client = await connect(backend)
    await client.pair()
    assert await client.read_gatt_char(GUARDED) == bytes(8)
    await backend.close()


async def test_connect_to_a_device_that_spoofs_a_bonded_address_fails_with_key_missing(tmp_path: Path) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether, Person()), await bare_device(ether)
    device.pairs()
    client = await connect(backend)
    await client.pair()
    await client.disconnect()
    device.station.close()
    spoofer = await bare_device(ether)
    spoofer.pairs()
    asked: list[object] = []
    spoofer.device.on("connection", lambda link: asked.append(link))
    with pytest.raises(BleakError, match="Key Missing"):
        await connect(backend)
    assert asked
    assert spoofer.written == []
    assert await backend.bonded(OXIMETER)
    await eventually(lambda: not ether.links())
    await backend.close()


async def test_connected_device_can_notify_while_another_device_advertises_the_same_address(
    tmp_path: Path,
) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether, Person()), await bare_device(ether)
    device.pairs()
    client, arrived = await connect(backend), Arrivals()
    await client.pair()
    await client.start_notify(NOTIFIED, arrived)
    spoofer = await bare_device(ether)
    heard: list[str] = []
    scanner = backend.scanner(lambda found, _told: heard.append(found.address))
    await scanner.start()
    await eventually(lambda: OXIMETER in heard)
    await device.notify(b"\x01")
    assert await arrived.wait_for(1) == [b"\x01"]
    assert not spoofer.device.connections
    await scanner.stop()
    await backend.close()


async def test_device_that_claims_the_identity_of_a_bonded_device_cannot_pair(tmp_path: Path) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether, Person()), await bare_device(ether)
    device.pairs()
    client = await connect(backend)
    await client.pair()
    await client.disconnect()
    other = "F0:F1:00:00:00:66"
    liar = await bare_device(ether, other)
    liar.pairs()
    liar.device.static_address = device.device.static_address  # what it will call its identity
    client = await connect(backend, other)
    with pytest.raises(BleakDBusError, match="Authentication"):
        await client.pair()
    assert not client.is_connected
    liar.station.close()
    assert (await connect(backend)).is_connected  # the keys are still those of the true one
    assert device.link.is_encrypted
    await backend.close()
