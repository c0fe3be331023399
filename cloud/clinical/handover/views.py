"""Views of share links: a page that polls is one view, until it is closed for a minute.

The audit trail has an entry for each view, with the address of its reader. Without this, a page that is open for an
hour would have 360 entries. Several processes, and a restart, each begin a view of their own.
"""

from cloud.foundation.clock import Clock
from protocols.bounded_map import BoundedMap

AWAY_S = 60.0
"""Time without a poll after which the next one is a new view."""
VIEWS_MAX = 10_000
"""Views that are remembered. Beyond it the one that was polled longest ago is forgotten, and begins again."""


class LinkViews:
    """The views of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._polled_s: BoundedMap[tuple[str, str], float] = BoundedMap(VIEWS_MAX)

    def is_new(self, link_id: str, address: str) -> bool:
        """Return whether a poll of a link by the reader at an address begins a view."""
        before_s = self._polled_s.get((link_id, address))
        return before_s is None or self._clock.monotonic_s() - before_s > AWAY_S

    def continue_view(self, link_id: str, address: str) -> None:
        """Remember a poll. Call this after the audit entry of a new view is durable."""
        self._polled_s[link_id, address] = self._clock.monotonic_s()
