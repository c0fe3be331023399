"""Events that only an agent emits. `events` has the events of both roles."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReportAccepted:
    """The manager stored this report durably, so the device need not send it again."""

    invoke_id: int
    report_no: int


@dataclass(frozen=True, slots=True)
class ReportRefused:
    """The manager refused this report, so the device keeps it. `reason` is the error-value of a ROER or, if `rejected`,
    the problem of a RORJ."""

    invoke_id: int
    report_no: int
    reason: int
    rejected: bool


@dataclass(frozen=True, slots=True)
class ConfigurationRequested:
    """The manager does not have the configuration with this id, so the agent sends it."""

    config_id: int


@dataclass(frozen=True, slots=True)
class ScannerSwitched:
    """The manager enabled or disabled the scanner `handle`."""

    handle: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class SegmentSent:
    """The transfer of a PM-store segment ended. `whole` is True where the manager confirmed all
    entries of the segment."""

    store: int
    segment: int
    whole: bool


AgentEvent = ReportAccepted | ReportRefused | ConfigurationRequested | ScannerSwitched | SegmentSent
