"""Fetch the record stores of one GATT device: decide when to request which records, and run the procedures.

The mark of a record store (number of the last durable record) is stored in one commit with the records
(`gateway/buffer/record_marks`). So after a kill at any point the gateway requests the records that it lacks. It also
requests the record of the mark again, to check that the numbers still have the same meaning. A store that was restarted
(another battery, another CGM session) has other content under that number, or no such record. Such a store is fetched
from its beginning.

When a transfer lacks any record (a notification found the queue full, or records were out of order), the mark keeps or
regains its value from before the transfer. Records that are fetched twice for this reason are recognised by their
content. A value that cannot be decoded does not stop the mark, since the next attempt would fail as well; the value is
recorded with its bytes.

Records are deleted on the device only where the operator's settings allow it, only when they are durable, and only
after a transfer that was complete and readable. While the buffer is full, nothing more is requested: the device keeps
its records.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from gateway.buffer import Buffer
from gateway.buffer.errors import StoreFull
from gateway.sessions.gatt.record_marks import RecordMarks, is_advance, last_known_record
from gateway.sessions.gatt.record_transfer import RecordBatch, Transfer
from gateway.sessions.gatt.requests import GattRequests
from gateway.sessions.journal import Journal
from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.faults import BleGattError
from gateway.transports.clock import Clock
from protocols.ble.interpretation import RecordNumbering, ServiceProfile
from protocols.ble.record_fetch import RecordDelete, RecordFetch
from protocols.ble.record_procedure import (
    FetchAborted,
    FetchDone,
    FetchEvent,
    FetchRefused,
    FetchRequest,
    FetchTimedOut,
)
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT

ABORT_S = 2.0
"""Time for which `stop` waits for the device's response to an abort."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRules:
    """The operator's settings for fetching records, and the intervals between requests."""

    fetch: bool = True
    delete: bool = False
    again_s: float = 300.0
    """Interval at which a meter that stays connected is queried for new records."""
    store_full_s: float = 60.0
    """Time until the next request after the buffer refused records because it was full."""


