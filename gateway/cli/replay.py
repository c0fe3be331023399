"""Command `argus-gateway replay`: runs a wire capture through the manager and prints its observations.

The recorded bytes of the agent are the input. The requests of this manager decide when the recorded responses and
configurations are sent (`recorded_agent`), so the same capture works with and without known configurations. Each
connection of the capture is a separate association. Nothing is stored: every report counts as durable at once. The
interpreters of the GATT services read Bluetooth connections (`replay_gatt`).

Observations are printed in the public JSON form, with empty `gateway` and `epoch`. Each report in a lane gets the next
sequence number. A capture has no wall-clock time: `received_at` counts from 1970, `observed_at` is the device's own
time taken as UTC, if the device sent one, and `uncertainty_ms` is null because nothing bounds the device's error.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from gateway.cli.output import print_json_lines, print_table
from gateway.cli.replay_gatt import GattReplay
from gateway.sessions.clocks.credible_dates import DATES
from gateway.sessions.devices.roster import Roster
from gateway.transports.capture import Capture, Record, read_capture
from gateway.transports.recorded_agent import RecordedAgent
from protocols.ble.interpretation import Measured
from protocols.deviation import Deviation
from protocols.ieee11073.association.events import (
    Aborted,
    Associated,
    ConfigurationAgreed,
    Event,
    Rejected,
    RejectReason,
)
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import MdsRead, ReportReceived
from protocols.ieee11073.association.segment_events import SegmentDataReceived
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.specializations import standard_bytes
from protocols.observation import Observation
from protocols.observation_record import Json, records_of, to_json
from protocols.uplink.lanes import Lane, lane_of
from protocols.uplink.observations import DeviceObservations, DeviceRef


def print_replay(path: Path, *, as_json: bool, known_configurations: bool) -> bool:
    """Print the observations, the agent's deviations, and the reason for missing observations. Return False where no
    device associated. Raises `CaptureError`, `NoConfiguration` and OSError."""
    replay = Replay(read_capture(path), known_configurations)
    if as_json:
        print_json_lines(replay.observations())
    else:
        rows = [_row(observation) for observation in replay.observations()]
        print_table(path.name, ("time", "device", "type", "value", "unit"), rows)
    for sentence in replay.deviations:
        typer.echo(f"the device deviates: {sentence}", err=True)
    for sentence in replay.diagnosis():
        typer.echo(sentence, err=True)
    return replay.associated


def _row(observation: dict[str, Json]) -> tuple[str, ...]:
    samples, value = observation["samples"], observation["value"]
    device = observation["device"]
    assert isinstance(device, dict)
    shown = f"{len(samples)} samples" if isinstance(samples, list) else str(value)
    return (
        str(observation["device_time"] or observation["received_at"]),
        str(device["system_id"]),
        str(observation["type"]),
        shown,
        str(observation["unit"] or ""),
    )


OUR_SYSTEM_ID = bytes(8)
"""System id of the manager of a replay, which has none of its own."""
_ROUNDS_MAX = 64
"""Exchanges that one recorded APDU may cause; an endless exchange would be our bug."""


@dataclass(slots=True)
class _Connection:
    association: ManagerAssociation
    agent: RecordedAgent
    device: DeviceRef = field(default_factory=lambda: DeviceRef("", ""))
    ended: bool = False
    rejected: RejectReason | None = None
    aborted: str = ""
    """The reason of an ABRT, empty without one."""
    has_objects: bool = True
    observations: int = 0

    def failure(self) -> str:
        """Return the reason that this connection has no observations; "" if none is known."""
        if self.rejected is not None:
            return f"the manager rejected the association request ({_REJECTED[self.rejected]})"
        if self.aborted:
            return f"the association was aborted: {self.aborted}"
        if not self.has_objects:
            return "the configuration of the device has no objects, so its reports have no values"
        return ""


_REJECTED = {
    RejectReason.PERMANENT: "rejected-permanent: the request is malformed",
    RejectReason.TRANSIENT: "rejected-transient: the manager was not ready",
    RejectReason.NO_COMMON_PROTOCOL: "rejected-no-common-protocol: the device does not offer protocol 20601",
    RejectReason.NO_COMMON_PARAMETER: "rejected-no-common-parameter: nomenclature or encoding rules are not supported",
    RejectReason.UNKNOWN: "rejected-unknown",
    RejectReason.UNAUTHORIZED: "rejected-unauthorized",
    RejectReason.UNSUPPORTED_ASSOCIATION_VERSION: "rejected-unsupported-assoc-version: no association version 1",
}
"""The results of an AARE in the standard's terms, each with its usual reason."""


