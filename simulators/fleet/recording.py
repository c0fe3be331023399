"""Recorded minute of simulated devices, which the vehicles of a fleet play in a loop, each from another place.

A simulated patient takes 3 ms of processor time a second, three cores for a thousand vehicles. So some patients are
simulated once, when the fleet starts. The waveforms jump once a minute, where the loop begins again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Final, cast

from protocols.device_time import DeviceTime, absolute_time_at
from protocols.ieee11073.dim.channels import METRICS, ValueMeaning, channel_of
from protocols.ieee11073.dim.configuration import Configuration, attributes_of
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.specializations.extended import BLOCK_S
from protocols.observation import Channel, Observation, Value
from protocols.uplink.lanes import Lane, lane_of
from simulators.agents.kinds import build_device
from simulators.fleet.profiles import Profile
from simulators.physiology.patient import Patient
from simulators.scenarios import scenario_of

RECORDING_S: Final = 60.0
"""Length of a recording: it has the report of a cuff, which measures every 45 s, and takes 0.2 s to make."""
WARM_UP_S: Final = 15.0
"""Time before the recording begins. Monitors count beats and breaths for some seconds before they have a number."""


@dataclass(frozen=True, slots=True)
class RecordedReport:
    """One report of a device. `at_s` is its time in the recording, `device` the place of the device in the profile.
    The `values` have no times yet. `lanes` counts them by lane."""

    at_s: float
    device: int
    values: tuple[Observation, ...]
    lanes: Mapping[Lane, int]

    def observations(self, time: DeviceTime, received_s: float) -> list[Observation]:
        """Return the values as a gateway receives them at `received_s` of its monotonic clock, measured at `time` of
        the device's clock."""
        return [
            Observation(each.channel, each.value, each.samples, each.status, time, received_s) for each in self.values
        ]


@dataclass(frozen=True, slots=True)
class Step:
    """The reports of all devices of a vehicle at one time. The values of `streamed` are waveforms, which no device
    keeps; `confirmed` reports have other values. `lanes` counts all of them."""

    at_s: float
    streamed: Sequence[RecordedReport]
    confirmed: Sequence[RecordedReport]
    lanes: Mapping[Lane, int]


class Recording:
    """The reports of all devices of a vehicle, in the order of their times."""

    def __init__(self, profile: Profile, seed: int) -> None:
        patient = Patient(seed, scenario_of("stable"))
        devices = [build_device(kind, patient) for kind in profile.kinds]
        channels = [_channels_of(device.configuration) for device in devices]
        reports: list[RecordedReport] = []
        for step in range(1, round((WARM_UP_S + RECORDING_S) / BLOCK_S) + 1):
            now_s = step * BLOCK_S
            patient.advance_to(now_s)
            for place, device in enumerate(devices):
                for measured in device.measure(now_s, _without_time):
                    values = tuple(_observations(measured.readings, channels[place]))
                    if now_s > WARM_UP_S and values:
                        lanes = Counter(map(lane_of, values))
                        reports.append(RecordedReport(now_s - BLOCK_S - WARM_UP_S, place, values, lanes))
        self.reports = tuple(reports)
        self.steps = tuple(_step(at_s, list(found)) for at_s, found in groupby(reports, attrgetter("at_s")))

    def play(self, start_s: float) -> Iterator[tuple[float, Step]]:
        """Yield the steps without end, beginning at the time `start_s` of the recording. Each comes with its time in
        seconds after the beginning."""
        first = next((n for n, step in enumerate(self.steps) if step.at_s >= start_s), len(self.steps))
        loop_s = -start_s
        while self.steps:
            for step in self.steps[first:]:
                yield loop_s + step.at_s, step
            first, loop_s = 0, loop_s + RECORDING_S


def _step(at_s: float, reports: Sequence[RecordedReport]) -> Step:
    lanes: Counter[Lane] = Counter()
    for report in reports:
        lanes.update(report.lanes)
    streamed = [report for report in reports if report.lanes.keys() == {Lane.WAVEFORM}]
    return Step(at_s, streamed, [report for report in reports if report not in streamed], lanes)


def _without_time(_patient_s: float) -> DeviceTime:
    """Return a time stamp that is replaced when the report is played."""
    return absolute_time_at(0)


def _channels_of(configuration: Configuration) -> Mapping[int, Channel]:
    """Return the channel of each metric object by its handle, as the gateway derives it from the configuration."""
    return {
        item.obj_handle: channel_of(
            item.obj_handle, item.obj_class, attributes_of(item.attributes), ValueMeaning(), Notes()
        )
        for item in configuration.objects
        if item.obj_class in METRICS
    }


def _observations(readings: tuple[Reading, ...], channels: Mapping[int, Channel]) -> Iterator[Observation]:
    for reading in readings:
        value, channel = reading.value, channels[reading.handle]
        if isinstance(value, bytes):
            yield Observation(channel, None, value, reading.status or 0, None, 0.0)
        elif value is not None:
            # The devices of the profiles send no value that names its own metric or unit.
            yield Observation(channel, cast(Value, value), None, reading.status or 0, None, 0.0)
