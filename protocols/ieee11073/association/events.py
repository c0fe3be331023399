"""What an association tells whoever runs it: frozen values, in the order in which they happened.

The shell makes each event durable as it needs and then calls `delivered(event)`; only then is a confirmed report
answered. A shell that cannot store calls `refused(event)`. Both accept every event and mean something for
`ReportReceived` alone.

Why a report event may cover several APDUs: a link read brings many reports of one layout, and one event a read costs
far less than one a report. Nothing of the promise changes: `delivered` answers each of the confirmed reports in it,
with its own invoke-id, and none before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from protocols.ieee11073.dim.identity import DeviceIdentity
from protocols.ieee11073.tolerances import Oddity
from protocols.observation import Channel, Observation
from protocols.stream_value import stream_value


class RejectReason(Enum):
    """Why an association was not granted; the value is the AARE result (reference 20601 §3)."""

    PERMANENT = 1
    TRANSIENT = 2
    NO_COMMON_PROTOCOL = 4
    NO_COMMON_PARAMETER = 5
    UNKNOWN = 6
    UNAUTHORIZED = 7
    UNSUPPORTED_ASSOCIATION_VERSION = 8


@dataclass(frozen=True, slots=True)
class Associated:
    """An association stands. `configuration_known` is False when the configuration still has to be exchanged."""

    system_id: bytes
    config_id: int
    configuration_known: bool


@dataclass(frozen=True, slots=True)
class ConfigurationAgreed:
    """Both sides mean the same objects. `octets` are the encoded ConfigObjectList, as a store keeps it.

    `learned` is True when this device sent it now, False when it was known (standard, or remembered).
    """

    config_id: int
    channels: tuple[Channel, ...]
    octets: bytes
    learned: bool = False


@dataclass(frozen=True, slots=True)
class MdsRead:
    """The device answered what it is."""

    identity: DeviceIdentity


@stream_value
class ReportReceived:
    """Observations of one report, or of `reports` reports that came in one read and have one layout.

    `report_no` is the scan-report-no of the last of them. `received_s` is monotonic, in seconds. `ticket` ties the
    event to its unanswered invoke-ids and means nothing outside the association that made it.
    """

    observations: Sequence[Observation]
    confirmed: bool
    report_no: int
    received_s: float
    reports: int = 1
    ticket: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ReportsLost:
    """`count` reports are missing by their numbers, after number `after_report_no` (None: before the first)."""

    count: int
    after_report_no: int | None


@dataclass(frozen=True, slots=True)
class Deviation:
    """The peer broke a rule and we carried on. The sentence holds no value; `octets` may, so they are never logged.

    Each kind of deviation is told once an association, so that a device with a habit does not flood its own record.
    `oddity` is its row in `tolerances`: what was done about it, and why.
    """

    sentence: str
    clause: str
    octets: bytes = field(repr=False)
    oddity: Oddity | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """The association ended in order; what was confirmed is confirmed, the link may carry a new association."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association ended by ABRT. `reason` is the ABRT reason (reference 20601 §3), `why` says it for a person."""

    reason: int
    by_us: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """No association was granted: by us (manager) or to us (agent)."""

    reason: RejectReason


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The link ended. An association that stood is gone without a farewell."""


@dataclass(frozen=True, slots=True)
class ReportAnswered:
    """Agent: the manager holds this confirmed report durably; it need not be sent again."""

    invoke_id: int
    report_no: int


@dataclass(frozen=True, slots=True)
class ReportRefused:
    """Agent: the manager did not take this confirmed report; it is still ours to keep. `reason` is the ROER
    error-value or the RORJ problem, `rejected` tells which (True: RORJ)."""

    invoke_id: int
    report_no: int
    reason: int
    rejected: bool


@dataclass(frozen=True, slots=True)
class ConfigurationAsked:
    """Agent: the manager does not know our configuration; it is being sent."""

    config_id: int


@dataclass(frozen=True, slots=True)
class ScannerSwitched:
    """Agent: the manager has enabled or disabled this scanner."""

    handle: int
    enabled: bool


Event = (
    Associated
    | ConfigurationAgreed
    | MdsRead
    | ReportReceived
    | ReportsLost
    | Deviation
    | Released
    | Aborted
    | Rejected
    | LinkLost
    | ReportAnswered
    | ReportRefused
    | ConfigurationAsked
    | ScannerSwitched
)
