"""Let live batches wait for the rows of those before them that another process has staged.

A gateway that moves to this process while it is connected goes on sending. Until the former process has written what it
staged, the database seems to lack those batches: the acknowledgement would list them as missing, and the gateway would
resend two minutes of batches, which are then stored with the later times of these arrivals. So live batches of gateways
that may have moved wait until these rows are written. Then they enter with all that arrived behind them meanwhile, in
their order.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from cloud.foundation.errors import DomainError
from cloud.vehicles.custody import LaneKey
from cloud.vehicles.ingest.delivery_group import Group, joined
from cloud.vehicles.ingest.opening import Opened
from cloud.vehicles.ingest.settled_gateways import SettledGateways

log = structlog.get_logger()

BYTES_MAX = 8 << 20
"""Bytes of the envelopes that wait: those of a thousand vehicles for some seconds. What arrives beyond that does not
wait."""
AGAIN_S = 60.0
"""Time for which no batch waits after the rows could not be written. The gateways then resend what the database does
not have, and it is not stored twice."""


class LateBatches:
    """A queue of live batches. `settle` writes the rows of what other processes have staged, and `enter` receives the
    batches after it."""

    def __init__(
        self,
        settled: SettledGateways,
        settle: Callable[[], Awaitable[None]],
        enter: Callable[[Group], Awaitable[None]],
    ) -> None:
        self._settled = settled
        self._settle = settle
        self._enter = enter
        self._queued = Group()
        self._queued_bytes = 0
        self._lanes: frozenset[LaneKey] = frozenset()
        """Lanes with batches that wait or enter, behind which their next ones wait too."""
        self._again_s = 0.0
        self._work = asyncio.Event()

    def take_from(self, group: Group) -> None:
        """Remove from a group the batches that are to wait."""
        if self._queued_bytes >= BYTES_MAX:
            return
        late: list[Opened] = []
        lanes = set(self._lanes)
        for one in group.opened:
            if one.lane_key in lanes or self._is_late(one):
                late.append(one)
                lanes.add(one.lane_key)
        if not late:
            return
        taken = group.extract(late)
        self._queued = joined([self._queued, taken])
        self._queued_bytes += taken.envelope_bytes
        self._lanes = frozenset(lanes)
        self._work.set()

    async def run(self) -> None:
        """Let batches enter, until cancelled."""
        while True:
            await self._work.wait()
            await self.turn()

    async def turn(self) -> None:
        """Let the batches enter that wait now, when the rows of what others have staged are written."""
        self._work.clear()
        late, self._queued, self._queued_bytes = self._queued, Group(), 0
        moves = self._settled.moves
        if not all(self._settled.receive(one) for one in late.opened):
            try:
                await self._settle()
            except DomainError as error:
                log.warning("ingest.staged_not_written", code=error.code)
                self._again_s = asyncio.get_running_loop().time() + AGAIN_S
            else:
                self._settled.add({one.gateway_name for one in late.opened}, moves)
                self._settled.add_received(late.opened, moves)
        await self._enter(late)
        self._lanes = frozenset(one.lane_key for one in self._queued.opened)

    def _is_late(self, one: Opened) -> bool:
        return not self._settled.receive(one) and asyncio.get_running_loop().time() >= self._again_s
