"""Intake of a GATT device's measurements: stored durably first, shown on the crew page after that. A streamed value is
shown when the buffer holds it; the buffer commits it with others, within a second.

A dated value that the device keeps and may resend counts as a stored observation (module `sections`); other values do
not. Neighbouring values without a date share a section (observations with one clock relation), since a stream
would otherwise need one section per value.

A live value is lost when the store refuses it, even an indication, which the stack has confirmed already; the store
counts the lost value in a gap record. A record that was fetched from a record store is still on the device when the
store refuses it. A record is stored in one commit with the progress of its record store, and is not shown on the crew
page.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog

from gateway.buffer import Buffer
from gateway.buffer.errors import StoreFull
from gateway.buffer.losses import Loss, losses_of
from gateway.buffer.record_marks import FetchedRecords
from gateway.sessions.clocks.clock_relation import UNKNOWN
from gateway.sessions.clocks.credible_dates import find_keyed_in_memory, now_at
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.history import NO_FORM, STORE_FULL
from gateway.sessions.devices.presence import DevicePresence
from gateway.sessions.formless import part_by_form
from gateway.sessions.gatt.known_measurements import Candidate, KnownMeasurements, candidates
from gateway.sessions.sections import Placed, cut_sections, placed_by, sections_of
from gateway.sessions.session import Counts
from gateway.transports.clock import Instant
from protocols.ble.blood_pressure import ENHANCED_CUFF_PRESSURE, INTERMEDIATE_CUFF_PRESSURE
from protocols.ble.health_thermometer import INTERMEDIATE_TEMPERATURE
from protocols.ble.heart_rate import HEART_RATE_MEASUREMENT
from protocols.ble.interpretation import Measured
from protocols.ble.pulse_oximeter import PLX_CONTINUOUS
from protocols.device_time import TimeKind
from protocols.errors import ProtocolError
from protocols.observation import Observation
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations, DeviceRef

log = structlog.get_logger()

STREAMS = frozenset(
    (
        HEART_RATE_MEASUREMENT,
        PLX_CONTINUOUS,
        INTERMEDIATE_CUFF_PRESSURE,
        ENHANCED_CUFF_PRESSURE,
        INTERMEDIATE_TEMPERATURE,
    )
)
"""Characteristics that only notify, about once a second: the next value follows at once, so that these values may share
a later commit. An indicated value may be the only one of its kind and is committed at once, dated or not."""

_WINDOWS_KEPT = 1024


class ConfirmWindow:
    """Receipt-to-commit latency of the confirmed measurements of one link, in µs.

    A Bluetooth stack confirms an indication before the gateway receives it, and the device may then delete the
    measurement. So a power cut between confirmation and commit loses the value. The gateway cannot close this window,
    so it measures the window and states it in the device's history.
    """

    def __init__(self) -> None:
        self.count = 0
        self.us_max = 0
        self._recent_us: deque[int] = deque(maxlen=_WINDOWS_KEPT)

    def add(self, received_s: float, committed_s: float) -> None:
        window_us = max(0, round((committed_s - received_s) * 1_000_000))
        self.count += 1
        self.us_max = max(self.us_max, window_us)
        self._recent_us.append(window_us)

    @property
    def us_p99(self) -> int:
        """99th percentile in µs of the latest `_WINDOWS_KEPT` latencies from receipt to commit; 0 if there is none."""
        ordered = sorted(self._recent_us)
        return ordered[(len(ordered) * 99 - 1) // 100] if ordered else 0


class GattIntake:
    """Intake of the measurements that one GATT session receives. `presence` has the device whose values are stored."""

    def __init__(
        self, context: SessionContext, store: Buffer, known: KnownMeasurements, presence: DevicePresence, counts: Counts
    ) -> None:
        self.window = ConfirmWindow()
        self._context = context
        self._store = store
        self._known = known
        self._presence = presence
        self._counts = counts

    async def store_live(self, measured: Sequence[Measured], instant: Instant) -> bool:
        """Store live values and show them on the crew page. Count values that the store refuses as lost. Return whether
        the values are durable now, or, if all are streamed, whether the buffer holds them."""
        device = self._presence.device
        if not measured:
            return True
        if device is None:  # another link has its id now; the stack has confirmed these all the same
            lost = sum(len(each.observations) for each in measured)
            with suppress(StoreFull):
                await self._store.record_loss([Loss(Lane.NUMERIC, lost, instant.wall_us, instant.wall_us)])
            return False
        system_id = device.ref.system_id
        streamed = all(each.characteristic in STREAMS for each in measured)
        if any(each.stored for each in measured):
            news = self._known.select_new(system_id, self._dated(system_id, measured, instant))
        else:  # a value without a date is a new reading each time
            news = [Candidate(each) for each in measured]
        context = self._context
        sections = [
            section
            for batch in _batches_of(news)
            for section in sections_of(
                batch.observations,
                batch.observations[-1].received_s,
                device.ref,
                context.clocks,
                instant,
                live=not batch.stored,
                wall_synchronised=context.clock.synchronised,
                keyed=batch.keyed,
            )
        ]
        durable = await self._append(sections, len(news), instant, held_by_device=False, mark=None, streamed=streamed)
        if durable:
            self._measure_window(news, instant)
            self._known.remember(system_id, news)
        else:
            for each in measured:
                context.dates.forget(system_id, each.observations)
        # Shown also when it could not be stored: the page also shows that nothing is recorded.
        live_device = self._presence.mark_active(instant.monotonic_s)
        for section in sections:
            context.live.observed(live_device or device, section.observations, section.wall_offset_us)
        return durable

    async def store_records(self, measured: Sequence[Measured], mark: FetchedRecords | None, instant: Instant) -> bool:
        """Store records of one record store, in order. The same commit stores `mark`, which names the last record that
        is durable after the commit (None: the stored mark stays). Return whether the records and `mark` are durable
        now."""
        device = self._presence.device
        if device is None:
            return False
        system_id = device.ref.system_id
        observations = [observation for each in measured for observation in each.observations]
        synchronised = self._context.clock.synchronised
        keyed = find_keyed_in_memory(observations, instant.wall_us, synchronised=synchronised)
        news = self._known.select_new(system_id, candidates(measured, keyed), from_memory=True)
        sections = list(self._record_sections(news, device.ref, instant))
        if not await self._append(sections, len(news), instant, held_by_device=True, mark=mark):
            return False
        self._known.remember(system_id, news, from_memory=True)
        self._presence.mark_active(instant.monotonic_s)
        return True

    def _dated(self, system_id: str, measured: Sequence[Measured], instant: Instant) -> list[Candidate]:
        """Return the live values, each with flags that state which of its observations get a content key, by which the
        cloud drops duplicates."""
        context, found = self._context, []
        for each in measured:
            keyed: Sequence[bool] = ()
            if each.stored:
                now = now_at(
                    instant,
                    system_id,
                    each.observations,
                    context.clocks,
                    self._presence.recorder.history,
                    synchronised=context.clock.synchronised,
                    association=id(self),
                )
                keyed = context.dates.of_live(system_id, each.observations, now)
            found.append(Candidate(each, tuple(keyed)))
        return found

    def _measure_window(self, news: Sequence[Candidate], instant: Instant) -> None:
        """Measure the receipt-to-commit latency of indicated values that are durable now."""
        indicated = [each.measured.observations[-1].received_s for each in news if each.measured.stored]
        if not indicated:
            return
        committed_s = self._context.clock.monotonic_s()
        for received_s in indicated:
            self.window.add(received_s, committed_s)
        history = self._presence.recorder.history
        if history is not None:
            history.add_indications(len(indicated), self.window.us_max, self.window.us_p99, instant.wall_us)

    async def _append(
        self,
        sections: Sequence[DeviceObservations],
        values: int,
        instant: Instant,
        *,
        held_by_device: bool,
        mark: FetchedRecords | None,
        streamed: bool = False,
    ) -> bool:
        system_id, recorder, counts = self._presence.system_id, self._presence.recorder, self._counts
        try:
            if streamed:
                await self._store.append_live(sections)
            elif sections or mark is not None:
                await self._store.append_sections(sections, held_by_device=held_by_device, records=mark)
        except StoreFull:
            counts.refused += values
            counts.lost += 0 if held_by_device else values
            recorder.record_refused(values, STORE_FULL, instant.wall_us)
            await self._context.journal.record("store.refused_values", system_id, values=values, kept=held_by_device)
            return False
        except ProtocolError:
            formed = await self._append_what_has_form(
                sections, values, instant, held_by_device=held_by_device, mark=mark
            )
            if formed is None:
                return False
            sections = formed
        counts.reports += values
        counts.observations += sum([len(section.observations) for section in sections])
        if sections:
            recorder.record_stored(values, sections, instant.wall_us)
        return True

    async def _append_what_has_form(
        self,
        sections: Sequence[DeviceObservations],
        values: int,
        instant: Instant,
        *,
        held_by_device: bool,
        mark: FetchedRecords | None,
    ) -> Sequence[DeviceObservations] | None:
        """Append the observations that the record format can represent, and count the other observations in a gap
        record. Return the appended sections, or None if the store is full."""
        system_id, recorder, counts = self._presence.system_id, self._presence.recorder, self._counts
        parted = part_by_form(sections)
        lost = losses_of(parted.formless)
        try:
            await self._store.record_loss(lost)
            if parted.formed or mark is not None:
                await self._store.append_sections(parted.formed, held_by_device=held_by_device, records=mark)
        except StoreFull:
            counts.refused += values
            recorder.record_refused(values, STORE_FULL, instant.wall_us)
            await self._context.journal.record("store.refused_values", system_id, values=values, kept=held_by_device)
            return None
        recorder.record_refused(parted.formless_count, NO_FORM, instant.wall_us)
        log.error("store.no_form", device=system_id, why=parted.why)
        await self._context.journal.record(
            "store.no_form", system_id, observations=parted.formless_count, kept=False, why=parted.why
        )
        return parted.formed

    def _record_sections(
        self, news: Sequence[Candidate], device: DeviceRef, instant: Instant
    ) -> Iterator[DeviceObservations]:
        """Yield fetched records as sections. Records do not show the present state of the device's clock, so they never
        update the estimate of the clock. A record with a counter value from before the counter's last restart has no
        time, because the interpreter has dropped the time."""
        clocks, synchronised = self._context.clocks, self._context.clock.synchronised
        for each in news:
            received_us = round(each.measured.observations[-1].received_s * 1_000_000)

            def place(kind: TimeKind | None, run: Sequence[Observation], received_us: int = received_us) -> Placed:
                if kind is None:
                    return iter([(UNKNOWN, run)])
                return placed_by(clocks.clock(device.system_id, kind), run, received_us, live=False)

            yield from cut_sections(
                each.measured.observations,
                each.keyed,
                place,
                device,
                instant,
                received_us,
                wall_synchronised=synchronised,
            )


class _Batch(NamedTuple):
    """Observations that are cut into sections in one call. `stored`: the device keeps these observations and may resend
    them. `keyed`: for each observation, whether it gets a content key, by which the cloud drops duplicates; empty if
    none gets one."""

    observations: Sequence[Observation]
    stored: bool = False
    keyed: Sequence[bool] = ()


def _batches_of(news: Sequence[Candidate]) -> Iterator[_Batch]:
    """Yield the values in batches of observations. Neighbouring streamed values without a date share a batch."""
    stream: list[Observation] = []
    for each in news:
        measured = each.measured
        if measured.stored or measured.observations[0].device_time is not None:
            if stream:
                yield _Batch(stream)
                stream = []
            yield _Batch(measured.observations, measured.stored, each.keyed)
        else:
            stream.extend(measured.observations)
    if stream:
        yield _Batch(stream)
