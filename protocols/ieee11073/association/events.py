"""Events that an association emits in either role, in the order in which they happened.

Events of one role are in `manager_events` and `agent_events`. The caller stores each event as durably as needed and
calls `delivered(event)`, or `refused(event)` where it cannot store the event; the response to a confirmed report is
sent only after that. Both methods accept every event, and have an effect only for `ReportReceived`,
`SegmentDataReceived` and `MdsRead`.
"""

from dataclasses import dataclass
from enum import Enum

from protocols.deviation import Deviation
from protocols.ieee11073.association.agent_events import AgentEvent
from protocols.ieee11073.association.manager_events import ManagerEvent
from protocols.observation import Channel


class RejectReason(Enum):
    """Reason for which an association was rejected: the result in the AARE (reference 20601 §3)."""

    PERMANENT = 1
    TRANSIENT = 2
    NO_COMMON_PROTOCOL = 4
    NO_COMMON_PARAMETER = 5
    UNKNOWN = 6
    UNAUTHORIZED = 7
    UNSUPPORTED_ASSOCIATION_VERSION = 8


@dataclass(frozen=True, slots=True)
class Associated:
    """An association began. `configuration_known` is False where the device still has to send its configuration."""

    system_id: bytes
    config_id: int
    configuration_known: bool


@dataclass(frozen=True, slots=True)
class ConfigurationAgreed:
    """Manager and agent agreed on a configuration; `octets` are its encoded ConfigObjectList. `learned` is True where
    the device sent the objects in this association."""

    config_id: int
    channels: tuple[Channel, ...]
    octets: bytes
    learned: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """The association was released. Earlier reports can still be acknowledged, and a new association may begin."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association ended by an ABRT with the code `reason` (reference 20601 §3); `why` is a text for people."""

    reason: int
    by_us: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """An association request was rejected: one that this manager received, or one that this agent sent."""

    reason: RejectReason


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The connection ended, and with it any association, without a release."""


Event = (
    Associated | ConfigurationAgreed | Deviation | Released | Aborted | Rejected | LinkLost | ManagerEvent | AgentEvent
)