class RecordFetching:
    """Fetching of records from the device of one GATT session. `run` sends the requests; `begin_batch` collects the
    records that arrive together."""

    def __init__(
        self,
        link: BleConnection,
        requests: GattRequests,
        stores: Sequence[ServiceProfile],
        system_id: str,
        *,
        marks: RecordMarks,
        store: Buffer,
        rules: FetchRules,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._link = link
        self._requests = requests
        self._stores = stores if rules.fetch else ()
        self._system_id = system_id
        self._marks = marks
        self._store = store
        self._rules = rules
        self._clock = clock
        self._journal = journal
        self._transfer: Transfer | None = None
        self._interrupted: set[int] = set()

    # ---- the delivery's side

    def begin_batch(self) -> RecordBatch | None:
        """Return a batch for records that were received together, or None while no transfer is running. A transfer that
        was interrupted or timed out counts as running until its session ends."""
        return None if self._transfer is None else RecordBatch(self._transfer, self._marks)

    def was_interrupted(self, service: int) -> bool:
        """Return whether a transfer of records from `service` was interrupted. These records are
        requested again later."""
        return service in self._interrupted

    def mark_incomplete(self) -> None:
        """Record that a value of the link was lost, so that the running transfer is incomplete."""
        if self._transfer is not None:
            self._transfer.whole = False

    # ---- requesting

    async def run(self) -> None:
        """Fetch new records now and at intervals, until cancelled. Return at once if there is no
        record store to fetch."""
        while self._stores:
            due_s = float("inf")
            for profile in self._stores:
                wait_s = await self._fetch_store(profile)
                due_s = min(due_s, self._clock.monotonic_s() + wait_s)
            await self._clock.sleep_until(due_s)

    async def stop(self) -> None:
        """Abort the running transfer, and wait up to `ABORT_S` for the device's response."""
        transfer = self._transfer
        if transfer is None or transfer.over.is_set():
            return
        now_s = self._clock.monotonic_s()
        transfer.put(transfer.procedure.abort(now_s))
        try:
            async with self._clock.timeout_at(now_s + ABORT_S):
                await transfer.over.wait()
        except TimeoutError:
            log.info("records.abort_unanswered", link=self._link.name)

    async def _fetch_store(self, profile: ServiceProfile) -> float:
        """Fetch the new records of one record store. Return the seconds until the store must be requested again."""
        rules, now_s = self._rules, self._clock.monotonic_s()
        due_s = self._marks.due_s(self._system_id, profile.service)
        if due_s > now_s:
            return due_s - now_s
        for _ in range(2):  # a second time where the store has restarted its numbers
            transfer = await self._fetch(profile)
            if transfer is None or transfer.store_full:
                return rules.store_full_s if transfer is not None else rules.again_s
            if not transfer.restarted:
                break
            await self._journal.record("records.began_anew", self._system_id, store=profile.name)
        return rules.again_s

    async def _fetch(self, profile: ServiceProfile) -> Transfer | None:
        """Run one transfer of new records and record its result. Return None if the device refused or did not end the
        transfer."""
        assert profile.record_store is not None
        service = profile.service
        base = self._marks.find(self._system_id, service)
        fetch = RecordFetch(profile.record_store, last_known_record(base))
        transfer = Transfer(profile, fetch, self._system_id, base)
        end = await self._run_procedure(transfer)
        journal, system_id = self._journal, self._system_id
        match end:
            case FetchDone():
                self._marks.clear_timeouts(system_id, service)
                await self._finish(transfer, fetch)
                return transfer
            case FetchAborted():
                await journal.record("records.fetch_aborted", system_id, store=profile.name, records=end.count)
                return transfer
            case FetchRefused():
                self._marks.clear_timeouts(system_id, service)
                await journal.record("records.not_fetched", system_id, store=profile.name, why=end.why)
            case FetchTimedOut():
                await self._give_up(profile)
            case _:
                pass
        return None

    async def _give_up(self, profile: ServiceProfile) -> None:
        """End the link after a transfer of records timed out, because no other procedure may be
        started on this link."""
        why = f"its {profile.name} did not end a transfer of records"
        self._marks.add_timeout(self._system_id, profile.service, self._clock.monotonic_s())
        await self._journal.record("records.not_fetched", self._system_id, store=profile.name, why=why)
        self._link.end(why)

    async def _finish(self, transfer: Transfer, fetch: RecordFetch) -> None:
        """Complete a transfer whose records are durable: store the final mark (number of the last durable record),
        record an event, and delete the records on the device where allowed."""
        profile, count = transfer.profile, fetch.count
        if count and transfer.base is not None and not transfer.proven and not transfer.from_the_oldest:
            transfer.restarted = True  # there are records, and the one of the mark is missing
        mark = transfer.reached()
        if is_advance(mark, self._marks.find(self._system_id, profile.service)):
            try:
                await self._store.append_sections([], records=mark)
                self._marks.note(mark)
            except StoreFull:
                log.warning("records.mark_kept", link=self._link.name)
        if (count or not transfer.whole) and not transfer.restarted:
            await self._journal.record(
                "records.fetched", self._system_id, store=profile.name, records=count, whole=transfer.whole
            )
        if self._rules.delete and transfer.whole and transfer.readable and not transfer.restarted and count:
            await self._delete(profile, mark.through)

    async def _delete(self, profile: ServiceProfile, through: int | None) -> None:
        """Delete the durable records up to the number `through` on the device. Do nothing if the device's records have
        no numbers."""
        if through is None or profile.record_store in (None, RecordNumbering.NONE):
            return
        transfer = Transfer(profile, RecordDelete(profile.record_store, through), self._system_id, None)
        end = await self._run_procedure(transfer)
        if isinstance(end, FetchDone):
            await self._journal.record("records.deleted", self._system_id, store=profile.name, through=through)
        elif isinstance(end, FetchRefused):
            await self._journal.record("records.not_deleted", self._system_id, store=profile.name, why=end.why)
        elif isinstance(end, FetchTimedOut):
            await self._give_up(profile)

    async def _run_procedure(self, transfer: Transfer) -> FetchEvent:
        self._transfer = transfer
        try:
            end = await self._follow_procedure(transfer)
        except BaseException:
            # The session ends. `_transfer` stays, so that the records that are still queued are stored with the mark
            # that they reach. Without it, they would be fetched and stored again.
            self._interrupted.add(transfer.profile.service)
            raise
        else:
            transfer.procedure.lost()
            if not isinstance(end, FetchTimedOut):  # else the session ends too, and records may still arrive
                self._transfer = None
            return end
        finally:
            transfer.over.set()

    async def _follow_procedure(self, transfer: Transfer) -> FetchEvent:
        """Write the requests of the procedure until it ends, and return the event of its end."""
        procedure = transfer.procedure
        await self._write(transfer, procedure.start(self._clock.monotonic_s()))
        while True:
            while transfer.events:
                event = transfer.events.popleft()
                if not isinstance(event, FetchRequest):
                    return event
                await self._write(transfer, event.octets)
            transfer.wake.clear()
            try:
                async with self._clock.timeout_at(procedure.deadline_s):
                    await transfer.wake.wait()
            except TimeoutError:
                transfer.put(procedure.expire(self._clock.monotonic_s()))

    async def _write(self, transfer: Transfer, octets: bytes) -> None:
        transfer.note_request(octets)
        try:
            await self._requests.write(transfer.profile.service, RECORD_ACCESS_CONTROL_POINT, octets)
        except BleGattError as error:
            transfer.put(transfer.procedure.not_written(error.code, self._clock.monotonic_s()))
