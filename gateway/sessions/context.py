"""The parts that all sessions of one gateway share, as one value that is passed to each session.

So adding a part changes no constructor between the composition root and the code that uses the part.
"""

from dataclasses import dataclass, field

from gateway.buffer import Buffer
from gateway.live import LiveFeed
from gateway.sessions.association.resent_waveforms import ResentWaveforms
from gateway.sessions.association.segment_intake import SegmentIntake
from gateway.sessions.clocks.credible_dates import CredibleDates
from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.clocks.policy import ClockRules
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sessions.devices.claims import Claims
from gateway.sessions.devices.description_reporter import DescriptionReporter
from gateway.sessions.devices.histories import DeviceHistories
from gateway.sessions.devices.roster import Roster
from gateway.sessions.journal import Journal
from gateway.sessions.tracing import Taps
from protocols.ieee11073.association.settings import ManagerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionContext:
    """Shared parts of all sessions. `system_id`: the gateway's own EUI-64, sent in the association response (AARE)."""

    system_id: bytes
    store: Buffer
    roster: Roster
    live: LiveFeed
    clocks: DeviceClocks
    clock: TrustedClock
    claims: Claims
    journal: Journal
    descriptions: DescriptionReporter
    taps: Taps
    manager: ManagerSettings
    memory: SegmentIntake
    histories: DeviceHistories = field(default_factory=DeviceHistories)
    clock_rules: ClockRules = field(default_factory=ClockRules)
    dates: CredibleDates = field(default_factory=CredibleDates)
    resent: ResentWaveforms = field(default_factory=ResentWaveforms)
