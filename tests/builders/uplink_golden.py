"""One message of every kind that the uplink sends. Each message has a golden file (its expected bytes), which begins
with the message's `sentence`.

The golden files fix the wire format: a gateway that is built today will still send these bytes in two years. A change
that makes the golden tests fail needs a new version number of the format, not new files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from protocols.device_description import CertifiedProfile, DeviceDescription, DevicePower, DeviceProfile
from protocols.device_time import DeviceTime, TimeKind
from protocols.epcr.change import Action
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Special
from protocols.uplink.acks import Ack, decode_ack, encode_ack
from protocols.uplink.device_events import (
    DEVICE_DESCRIBED,
    DEVICE_POWERED,
    UNVERIFIED,
    description_fields,
    power_fields,
)
from protocols.uplink.envelope import BatchKind, decode_envelope, encode_envelope
from protocols.uplink.epcr import decode_changes, encode_changes
from protocols.uplink.events import GatewayEvent, decode_event, encode_event
from protocols.uplink.gaps import Gap, GapReason, decode_gap, encode_gap
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import decode_block, encode_block
from protocols.uplink.status import Mark, Status, StoreState, decode_status, encode_status
from tests.builders.care_changes import JAN, change
from tests.builders.uplink_batches import EPOCH, GATEWAY, batch, envelope
from tests.builders.uplink_blocks import (
    ALARM,
    BLOOD_PRESSURE,
    BYTES,
    ECG_SCANNED,
    NOON,
    PULSE,
    WIDE,
    observation,
    section,
    signal,
    waveform,
)

FOLDER = Path(__file__).parents[1] / "protocols" / "uplink" / "golden"


def golden_octets(name: str) -> bytes:
    """Return the bytes in the golden file of this name."""
    lines = (FOLDER / f"{name}.hex").read_text(encoding="utf-8").splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """One golden message: `encode` turns `value` into the bytes of its golden file, and `decode` turns the bytes into
    `value`."""

    sentence: str
    value: object
    encode: Callable[..., bytes]
    decode: Callable[[bytes], object]


CHANGES = [
    change("medications.drug", "703", id="c-1", entry="m1", device_time_us=1_800_000_000_123_456),
    change("vitals.systolic", None, id="c-2", negative="refused", author=JAN),
    change("history.conditions", "J45", id="c-3", action=Action.REMOVE, replaces=("c-0", "c-00")),
]

NUMERICS = [
    section(
        observation(97.0, device_time=NOON),
        observation(72.0, channel=PULSE, device_time=NOON, received_s=10.25),
        device_offset_us=-3_600_000_000,
        uncertainty_us=150_000,
    )
]
MIXED = [
    section(
        observation(Special.NAN, status=0x8400),
        observation((120.0, 80.0, Special.NRES), channel=BLOOD_PRESSURE),
        observation(0x4001, channel=ALARM),
        observation("lead off", channel=ALARM, device_time=DeviceTime(TimeKind.RELATIVE, b"\x00\x00\x1f\x40")),
        observation(Code(2, 18474), channel=ALARM),
        waveform(b"\x00\x01\x7f\xff\x80\x00"),
        stored=True,
        wall_synchronised=False,
    )
]
WAVEFORMS = [
    section(
        waveform(signal(0, 3, -2, 127, 255, 32767, -32768, -32768), device_time=NOON),
        waveform(signal(2000, 2001, 4000, form="H"), channel=ECG_SCANNED, device_time=NOON),
        waveform(signal(-32767, -32766, -32766), device_time=NOON, received_s=10.25),
        waveform(signal(7, 200, 7, form="B"), channel=BYTES, received_s=10.25),
        waveform(signal(-70_000, 2_000_000_000, -(1 << 31), form="i"), channel=WIDE, received_s=10.25),
        waveform(signal(5, form="H") + b"\x77", channel=ECG_SCANNED, received_s=10.5),
        waveform(b"", received_s=10.5),
        device_offset_us=-3_600_000_000,
        uncertainty_us=150_000,
    )
]
GAP = Gap(
    from_sequence=7,
    through_sequence=19,
    why=GapReason.DISK_BUDGET,
    batches=13,
    observations=1300,
    first_us=1_764_072_000_000_000,
    last_us=1_764_072_060_000_000,
    chain_before=bytes(range(32)),
    chain_after=bytes(range(32, 64)),
)
EVENT = GatewayEvent(
    name="device.connected",
    at_us=1_764_072_000_000_000,
    boot_id="boot-1",
    device="1122334455667788",
    fields={"link": "tcp", "attempt": 2, "rssi_dbm": -61.5, "known": True, "battery_percent": None},
)

DESCRIBED, POWERED = (
    GatewayEvent(name=name, at_us=EVENT.at_us, boot_id="boot-1", device=EVENT.device, fields=fields)
    for name, fields in (
        (
            DEVICE_DESCRIBED,
            description_fields(
                DeviceDescription(
                    manufacturer="Synthetic Medical",
                    model="Pulse 1",
                    serial_number="SN-7",
                    part_number="PN-2",
                    hardware_revision="A",
                    software_revision="2.0",
                    firmware_revision="1.4",
                    protocol_revision="1",
                    gmdn="45607",
                    profiles=(DeviceProfile(4100, 1), DeviceProfile(4102, 2)),
                    certified_version="6.0",
                    certified=(CertifiedProfile(4, 4100),),
                    unregulated=False,
                    clock_capabilities=0xC010,
                    clock_protocol=7950,
                    clock_accuracy_us=1_000,
                    clock_resolution_us=10_000,
                )
            )
            | {UNVERIFIED: False, "link": "serial:/dev/monitor"},
        ),
        (
            DEVICE_POWERED,
            power_fields(DevicePower(battery_percent=87, status=0x4020, battery_remaining_min=90))
            | {UNVERIFIED: True, "link": "tcp:192.0.2.7:4711"},
        ),
    )
)

GOLDEN: dict[str, Golden] = {
    "block_numeric": Golden(
        sentence="An observation block: two numerics of an oximeter, device times of one kind.",
        value=NUMERICS,
        encode=encode_block,
        decode=decode_block,
    ),
    "block_mixed": Golden(
        sentence="An observation block: a special, a compound, bits, a text, a code, samples; stored, clock not set.",
        value=MIXED,
        encode=encode_block,
        decode=decode_block,
    ),
    "block_waveforms": Golden(
        sentence="A waveform block (version 2): four channels with samples of 8, 16 and 32 bits, and half a sample.",
        value=WAVEFORMS,
        encode=encode_block,
        decode=decode_block,
    ),
    "envelope_observations": Golden(
        sentence="The first batch of the numeric lane, signed with the key 00…1f, with a trace context.",
        value=envelope(
            batch(count=2, payload=b"payload"),
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        encode=encode_envelope,
        decode=decode_envelope,
    ),
    "envelope_gap": Golden(
        sentence="A gap record as a batch of the waveform lane, marked historical.",
        value=envelope(
            batch(
                GAP.from_sequence,
                lane=Lane.WAVEFORM,
                kind=BatchKind.GAP,
                count=0,
                payload=encode_gap(GAP),
                previous_hash=GAP.chain_before,
            ),
            historical=True,
        ),
        encode=encode_envelope,
        decode=decode_envelope,
    ),
    "gap": Golden(
        sentence="Thirteen batches dropped for want of disk.", value=GAP, encode=encode_gap, decode=decode_gap
    ),
    "event": Golden(
        sentence="A device connected; a field of every type.", value=EVENT, encode=encode_event, decode=decode_event
    ),
    "event_described": Golden(
        sentence="A device describes itself, with all values.",
        value=DESCRIBED,
        encode=encode_event,
        decode=decode_event,
    ),
    "event_powered": Golden(
        sentence="The power supply of a device over an unverified link.",
        value=POWERED,
        encode=encode_event,
        decode=decode_event,
    ),
    "epcr": Golden(
        sentence="A dose with its drug, a refused pressure, and a past condition that was withdrawn.",
        value=CHANGES,
        encode=encode_changes,
        decode=partial(decode_changes, announced_count=len(CHANGES)),
    ),
    "ack": Golden(
        sentence="Everything through 40 is there, and of 41…60 all but two ranges.",
        value=Ack(
            epoch=EPOCH,
            lane=Lane.NUMERIC,
            through_sequence=40,
            missing=((41, 44), (50, 50)),
            highest_sequence=60,
            through_hash=bytes(range(32)),
        ),
        encode=encode_ack,
        decode=decode_ack,
    ),
    "ack_conflict": Golden(
        sentence="The lane is contested: another batch with one of its identities is there.",
        value=Ack(epoch=EPOCH, lane=Lane.EVENT, through_sequence=3, conflict=True),
        encode=encode_ack,
        decode=decode_ack,
    ),
    "status": Golden(
        sentence="A gateway that is online, on its reserve, with a backlog in the numeric lane.",
        value=Status(
            gateway=GATEWAY,
            epoch=EPOCH,
            online=True,
            at_us=1_764_072_000_000_000,
            boot_id="boot-1",
            software="0.1.0",
            marks={Lane.EVENT: Mark(1, 4, 4), Lane.NUMERIC: Mark(100, 900, 350)},
            store=StoreState.RESERVE,
            historical=True,
        ),
        encode=encode_status,
        decode=decode_status,
    ),
}

BLOCKS = [name for name in GOLDEN if name.startswith("block_")]
"""Names of the golden observation blocks, whose bodies are compressed."""

DECODED_ONLY = {"block_waveforms_v1": WAVEFORMS}
"""Observations in golden blocks that earlier gateways sent and the present one encodes in another way."""
