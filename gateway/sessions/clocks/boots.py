"""Recent boots of the machine: how long the machine ran in each, and the relation of the monotonic clock to UTC.

A monotonic time has a meaning only within one boot. The UTC time of a moment is computed with the anchor of its boot:
the relation of the monotonic clock to UTC (`protocols.clock_anchor`). Without an anchor, the age of a moment is
computed from the lengths of the boots since then. One short text in the store holds all boots; `timekeeping` writes it.
"""

from dataclasses import dataclass

import orjson

from gateway.transports.clock import Clock
from protocols.bounded_map import BoundedMap
from protocols.clock_anchor import Anchors, ClockAnchor

BOOTS_STATE = "boots"
"""Name under which the buffer stores the text."""
BOOTS_MAX = 16
"""Maximum number of boots that are kept: more than a vehicle has in 72 hours (the lifetime of an observation), unless
its power fails every few hours. The text stays below half of the limit for a small stored value (4096 characters)."""
_SLEPT = "-s"
"""Separator in a boot id before the seconds for which the machine has slept (`SystemClock.boot_id`). The monotonic
clock of such a boot continues from before the sleep."""


@dataclass(slots=True, kw_only=True)
class Boot:
    """One boot of the machine. `seen_s`: last monotonic time at which the gateway ran in this boot. `anchor`: relation
    of the monotonic clock to UTC; None while UTC is unknown. `estimated`: the event `clock.estimated` was sent in this
    boot."""

    boot_id: str
    seen_s: float = 0.0
    anchor: ClockAnchor | None = None
    estimated: bool = False


class Boots:
    """Latest boots of the machine, oldest first; the present boot is the last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._boots: BoundedMap[str, Boot] = BoundedMap(BOOTS_MAX)

    def load(self, text: str | None) -> None:
        """Load the machine boots from the stored `text`. An invalid text is ignored: moments of earlier boots then have
        no age or UTC time."""
        try:
            rows = orjson.loads(text or "[]")
            kept = [_boot(*row) for row in rows]
        except (orjson.JSONDecodeError, TypeError, ValueError):
            kept = []
        self._boots = BoundedMap(BOOTS_MAX, ((boot.boot_id, boot) for boot in kept))

    def text(self) -> str:
        return orjson.dumps([_row(boot) for boot in self._boots.values()]).decode()

    def present(self) -> Boot:
        """Return the present machine boot, and set its `seen_s` to the present monotonic time."""
        boot_id = self._clock.boot_id
        boot = self._boots.use(boot_id, lambda: Boot(boot_id=boot_id))
        boot.seen_s = self._clock.monotonic_s()
        return boot

    @property
    def anchors(self) -> Anchors:
        return {boot.boot_id: boot.anchor for boot in self._boots.values() if boot.anchor is not None}

    def age_s(self, boot_id: str, monotonic_s: float) -> float | None:
        """Return the seconds since the moment `monotonic_s` of the machine boot `boot_id`. Return None for an unknown
        boot or a moment in the future.

        Within the present boot, the age is a difference of the monotonic clock. For an earlier boot, it is a difference
        of UTC if that boot and the present one have an anchor (relation to UTC). Otherwise it is the time for which the
        machine ran since that moment, and leaves out the unknown time without power.
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
        """Return the seconds for which the machine ran in the boot `boot_id` and in all later boots."""
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
