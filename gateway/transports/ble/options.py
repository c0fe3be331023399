"""Limits and patience of the Bluetooth transport, each with its reason; in seconds where the name says so."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """Options of the scanner."""

    heard_max: int = 200
    """Advertisers that are kept at once: a hospital's entrance has about a hundred."""
    heard_s: float = 60.0
    """Time that a device is listed after its last advertisement."""
    silence_s: float = 60.0
    """Nothing heard for this long: the scan is started again."""
    wanted_silence_s: float = 10.0
    """The same for a wanted device; doubled three times, and reset when another one is wanted."""
    restarts_max: int = 3
    """Restarts without effect before the adapter is power-cycled."""
    step_s: float = 10.0
    """Limit for starting and for stopping a scan."""
    starts_max: int = 3
    """Failed starts in a row before the adapter is given up and rebuilt."""
    strangers_max: int = 2000
    """Different advertisers in one scan, after which it is started again: a stack's own list of them has no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralOptions:
    """Options of the adapter and of connecting."""

    connections_max: int = 5
    """Links at once. The smallest adapters hold five."""
    connect_s: float = 20.0
    """For one connect with the table of services. BlueZ needs 0.3 s near by, and repeats what interference broke."""
    request_s: float = 10.0
    """For one request to a device or to the stack."""
    arrivals_max: int = 4096
    """Notifications of one device that wait to be taken."""
    tries_max: int = 4
    """Tries of one call of `connect`."""
    fresh_s: float = 15.0
    """A device that was heard this long ago may be taken to be in range. Scanning pauses while others connect."""
    look_again_s: float = 30.0
    """Interval at which a device that does not advertise is looked up among the stack's connections."""
    idle_s: float = 30.0
    """A link that brought nothing for this long gives its place to a device that waits."""
    idle_urgent_s: float = 5.0
    """The same where a person waits for a place, to pair a device."""
    open_s: float = 20.0
    """For opening the adapter."""
    reopen_s: float = 1.0
    """First wait before the adapter is opened again, doubled each time up to `reopen_s_max`."""
    reopen_s_max: float = 5.0
    """A crew plugs an adapter in again and expects its devices within seconds; asking costs next to nothing."""
    settled_s: float = 60.0
    """An adapter that was up this long counts as healthy: its next failure is a first one."""
    power_cycle_pause_s: float = 600.0
    """Least time between two power cycles for a device's sake."""
    pair_heard_s: float = 30.0
    """For a device that a person wants to pair to be heard, and then to get a place."""
    pair_s: float = 60.0
    """For pairing, with a person reading and typing a passkey. The stack's own limit is 30 s for each question."""
    paired_s: float = 0.5
    """Time that a link stays after bonding: a device that still writes its keys down loses them with the link."""
    scan: ScanOptions = field(default_factory=ScanOptions)
