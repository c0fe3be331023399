"""Replaying a Bluetooth capture gives the values that the gateway stored while the capture was recorded."""

from pathlib import Path

import pytest

from gateway.cli.replay import Replay
from gateway.transports.capture import CaptureError, CaptureWriter, read_capture
from protocols.ble.uuids import HEART_RATE
from tests.builders.gatt_devices import HEART_RATE_MEASUREMENT, Meter, beat, belt, system_id
from tests.builders.gatt_sessions import gatt_gateway
from tests.harness.eventually import eventually

BROKEN = b"\x01\x50"


async def test_replay_of_a_bluetooth_capture_gives_the_values_stored_by_the_gateway(tmp_path: Path):
    path = tmp_path / "bluetooth.jsonl"
    async with gatt_gateway(tmp_path) as gateway:
        peer, meter = belt(gateway.clock, 1), Meter(gateway.clock, 2)
        meter.measure(1, 2, 3)
        writer = CaptureWriter(path, 1 << 20, meta={}, started_s=gateway.clock.monotonic_s())
        with gateway.context.taps.open() as tap:
            sessions = [gateway.session(peer), gateway.session(meter.peer)]
            for session in sessions:
                await gateway.serving(session)
            for rate in (60, 61, 62):
                beat(peer, rate)
            await eventually(lambda: sum(each.counts.reports for each in sessions) == 6)
            peer.send(HEART_RATE, HEART_RATE_MEASUREMENT, BROKEN)  # after all measurements of both devices
            connections = {session.number: writer.connection() for session in sessions}
            async for traced in tap:
                assert traced.attribute is not None
                connections[traced.connection].value(traced.direction, traced.attribute, traced.data, traced.at_s)
                if traced.data == BROKEN:
                    break
        writer.close()
        stored = {(each.device.system_id, each.value) for each in await gateway.stored()}
    replay = Replay(read_capture(path))
    again = [(row["device"], row["value"], row["device_time"]) for row in replay.observations()]
    assert {(device["system_id"], value) for device, value, _ in again} == stored  # type: ignore[index]  # an object
    assert len(again) == 6
    assert {device["model"] for device, _, _ in again} == {"Belt", "Meter"}  # type: ignore[index]  # an object
    assert {device["system_id"] for device, _, _ in again} == {system_id(1).hex(), system_id(2).hex()}  # type: ignore[index]  # an object
    assert replay.associated
    (sentence,) = replay.deviations
    assert sentence.startswith("Heart Rate 0x2A37: ")


@pytest.mark.parametrize("gatt", ["180d", "180D/2A37", 7, "180d/2a377"])
def test_capture_with_an_invalid_gatt_field_is_rejected(tmp_path: Path, gatt: object):
    path = tmp_path / "odd.jsonl"
    text = str(gatt) if isinstance(gatt, int) else f'"{gatt}"'
    line = f'{{"dir": "agent->manager", "hex": "00", "t": 0, "conn": 1, "gatt": {text}}}'
    path.write_text(f'{{"meta": {{}}}}\n{line}\n')
    with pytest.raises(CaptureError, match="gatt must be"):
        read_capture(path)
