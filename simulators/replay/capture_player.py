"""Play a wire capture to a manager: send the recorded agent's bytes, adapted to the messages of this manager.

Messages that an agent sends unprompted are sent in the recorded order. Messages that an agent sends on request (its
configuration, responses to Get, Set and actions, the end of a release) are sent when this manager requests them, with
the manager's invoke-id (`gateway.transports.recorded_agent`).

After an AARQ the player waits for the association; whether the configuration is exchanged is the manager's choice.
After a confirmed report the player waits for the response, unless the next report was recorded at the same time. So the
result does not depend on timing, and recorded pauses are left out.

Bytes with the same recorded time are sent in one write; a capture whose profile is "byte_by_byte" is sent byte by byte.
Connections that overlapped in the recording overlap in the playback; other connections follow each other. A connection
ends as it was recorded: after a release, after an abort, or by closing.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from gateway.transports.capture import Capture, Record
from gateway.transports.clock import Clock
from gateway.transports.link import Link
from gateway.transports.recorded_agent import NoConfiguration, RecordedAgent
from protocols.errors import RemoteProtocolError
from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.apdu import MessageTag, Prst, body_of, decode_apdu, decode_data
from protocols.ieee11073.apdu.association import Aare, Aarq, Abrt, AssociateResult, Rlre, Rlrq
from protocols.ieee11073.apdu.data import ConfigReportRsp, ConfigResult, EventReportResult, EventType
from protocols.ieee11073.mder import decode
from protocols.ieee11073.specializations import standard_bytes

ANSWER_S: Final = 10.0
"""Time limit for the manager's response: TO_assoc and TO_config of 20601 §9.3."""
QUIET_S: Final = 0.25
"""Silence after the last recorded byte that counts as the end: a manager may still send a request before."""

_GRANTED = frozenset({AssociateResult.ACCEPTED, AssociateResult.ACCEPTED_UNKNOWN_CONFIG})

Tell = Callable[[str], None]
Connect = Callable[[], Awaitable[Link]]


@dataclass(slots=True)
class Played:
    """Result of playing one connection. `trouble` describes a difference from the recording; None: there is none."""

    conn: int
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    unacknowledged: int = 0
    configuration_sent: bool = False
    aborted: bool = False
    trouble: str | None = None


async def play(
    capture: Capture,
    connect: Connect,
    clock: Clock,
    tell: Tell = lambda line: None,
) -> list[Played]:
    """Play all connections of the capture, and return a result for each. `connect` opens a link to the manager; `tell`
    gets each log line. Raises OSError where a link cannot be opened."""
    by_conn = {
        conn: [record for record in capture.records if record.conn == conn]
        for conn in dict.fromkeys(record.conn for record in capture.records)
    }
    one_octet = "byte_by_byte" in str(capture.meta.get("profile", ""))
    over: dict[int, asyncio.Event] = {conn: asyncio.Event() for conn in by_conn}

    async def one(conn: int, records: Sequence[Record]) -> Played:
        for other, theirs in by_conn.items():
            if theirs[-1].t_s < records[0].t_s:
                await over[other].wait()
        player = _Player(conn, records, one_octet, clock, tell)
        try:
            return await player.run(await connect())
        finally:
            over[conn].set()

    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(one(conn, records)) for conn, records in by_conn.items()]
    except ExceptionGroup as group:
        absent, bugs = group.split(OSError)
        if absent is None or bugs is not None:
            raise
        raise absent.exceptions[0] from None
    return [task.result() for task in running]


@dataclass(slots=True)
class _Recorded:
    """Recorded responses of the manager. `granted`: whether the manager accepted the association; None: no response was
    recorded."""

    granted: bool | None = None
    answers: dict[int, deque[bool]] = field(default_factory=lambda: defaultdict(deque))
    """Responses by invoke-id, in order; True: accepted."""

    @classmethod
    def of(cls, records: Sequence[Record]) -> "_Recorded":
        found, stream = cls(), ApduStream()
        for record in records:
            if record.dir != "manager->agent" or record.gatt is not None:
                continue
            for apdu in stream.feed(record.octets):
                found._hear(apdu)
        return found

    def _hear(self, received: bytes) -> None:
        try:
            apdu = decode_apdu(received)
            data = decode_data(apdu.data) if isinstance(apdu, Prst) else None
        except RemoteProtocolError:
            return
        if isinstance(apdu, Aare) and self.granted is None:
            self.granted = apdu.result in _GRANTED
        elif data is not None and data.message == MessageTag.EVENT_REPORT_RESULT:
            self.answers[data.invoke_id].append(True)
        elif data is not None and data.message in (MessageTag.ERROR, MessageTag.REJECT):
            self.answers[data.invoke_id].append(False)

    def took(self, invoke_id: int) -> bool | None:
        """Remove the next recorded response for this invoke-id, and return whether the recorded manager accepted the
        report. Return None if no further response was recorded."""
        return self.answers[invoke_id].popleft() if self.answers[invoke_id] else None


@dataclass(slots=True)
class _Waits:
    """Responses of this manager that must arrive before the next recorded bytes are sent."""

    association: bool = False
    answers: set[int] = field(default_factory=set)
    release: bool = False

    @property
    def any(self) -> bool:
        return self.association or bool(self.answers) or self.release


