"""Waveform batches as the demo's vehicle sends them: twelve-lead ECG, pleth, capnogram and respiration of a simulated
patient, reported by the simulated monitor, grouped into blocks by the gateway, signed and put into envelopes.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.buffer.blocks import blocks_of
from gateway.buffer.settings import BufferSettings
from protocols.device_time import DeviceTime, absolute_time
from protocols.ieee11073.dim.device_model import DeviceModel
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.specializations.extended import BLOCK_S, MULTIPARAMETER
from protocols.observation import Channel, Observation
from protocols.provenance.hash_chain import genesis
from protocols.uplink.envelope import Batch, Envelope, encode_envelope, sign_hash, traceparent_of
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations, DeviceRef
from simulators.agents.device import Measured
from simulators.agents.kinds import MONITOR, description_of
from simulators.agents.monitor import Monitor
from simulators.physiology.patient import Patient
from simulators.scenarios import scenario_of
from tests.builders.uplink_batches import KEY
from tests.builders.uplink_blocks import section

BEGUN = datetime(2026, 11, 25, 12, tzinfo=UTC)
GATEWAY = "gw_01KB0Q5Y0V8Z6T3M9N4R7W2XEC"
EPOCH = "9f3a60c1d27b48e5"
BOOT = "4be5c0f3-a7d2-4c0f-9d61-1c5be7a80f32"
"""Names as long and as random as those of a real gateway."""
RECEIVED_S = 5_000.0
"""Monotonic time of the gateway at the beginning of the patient."""


@dataclass(frozen=True, slots=True)
class SentBatch:
    """One waveform batch of a vehicle: the observations, their number of samples, and the encoded batch."""

    sections: list[DeviceObservations]
    samples: int
    payload: bytes
    envelope: bytes


def reports(duration_s: float, *, scenario: str = "stable", from_s: float = 0.0) -> list[DeviceObservations]:
    """Return the waveform reports of the monitor in `duration_s` seconds, from patient second `from_s` on. There are
    four a second with 15 observations each."""
    patient = Patient(1, scenario_of(scenario))
    description = description_of(MONITOR)
    monitor = Monitor(patient, description)
    channels = {channel.handle: channel for channel in DeviceModel(MULTIPARAMETER, Notes()).channels}
    device = DeviceRef(description.system_id.hex(), f"{description.manufacturer} {description.model}")
    found: list[DeviceObservations] = []
    for step in range(1, round((from_s + duration_s) / BLOCK_S) + 1):
        patient.advance_to(step * BLOCK_S)
        received_s = RECEIVED_S + step * BLOCK_S + step % 7 * 1e-4
        for measured in monitor.measure(step * BLOCK_S, _time_at):
            if measured.waveform and step * BLOCK_S > from_s:
                found.append(_section(measured, channels, device, received_s))
    return found


def sent_batches(found: list[DeviceObservations], *, reports_each: int) -> list[SentBatch]:
    """Return the batches in which a gateway sends these reports when `reports_each` of them share a commit. One report
    a commit is what happens while little is queued."""
    batches: list[SentBatch] = []
    previous_hash = genesis(GATEWAY, EPOCH, Lane.WAVEFORM)
    for begin in range(0, len(found), reports_each):
        sections = found[begin : begin + reports_each]
        (block,) = blocks_of(sections, BufferSettings())
        one = Batch(
            gateway=GATEWAY,
            epoch=EPOCH,
            lane=block.lane,
            sequence=100_000 + len(batches),
            kind=block.kind,
            count=block.count,
            created_at_us=1_764_072_000_000_000,
            boot_id=BOOT,
            previous_hash=previous_hash,
            payload=block.payload,
        )
        previous_hash = one.hash
        envelope = Envelope(
            batch=one, signature=sign_hash(previous_hash, KEY), traceparent=traceparent_of(previous_hash)
        )
        samples = sum([_samples(observation) for each in sections for observation in each.observations])
        batches.append(SentBatch(sections, samples, block.payload, encode_envelope(envelope)))
    return batches


def bytes_per_sample(batches: list[SentBatch]) -> float:
    """Return the bytes of the envelopes for each sample in them."""
    return sum([len(one.envelope) for one in batches]) / sum([one.samples for one in batches])


def _time_at(patient_s: float) -> DeviceTime:
    return absolute_time(BEGUN + timedelta(seconds=patient_s))


def _section(
    measured: Measured, channels: dict[int, Channel], device: DeviceRef, received_s: float
) -> DeviceObservations:
    observations = []
    for reading in measured.readings:
        assert isinstance(reading.value, bytes)
        channel = channels[reading.handle]
        observations.append(Observation(channel, None, reading.value, 0, reading.time, received_s))
    return section(*observations, device=device, boot_id=BOOT, device_offset_us=-3_600_123_456, uncertainty_us=15_000)


def _samples(observation: Observation) -> int:
    assert observation.samples is not None
    assert observation.channel.array is not None
    return len(observation.samples) // observation.channel.array.format.width_bytes
