"""Events of an association in either role: frozen values, in the order in which they happened.

Events of one role only are in `manager_events` and `agent_events`. The caller makes each event durable as needed and
then calls `delivered(event)`; only then is the response to a confirmed report sent. A caller that cannot store calls
`refused(event)`. Both accept every event; they have an effect for `ReportReceived`, `SegmentDataReceived` and
`MdsRead`.
"""

from dataclasses import dataclass
from enum import Enum

from protocols.deviation import Deviation
from protocols.ieee11073.association.agent_events import AgentEvent
from protocols.ieee11073.association.manager_events import ManagerEvent
from protocols.observation import Channel


class RejectReason(Enum):
    """Reason why an association was not granted; the value is the AARE result (reference 20601 §3)."""

    PERMANENT = 1
    TRANSIENT = 2
    NO_COMMON_PROTOCOL = 4
    NO_COMMON_PARAMETER = 5
    UNKNOWN = 6
    UNAUTHORIZED = 7
    UNSUPPORTED_ASSOCIATION_VERSION = 8


@dataclass(frozen=True, slots=True)
class Associated:
    """An association began. `configuration_known` is False when the configuration still has to be exchanged."""

    system_id: bytes
    config_id: int
    configuration_known: bool


@dataclass(frozen=True, slots=True)
class ConfigurationAgreed:
    """Manager and agent agreed on a configuration. `octets` are the encoded ConfigObjectList, in the form that a store
    keeps.

    `learned` is True when this device sent it now, False when it was known (standard, or remembered).
    """

    config_id: int
    channels: tuple[Channel, ...]
    octets: bytes
    learned: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """The association was released; earlier confirmations stay valid, and the link may carry a new association."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association ended by ABRT. `reason` is the ABRT reason (reference 20601 §3), `why` the same in words."""

    reason: int
    by_us: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """No association was granted: by this manager, or to this agent."""

    reason: RejectReason


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The link ended. An association on it ended without a release."""


Event = (
    Associated | ConfigurationAgreed | Deviation | Released | Aborted | Rejected | LinkLost | ManagerEvent | AgentEvent
)
