"""Route the values of one GATT link to their interpreters, and the results to the buffer, the clock or the notes.

The values of one delivery are first interpreted and made durable: live values in one append, the records of a transfer
in another with the progress of their record store. After that, the crew page shows the values, and a control point's
response ends its transfer. Deviations are recorded last, so that they do not delay a value.

Some values consist of two notifications. Before a control point's response is handled, the interpreter returns the
values that lack their second part, since no more parts follow. So such a record is stored at the latest with the
progress that includes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.sessions.gatt.clock import GattClock
from gateway.sessions.gatt.intake import GattIntake
from gateway.sessions.gatt.notes import GattNotes
from gateway.sessions.gatt.profiles import name_of
from gateway.sessions.gatt.record_fetching import RecordFetching
from gateway.sessions.gatt.record_transfer import RecordBatch
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
    """A value that its interpreter could not decode."""

    what: str
    error: RemoteProtocolError
    octets: bytes


@dataclass(slots=True)
class _WakeUp:
    """Interpreted values of one delivery (values that were received together). `batch` collects the records of the
    running transfer; None if no transfer is running."""

    batch: RecordBatch | None
    live: list[Measured] = field(default_factory=list)
    """Live values."""
    remarks: list[tuple[ServiceProfile, Deviation | Uninterpreted | _Malformed]] = field(default_factory=list)

    def batch_of(self, service: int) -> RecordBatch | None:
        """Return the batch of records if the running transfer fetches records of `service`, otherwise None."""
        return self.batch if self.batch is not None and self.batch.belongs(service) else None

    def mark_unreadable(self, service: int) -> None:
        if (batch := self.batch_of(service)) is not None:
            batch.mark_unreadable()


class GattDelivery:
    """Interpretation and storage of the values that one GATT session receives."""

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

    async def deliver(self, arrivals: Sequence[Arrival]) -> None:
        """Interpret and store values that were received together. Raises any error of the store except StoreFull."""
        found = _WakeUp(self._fetching.begin_batch())
        for service, characteristic, octets, received_s in arrivals:
            known = self._interpreters.get(service)
            if known is None:
                continue
            profile, interpreter = known
            try:
                if characteristic == RECORD_ACCESS_CONTROL_POINT:
                    self._sort(profile, interpreter.flush(), found, received_s)
                    if (batch := found.batch_of(service)) is not None:
                        found.remarks += [(profile, each) for each in batch.receive(octets, received_s)]
                else:
                    self._sort(profile, interpreter.receive(characteristic, octets, received_s), found, received_s)
            except RemoteProtocolError as error:
                found.mark_unreadable(service)
                found.remarks.append((profile, _Malformed(name_of(profile, characteristic), error, octets)))
        await self._store(found, instant_of(self._clock))

    async def interpret_read(
        self, profile: ServiceProfile, interpreter: ServiceInterpreter, characteristic: int, octets: bytes
    ) -> Sequence[ClockShown]:
        """Interpret and store a value that was read. Return the clock times in it, for `GattClock.learn_reading`."""
        found, shown = _WakeUp(self._fetching.begin_batch()), []
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

    async def flush(self) -> None:
        """Store, at the end of the link, the values of which only the first of two notifications arrived, as far as
        they can be interpreted. Omit the values of a service whose transfer of records was interrupted, because these
        records are requested again."""
        found = _WakeUp(self._fetching.begin_batch())
        for service, (profile, interpreter) in self._interpreters.items():
            if not self._fetching.was_interrupted(service):
                self._sort(profile, interpreter.flush(), found, self._clock.monotonic_s())
        await self._store(found, instant_of(self._clock))

    def _sort(self, profile: ServiceProfile, events: Sequence[GattEvent], found: _WakeUp, at_s: float) -> None:
        service = profile.service
        batch = found.batch_of(service)
        for event in events:
            if isinstance(event, Measured):
                if batch is not None and batch.transfer.is_record(event):
                    batch.accept(event, at_s)
                else:
                    found.live.append(event)
            elif isinstance(event, ClockShown):
                self._gatt_clock.learn_notification(event.time, at_s)
            else:
                found.mark_unreadable(service)
                found.remarks.append((profile, event))

    async def _store(self, found: _WakeUp, instant: Instant) -> None:
        if found.live:
            await self._intake.store_live(found.live, instant)
        sealed = None if found.batch is None else found.batch.seal()
        if sealed is not None:
            if await self._intake.store_records(sealed.measured, sealed.mark, instant):
                sealed.commit()
            else:
                sealed.refuse(self._clock.monotonic_s())
        for profile, remark in found.remarks:
            match remark:
                case _Malformed():
                    await self._notes.record_malformed(remark.what, remark.error, remark.octets, instant.wall_us)
                case Deviation():
                    await self._notes.record_deviation(remark, instant.wall_us)
                case Uninterpreted():
                    what = name_of(profile, remark.characteristic)
                    await self._notes.record_uninterpreted(what, remark, instant.wall_us)
