"""Turns a report's observations into what the buffer takes: sections with the device and the relation of its clock to
ours.

A section has one clock relation, so a report is cut where its time stamps change from one clock of the device to
another; order is kept. Each report first teaches the clock and is then placed by it.

**What counts as stored** (DESIGN D3): a *confirmed* report whose observation carries a date. The device keeps such a
report until we answer and sends it again when the answer did not arrive, so the cloud must recognise it by its content:
the device's date is part of that. A counter of seconds since power-on is not: it says the same after each power-on, and
two true readings would become one. Unconfirmed reports are never repeated, and 97, 97, 97 are three readings.
"""

from collections.abc import Iterator, Sequence

from gateway.sessions.time_sync import DeviceClocks
from gateway.transports.clock import Instant
from protocols.device_time import TimeKind
from protocols.ieee11073.association.events import ReportReceived
from protocols.observation import Observation
from protocols.uplink.observations import DeviceObservations, DeviceRef

RECEPTION_US = 1_000_000
"""An observation without a time was measured at its reception, give or take the second within which devices report."""
DATES = frozenset({TimeKind.ABSOLUTE, TimeKind.BASE_OFFSET})
"""Clocks of a device that name a date; the others count from its power-on."""


def sections_of(
    report: ReportReceived, device: DeviceRef, clocks: DeviceClocks, instant: Instant, *, wall_synchronised: bool
) -> Iterator[DeviceObservations]:
    """The sections of one report, in order. `instant` is the time at which the report was received."""
    wall_offset_us = instant.wall_us - round(instant.monotonic_s * 1_000_000)
    received_us = round(report.received_s * 1_000_000)
    for kind, observations in _runs(report.observations):
        offset_us, uncertainty_us = None, RECEPTION_US
        if kind is not None:
            local_us = _sent_local_us(observations)
            clock = clocks.clock(device.system_id, kind)
            fits = True
            if local_us is not None:
                fits = clock.observe(local_us, received_us, live=not report.confirmed)
                uncertainty_us = max(RECEPTION_US, abs(wall_offset_us + received_us - local_us))
            relation = clock.relation()
            if fits and relation.offset_us is not None:
                offset_us, uncertainty_us = wall_offset_us + relation.offset_us, relation.uncertainty_us
        yield DeviceObservations(
            device=device,
            boot_id=instant.boot_id,
            wall_offset_us=wall_offset_us,
            wall_synchronised=wall_synchronised,
            device_offset_us=offset_us,
            uncertainty_us=uncertainty_us,
            stored=report.confirmed and kind in DATES,
            observations=observations,
        )


def _runs(observations: Sequence[Observation]) -> Iterator[tuple[TimeKind | None, Sequence[Observation]]]:
    """Neighbours whose times come from one clock, or from none. Almost every report is one run."""
    if len({_kind(each) for each in observations}) == 1:
        yield _kind(observations[0]), observations
        return
    start = 0
    for index in range(1, len(observations) + 1 if observations else 0):
        if index == len(observations) or _kind(observations[index]) is not _kind(observations[start]):
            yield _kind(observations[start]), observations[start:index]
            start = index


def _kind(observation: Observation) -> TimeKind | None:
    return None if observation.device_time is None else observation.device_time.kind


def _sent_local_us(observations: Sequence[Observation]) -> int | None:
    """What the device's clock showed about when it sent this: the last time stamp, for an array that of its last
    sample."""
    last = observations[-1]
    local_us = None if last.device_time is None else last.device_time.local_us()
    array = last.channel.array
    if local_us is None or array is None or last.samples is None:
        return local_us
    return local_us + round(len(last.samples) // array.format.octets * array.period_s * 1_000_000)
