"""The values of one GATT link, each to its interpreter, and what the interpreters make of them to its place.

All that waited at one wake-up is interpreted first and made durable together: what came by itself in one append, the
records of a store in one with its mark. Only what is durable is told on: the screen learns of it, and a control point's
answer ends its transfer. Values come before remarks, so that nothing a device does oddly delays its next value.

Before an answer of a control point the interpreter is asked for what still waited for its other half, since nothing
follows any more; so the mark never passes a record that only half arrived.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.sessions.gatt.clock import GattClock
from gateway.sessions.gatt.intake import GattIntake
from gateway.sessions.gatt.notes import GattNotes
from gateway.sessions.gatt.profiles import name_of
from gateway.sessions.gatt.record_fetching import RecordFetching
from gateway.transports.ble.connection import Arrival
from gateway.transports.clock import Clock, Instant, instant_of
from protocols.ble.interpretation import (
    ClockShown,
    GattEvent,
    Measured,
    ServiceInterpreter,
    ServiceProfile,
    Uninterpreted,
)
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT
from protocols.deviation import Deviation
from protocols.errors import RemoteProtocolError


@dataclass(frozen=True, slots=True)
class _Malformed:
    """A value that its interpreter refused."""

    what: str
    error: RemoteProtocolError
    octets: bytes


@dataclass(slots=True)
class _Sorted:
    """What one wake-up brought."""

    own: list[Measured] = field(default_factory=list)
    """What came by itself."""
    records: dict[int, list[Measured]] = field(default_factory=lambda: defaultdict(list))
    """By service, what was fetched."""
    answered: set[int] = field(default_factory=set)
    """Services whose control point said something."""
    remarks: list[tuple[ServiceProfile, Deviation | Uninterpreted | _Malformed]] = field(default_factory=list)


class GattDelivery:
    """Of one session."""

    def __init__(
        self,
        interpreters: Mapping[int, tuple[ServiceProfile, ServiceInterpreter]],
        *,
        intake: GattIntake,
        notes: GattNotes,
        gatt_clock: GattClock,
        fetching: RecordFetching,
        clock: Clock,
    ) -> None:
        self._interpreters = interpreters
        self._intake = intake
        self._notes = notes
        self._gatt_clock = gatt_clock
        self._fetching = fetching
        self._clock = clock

    async def take(self, arrivals: Sequence[Arrival]) -> None:
        """Interpret, store, tell on. Raises what the store raises beyond StoreFull."""
        found = _Sorted()
        for service, characteristic, octets, received_s in arrivals:
            known = self._interpreters.get(service)
            if known is None:
                continue
            profile, interpreter = known
            try:
                if characteristic == RECORD_ACCESS_CONTROL_POINT:
                    self._sort(profile, interpreter.flush(), found, received_s)
                    found.answered.add(service)
                    found.remarks += [(profile, each) for each in self._fetching.answered(service, octets, received_s)]
                else:
                    self._sort(profile, interpreter.receive(characteristic, octets, received_s), found, received_s)
            except RemoteProtocolError as error:
                self._fetching.unreadable(service)
                found.remarks.append((profile, _Malformed(name_of(profile, characteristic), error, octets)))
        await self._store(found, instant_of(self._clock))

    async def described(
        self, profile: ServiceProfile, interpreter: ServiceInterpreter, characteristic: int, octets: bytes
    ) -> Sequence[ClockShown]:
        """A value that was read. What it shows of a clock comes back, for whoever knows when it was asked."""
        found, shown = _Sorted(), []
        try:
            events = interpreter.learn(characteristic, octets)
        except RemoteProtocolError as error:
            found.remarks.append((profile, _Malformed(name_of(profile, characteristic), error, octets)))
        else:
            shown = [each for each in events if isinstance(each, ClockShown)]
            rest = [each for each in events if not isinstance(each, ClockShown)]
            self._sort(profile, rest, found, self._clock.monotonic_s())
        await self._store(found, instant_of(self._clock))
        return shown

    async def settle(self) -> None:
        """The link has ended: what waited for its other half goes as far as it can be told. Not of a store that was
        being fetched, which will give it again, whole."""
        found = _Sorted()
        for service, (profile, interpreter) in self._interpreters.items():
            if not self._fetching.was_cut_short(service):
                self._sort(profile, interpreter.flush(), found, self._clock.monotonic_s())
        await self._store(found, instant_of(self._clock))

    def _sort(self, profile: ServiceProfile, events: Sequence[GattEvent], found: _Sorted, at_s: float) -> None:
        fetching, service = self._fetching, profile.service
        for event in events:
            if isinstance(event, Measured):
                if not fetching.comes_from_memory(service, event):
                    found.own.append(event)
                elif fetching.took(service, event, at_s):
                    found.records[service].append(event)
            elif isinstance(event, ClockShown):
                self._gatt_clock.notified(event.time, at_s)
            else:
                fetching.unreadable(service)
                found.remarks.append((profile, event))

    async def _store(self, found: _Sorted, instant: Instant) -> None:
        if found.own:
            await self._intake.took(found.own, instant)
        for service in found.answered | found.records.keys():
            mark = self._fetching.mark(service)
            if await self._intake.took_records(found.records.get(service, ()), mark, instant):
                self._fetching.committed(mark)
            else:
                await self._fetching.store_full()
        for profile, remark in found.remarks:
            match remark:
                case _Malformed():
                    await self._notes.malformed(remark.what, remark.error, remark.octets, instant.wall_us)
                case Deviation():
                    await self._notes.deviated(remark, instant.wall_us)
                case Uninterpreted():
                    what = name_of(profile, remark.characteristic)
                    await self._notes.not_understood(what, remark, instant.wall_us)
