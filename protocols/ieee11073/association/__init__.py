"""The 20601 association engine without I/O: bytes and time in, events and bytes out, for either role.

events = association.receive(data, now_s) # make them durable, then association.delivered(event)
link.write(association.to_send())
"""

from protocols.deviation import Deviation
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_events import (
    ConfigurationRequested,
    ReportAccepted,
    ReportRefused,
    ScannerSwitched,
)
from protocols.ieee11073.association.configurations import ConfigurationStore, RememberedConfigurations
from protocols.ieee11073.association.events import (
    Aborted,
    Associated,
    ConfigurationAgreed,
    Event,
    LinkLost,
    Rejected,
    RejectReason,
    Released,
)
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import (
    AttributesReported,
    ClockCommanded,
    ClockNotSet,
    ClockRead,
    ClockSet,
    DataFlowEnded,
    DataFlowStarted,
    DataRequestRefused,
    MdsChanged,
    MdsRead,
    ReportReceived,
    ReportsLost,
    ScannerNotSwitched,
    ScannerResumed,
    ScannerSilent,
    ScannerState,
)
from protocols.ieee11073.association.settings import AgentSettings, ManagerSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.identity import DeviceIdentity

__all__ = [
    "Aborted",
    "AgentAssociation",
    "AgentSettings",
    "Associated",
    "AttributesReported",
    "ClockCommanded",
    "ClockNotSet",
    "ClockRead",
    "ClockSet",
    "ConfigurationAgreed",
    "ConfigurationRequested",
    "ConfigurationStore",
    "DataFlowEnded",
    "DataFlowStarted",
    "DataRequestRefused",
    "Deviation",
    "DeviceIdentity",
    "Event",
    "LinkLost",
    "ManagerAssociation",
    "ManagerSettings",
    "MdsChanged",
    "MdsRead",
    "RejectReason",
    "Rejected",
    "Released",
    "RememberedConfigurations",
    "ReportAccepted",
    "ReportReceived",
    "ReportRefused",
    "ReportsLost",
    "ScannerNotSwitched",
    "ScannerResumed",
    "ScannerSilent",
    "ScannerState",
    "ScannerSwitched",
    "State",
]
