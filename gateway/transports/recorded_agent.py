"""Replay a recorded agent so that its responses follow the requests of the present manager.

Replayed unchanged, the agent would respond to requests that our manager never sent, and send a configuration that our
manager knows already. So only associations, measurements and releases are sent unprompted, in order and at their
recorded times. Responses and configurations are sent when our manager requests them, with our invoke-id.

A standard configuration that the capture lacks is sent from the standard. A Get that the recorded agent never received
gets a response without attributes, as 20601 §6 allows: no response would count as a fault of the agent.

The class has no I/O and no clock.
"""

from collections import deque
from collections.abc import Callable, Sequence

from gateway.transports.capture import Record
from protocols.errors import RemoteProtocolError
from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.apdu import (
    Apdu,
    DataApdu,
    MessageTag,
    Prst,
    body_of,
    decode_apdu,
    decode_data,
    encode_apdu,
    encode_data,
)
from protocols.ieee11073.apdu.association import (
    Aare,
    Aarq,
    AssociateResult,
    PhdAssociationInformation,
    ReleaseResponseReason,
    Rlre,
    Rlrq,
)
from protocols.ieee11073.apdu.data import (
    NO_RELATIVE_TIME,
    ConfigReportRsp,
    ConfigResult,
    EventReportArgument,
    EventReportResult,
    EventType,
    GetResult,
)
from protocols.ieee11073.mder import decode

StandardConfiguration = Callable[[int], bytes | None]
"""Function that returns a standard configuration (an encoded ConfigObjectList) by its id, or None."""

_ANSWER_TO = {
    MessageTag.GET: MessageTag.GET_RESULT,
    MessageTag.CONFIRMED_SET: MessageTag.SET_RESULT,
    MessageTag.CONFIRMED_ACTION: MessageTag.ACTION_RESULT,
}
_FIRST_RESPONSE = 0x0200
_INVOKE_ID = slice(6, 8)
_CONFIGURATION_INVOKE_ID = 0x7FF0
"""Invoke-id of a configuration that the recorded agent never sent; recorded agents count their own from 0 or 1."""


class NoConfiguration(Exception):
    """The manager requests a configuration that neither the capture nor the standard holds."""

    def __init__(self, config_id: int) -> None:
        self.config_id = config_id
        super().__init__(f"the capture holds no configuration 0x{config_id:04X}, and it is not a standard one")


class RecordedAgent:
    """The recorded agent of one connection. `unprompted` are the records to send without a request, in order."""

    def __init__(self, records: Sequence[Record], standard_configuration: StandardConfiguration) -> None:
        self._standard_configuration = standard_configuration
        self._stream = ApduStream()
        self._configurations: deque[bytes] = deque()
        self._responses: deque[tuple[MessageTag, bytes]] = deque()
        self._config_id = 0
        self.unprompted: tuple[Record, ...] = tuple(
            record for record in records if record.dir == "agent->manager" and not self._kept_back(record.octets)
        )

    def reactions(self, sent: bytes) -> list[bytes]:
        """Return the agent's responses to the manager's bytes, one APDU per item. Raises `NoConfiguration`."""
        return [answer for octets in self._stream.feed(sent) for answer in self._reaction(decode_apdu(octets))]

    def _kept_back(self, octets: bytes) -> bool:
        """Return whether a recorded APDU must be held back, that is, never sent unprompted. Responses and
        configurations are then stored until the manager requests them. Release responses are dropped."""
        try:
            apdu = decode_apdu(octets)
            if isinstance(apdu, Aarq):
                self._config_id = _config_id(apdu) or self._config_id
            if isinstance(apdu, Rlre):
                return True
            data = decode_data(apdu.data) if isinstance(apdu, Prst) else None
            configuration = data is not None and _is_configuration(data)
        except RemoteProtocolError:
            # An APDU that cannot be decoded was no response: it is played back by itself, and this manager may judge
            # it.
            return False
        if data is None:
            return False
        if data.message >= _FIRST_RESPONSE:
            self._responses.append((data.message, octets))
        elif configuration:
            self._configurations.append(octets)
        return data.message >= _FIRST_RESPONSE or configuration

    def _reaction(self, apdu: Apdu) -> list[bytes]:
        match apdu:
            case Aare(result=AssociateResult.ACCEPTED_UNKNOWN_CONFIG):
                return [self._configuration()]
            case Rlrq():
                return [encode_apdu(Rlre(ReleaseResponseReason.NORMAL))]
            case Prst():
                return self._message(decode_data(apdu.data))
            case _:
                return []

    def _message(self, data: DataApdu) -> list[bytes]:
        if data.message == MessageTag.EVENT_REPORT_RESULT:
            result = body_of(data)
            assert isinstance(result, EventReportResult)
            verdict = (
                decode(ConfigReportRsp, result.event_reply_info) if result.event_type == EventType.CONFIG else None
            )
            refused = verdict is not None and verdict.config_result != ConfigResult.ACCEPTED_CONFIG
            return [self._configurations.popleft()] if refused and self._configurations else []
        expected = _ANSWER_TO.get(data.message)
        if expected is None:
            return []
        for place, (message, octets) in enumerate(self._responses):
            if message == expected:
                del self._responses[place]
                answer = bytearray(octets)
                answer[_INVOKE_ID] = data.invoke_id.to_bytes(2, "big")
                return [bytes(answer)]
        if data.message == MessageTag.GET:
            return [encode_data(data.invoke_id, MessageTag.GET_RESULT, GetResult(0, ()))]
        return []

    def _configuration(self) -> bytes:
        if self._configurations:
            return self._configurations.popleft()
        objects = self._standard_configuration(self._config_id)
        if objects is None:
            raise NoConfiguration(self._config_id)
        report = self._config_id.to_bytes(2, "big") + objects
        argument = EventReportArgument(0, NO_RELATIVE_TIME, EventType.CONFIG, report)
        return encode_data(_CONFIGURATION_INVOKE_ID, MessageTag.CONFIRMED_EVENT_REPORT, argument)


def _is_configuration(data: DataApdu) -> bool:
    if data.message not in {MessageTag.EVENT_REPORT, MessageTag.CONFIRMED_EVENT_REPORT}:
        return False
    argument = body_of(data)
    return isinstance(argument, EventReportArgument) and argument.event_type == EventType.CONFIG


def _config_id(aarq: Aarq) -> int | None:
    for offered in aarq.data_proto_list:
        try:
            return decode(PhdAssociationInformation, offered.data_proto_info).dev_config_id
        except RemoteProtocolError:
            continue
    return None
