"""Loads what earlier runs stored, each time that another store comes into use, and counts lost data.

The store in use changes when a disk is mounted late or a spare store replaces a failed one. The devices, configurations
and clock facts of the new store are then merged into memory. Losses are counted again only after a gap record was
written, because counting reads every gap record.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateway.buffer import Buffer, StoreFull
from gateway.buffer.set_aside import SetAsideRecord
from gateway.sessions.association.resent_waveforms import STORED_BLOCKS, ResentWaveforms
from gateway.sessions.association.segment_intake import SegmentIntake
from gateway.sessions.clocks.timekeeping import Timekeeping
from gateway.sessions.devices.histories import DeviceHistories
from gateway.sessions.devices.known_devices import known_devices
from gateway.sessions.devices.roster import Roster
from gateway.transports.clock import Clock
from protocols.uplink.lanes import Lane

EXCHANGE_EVERY_S = 1.0
"""Interval at which the epoch of the store is compared. It costs one string comparison."""
COUNT_EVERY_S = 10.0
"""Interval at which losses are counted where some were added, and set-aside stores are listed."""


class StoreFollower:
    """Facts about the store in use. `gaps`: number of periods with lost data. `quarantined`: number of damaged blocks.
    `set_aside`: the stores that were set aside as damaged. `unsent_stores`: number of stores beside the one in use with
    batches that the cloud has not acknowledged; None before they were counted."""

    def __init__(
        self,
        buffer: Buffer,
        clock: Clock,
        *,
        timekeeping: Timekeeping,
        histories: DeviceHistories,
        roster: Roster,
        memory: SegmentIntake,
        resent: ResentWaveforms,
    ) -> None:
        self.gaps = self.quarantined = 0
        self.set_aside: list[SetAsideRecord] = []
        self.unsent_stores: int | None = None
        self._buffer = buffer
        self._clock = clock
        self._timekeeping = timekeeping
        self._histories = histories
        self._roster = roster
        self._memory = memory
        self._resent = resent
        self._epoch = ""
        self._counted: object = None

    async def load(self) -> None:
        """Load from the store in use the clock facts, device histories, configurations, known devices, the progress of
        fetching stored segments from devices, and the waveforms that were stored last. Raises StoreFull."""
        buffer = self._buffer
        epoch = buffer.epoch
        await self._timekeeping.load(buffer)
        self._histories.load(await buffer.device_reports())
        self._memory.load(await buffer.fetched_segments())
        self._resent.load(await buffer.last_sections(Lane.WAVEFORM, STORED_BLOCKS))
        rows = sorted(await buffer.devices(), key=lambda each: each.last_seen_us)
        self._roster.load(
            [(each.system_id, each.config_id, each.octets) for each in await buffer.configurations()],
            known_devices(rows, self._histories.find, await buffer.ble_devices()),
        )
        self._epoch = epoch

    async def follow(self, exchanged: Callable[[], Awaitable[None]]) -> None:
        """Call `load` and `exchanged` each time that another store has come into use. Never returns."""
        while True:
            before, epoch = self._epoch, self._buffer.epoch
            if epoch not in ("", before):
                try:
                    await self.load()
                    await exchanged()
                except StoreFull:
                    self._epoch = before  # the store was not read completely: it is read again
            await self._clock.sleep_until(self._clock.monotonic_s() + EXCHANGE_EVERY_S)

    async def count(self) -> None:
        """Update the counts of lost data and the list of set-aside stores every COUNT_EVERY_S. Never returns."""
        while True:
            with suppress(StoreFull):  # without a store the last counts hold
                revision = self._buffer.gap_revision
                if revision != self._counted:
                    self.gaps = len(await self._buffer.gaps())
                    self.quarantined = await self._buffer.quarantined()
                    self._counted = revision
            self.set_aside = await asyncio.to_thread(self._buffer.archive.records)
            self.unsent_stores = await asyncio.to_thread(self._buffer.archive.unsent)
            await self._clock.sleep_until(self._clock.monotonic_s() + COUNT_EVERY_S)
