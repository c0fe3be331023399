"""Limits and timeouts of the Bluetooth transport, each with its reason. Names that end in `_s` are in seconds."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """Limits and intervals of the scanner, with defaults."""

    heard_max: int = 200
    """Maximum of advertisers that are kept: a hospital's entrance has about a hundred."""
    heard_s: float = 60.0
    """Time that a device is listed after its last advertisement."""
    silence_s: float = 60.0
    """Time without any advertisement after which the scan is started again."""
    wanted_silence_s: float = 10.0
    """Time without a wanted device before the scan is restarted; doubled three times, and reset for another device."""
    restarts_max: int = 3
    """Restarts without effect before the adapter is power-cycled."""
    step_s: float = 10.0
    """Limit for starting and for stopping a scan."""
    starts_max: int = 3
    """Failed starts in a row before the adapter is given up and rebuilt."""
    strangers_max: int = 2000
    """Maximum number of advertisers in one scan, which is then restarted: a stack's own list has no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralOptions:
    """Limits, timeouts and waits of the adapter, its links and pairing, with defaults."""

    connections_max: int = 5
    """Maximum of links at once. The smallest adapters hold five."""
    connect_s: float = 20.0
    """Time limit of one connect with the table of services. BlueZ needs 0.3 s near by, and more with interference."""
    request_s: float = 10.0
    """Time limit of one request to a device or to the stack."""
    arrivals_max: int = 4096
    """Maximum of queued notifications of one device."""
    tries_max: int = 4
    """Maximum of tries of one call of `connect`."""
    fresh_s: float = 15.0
    """Age of an advertisement up to which its device counts as in range. Scanning pauses while others connect."""
    look_again_s: float = 30.0
    """Interval at which a device that does not advertise is looked up among the stack's connections."""
    idle_s: float = 30.0
    """Time without arrivals after which a link gives its place to a device that waits."""
    idle_urgent_s: float = 5.0
    """Idle time after which a link gives up its place where an operator waits for one, to pair a device."""
    open_s: float = 20.0
    """Time limit for opening the adapter."""
    reopen_s: float = 1.0
    """First wait before the adapter is opened again, doubled each time up to `reopen_s_max`."""
    reopen_s_max: float = 5.0
    """Longest such wait: a crew plugs an adapter in again and expects its devices within seconds."""
    settled_s: float = 60.0
    """Time after which an adapter that is up counts as healthy: its next failure is a first one."""
    power_cycle_pause_s: float = 600.0
    """Least time between two power cycles for a device's sake."""
    pair_heard_s: float = 30.0
    """Time for a device that an operator wants to pair to be heard, and then to get a place."""
    pair_s: float = 60.0
    """Time limit of pairing, with an operator typing a passkey. The stack's own limit is 30 s for each request."""
    paired_s: float = 0.5
    """Time that a link stays after bonding: a device that still persists its keys loses them with the link."""
    scan: ScanOptions = field(default_factory=ScanOptions)
