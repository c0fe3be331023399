"""A record store (a server with a Record Access Control Point), a procedure that fetches its records, and a link
between them, which carries messages only when the test calls it.
"""

from collections import deque
from collections.abc import Sequence

from protocols.ble.interpretation import RecordNumbering
from protocols.ble.record_access import Opcode, Result, encode_result
from protocols.ble.record_fetch import RecordFetch
from protocols.ble.record_procedure import FetchEvent, FetchRequest, RecordProcedure
from protocols.ble.record_server import Outgoing, RecordServer, StoredRecord
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT

GLUCOSE_MEASUREMENT = 0x2A18


def stored(*numbers: int) -> dict[int, StoredRecord]:
    """Return one stored record for each sequence number; the record's value is that number."""
    return {number: StoredRecord(number, ((GLUCOSE_MEASUREMENT, number.to_bytes(4, "little")),)) for number in numbers}


class RecordLink:
    """A link between a record server and a procedure: `run` carries all messages, `step` carries one.

    `instead` and `errors` are faults: the next requests are rejected with the result codes in `instead`, one request
    for each code, and the next writes fail with the ATT errors in `errors`.
    """

    def __init__(
        self,
        server: RecordServer,
        procedure: RecordProcedure,
        *,
        instead: Sequence[Result] = (),
        errors: Sequence[int] = (),
    ) -> None:
        self.server = server
        self.procedure = procedure
        self.instead = deque(instead)
        self.errors = deque(errors)
        self.now_s = 100.0
        self.numbers: list[int] = []
        self.events: list[FetchEvent] = []
        self.written: list[str] = []
        self._queue: deque[Outgoing] = deque()

    def start(self) -> "RecordLink":
        self._write(self.procedure.start(self.now_s))
        return self

    def run(self) -> "RecordLink":
        """Start the procedure, and carry messages until the server has none left."""
        self.start()
        while self.step():
            pass
        return self

    def step(self) -> bool:
        """Carry the server's next message to the procedure; return False if the server has no message."""
        outgoing = self._queue.popleft() if self._queue else self.server.next()
        if outgoing is None:
            return False
        if outgoing.characteristic == RECORD_ACCESS_CONTROL_POINT:
            self.take(self.procedure.receive(outgoing.octets, self.now_s))
        else:
            number = int.from_bytes(outgoing.octets, "little")
            self.numbers.append(number)
            if isinstance(self.procedure, RecordFetch):
                self.procedure.record(number, self.now_s)
        return True

    def wait(self, for_s: float) -> None:
        self.now_s += for_s
        self.take(self.procedure.expire(self.now_s))

    def take(self, events: Sequence[FetchEvent]) -> None:
        """Record the new events of the procedure, and write each request among the events to the server."""
        for event in events:
            self.events.append(event)
            if isinstance(event, FetchRequest):
                self._write(event.octets)

    @property
    def ends(self) -> list[FetchEvent]:
        """Return the events with which the procedure ended; a correct procedure ends exactly once."""
        return [event for event in self.events if type(event).__name__ in ENDS]

    def _write(self, octets: bytes) -> None:
        self.written.append(octets.hex(" "))
        if self.errors:
            self.take(self.procedure.not_written(self.errors.popleft(), self.now_s))
        elif self.instead and octets[0] != Opcode.ABORT:
            self._queue.append(Outgoing(RECORD_ACCESS_CONTROL_POINT, encode_result(octets[0], self.instead.popleft())))
        elif (error := self.server.written(octets)) is not None:
            self.take(self.procedure.not_written(error, self.now_s))


ENDS = ("FetchDone", "FetchAborted", "FetchRefused", "FetchTimedOut")


def fetching(
    *numbers: int,
    after: int | None = None,
    numbering: RecordNumbering = RecordNumbering.SEQUENCE_NUMBER,
    instead: Sequence[Result] = (),
    errors: Sequence[int] = (),
) -> RecordLink:
    """Return a link whose procedure fetches from a store with records of these numbers: all records, or with `after`
    the records of higher numbers."""
    server = RecordServer(stored(*numbers), numbering)
    return RecordLink(server, RecordFetch(numbering, after), instead=instead, errors=errors)
