"""The virtual radio behind a socket: Bluetooth hosts in other processes, faults on command, isolated hosts."""

import asyncio
import signal
import socket
import stat
import sys
from pathlib import Path

import pytest

from simulators.ble.backend import VirtualRadio
from simulators.ble.control import CLIENTS_MAX, ControlRefused
from simulators.ble.radio import RadioUnusable, listening
from tests.harness.eventually import eventually
from tests.harness.radio_control import is_responding, request
from tests.harness.virtual_radio import (
    OXIMETER,
    Arrivals,
    Losses,
    Person,
    bare_device,
    connect,
    find,
    radio_at,
)

NOTIFIED, INDICATED, PLAIN, GUARDED = "2a5f", "2a1c", "2a29", "2a23"


async def backend_at(hosts: Path, tmp_path: Path) -> VirtualRadio:
    backend = VirtualRadio(str(hosts), tmp_path / "bonds")
    await backend.open(Person())
    return backend


async def test_device_can_be_paired_and_read_and_subscribed_over_the_radio_socket(tmp_path: Path) -> None:
    async with radio_at(tmp_path) as (hosts, _):
        device = await bare_device(hosts)
        device.pairs()
        backend, lost = await backend_at(hosts, tmp_path), Losses()
        client, notified, indicated = await connect(backend, lost=lost), Arrivals(), Arrivals()
        await client.pair()
        assert await client.read_gatt_char(GUARDED) == bytes(8)
        await client.start_notify(NOTIFIED, notified)
        await client.start_notify(INDICATED, indicated)
        for number in range(500):
            await device.notify(number.to_bytes(2, "little"))
        await device.indicate(b"\x2a")
        assert indicated.octets == [b"\x2a"]
        assert await notified.wait_for(500) == [number.to_bytes(2, "little") for number in range(500)]
        await backend.close()
        device.station.close()


async def test_link_is_dropped_when_the_gateway_closes_its_connection_to_the_radio(tmp_path: Path) -> None:
    async with radio_at(tmp_path) as (hosts, control):
        device, backend = await bare_device(hosts), await backend_at(hosts, tmp_path)
        await connect(backend)
        reasons: list[int] = []
        device.link.on("disconnection", reasons.append)
        killed = backend._central
        assert killed is not None
        killed.station.close()  # what the end of its process does
        await eventually(lambda: reasons == [0x08])
        again = await backend_at(hosts, tmp_path)
        assert (await connect(again)).is_connected
        assert (await request(control, "stats"))["links"] == 1
        await again.close()
        device.station.close()


async def test_restart_of_the_radio_process_is_reported_as_removal_and_return_of_the_adapter(tmp_path: Path) -> None:
    async with radio_at(tmp_path) as (hosts, _):
        device, backend, lost = await bare_device(hosts), await backend_at(hosts, tmp_path), Losses()
        await connect(backend, lost=lost)
        gone = asyncio.ensure_future(backend.wait_until_lost())
    assert "gone" in await gone
    await lost.first()
    await device.station.wait_closed()
    async with radio_at(tmp_path) as (hosts, _):
        await backend.open(Person())
        device = await bare_device(hosts)
        assert (await connect(backend)).is_connected
        await backend.close()
        device.station.close()


async def test_radio_control_commands_drop_and_silence_links(tmp_path: Path) -> None:
    async with radio_at(tmp_path) as (hosts, control):
        device, backend, lost = await bare_device(hosts), await backend_at(hosts, tmp_path), Losses()
        client = await connect(backend, lost=lost)
        listed = {station["address"]: station for station in (await request(control, "list"))["stations"]}
        assert listed[OXIMETER]["links"]
        assert not listed[OXIMETER]["advertising"]
        assert await request(control, "drop", address=OXIMETER) == {"links": 1}
        await lost.first()
        await client.disconnect()
        await request(control, "rssi", address=OXIMETER.lower(), dbm=-90)
        await request(control, "silence", address=OXIMETER, on=True)
        assert [s["silent"] for s in (await request(control, "list"))["stations"] if s["address"] == OXIMETER] == [True]
        await request(control, "silence", address=OXIMETER, on=False)
        found = await find(backend, OXIMETER)
        assert found.address == OXIMETER
        stats = await request(control, "stats")
        assert (stats["controllers"], stats["links"], stats["counts"]["links dropped"]) == (2, 0, 1)
        await backend.close()
        device.station.close()


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ({"request": "explode"}, "no request"),
        ({"request": "drop"}, "'address' is missing"),
        ({"request": "drop", "address": "F0:00:00:00:00:99"}, "no controller"),
        ({"request": "silence", "address": OXIMETER, "on": 1}, "neither true nor false"),
        ({"request": "rssi", "address": OXIMETER, "dbm": True}, "no whole number"),
        ({"request": "rssi", "address": OXIMETER, "dbm": 200}, "no signal strength"),
        ({"request": "vhci", "on": True}, "--vhci"),
    ],
)
async def test_invalid_radio_control_request_is_rejected_with_the_reason(
    tmp_path: Path, question: dict[str, object], why: str
) -> None:
    async with radio_at(tmp_path) as (_, control):
        with pytest.raises(ControlRefused, match=why):
            await request(control, str(question.pop("request")), **question)


