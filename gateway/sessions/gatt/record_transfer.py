"""One transfer of records, and what its records prove about the mark of their store.

The mark is the number of the last durable record. The types enforce the order that durability needs: a `RecordBatch`
collects the records of one delivery; sealing it returns the records with the mark that they reach. Only a sealed batch
can be committed or refused, and only after that does the procedure get the control point's response.

No I/O here: `record_fetching` runs the procedures, `intake` stores the records.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.buffer.record_marks import FetchedRecords
from gateway.sessions.gatt.data_watch import CONTINUOUS
from gateway.sessions.gatt.known_measurements import digest_of
from gateway.sessions.gatt.record_marks import RecordMarks, is_advance
from protocols.ble.interpretation import Measured, RecordNumbering, ServiceProfile
from protocols.ble.record_access import Opcode, Operator
from protocols.ble.record_fetch import RecordFetch
from protocols.ble.record_procedure import FetchAborted, FetchEvent, RecordProcedure
from protocols.bounded_map import BoundedMap
from protocols.deviation import Deviation

_ALL = bytes((Opcode.REPORT, Operator.ALL))
_DIGESTS_MAX = 4096
"""Maximum number of records of one transfer whose digests are kept: the latest ones; the mark is at one of them."""


@dataclass(slots=True, eq=False)
class Transfer:
    """One running procedure of a record store: a fetch or a delete. `base`: the last durable record before the
    procedure."""

    profile: ServiceProfile
    procedure: RecordProcedure
    system_id: str
    base: FetchedRecords | None
    events: deque[FetchEvent] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    digests: BoundedMap[int, bytes] = field(default_factory=lambda: BoundedMap(_DIGESTS_MAX))
    """Digests by record number, for the records at which the mark may be."""
    whole: bool = True
    readable: bool = True
    proven: bool = False
    """True when the record of the mark was received with the same content."""
    from_the_oldest: bool = False
    """True when all records were requested, so that nothing depends on the mark."""
    restarted: bool = False
    """True when the store numbers its records from the beginning again, so that the mark is void."""
    store_full: bool = False

    def put(self, events: Sequence[FetchEvent]) -> None:
        """Pass events to the task that runs the procedure."""
        self.events.extend(events)
        self.wake.set()

    def note_request(self, octets: bytes) -> None:
        """Record a request that is about to be written. A request for all records sets `from_the_oldest`."""
        self.from_the_oldest = self.from_the_oldest or octets.startswith(_ALL)

    def is_record(self, measured: Measured) -> bool:
        """Return whether a value is a record of this transfer. If the record store has no record numbers, every value
        except a streamed one is a record."""
        if self.profile.record_store is RecordNumbering.NONE:
            return measured.characteristic not in CONTINUOUS
        return measured.record is not None

    def accept(self, measured: Measured, now_s: float) -> bool:
        """Register one received record. Return False if it is an unchanged copy of the last record that was durable
        before the transfer began."""
        if not isinstance(self.procedure, RecordFetch):
            return True
        number = measured.record
        self.procedure.record(number, now_s)
        if number is None:
            return True
        digest = digest_of(measured.observations)
        if number not in self.digests:
            self.digests[number] = digest
        if self.base is None or number != self.base.through:
            return True
        self.proven = self.proven or digest == self.base.identity
        self.restarted = not self.proven and not self.from_the_oldest
        return digest != self.base.identity

    def reached(self) -> FetchedRecords:
        """Return the mark (last durable record) that is valid once all records received so far are durable."""
        nowhere = FetchedRecords(self.system_id, self.profile.service, b"", None)
        if self.restarted or not isinstance(self.procedure, RecordFetch):
            return nowhere
        through = self.procedure.through
        trusted = self.base is None or self.proven or self.from_the_oldest
        if not trusted or not self.whole or through is None or through not in self.digests:
            return self.base or nowhere
        return FetchedRecords(self.system_id, self.profile.service, self.digests[through], through)


@dataclass(slots=True, eq=False)
class RecordBatch:
    """Records and control point responses of one delivery that are not durable yet."""

    transfer: Transfer
    marks: RecordMarks
    measured: list[Measured] = field(default_factory=list)
    responses: list[FetchEvent] | None = None

    def belongs(self, service: int) -> bool:
        return self.transfer.profile.service == service

    def accept(self, measured: Measured, now_s: float) -> None:
        """Add one record, unless it is durable already."""
        if self.transfer.accept(measured, now_s):
            self.measured.append(measured)

    def receive(self, octets: bytes, now_s: float) -> list[Deviation]:
        """Add a value that the control point sent, and return the protocol deviations in this value. Raises
        RemoteProtocolError."""
        self.responses = [] if self.responses is None else self.responses
        events = self.transfer.procedure.receive(octets, now_s)
        self.responses += [each for each in events if not isinstance(each, Deviation)]
        return [each for each in events if isinstance(each, Deviation)]

    def mark_unreadable(self) -> None:
        """Record that a value of the service could not be decoded."""
        self.transfer.readable = False

    def seal(self) -> "SealedBatch | None":
        """Close the batch and return its records with the mark (last durable record) to store. Return None if the batch
        has neither records nor a response."""
        if not self.measured and self.responses is None:
            return None
        transfer, mark = self.transfer, None
        if isinstance(transfer.procedure, RecordFetch):
            reached = transfer.reached()
            known = self.marks.find(transfer.system_id, transfer.profile.service)
            mark = reached if is_advance(reached, known) else None
        return SealedBatch(transfer, self.marks, self.measured, self.responses or [], mark)


@dataclass(frozen=True, slots=True, eq=False)
class SealedBatch:
    """Records to store together with `mark`, the last durable record once they are stored (None: unchanged). Call
    `commit` after they are stored, or `refuse` if the store has no room."""

    transfer: Transfer
    marks: RecordMarks
    measured: Sequence[Measured]
    responses: Sequence[FetchEvent]
    mark: FetchedRecords | None

    def commit(self) -> None:
        """Continue the transfer procedure, because the records and the mark (last durable record) are durable."""
        if self.mark is not None:
            self.marks.note(self.mark)
        self.transfer.put(self.responses)

    def refuse(self, now_s: float) -> None:
        """Abort the transfer procedure, because the buffer is full. The device keeps the records."""
        transfer = self.transfer
        transfer.store_full, transfer.whole = True, False
        if transfer.procedure.ended:
            transfer.put([FetchAborted(transfer.procedure.count)])
        else:
            transfer.put(transfer.procedure.abort(now_s))
