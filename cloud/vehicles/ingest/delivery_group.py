"""A group of messages that ingest writes in one transaction, and its division."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from cloud.clinical.observations import ObservationColumns
from cloud.vehicles.fleet import GatewayName
from cloud.vehicles.ingest.opening import Opened, Refused
from cloud.vehicles.ingest.source import BatchDelivery, Delivery, StatusDelivery
from protocols.uplink.block_runs import BlockHead
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Status

_WITH_ROWS = (ObservationColumns, BlockHead)

PART_MEMBERS_MAX = 16
"""Batches and statuses of a part of a divided group. One bad batch in a group of 512 then costs 32 + 16 transactions
instead of 512, so a gateway that sends one with each group does not slow the others down much."""


@dataclass(slots=True)
class Group:
    """Messages that are written in one transaction. After the commit `deliveries` are accepted, in order of arrival.
    Only the last status of each gateway is written, so a gateway that sends thousands of them costs no more. `is_held`:
    the batches were already written when the group was made, so their waveforms need no other object."""

    opened: list[Opened] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    statuses: dict[GatewayName, Status] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    observations: int = 0
    is_held: bool = False

    @property
    def envelope_bytes(self) -> int:
        return sum(len(one.octets) for one in self.deliveries)

    @property
    def is_staged(self) -> bool:
        """Return whether the batches are durable and acknowledged: all of a group are, or none."""
        return bool(self.opened) and self.opened[0].staged_at_us is not None

    def take(self, *lanes: Lane) -> "Group":
        """Remove what came by these lanes (numbered streams of batches), and return it as a group."""
        taken = Group(
            opened=[one for one in self.opened if one.batch.lane in lanes],
            refused=[one for one in self.refused if one.delivery.lane in lanes],
            deliveries=[one for one in self.deliveries if _came_by(one, lanes)],
        )
        taken.observations = sum(map(rows_of, taken.opened))
        self.opened = [one for one in self.opened if one.batch.lane not in lanes]
        self.refused = [one for one in self.refused if one.delivery.lane not in lanes]
        self.deliveries = [one for one in self.deliveries if not _came_by(one, lanes)]
        self.observations -= taken.observations
        return taken

    def extract(self, batches: Sequence[Opened]) -> "Group":
        """Remove these batches of the group with their deliveries, and return them as a group."""
        chosen = {id(one) for one in batches}
        deliveries = {id(one.delivery) for one in batches}
        extracted = Group(opened=list(batches), deliveries=[one for one in self.deliveries if id(one) in deliveries])
        extracted.observations = sum(map(rows_of, batches))
        self.opened = [one for one in self.opened if id(one) not in chosen]
        self.deliveries = [one for one in self.deliveries if id(one) not in deliveries]
        self.observations -= extracted.observations
        return extracted

    def add(self, batches: Sequence[Opened]) -> None:
        """Add batches with their deliveries."""
        self.opened += batches
        self.deliveries += [one.delivery for one in batches]
        self.observations += sum(map(rows_of, batches))

    def divided(self, *, batches_max: int, bytes_max: int, observations_max: int) -> "list[Group]":
        """Return the group in parts, in order: the last one is this group itself. Each has batches until one of these
        limits is reached."""
        parts: list[list[Opened]] = [[]]
        size_bytes = observations = 0
        for one in self.opened:
            if len(parts[-1]) >= batches_max or size_bytes >= bytes_max or observations >= observations_max:
                parts.append([])
                size_bytes = observations = 0
            parts[-1].append(one)
            size_bytes += len(one.delivery.octets)
            observations += rows_of(one)
        return [*(self.extract(part) for part in parts[:-1]), self]

    def take_statuses(self, names: Collection[GatewayName]) -> "Group":
        """Remove the statuses of these gateways, and return them as a group."""
        if not names:
            return Group()
        taken = Group(
            statuses={name: status for name, status in self.statuses.items() if name in names},
            deliveries=[one for one in self.deliveries if _is_status_of(one, names)],
        )
        self.statuses = {name: status for name, status in self.statuses.items() if name not in names}
        self.deliveries = [one for one in self.deliveries if not _is_status_of(one, names)]
        return taken

    def parts(self) -> "list[Group]":
        """Return the batches and statuses as groups of at most `PART_MEMBERS_MAX`, in their order and without the
        deliveries."""
        single = self.singly()
        return [joined(single[begin : begin + PART_MEMBERS_MAX]) for begin in range(0, len(single), PART_MEMBERS_MAX)]

    def singly(self) -> "list[Group]":
        """Return a group for each verified batch, each refused batch and each status, without the deliveries."""
        return [
            *(Group(opened=[one]) for one in self.opened),
            *(Group(refused=[one]) for one in self.refused),
            *(Group(statuses={name: one}) for name, one in self.statuses.items()),
        ]


def group_of(opened: Sequence[Opened]) -> Group:
    """Return a group of these batches with their deliveries."""
    deliveries: list[Delivery] = [one.delivery for one in opened]
    return Group(opened=list(opened), deliveries=deliveries, observations=sum(map(rows_of, opened)))


def joined(groups: Sequence[Group]) -> Group:
    """Return one group with everything in these groups."""
    return Group(
        opened=[one for group in groups for one in group.opened],
        refused=[one for group in groups for one in group.refused],
        statuses={name: status for group in groups for name, status in group.statuses.items()},
        deliveries=[one for group in groups for one in group.deliveries],
        observations=sum(group.observations for group in groups),
    )


def _came_by(delivery: Delivery, lanes: Collection[Lane]) -> bool:
    return isinstance(delivery, BatchDelivery) and delivery.lane in lanes


def _is_status_of(delivery: Delivery, names: Collection[GatewayName]) -> bool:
    return isinstance(delivery, StatusDelivery) and (delivery.tenant_id, delivery.gateway_id) in names


def rows_of(one: Opened) -> int:
    """Return the number of observation rows that a batch needs if it is not packed."""
    return one.batch.count if isinstance(one.content, _WITH_ROWS) else 0