async def test_radio_control_clients_are_limited_in_number_and_line_length(tmp_path: Path) -> None:
    async with radio_at(tmp_path) as (_, control):
        reader, writer = await asyncio.open_unix_connection(str(control))
        writer.write(b"[1]\n{\n")
        assert b"JSON object" in await reader.readline()
        assert b"error" in await reader.readline()
        writer.write(b"x" * 100_000)
        assert await reader.read() == b""  # hung up
        idle = [await asyncio.open_unix_connection(str(control)) for _ in range(CLIENTS_MAX)]
        await eventually(lambda: _refused(control))
        for _, each in idle:
            each.close()
        writer.close()


async def _refused(control: Path) -> bool:
    try:
        await request(control, "stats")
    except (ControlRefused, OSError):
        return True
    return False


async def test_host_that_sends_invalid_hci_packets_is_disconnected(tmp_path: Path) -> None:
    async with radio_at(tmp_path) as (hosts, control):
        device, backend = await bare_device(hosts), await backend_at(hosts, tmp_path)
        client = await connect(backend)
        reader, writer = await asyncio.open_unix_connection(str(hosts))
        writer.write(b"\x01\x03\x0c\x00")
        assert await reader.readexactly(7) == b"\x04\x0e\x04\x01\x03\x0c\x00"  # the response to a reset
        writer.write(b"\x01\xff\xff\x02\x01\x01" + b"\x01\x0d\x20\x01\x00" + b"\x02\x40\x20\x01\x00\x05")  # nonsense
        writer.write(b"GET / HTTP/1.1\r\n")
        await reader.read()
        assert await client.read_gatt_char(PLAIN) == b"Argus"
        assert (await request(control, "stats"))["controllers"] == 2
        writer.close()
        await backend.close()
        device.station.close()


async def test_notifications_arrive_completely_after_the_gateway_stopped_reading_for_a_time(tmp_path: Path) -> None:
    async with radio_at(tmp_path) as (hosts, _):
        device, backend = await bare_device(hosts), await backend_at(hosts, tmp_path)
        client, notified = await connect(backend), Arrivals()
        await client.start_notify(NOTIFIED, notified)
        central = backend._central
        assert central is not None
        stream = central.device.host.hci_sink
        stream._transport.pause_reading()  # type: ignore[union-attr]  # the socket of this process
        sent = 3000
        for number in range(sent):
            await device.notify(number.to_bytes(2, "little") + bytes(498))
        queue = device.link.data_packet_queue
        assert queue is not None
        await eventually(lambda: queue.pending > 0 and notified.octets == [])
        stream._transport.resume_reading()  # type: ignore[union-attr]  # as above
        assert [octets[:2] for octets in await notified.wait_for(sent)] == [
            number.to_bytes(2, "little") for number in range(sent)
        ]
        assert client.is_connected
        await backend.close()
        device.station.close()


async def test_second_radio_process_on_the_same_socket_is_rejected(tmp_path: Path) -> None:
    async with radio_at(tmp_path) as (hosts, _):
        assert stat.S_IMODE(hosts.stat().st_mode) == 0o600
        with pytest.raises(RadioUnusable, match="already"), listening(hosts):
            pass
    assert list(tmp_path.iterdir()) == []
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(hosts))
    async with radio_at(tmp_path) as (hosts, _):
        assert hosts.is_socket()
    hosts.write_text("not a socket")
    with pytest.raises(RadioUnusable, match="left alone"), listening(hosts):
        pass
    with pytest.raises(RadioUnusable, match="longer"), listening(tmp_path / ("x" * 120)):
        pass


async def test_radio_process_exits_cleanly_on_sigterm(tmp_path: Path) -> None:
    hosts, control = tmp_path / "radio", tmp_path / "control"
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("argus-sim")),
        "ble",
        "radio",
        "--socket",
        str(hosts),
        "--control",
        str(control),
        stderr=asyncio.subprocess.PIPE,
    )
    await eventually(lambda: is_responding(control), what="the radio responds")
    backend, device = await backend_at(hosts, tmp_path), await bare_device(hosts)
    client = await connect(backend)
    assert await client.read_gatt_char(PLAIN) == b"Argus"
    gone = asyncio.ensure_future(backend.wait_until_lost())
    process.send_signal(signal.SIGTERM)
    _, said = await process.communicate()
    assert (process.returncode, b"Traceback" in said) == (0, False)
    assert await gone
    assert not hosts.exists()
    assert not control.exists()
    await backend.close()
    device.station.close()
