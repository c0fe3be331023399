"""Follow the gateway's time while the process runs, persist it, and report it to the cloud.

When the clock is synchronised, the event `clock.learnt` has an anchor of this boot (relation of its monotonic clock to
UTC), with which the cloud and the gateway compute the UTC times of earlier measurements. When the clock is not
synchronised any more, the event `clock.lost` has the last good anchor. The event `clock.estimated` states that the
machine's clock is certainly wrong, so that the cloud does not attribute values to an encounter by this clock. Each
event is durable before it is marked as reported. So a crash between these two steps only repeats the event.
"""

from collections.abc import Callable

import structlog

from gateway.buffer import Buffer, StoreFull
from gateway.sessions.clocks.boots import BOOTS_STATE, Boot, Boots
from gateway.sessions.clocks.trusted_clock import PERSIST_EVERY_S, WALL_STATE, TrustedClock
from protocols.clock_anchor import ClockAnchor
from protocols.uplink.clock_events import CLOCK_ESTIMATED, CLOCK_LEARNT, CLOCK_LOST, anchor_fields
from protocols.uplink.events import EventField, GatewayEvent

LOOK_EVERY_S = 1.0
"""Interval at which the kernel is queried."""
_BETTER = 4
"""Factor by which the uncertainty must shrink before another anchor is written: a few in each boot are enough."""
_GOOD_US = 100_000
"""Uncertainty at which no better anchor is written any more: a tenth of a second is enough to date any vital sign."""

log = structlog.get_logger()


class Timekeeping:
    """Timekeeping of one run of the gateway. `follow` and `persist` run concurrently, until cancelled."""

    def __init__(self, clock: TrustedClock) -> None:
        self.boots = Boots(clock)
        self._clock = clock

    async def load(self, store: Buffer) -> None:
        """Load the wall time and the machine boots that earlier runs of the gateway stored."""
        persisted = await store.state_get(WALL_STATE)
        if persisted is not None:
            self._clock.raise_floor(int(persisted))
        self.boots.load(await store.state_get(BOOTS_STATE))
        boot = self.boots.present()
        if boot.anchor is not None:  # an earlier process in this boot knew the time
            self._clock.raise_floor(round(boot.seen_s * 1_000_000) + boot.anchor.offset_us)

    async def follow(self, store: Buffer, changed: Callable[[], None]) -> None:
        """Query the kernel's clock state each second, and write the clock events. Call `changed` when the clock becomes
        synchronised or stops being synchronised."""
        while True:
            turned = self._clock.refresh()
            if turned:
                changed()
            try:
                await self._report(store, self.boots.present(), turned=turned)
            except StoreFull:
                log.warning("clock.not_reported")
            await self._clock.sleep_until(self._clock.monotonic_s() + LOOK_EVERY_S)

    async def _report(self, store: Buffer, boot: Boot, *, turned: bool) -> None:
        clock, anchor = self._clock, self._clock.anchor
        if anchor is not None and clock.synchronised and (turned or _is_better(anchor, boot.anchor)):
            await self._learn(store, boot, CLOCK_LEARNT, anchor)
        elif anchor is not None and turned:
            await self._learn(store, boot, CLOCK_LOST, anchor)
        elif clock.estimated and boot.anchor is None and not boot.estimated:
            await self._write(store, CLOCK_ESTIMATED, {})
            boot.estimated = True
            await store.state_put(BOOTS_STATE, self.boots.text())

    async def _learn(self, store: Buffer, boot: Boot, name: str, anchor: ClockAnchor) -> None:
        await self._write(store, name, anchor_fields(anchor))
        boot.anchor = anchor if boot.anchor is None else boot.anchor.merged(anchor)
        await store.state_put(BOOTS_STATE, self.boots.text())

    async def _write(self, store: Buffer, name: str, fields: dict[str, EventField]) -> None:
        log.info(name, **fields)
        clock = self._clock
        await store.append_event(
            GatewayEvent(name=name, at_us=clock.wall_us(), boot_id=clock.boot_id, device=None, fields=fields)
        )

    async def persist(self, store: Buffer, answered: Callable[[], None]) -> None:
        """Store the wall time each minute. Call `answered` after each response of the store's writer, also after the
        error StoreFull."""
        while True:
            try:
                await self.write(store)
            except StoreFull:
                # The disk is full, but the writer has responded. The time is persisted again once there is room.
                log.warning("clock.not_persisted")
            answered()
            await self._clock.sleep_until(self._clock.monotonic_s() + PERSIST_EVERY_S)

    async def write(self, store: Buffer) -> None:
        """Store the present wall time and the machine boots. Raises `StoreFull`."""
        self.boots.present()
        await store.state_put(WALL_STATE, str(self._clock.wall_us()))
        await store.state_put(BOOTS_STATE, self.boots.text())


def _is_better(anchor: ClockAnchor, known: ClockAnchor | None) -> bool:
    """Return whether `anchor` (relation of the monotonic clock to UTC) should replace `known`, the stored anchor of the
    present machine boot."""
    if known is None:
        return True
    return known.uncertainty_us > max(_GOOD_US, _BETTER * anchor.uncertainty_us)