@dataclass(slots=True)
class Replay:
    """Replays one capture, once. `deviations`: sentences about the agents. `associated`: True once an agent has
    associated."""

    capture: Capture
    known_configurations: bool = True
    deviations: list[str] = field(default_factory=list)
    associated: bool = False
    _sequences: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))
    _failures: list[str] = field(default_factory=list)

    def diagnosis(self) -> Sequence[str]:
        """Return sentences that explain missing observations. Call it after reading all of `observations`."""
        if self._failures or self.associated:
            return self._failures
        return (
            "no device associates in this capture, so it has no observations: it began after the devices were "
            "connected; capture again, and switch a device off and on during the capture",
        )

    def observations(self) -> Iterator[dict[str, Json]]:
        """Yield the observations as JSON objects, in the order of the capture. Raises `NoConfiguration`."""
        connections = self._connections()
        bluetooth: dict[int, GattReplay] = {}
        unprompted = {id(record) for each in connections.values() for record in each.agent.unprompted}
        for record in self.capture.records:
            if record.gatt is not None:
                self.associated = True
                replay = bluetooth.setdefault(record.conn, GattReplay(self.deviations))
                for measured in replay.feed(record):
                    yield from self._report(replay.device, measured)
            elif id(record) in unprompted:
                yield from self._feed(connections[record.conn], record.octets, record.t_s)
        for replay in bluetooth.values():
            for measured in replay.end():
                yield from self._report(replay.device, measured)
        for number, connection in connections.items():
            yield from self._feed(connection, b"", self.capture.records[-1].t_s)
            if not connection.observations and (failure := connection.failure()):
                self._failures.append(f"connection {number}: {failure}")

    def _connections(self) -> dict[int, _Connection]:
        settings = ManagerSettings(accept_standard_configurations=self.known_configurations)
        roster = Roster()
        by_number: dict[int, list[Record]] = {}
        for record in self.capture.records:
            if record.gatt is None:
                by_number.setdefault(record.conn, []).append(record)
        return {
            number: _Connection(
                ManagerAssociation(system_id=OUR_SYSTEM_ID, configurations=roster, settings=settings),
                RecordedAgent(records, standard_bytes),
            )
            for number, records in by_number.items()
        }

    def _feed(self, connection: _Connection, octets: bytes, now_s: float) -> Iterator[dict[str, Json]]:
        association = connection.association
        while (deadline_s := association.deadline_s) is not None and deadline_s <= now_s and not association.closed:
            yield from self._handle(connection, association.expire(deadline_s), deadline_s)
        waiting = [octets]
        for _ in range(_ROUNDS_MAX):
            due = association.deadline_s is not None and association.deadline_s <= now_s
            if connection.ended or not (waiting or due):
                return
            if due:  # a timer of the association, such as the request for the next segment of a PM-store
                yield from self._handle(connection, association.expire(now_s), now_s)
                waiting.extend(connection.agent.reactions(association.to_send()))
                continue
            data = waiting.pop(0)
            yield from self._handle(connection, association.receive(data, now_s), now_s)
            connection.ended = connection.ended or data == b"" or association.closed
            waiting.extend(connection.agent.reactions(association.to_send()))

    def _handle(self, connection: _Connection, events: Sequence[Event], now_s: float) -> Iterator[dict[str, Json]]:
        for event in events:
            match event:
                case Associated():
                    self.associated = True
                case Rejected():
                    connection.rejected = event.reason
                case Aborted():
                    connection.aborted = event.why or f"reason {event.reason}"
                case ConfigurationAgreed():
                    connection.has_objects = bool(event.channels)
                case ReportReceived() | SegmentDataReceived():
                    device = connection.association.device
                    if device is not None:
                        connection.device = DeviceRef(device.system_id.hex(), device.model)
                    connection.observations += len(event.observations)
                    yield from self._report(connection.device, event)
                case Deviation():
                    self.deviations.append(f"{event.sentence} ({event.clause})" if event.clause else event.sentence)
                case MdsRead():
                    connection.device = DeviceRef(event.identity.system_id.hex(), event.identity.model)
                case _:
                    pass
            connection.association.delivered(event)

    def _report(
        self, device: DeviceRef, report: ReportReceived | SegmentDataReceived | Measured
    ) -> Iterator[dict[str, Json]]:
        by_lane: dict[Lane, list[Observation]] = {}
        for observation in report.observations:
            by_lane.setdefault(lane_of(observation), []).append(observation)
        for lane, observations in by_lane.items():
            self._sequences[lane] += 1
            sections = [_section(device, observation) for observation in observations]
            sequence = self._sequences[lane]
            for record in records_of(sections, gateway="", epoch="", lane=lane, sequence=sequence):
                yield to_json(record)


def _section(device: DeviceRef, observation: Observation) -> DeviceObservations:
    """Return a `DeviceObservations` with only `observation`. The device's date and time count as UTC. For a device that
    only counts time since power-on, the offset of its clock from UTC is None."""
    time = observation.device_time
    return DeviceObservations(
        device=device,
        boot_id="replay",
        wall_offset_us=0,
        wall_synchronised=False,
        device_offset_us=0 if time is not None and time.kind in DATES else None,
        uncertainty_us=0,
        stored=False,
        observations=[observation],
    )
