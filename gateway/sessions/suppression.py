"""Bounds events by their source, and counts what was left out.

A source is what an attacker cannot invent for nothing: the address behind a TCP connection, a cable, a bonded device;
never a system id that an agent gives itself, because a thousand of those cost it a second. Within a window each name
has a bound at each source, each source has one over all names, all TCP addresses together have one, and everything has
one.
The bounds of TCP are below the last one, so that a storm from the network leaves room for what happens on a cable.

What was left out is kept by source until its window is over. Knows no time of its own and stores nothing (`journal`).
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from protocols.bounded_map import BoundedMap

WINDOW_S = 60.0
EVENTS_MAX = 12
"""Events of one name at one source in a window: a device with a loose plug stays below it, a storm does not."""
SOURCE_EVENTS_MAX = 60
"""Events of one source in a window. A gateway of a dozen devices that all come back writes three for each."""
TCP_EVENTS_MAX = 180
"""Events of all TCP addresses together in a window: 0.2 MB, however many addresses an IPv6 network has."""
ALL_EVENTS_MAX = 600
"""All events in a window. Ten a second for a whole minute is no vehicle; it bounds the lane to some 40 MB an hour."""
SOURCES_MAX = 32
"""Sources of which counts are kept apart; those of further ones are counted together."""
NAMES_MAX = 16
"""Names of one source that are counted apart."""
OTHERS = "others"
GATEWAY = "gateway"
"""The source of what happens at no link."""
_RATES_MAX = 1024
_DEVICES_MAX = 512


def source_of_link(link: str) -> str:
    """A connection by its address: the port is another one each time."""
    return link.rpartition(":")[0] if link.startswith("tcp:") else link


@dataclass(slots=True)
class LeftOut:
    """Suppressed events of one source since `began_s`, by name."""

    began_s: float
    names: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.names.total()


class Suppression:
    """Limits of events for one event loop. Times are monotonic."""

    def __init__(self) -> None:
        self._rates: BoundedMap[tuple[str, ...], deque[float]] = BoundedMap(_RATES_MAX)
        self._left_out: dict[str, LeftOut] = {}
        self._links: BoundedMap[str, str] = BoundedMap(_DEVICES_MAX)

    def source(self, device: str | None, link: object) -> str:
        """The source of an event: the link that it names, or the last one of its device."""
        if isinstance(link, str) and link:
            return source_of_link(link)
        if device is None:
            return GATEWAY
        return self._links.get(device, device)

    def connected(self, device: str, link: object) -> None:
        """The device is served at this link now: its events count there."""
        if isinstance(link, str) and link:
            self._links[device] = source_of_link(link)

    def admit(self, name: str, source: str, now_s: float) -> bool:
        """Whether this event may be written. One that may not is counted."""
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
        """Take out what was left out in windows that are over."""
        over = [source for source, each in self._left_out.items() if all_of_them or now_s - each.began_s >= WINDOW_S]
        return [(source, self._left_out.pop(source)) for source in over]

    def pending(self) -> Mapping[str, int]:
        """Suppressed events that are in no event yet, by source."""
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
