"""A player that sends the agent's APDUs of a shared wire capture to a manager, adapted to what this manager requests.

The manager's invoke-id is copied into the agent's Get response. If the manager requests the agent's configuration, the
player sends the one in the capture, or the standard one if the capture has none.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.apdu import MessageTag, Prst, decode_apdu, decode_data
from protocols.ieee11073.apdu.association import Aare, AssociateResult
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.specializations import standard_configuration
from protocols.observation import Observation
from tests.builders.ieee11073_apdus import MANAGER_ID, config_report

_CONFIG_EVENT = b"\x0d\x1c"


def records(path: Path) -> list[tuple[str, bytes]]:
    """Return the sender (`agent` or `manager`) and the bytes of each APDU in the capture, in order."""
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    return [(record["dir"].split("->")[0], bytes.fromhex(record["hex"])) for record in lines]


@dataclass
class Played:
    """The outcome of a played capture: `events` are the manager's events in order, `answers` is every APDU that the
    manager sent."""

    meta: dict[str, Any]
    events: list[Event] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    @property
    def observations(self) -> list[Observation]:
        return [one for event in self.events if isinstance(event, ReportReceived) for one in event.observations]


class CapturePlayer:
    """A link between the capture's agent and a new manager. With `known_configurations`, the manager accepts standard
    configurations without requesting them."""

    def __init__(self, path: Path, *, known_configurations: bool) -> None:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        self._records = [record for record in lines[1:] if record["dir"] == "agent->manager"]
        self.played = Played(lines[0]["meta"])
        settings = ManagerSettings(accept_standard_configurations=known_configurations)
        self.manager = ManagerAssociation(
            system_id=MANAGER_ID, configurations=RememberedConfigurations(), settings=settings
        )
        self._stream = ApduStream()
        self._asked = False
        self._get: bytes | None = None

    def play(self, *, octets_a_read: int | None = None) -> Played:
        """Play the whole capture. The manager receives whole APDUs, or pieces of `octets_a_read` bytes."""
        now_s = 0.0
        for record in self._records:
            now_s = record["t"]
            apdu = bytes.fromhex(record["hex"])
            if self._is_configuration(apdu):
                if self._asked:
                    self._receive(apdu, now_s, octets_a_read)
            elif self._is_get_response(apdu):
                if self._get is not None:
                    self._receive(apdu[:6] + self._get + apdu[8:], now_s, octets_a_read)
            else:
                if self._asked and apdu[:2] == b"\xe7\x00":
                    self._receive(self._standard_report(), now_s, octets_a_read)
                self._receive(apdu, now_s, octets_a_read)
        self._take(self.manager.receive(b"", now_s))
        return self.played

    def _receive(self, octets: bytes, now_s: float, octets_a_read: int | None) -> None:
        step = octets_a_read or len(octets)
        for at in range(0, len(octets), step):
            self._take(self.manager.receive(octets[at : at + step], now_s))

    def _take(self, events: list[Event]) -> None:
        self._collect_responses()
        for event in events:
            self.played.events.append(event)
            self.manager.delivered(event)
        self._collect_responses()

    def _collect_responses(self) -> None:
        for octets in self._stream.feed(self.manager.to_send()):
            self.played.answers.append(octets)
            match decode_apdu(octets):
                case Aare(result=result):
                    self._asked = result is AssociateResult.ACCEPTED_UNKNOWN_CONFIG
                case Prst(data=data):
                    message = decode_data(data)
                    if message.message is MessageTag.GET:
                        self._get = octets[6:8]
                    elif message.message is MessageTag.EVENT_REPORT_RESULT and message.body[6:8] == _CONFIG_EVENT:
                        self._asked = False

    def _standard_report(self) -> bytes:
        configuration = standard_configuration(int.from_bytes(bytes.fromhex(self._records[0]["hex"])[44:46], "big"))
        assert configuration is not None
        return config_report(configuration, invoke_id=0x7FFF)

    @staticmethod
    def _is_configuration(apdu: bytes) -> bool:
        return apdu[:2] == b"\xe7\x00" and apdu[18:20] == _CONFIG_EVENT

    @staticmethod
    def _is_get_response(apdu: bytes) -> bool:
        return apdu[:2] == b"\xe7\x00" and apdu[8:10] == b"\x02\x03"
