"""A gateway for tests of the ingest: a signing key, an epoch (one life of the gateway's store), and lanes of batches
with valid chains and signatures.

The methods `send…` return the envelope of the next batch in a lane; parameters that few tests need have defaults.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.device_description import DeviceDescription, DevicePower
from protocols.epcr.change import FieldChange
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Observation, SampleArray, SampleFormat, Value
from protocols.provenance.hash_chain import genesis
from protocols.uplink.device_events import (
    DEVICE_DESCRIBED,
    DEVICE_POWERED,
    UNVERIFIED,
    description_fields,
    power_fields,
)
from protocols.uplink.envelope import Batch, BatchKind, Envelope, sign_batch
from protocols.uplink.epcr import encode_changes
from protocols.uplink.events import EventField, GatewayEvent, encode_event
from protocols.uplink.gaps import Gap, GapReason, encode_gap
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations, DeviceRef, encode_block

NOW_US = 1_800_000_000_000_000
"""The wall time of these tests, in the cloud and in the vehicle."""

OXIMETER = DeviceRef("1122334455667788", "Synthetic Oximeter")
SPO2 = Channel(handle=1, type=Code(2, 19384), unit=Code(4, 544))
PLETH = Channel(
    handle=9,
    type=Code(2, 19380),
    array=SampleArray(format=SampleFormat.I16, period_s=0.01, slope=0.5, offset=-10.0),
)


def readings(*values: Value, channel: Channel = SPO2, at_s: float = 1.0) -> list[Observation]:
    """Return one live observation for each value, received 1 s apart, without device times."""
    return [
        Observation(channel=channel, value=value, samples=None, status=0, device_time=None, received_s=at_s + second)
        for second, value in enumerate(values)
    ]


def section(
    observations: Sequence[Observation],
    *,
    device: DeviceRef = OXIMETER,
    stored: bool = False,
    device_offset_us: int | None = None,
    wall_offset_us: int = NOW_US,
) -> DeviceObservations:
    """Return one section: observations of one device with the fields that all of them share. `wall_offset_us` is the
    wall time at the gateway's monotonic time 0."""
    return DeviceObservations(
        device=device,
        boot_id="boot-1",
        wall_offset_us=wall_offset_us,
        wall_synchronised=True,
        device_offset_us=device_offset_us,
        uncertainty_us=2_500,
        stored=stored,
        observations=observations,
    )


class GatewayInVehicle:
    """A gateway that numbers the batches of each lane from 1 and chains them from the genesis, as `gateway/buffer`
    does."""

    def __init__(self, *, gateway: str = "gw_test", epoch: str = "epoch-a", key_seed: int = 1) -> None:
        self.gateway = gateway
        self.epoch = epoch
        self.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([key_seed])).digest())
        self.public_key = self.key.public_key().public_bytes_raw()
        self.now_us = NOW_US
        """The gateway's wall clock, which stands still until a test changes it."""
        self._sequences: defaultdict[Lane, int] = defaultdict(int)
        self._hashes: dict[Lane, bytes] = {}

    def send(self, *values: Value, lane: Lane = Lane.NUMERIC) -> Envelope:
        """Return a batch of live oximeter readings, one for each value; without values, one reading of 97 %."""
        return self.send_sections([section(readings(*(values or (97.0,))), wall_offset_us=self.now_us)], lane=lane)

    def send_sections(self, sections: Sequence[DeviceObservations], *, lane: Lane = Lane.NUMERIC) -> Envelope:
        count = sum(len(one.observations) for one in sections)
        return self._next(lane, BatchKind.OBSERVATIONS, encode_block(sections), count)

    def send_event(
        self,
        name: str = "device.connected",
        *,
        device: str | None = OXIMETER.system_id,
        fields: Mapping[str, EventField] | None = None,
    ) -> Envelope:
        fields = {"attempt": 1} if fields is None else fields
        event = GatewayEvent(name=name, at_us=self.now_us, boot_id="boot-1", device=device, fields=fields)
        return self._next(Lane.EVENT, BatchKind.EVENT, encode_event(event), 1)

    def send_description(
        self, description: DeviceDescription, *, device: str = OXIMETER.system_id, unverified: bool = False
    ) -> Envelope:
        """Return the event in which a gateway reports how a device describes itself."""
        fields = {**description_fields(description), UNVERIFIED: unverified}
        return self.send_event(DEVICE_DESCRIBED, device=device, fields=fields)

    def send_power(self, power: DevicePower, *, device: str = OXIMETER.system_id, unverified: bool = False) -> Envelope:
        """Return the event in which a gateway reports the power supply of a device."""
        return self.send_event(DEVICE_POWERED, device=device, fields={**power_fields(power), UNVERIFIED: unverified})

    def send_changes(self, *changes: FieldChange) -> Envelope:
        """Return a batch of field changes of care records."""
        return self._next(Lane.EPCR, BatchKind.EPCR, encode_changes(changes), len(changes))

    def send_raw(self, kind: BatchKind, payload: bytes, *, lane: Lane = Lane.NUMERIC, count: int = 1) -> Envelope:
        """Return a batch of this kind with any bytes as its payload, valid or not."""
        return self._next(lane, kind, payload, count)

    def many(self, count: int, *, lane: Lane = Lane.NUMERIC) -> list[Envelope]:
        """Return `count` batches with one reading each."""
        return [self.send(float(90 + number % 10), lane=lane) for number in range(count)]

    def gap(self, replaced: Sequence[Envelope], why: GapReason = GapReason.DISK_BUDGET) -> Envelope:
        """Return the gap batch that takes the place of these consecutive batches of one lane."""
        first, last = replaced[0].batch, replaced[-1].batch
        gap = Gap(
            from_sequence=first.sequence,
            through_sequence=last.sequence,
            why=why,
            batches=len(replaced),
            observations=sum(one.batch.count for one in replaced),
            first_us=first.created_at_us,
            last_us=last.created_at_us,
            chain_before=first.previous_hash,
            chain_after=last.hash,
        )
        batch = replace(first, kind=BatchKind.GAP, count=0, payload=encode_gap(gap))
        return self.signed(batch)

    def signed(self, batch: Batch) -> Envelope:
        """Return an envelope of the batch, signed with this gateway's key."""
        return Envelope(batch=batch, signature=sign_batch(batch, self.key))

    def _next(self, lane: Lane, kind: BatchKind, payload: bytes, count: int) -> Envelope:
        self._sequences[lane] += 1
        batch = Batch(
            gateway=self.gateway,
            epoch=self.epoch,
            lane=lane,
            sequence=self._sequences[lane],
            kind=kind,
            count=count,
            created_at_us=self.now_us,
            boot_id="boot-1",
            previous_hash=self._hashes.get(lane) or genesis(self.gateway, self.epoch, lane.value),
            payload=payload,
        )
        self._hashes[lane] = batch.hash
        return self.signed(batch)