class _Player:
    def __init__(
        self,
        conn: int,
        records: Sequence[Record],
        one_octet: bool,
        clock: Clock,
        tell: Tell,
    ) -> None:
        self._agent = RecordedAgent(records, standard_bytes)
        self._one_octet = one_octet
        self._clock = clock
        self._tell = tell
        self._stream = ApduStream()
        self._waits = _Waits()
        self._played = Played(conn)
        self._recorded = _Recorded.of(records)
        self._over = False

    async def run(self, link: Link) -> Played:
        try:
            for _, slice_ in groupby(self._agent.unprompted, key=lambda record: record.t_s):
                if self._over:
                    break
                await self._send(link, b"".join(self._note(record.octets) for record in slice_))
                await self._hear(link, ANSWER_S, until_silent=False)
                if self._waits.any and not self._over:
                    self._give_up()
            if not self._over:
                await self._hear(link, QUIET_S, until_silent=True)
        except NoConfiguration as error:
            self._played.trouble = str(error)
        except (ConnectionError, RemoteProtocolError) as error:
            self._played.trouble = f"the link ended: {error}" if isinstance(error, ConnectionError) else str(error)
        finally:
            await link.close()
        played = self._played
        self._print(
            f"over: {played.sent} APDUs sent, {played.acknowledged} reports acknowledged, {played.refused} refused, "
            f"{played.unacknowledged} unacknowledged" + (f"; {played.trouble}" if played.trouble else "")
        )
        return played

    async def _send(self, link: Link, octets: bytes) -> None:
        if not self._one_octet:
            await link.send(octets)
            return
        for octet in octets:
            await link.send(bytes((octet,)))
            await asyncio.sleep(0)  # send the segment separately

    async def _hear(self, link: Link, limit_s: float, *, until_silent: bool) -> None:
        """Receive the manager's messages until all expected responses have arrived, or until nothing arrives for
        `limit_s`. With `until_silent`, continue after the expected responses until nothing arrives for `limit_s`."""
        while not self._over and (until_silent or self._waits.any):
            try:
                async with self._clock.timeout_at(self._clock.monotonic_s() + limit_s):
                    data = await link.receive()
            except TimeoutError:
                return
            if not data:
                self._over = True
                if self._waits.any:
                    self._played.trouble = "the manager closed the link"
                return
            for received in self._stream.feed(data):
                self._heard(received)
                for reaction in self._agent.reactions(received):
                    await self._send(link, self._note(reaction))

    def _note(self, octets: bytes) -> bytes:
        """Log the bytes to send, register the responses that the manager has to send for them, and return the bytes."""
        self._played.sent += 1
        try:
            apdu = decode_apdu(octets)
            data = decode_data(apdu.data) if isinstance(apdu, Prst) else None
        except RemoteProtocolError:
            self._print(f"→ {len(octets)} octets that are no APDU")
            return octets
        self._print(f"→ {_name(octets)}")
        if isinstance(apdu, Aarq):
            self._waits.association = True
        elif isinstance(apdu, Rlrq):
            self._waits.release = True
        elif isinstance(apdu, Abrt):
            self._over = True
        elif data is not None and data.message == MessageTag.CONFIRMED_EVENT_REPORT:
            if self._waits.association:
                self._played.configuration_sent = True
            else:
                self._waits.answers.add(data.invoke_id)
        return octets

    def _heard(self, octets: bytes) -> None:
        self._print(f"← {_name(octets)}")
        apdu = decode_apdu(octets)
        match apdu:
            case Aare(result=result) if result in _GRANTED:
                self._waits.association = result != AssociateResult.ACCEPTED
                if self._recorded.granted is False:
                    self._played.trouble = "the manager granted the association, and the recorded one rejected it"
            case Aare(result=result):
                self._over = True
                if self._recorded.granted is not False:
                    self._played.trouble = f"the manager rejected the association ({int(result)})"
            case Abrt():
                self._over = True
                self._played.aborted = True
                self._played.trouble = "the manager aborted"
            case Rlre():
                self._waits.release = False
                self._over = True
            case Prst():
                self._response(apdu)

    def _response(self, apdu: Prst) -> None:
        data = decode_data(apdu.data)
        if data.message == MessageTag.EVENT_REPORT_RESULT:
            result = body_of(data)
            assert isinstance(result, EventReportResult)
            if result.event_type == EventType.CONFIG:
                verdict = decode(ConfigReportRsp, result.event_reply_info)
                self._waits.association = verdict.config_result != ConfigResult.ACCEPTED_CONFIG
            elif data.invoke_id in self._waits.answers:
                self._waits.answers.discard(data.invoke_id)
                self._played.acknowledged += 1
                self._compare(data.invoke_id, taken=True)
        elif data.message in (MessageTag.ERROR, MessageTag.REJECT) and data.invoke_id in self._waits.answers:
            self._waits.answers.discard(data.invoke_id)
            self._played.refused += 1
            self._compare(data.invoke_id, taken=False)

    def _compare(self, invoke_id: int, *, taken: bool) -> None:
        """Report a lost value if the recorded manager accepted this report and the present manager refused it."""
        if self._recorded.took(invoke_id) and not taken:
            self._played.trouble = "the manager refused a report that the recorded one had taken"

    def _give_up(self) -> None:
        """Report a missing response and stop waiting. Without a response to AARQ or release, end the connection."""
        self._played.unacknowledged += len(self._waits.answers)
        self._played.trouble = f"the manager did not answer within {ANSWER_S:.0f} s"
        if self._waits.association or self._waits.release:
            self._over = True
        self._waits = _Waits()

    def _print(self, line: str) -> None:
        self._tell(f"conn {self._played.conn} {line}")


def _name(octets: bytes) -> str:
    """Describe an APDU for the log: kind, message, invoke-id and size, without measured values."""
    apdu = decode_apdu(octets)
    if isinstance(apdu, Aare):
        return f"AARE {apdu.result.name.lower().replace('_', '-')} ({len(octets)} octets)"
    if not isinstance(apdu, Prst):
        return f"{type(apdu).__name__.upper()} ({len(octets)} octets)"
    data = decode_data(apdu.data)
    return f"{data.message.name.lower().replace('_', ' ')} {data.invoke_id} ({len(octets)} octets)"
