"""Events that a manager emits beside those of either role (`events`).

A report event may cover several APDUs, because a link read may hold many reports of one layout, and one event for each
read costs far less than one for each report. The guarantee is the same: `delivered` sends the response to each of its
confirmed reports, with its own invoke-id, and none before.
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
    """A report carried attributes of the device itself (handle 0) that differ from their last values.

    `attributes` are ids and bytes as sent, also those with no field here. A field is None where the report does not
    have the attribute, or has it malformed.
    """

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
    """Attributes of an object that a report carried and that are not values: accuracy, source handles, threshold texts,
    unknown ids. Only those that differ from their last values.

    `person` and `device_time` are those of the observations in the same item.
    """

    handle: int
    person: int | None
    device_time: DeviceTime | None
    attributes: tuple[tuple[int, bytes], ...]
    received_s: float


@stream_value
class ReportReceived:
    """Observations of one report, or of `reports` reports that arrived in one read and have one layout.

    `report_no` is the scan-report-no of the last of them. `received_s` is monotonic, in seconds. `ticket` links the
    event to its pending invoke-ids and has no meaning outside the association that made it.
    """

    observations: Sequence[Observation]
    confirmed: bool
    report_no: int
    received_s: float
    reports: int = 1
    ticket: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ReportsLost:
    """A loss of `count` reports, which are missing by their numbers after number `after_report_no` (None: before the
    first)."""

    count: int
    after_report_no: int | None


class NotTaken(Enum):
    """Reason why nothing of a report was kept."""

    NO_OBJECT = "of objects that the configuration lacks"
    EVENT_TYPE = "of an event type that is not taken"
    UNREADABLE = "unreadable"
    NO_VALUE = "without a whole value"


@dataclass(frozen=True, slots=True)
class ReportNotTaken:
    """A report of which nothing was kept; a confirmed one got ROER or RORJ and stays with the device. Emitted for each
    such report. Its number does not count as lost."""

    why: NotTaken
    confirmed: bool


@dataclass(frozen=True, slots=True)
class ClockRead:
    """The times that the device's clocks showed at one moment between `asked_s` and `answered_s` (monotonic): the
    coincident time stamp that dates its relative times. At most one time of each kind, at least one."""

    times: tuple[DeviceTime, ...]
    asked_s: float
    answered_s: float


@dataclass(frozen=True, slots=True)
class ClockCommanded:
    """A command to set the clock is sent at `sent_s`: from now on the clock may show `time` or its earlier time."""

    time: DeviceTime
    sent_s: float


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The device confirmed that it set its clock to `time`, at a moment between `sent_s` and `answered_s`."""

    time: DeviceTime
    sent_s: float
    answered_s: float


@dataclass(frozen=True, slots=True)
class ClockNotSet:
    """The device refused to set its clock, or did not respond and may have set it. `why` in words."""

    time: DeviceTime
    why: str


@dataclass(frozen=True, slots=True)
class ScannerState:
    """The device reported that this scanner is enabled, or disabled."""

    handle: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class ScannerNotSwitched:
    """A scanner was not enabled or not disabled; after a timeout it may have been. `why` in words."""

    handle: int
    enable: bool
    why: str


@dataclass(frozen=True, slots=True)
class ScannerSilent:
    """An enabled periodic scanner has not reported for `silent_s`; its interval is `interval_s`."""

    handle: int
    silent_s: float
    interval_s: float


@dataclass(frozen=True, slots=True)
class ScannerResumed:
    """The silent scanner reports again."""

    handle: int


@dataclass(frozen=True, slots=True)
class DataFlowStarted:
    """The device accepted the data request; reports follow."""

    data_req_id: int


@dataclass(frozen=True, slots=True)
class DataFlowEnded:
    """A flow ended at the end of its time. It had `reports` reports."""

    data_req_id: int
    reports: int


@dataclass(frozen=True, slots=True)
class DataRequestRefused:
    """A data request or its continuation was refused or timed out; `why` in words."""

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
