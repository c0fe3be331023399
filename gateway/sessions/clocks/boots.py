"""Recent boots of the machine: how long each ran, and the relation of its monotonic clock to UTC.

A monotonic time has a meaning only within its boot. Two calculations span boots. The UTC time of a moment is computed
with the anchor of its boot (`protocols.clock_anchor`). The age of a moment is computed from the lengths of the boots
since that moment, where there is no anchor. One short text in the store holds the data for both.

`gateway.sessions.clocks.timekeeping` reads the clocks and writes the text.
"""

from dataclasses import dataclass

import orjson

from gateway.transports.clock import Clock
from protocols.bounded_map import BoundedMap
from protocols.clock_anchor import Anchors, ClockAnchor

BOOTS_STATE = "boots"
"""Name under which the buffer stores the text."""
BOOTS_MAX = 16
"""Maximum number of boots that are kept: more than a vehicle has within the 72 hours for which observations are kept,
unless its power fails every few hours. Their text stays below half of the limit for a small stored value (4096
characters). The cloud keeps the anchors of all boots."""
_SLEPT = "-s"
"""Separator in a boot id before the seconds for which the machine has slept (`SystemClock.boot_id`). The monotonic
clock of such a boot continues from before the sleep."""


@dataclass(slots=True, kw_only=True)
class Boot:
    """One boot of the machine.

    `seen_s`: last monotonic time at which the gateway ran in this boot. `anchor`: relation of the monotonic clock to
    UTC; None while the time is unknown. `estimated`: the event `clock.estimated` was sent to the cloud for this boot,
    because its wall time was certainly wrong.
    """

    boot_id: str
    seen_s: float = 0.0
    anchor: ClockAnchor | None = None
    estimated: bool = False


class Boots:
    """The latest boots, oldest first; the present boot is the last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._boots: BoundedMap[str, Boot] = BoundedMap(BOOTS_MAX)

    def load(self, text: str | None) -> None:
        """Load the boots from `text`. An invalid text is ignored: moments of earlier boots then have no known age or
        UTC time."""
        try:
            rows = orjson.loads(text or "[]")
            kept = [_boot(*row) for row in rows]
        except (orjson.JSONDecodeError, TypeError, ValueError):
            kept = []
        self._boots = BoundedMap(BOOTS_MAX, ((boot.boot_id, boot) for boot in kept))

    def text(self) -> str:
        """Encode the boots as a text for `load`."""
        return orjson.dumps([_row(boot) for boot in self._boots.values()]).decode()

    def present(self) -> Boot:
        """Return the present boot, with `seen_s` set to the present time."""
        boot_id = self._clock.boot_id
        boot = self._boots.use(boot_id, lambda: Boot(boot_id=boot_id))
        boot.seen_s = self._clock.monotonic_s()
        return boot

    @property
    def anchors(self) -> Anchors:
        """The anchor of each boot that has one, by boot id."""
        return {boot.boot_id: boot.anchor for boot in self._boots.values() if boot.anchor is not None}

    def age_s(self, boot_id: str, monotonic_s: float) -> float | None:
        """Return the time since the moment `monotonic_s` of the boot `boot_id`. None where the boot is not in the list,
        or the moment is in the future.

        Within the present boot, the age is a difference of the monotonic clock. For an earlier boot, it is a difference
        of UTC where both boots have an anchor. Otherwise it is the time for which the machine ran since that moment;
        the unknown time without power is not included.
        """
        present = self.present()
        then = self._boots.get(boot_id)
        if then is None:
            return None
        if then is present:
            age_s = present.seen_s - monotonic_s
        elif then.anchor is not None and present.anchor is not None:
            age_s = present.seen_s - monotonic_s + (present.anchor.offset_us - then.anchor.offset_us) / 1_000_000
        else:
            age_s = self._age_of_boot_s(boot_id) - monotonic_s
        return age_s if age_s >= 0 else None

    def _age_of_boot_s(self, boot_id: str) -> float:
        """Return for how many seconds the machine has run since the beginning of the boot `boot_id`, over this boot and
        all later ones."""
        lengths: dict[str, float] = {}
        for boot in self._boots.values():
            machine = boot.boot_id.partition(_SLEPT)[0]
            if lengths or machine == boot_id.partition(_SLEPT)[0]:
                lengths[machine] = max(lengths.get(machine, 0.0), boot.seen_s)
        return sum(lengths.values())


def _row(boot: Boot) -> list[object]:
    anchor = boot.anchor
    kept = None if anchor is None else [anchor.offset_us, anchor.uncertainty_us, anchor.first_us, anchor.last_us]
    return [boot.boot_id, round(boot.seen_s, 3), kept, boot.estimated]


def _boot(boot_id: str, seen_s: float, kept: list[int] | None, estimated: bool) -> Boot:
    anchor = None
    if kept is not None:
        offset_us, uncertainty_us, first_us, last_us = kept
        anchor = ClockAnchor(offset_us=offset_us, uncertainty_us=uncertainty_us, first_us=first_us, last_us=last_us)
    return Boot(boot_id=boot_id, seen_s=seen_s, anchor=anchor, estimated=estimated)
