"""Events that an agent emits beside those of either role (`events`)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReportAccepted:
    """The manager stored this confirmed report durably; the device need not send it again."""

    invoke_id: int
    report_no: int


@dataclass(frozen=True, slots=True)
class ReportRefused:
    """The manager refused this confirmed report; the device keeps it. `reason` is the ROER error-value or the RORJ
    problem; `rejected` is True for a RORJ."""

    invoke_id: int
    report_no: int
    reason: int
    rejected: bool


@dataclass(frozen=True, slots=True)
class ConfigurationRequested:
    """The manager does not know the configuration; it is being sent."""

    config_id: int


@dataclass(frozen=True, slots=True)
class ScannerSwitched:
    """The manager enabled or disabled this scanner."""

    handle: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class SegmentSent:
    """A transfer ended. `whole`: the manager confirmed all its entries."""

    store: int
    segment: int
    whole: bool


AgentEvent = ReportAccepted | ReportRefused | ConfigurationRequested | ScannerSwitched | SegmentSent
