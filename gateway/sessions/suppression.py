"""Bound the rate of events by their source, and count the suppressed events.

A source is something that an attacker cannot invent for free: the address of a TCP connection, a cable, a bonded
device. A system id is no source, because an agent can invent a thousand of them in a second. Within a time window there
are bounds for each event name at each source, for each source, for all TCP addresses, and for all events. The bound for
TCP leaves room for the events of a cable while the network causes a flood of events.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from protocols.bounded_map import BoundedMap

WINDOW_S = 60.0
EVENTS_MAX = 12
"""Maximum number of events of one name at one source in a window: enough for a loose plug, and too few for a flood."""
SOURCE_EVENTS_MAX = 60
"""Maximum number of events of one source in a window: a dozen devices of a device gateway reconnect with three each."""
TCP_EVENTS_MAX = 180
"""Maximum number of events of all TCP addresses in a window: 0.2 MB, however many addresses an IPv6 network has."""
ALL_EVENTS_MAX = 600
"""Maximum number of all events in a window: more than a vehicle needs, and at most about 40 MB an hour."""
SOURCES_MAX = 32
"""Maximum number of sources that are counted separately; further sources are counted together."""
NAMES_MAX = 16
"""Maximum number of event names of one source that are counted separately."""
OTHERS = "others"
GATEWAY = "gateway"
"""Source of events that belong to no link."""
_RATES_MAX = 1024
_DEVICES_MAX = 512


def source_of_link(link: str) -> str:
    """Return the source of a link's events: its name, for TCP without the port, which differs in each connection."""
    return link.rpartition(":")[0] if link.startswith("tcp:") else link


@dataclass(slots=True)
class LeftOut:
    """Suppressed events of one source since the monotonic time `began_s`. `names` counts them for each event name."""

    began_s: float
    names: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.names.total()


class Suppression:
    """The rates and bounds of events for one event loop. Times are monotonic."""

    def __init__(self) -> None:
        self._rates: BoundedMap[tuple[str, ...], deque[float]] = BoundedMap(_RATES_MAX)
        self._left_out: dict[str, LeftOut] = {}
        self._links: BoundedMap[str, str] = BoundedMap(_DEVICES_MAX)

    def source(self, device: str | None, link: object) -> str:
        """Return the source of an event: the event's `link`. Without a link, return the last link of the event's
        device, or the device if no link of it is known. Without a device, return `GATEWAY`."""
        if isinstance(link, str) and link:
            return source_of_link(link)
        if device is None:
            return GATEWAY
        return self._links.get(device, device)

    def connected(self, device: str, link: object) -> None:
        """Record the link on which the device is connected. Later events of the device that name no link have this link
        as their source."""
        if isinstance(link, str) and link:
            self._links[device] = source_of_link(link)

    def admit(self, name: str, source: str, now_s: float) -> bool:
        """Return whether this event may be written at monotonic `now_s`; if not, count it as suppressed."""
        bounds: list[tuple[tuple[str, ...], int]] = [(("name", name, source), EVENTS_MAX)]
        if source != GATEWAY:
            bounds.append((("source", source), SOURCE_EVENTS_MAX))
        if source.startswith("tcp:"):
            bounds.append((("tcp",), TCP_EVENTS_MAX))
        bounds.append((("all",), ALL_EVENTS_MAX))
        rates = [(self._rate(key, now_s), limit) for key, limit in bounds]
        if any(len(rate) >= limit for rate, limit in rates):
            self._leave_out(name, source, now_s)
            return False
        for rate, _ in rates:
            rate.append(now_s)
        return True

    def due(self, now_s: float, *, all_of_them: bool = False) -> list[tuple[str, LeftOut]]:
        """Remove the suppressed events whose time window has ended at `now_s`, and return pairs of a source and its
        events. `all_of_them`: include the events whose window has not ended."""
        over = [source for source, each in self._left_out.items() if all_of_them or now_s - each.began_s >= WINDOW_S]
        return [(source, self._left_out.pop(source)) for source in over]

    def pending(self) -> Mapping[str, int]:
        """Return, for each source, the number of suppressed events that are not reported yet."""
        return {source: each.count for source, each in self._left_out.items()}

    def _rate(self, key: tuple[str, ...], now_s: float) -> deque[float]:
        rate: deque[float] = self._rates.use(key, deque)
        while rate and rate[0] <= now_s - WINDOW_S:
            rate.popleft()
        return rate

    def _leave_out(self, name: str, source: str, now_s: float) -> None:
        if source not in self._left_out and len(self._left_out) >= SOURCES_MAX:
            source = OTHERS
        names = self._left_out.setdefault(source, LeftOut(now_s)).names
        names[name if name in names or len(names) < NAMES_MAX else OTHERS] += 1
