"""Bounds the rate of events by their source, and counts the suppressed events.

A source is something that an attacker cannot invent for free: the address of a TCP connection, a cable, a bonded
device. A system id that an agent gives itself is not a source, because an agent can invent a thousand of them in a
second. Within a time window there are bounds for each event name at each source, for each source over all names, for
all TCP addresses together, and for all events. The bound for TCP is below the bound for all events, so that a flood of
events from the network leaves room for the events of a cable.

Suppressed events are counted by source until the window ends. Times are passed in, and `journal` stores the counts.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from protocols.bounded_map import BoundedMap

WINDOW_S = 60.0
EVENTS_MAX = 12
"""Maximum number of events of one name at one source in a window. A device with a loose plug stays below it; a flood of
events does not."""
SOURCE_EVENTS_MAX = 60
"""Maximum number of events of one source in a window. A device gateway whose dozen devices all reconnect causes three
events for each."""
TCP_EVENTS_MAX = 180
"""Maximum number of events of all TCP addresses together in a window: 0.2 MB, however many addresses an IPv6 network
has."""
ALL_EVENTS_MAX = 600
"""Maximum number of all events in a window. No vehicle has ten a second for a whole minute. It bounds the event lane to
about 40 MB an hour."""
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
    """Return the source of a link's events: for TCP the address without the port, which differs in each connection;
    otherwise the link's name."""
    return link.rpartition(":")[0] if link.startswith("tcp:") else link


@dataclass(slots=True)
class LeftOut:
    """Suppressed events of one source by event name, since the monotonic time `began_s`."""

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
        """Return the source of an event: its `link` where it has one, otherwise the last known link of its device,
        otherwise the device itself. The source of an event without link and device is `GATEWAY`."""
        if isinstance(link, str) and link:
            return source_of_link(link)
        if device is None:
            return GATEWAY
        return self._links.get(device, device)

    def connected(self, device: str, link: object) -> None:
        """Record the link on which the device is connected now. Later events of the device without a link count for
        this link."""
        if isinstance(link, str) and link:
            self._links[device] = source_of_link(link)

    def admit(self, name: str, source: str, now_s: float) -> bool:
        """Return whether this event may be written at monotonic `now_s`. An event that may not is counted as
        suppressed."""
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
        """Remove and return the suppressed events, by source, of windows that have ended at `now_s`. `all_of_them`:
        also of windows that have not ended."""
        over = [source for source, each in self._left_out.items() if all_of_them or now_s - each.began_s >= WINDOW_S]
        return [(source, self._left_out.pop(source)) for source in over]

    def pending(self) -> Mapping[str, int]:
        """Return the number of suppressed events of each source that `due` has not returned yet."""
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
