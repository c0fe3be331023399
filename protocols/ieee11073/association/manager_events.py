"""Events that only a manager emits. `events` has the events of both roles.

One event may cover many reports of one layout that arrived in one read, since one event for each would cost far more.
`delivered` still sends a response to each confirmed report, with its own invoke-id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from protocols.device_time import DeviceTime
from protocols.ieee11073.association.segment_events import SegmentDataReceived, SegmentNotFetched, SegmentsCleared
from protocols.ieee11073.dim.identity import DeviceIdentity
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Observation, Scalar
from protocols.stream_value import stream_value


@dataclass(frozen=True, slots=True)
class MdsRead:
    """The device identified itself in its response to the Get of the MDS."""

    identity: DeviceIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class MdsChanged:
    """A report contained attributes of the device itself (handle 0) that differ from their last values. `attributes`
    has all changed attributes as sent. The other fields are decoded from some of these attributes; None: the attribute
    is absent or malformed."""

    attributes: tuple[tuple[int, bytes], ...]
    received_s: float
    battery_percent: int | None = None
    power_status: int | None = None
    """Power-Status, BITS-16 as sent."""
    battery_remaining: tuple[Scalar, Code] | None = None
    """Remaining battery time, with the unit."""
    date_and_time: DeviceTime | None = None
    """The time of the device's clock in the report."""


@dataclass(frozen=True, slots=True)
class AttributesReported:
    """A report contained changed attributes of an object that are not values: accuracy, source handles, threshold
    texts, or unknown ids. `person` and `device_time` are those of the object's observations in the report."""

    handle: int
    person: int | None
    device_time: DeviceTime | None
    attributes: tuple[tuple[int, bytes], ...]
    received_s: float


@stream_value
class ReportReceived:
    """Observations of `reports` reports of one layout that arrived in one read. `report_no` is the last scan-report-no,
    `received_s` the monotonic time of reception. By `ticket` the association finds the responses to send."""

    observations: Sequence[Observation]
    confirmed: bool
    report_no: int
    received_s: float
    reports: int = 1
    ticket: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ReportsLost:
    """A gap in the report numbers: `count` reports are missing after report number `after_report_no` (None: before the
    first report)."""

    count: int
    after_report_no: int | None


class NotTaken(Enum):
    """Reason for which nothing of a report was kept."""

    NO_OBJECT = "of objects that the configuration lacks"
    EVENT_TYPE = "of an event type that is not taken"
    UNREADABLE = "unreadable"
    NO_VALUE = "without a whole value"


@dataclass(frozen=True, slots=True)
class ReportNotTaken:
    """A report of which nothing was kept. The number of this report does not count as lost. If `confirmed`, the report
    was refused (ROER or RORJ), so the device keeps the report."""

    why: NotTaken
    confirmed: bool


@dataclass(frozen=True, slots=True)
class ClockRead:
    """The times of the device's clocks at one moment between `asked_s` and `answered_s` (monotonic, seconds). There is
    at least one time, and at most one for each kind of clock. Relative times of the device are converted to dates with
    these times."""

    times: tuple[DeviceTime, ...]
    asked_s: float
    answered_s: float


@dataclass(frozen=True, slots=True)
class ClockCommanded:
    """A command to set the clock to `time` is sent at `sent_s` (monotonic, seconds). From then on the clock may show
    the new or the previous time."""

    time: DeviceTime
    sent_s: float


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The device set its clock to `time` between `sent_s` and `answered_s` (monotonic, seconds)."""

    time: DeviceTime
    sent_s: float
    answered_s: float


@dataclass(frozen=True, slots=True)
class ClockNotSet:
    """The device refused to set its clock to `time`, or did not respond and may have set it. `why` is the reason."""

    time: DeviceTime
    why: str


@dataclass(frozen=True, slots=True)
class ScannerState:
    """The device reported that the scanner `handle` is enabled or disabled."""

    handle: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class ScannerNotSwitched:
    """The device refused to enable or disable a scanner, or did not respond. Without a response, the scanner may have
    changed its state. `why` is the reason, as text."""

    handle: int
    enable: bool
    why: str


@dataclass(frozen=True, slots=True)
class ScannerSilent:
    """An enabled periodic scanner with the reporting interval `interval_s` has not reported for `silent_s` seconds."""

    handle: int
    silent_s: float
    interval_s: float


@dataclass(frozen=True, slots=True)
class ScannerResumed:
    """A scanner for which `ScannerSilent` was emitted reports again."""

    handle: int


@dataclass(frozen=True, slots=True)
class DataFlowStarted:
    """The device accepted the data request `data_req_id`, and will send reports for it."""

    data_req_id: int


@dataclass(frozen=True, slots=True)
class DataFlowEnded:
    """The time of the data request `data_req_id` ended. The device sent `reports` reports for it."""

    data_req_id: int
    reports: int


@dataclass(frozen=True, slots=True)
class DataRequestRefused:
    """A data request or its continuation was refused, or the device did not respond. `why` is the reason, as text."""

    data_req_id: int
    why: str


ManagerEvent = (
    MdsRead
    | MdsChanged
    | AttributesReported
    | ReportReceived
    | ReportsLost
    | ReportNotTaken
    | ClockRead
    | ClockCommanded
    | ClockSet
    | ClockNotSet
    | ScannerState
    | ScannerNotSwitched
    | ScannerSilent
    | ScannerResumed
    | DataFlowStarted
    | DataFlowEnded
    | DataRequestRefused
    | SegmentDataReceived
    | SegmentNotFetched
    | SegmentsCleared
)
