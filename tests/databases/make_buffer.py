"""Write `buffer_v<form>.db` with the current code: `python -m tests.databases.make_buffer`.

It is run once for each new form (version) of the gateway's store, at the release that introduces the form. The file is
never written again, because only a file from the earlier release proves that later releases read it.
"""

import asyncio
from pathlib import Path

from gateway.buffer import create_store
from gateway.buffer.ble_devices import PairedDevice
from gateway.buffer.migrations import VERSION
from gateway.buffer.record_marks import FetchedRecords
from gateway.buffer.segments import FetchedSegment
from protocols.ieee11073.association.fetched_segments import SegmentKey, SegmentProgress
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import connected, numerics, section, waveform
from tests.builders.buffer_store import GATEWAY, KEY, acked, opened

OXIMETER = PairedDevice(
    address="C0:FF:EE:00:00:01",
    name="Invented Oximeter",
    system_id="00000000000000aa",
    bonded=True,
    paired_us=1_700_000_000_000_000,
    services=(0x1822, 0x180F),
)


async def write(path: Path) -> None:
    """Write a store with ten commits in three lanes; its first two numeric batches are acknowledged.

    The store also has a device with its configuration and report, a fetched segment, a paired Bluetooth device with its
    fetched records, and a state value.
    """
    create_store(path, gateway=GATEWAY, key=KEY, now_us=1_700_000_000_000_000)
    async with opened(path) as buffer:
        for n in range(10):
            await buffer.append_sections([section(numerics(2, first=10.0 * n) + waveform(1, samples=20))])
        await buffer.append_event(connected())
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 2))
        await buffer.remember_device("00000000000000aa", "Invented Oximeter")
        await buffer.remember_configuration(bytes.fromhex("00000000000000aa"), 0x4001, b"\x00\x01")
        await buffer.remember_device_reports([("00000000000000aa", b"{}")])
        key = SegmentKey(bytes.fromhex("00000000000000aa"), 9, 1)
        fetched = FetchedSegment(key, SegmentProgress(b"identity", 2, b"state"))
        await buffer.append_sections([], fetched=fetched)
        await buffer.remember_ble_device(OXIMETER)
        await buffer.append_sections([], records=FetchedRecords("00000000000000aa", 0x1822, b"", 7))
        await buffer.state_put("wall_us", "1700000000000000")
        await buffer.flush()


if __name__ == "__main__":
    target = Path(__file__).with_name(f"buffer_v{VERSION}.db")
    asyncio.run(write(target))
    target.with_name(target.name + ".lock").unlink()
    target.with_name(target.name + ".reserve").unlink()
