"""Collect the deliveries that have arrived, and open them in groups.

While a group is being written, the next one is decoded and verified, and further deliveries stay with the broker. So
under load more batches share a commit, and an idle ingest acknowledges at once.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.vehicles.fleet import GatewayAccess, GatewayDirectory, GatewayName, RegisteredGateway
from cloud.vehicles.ingest.attempts import AWAY, wait_for_next
from cloud.vehicles.ingest.delivery_group import Group, rows_of
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.opening import Opened, open_delivery, unpacked
from cloud.vehicles.ingest.opening_pace import OpeningPace
from cloud.vehicles.ingest.quotas import Quota, QuotaBook
from cloud.vehicles.ingest.source import LIVE_LANES, BatchDelivery, BatchSource, Delivery, StatusDelivery
from cloud.vehicles.ingest.status import open_status
from protocols.uplink.block_runs import BlockHead

log = structlog.get_logger()

OPENING_S_MAX = 0.003
"""Time for which small batches are decoded before other tasks of the event loop run. A turn of the loop costs as much
as decoding a small batch if packets of the broker are read and sent in it. A large batch takes longer than this anyway.
"""


class DeliveryOpener:
    """Opens the deliveries of one process. `shut_out` is called with the id of a gateway that sends although it is
    suspended or revoked. `unpacks_live`: also unpack numerics and waveforms, for which the caller otherwise calls
    `unpack_all`, except for those that are staged."""

    def __init__(
        self,
        database: Database,
        quotas: QuotaBook,
        clock: Clock,
        settings: IngestSettings,
        shut_out: Callable[[str], None],
        *,
        unpacks_live: bool,
    ) -> None:
        self._database = database
        self._quotas = quotas
        self._clock = clock
        self._settings = settings
        self.shut_out = shut_out
        self._unpacks_live = unpacks_live
        self._directory = GatewayDirectory()
        self._pace = OpeningPace()

    async def collect(self, source: BatchSource, *, live: bool) -> list[Delivery]:
        """Wait for a delivery and return it with all others that have already arrived, up to the limits of a group.
        `live`: those of `LIVE_LANES`, also those that arrive while their opening waits (`opening_pace`). Otherwise all
        others."""
        taken = [await source.next(live=live)]
        self._take_arrived(source, taken, live=live)
        loop = asyncio.get_running_loop()
        if live:
            if (wait_s := self._pace.wait_s(len(taken), loop.time())) > 0:
                await asyncio.sleep(wait_s)
                self._take_arrived(source, taken, live=live)
            self._pace.begin(loop.time())
        return taken

    def _take_arrived(self, source: BatchSource, taken: list[Delivery], *, live: bool) -> None:
        """Add the deliveries that have arrived to `taken`, up to the limits of a group."""
        octets = sum([len(one.octets) for one in taken])
        while len(taken) < self._settings.group_batches_max and octets < self._settings.group_octets_max:
            more = source.next_now(live=live)
            if more is None:
                break
            taken.append(more)
            octets += len(more.octets)

    async def open(self, deliveries: Sequence[Delivery]) -> list[Group]:
        """Verify and unpack deliveries and return them in groups, each small enough for one transaction."""
        gateways = await self._find_gateways(deliveries)
        for gateway in gateways.values():
            if gateway.access is not GatewayAccess.ACTIVE:
                self.shut_out(gateway.id)
        now_us = self._clock.now_us()
        exhausted = {name: self._quotas.exhausted(name, now_us) for name in gateways}
        groups = [Group()]
        turns = OpeningTurns()
        for delivery in deliveries:
            if groups[-1].observations >= self._settings.group_observations_max:
                groups.append(Group())
            groups[-1].deliveries.append(delivery)
            match delivery:
                case BatchDelivery():
                    name = gateway_name(delivery)
                    unpacks = self._unpacks_live or delivery.lane not in LIVE_LANES
                    _add_batch(groups[-1], delivery, gateways.get(name), exhausted.get(name), unpacks=unpacks)
                case StatusDelivery():
                    _add_status(groups[-1], delivery)
            await turns.step()
        return groups

    async def unpack_all(self, group: Group) -> list[Opened]:
        """Unpack the batches of a group of which only the head was read. Remove and return those that meet an error in
        the cloud's code; their deliveries stay."""
        failed: list[Opened] = []
        if not any(isinstance(one.content, BlockHead) for one in group.opened):
            return failed
        turns = OpeningTurns()
        opened: list[Opened] = []
        for one in group.opened:
            try:
                opened.append(unpacked(one))
            except Exception as error:
                _give_up(one.delivery, error)
                failed.append(one)
            await turns.step()
        group.opened = opened
        group.observations = sum(map(rows_of, opened))
        return failed

    async def _find_gateways(self, deliveries: Sequence[Delivery]) -> dict[GatewayName, RegisteredGateway]:
        """Return the gateways that the topics name; wait while the database is unavailable. They are read for each
        group, so that a replaced key or a new owner takes effect at once."""
        names = {gateway_name(delivery) for delivery in deliveries if isinstance(delivery, BatchDelivery)}
        attempt = 0
        while names:
            try:
                return await self._directory.peek_all(self._database, names)
            except AWAY as error:
                attempt = await wait_for_next(self._settings, attempt, error)
        return {}


class OpeningTurns:
    """Lets other tasks of the event loop run between batches, since decoding takes time."""

    def __init__(self) -> None:
        self._yield_s = time.monotonic() + OPENING_S_MAX

    async def step(self) -> None:
        """Call this after each batch."""
        if time.monotonic() >= self._yield_s:
            await asyncio.sleep(0)
            self._yield_s = time.monotonic() + OPENING_S_MAX


def gateway_name(delivery: Delivery) -> GatewayName:
    return delivery.tenant_id, delivery.gateway_id


def _add_batch(
    group: Group,
    delivery: BatchDelivery,
    gateway: RegisteredGateway | None,
    exhausted: Quota | None,
    *,
    unpacks: bool,
) -> None:
    try:
        one = open_delivery(delivery, gateway, exhausted=exhausted, unpacks=unpacks)
    except Exception as error:
        _give_up(delivery, error)
        return
    if isinstance(one, Opened):
        group.opened.append(one)
        group.observations += rows_of(one)
    else:
        group.refused.append(one)


def _give_up(delivery: BatchDelivery, error: Exception) -> None:
    """Log an error in the cloud's code: one message must not end the process that all the others need."""
    log.exception("ingest.batch_unopened", gateway=delivery.gateway_id, lane=delivery.lane.value)
    log.error("ingest.batch_given_up", error=type(error).__name__)


def _add_status(group: Group, delivery: StatusDelivery) -> None:
    status = open_status(delivery)
    if status is None:
        log.warning("ingest.status_unreadable", gateway=delivery.gateway_id)
    else:
        group.statuses[gateway_name(delivery)] = status
