"""A gateway's retained status: its identity, its presence, and the progress of each lane.

Published at connect and then periodically. The cloud responds with one `Ack` for each lane, which is the exchange of
marks (D3). When the gateway disappears, the broker publishes the will in its place: the same with `online` false.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from protocols.uplink.lanes import Lane
from protocols.uplink.messages import Fields, write_message

SOFTWARE_LENGTH_MAX = 64
PUBLISHED_RANGES_MAX = 32
"""Limit of the ranges of published batches that one lane reports: a lane is sent at two places at once (live and
backlog), and each lost connection may leave one more. Four full lanes are 5 kB of the 16 kB that a status may have."""
_CLAUSE = "uplink status v1"


@dataclass(frozen=True, slots=True)
class Mark:
    """Progress of a lane: `first` and `last` sequence that it still holds (0 and 0: none), and `acked`: the cloud has
    everything up to it.

    `published`: the batches that the broker confirmed (PUBACK) and that the cloud has not acknowledged since, as
    ascending ranges (first, last); from it a cloud that never received them detects that they were lost in transit. Of
    more than `PUBLISHED_RANGES_MAX` ranges the lowest are reported. None: the gateway is older than this field.
    """

    first: int
    last: int
    acked: int
    published: tuple[tuple[int, int], ...] | None = None


class StoreState(StrEnum):
    """State of the gateway's store: healthy, using its reserve, refusing, or claimed by another gateway too."""

    OK = "ok"
    RESERVE = "reserve"
    FULL = "full"
    CONTESTED = "contested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A status. `at_us` is the gateway's wall clock in µs, correct only if `clock_synchronised`; `software` is its
    version; `historical`: a backlog is being sent beside live data."""

    gateway: str
    epoch: str
    online: bool
    at_us: int
    boot_id: str
    software: str
    marks: Mapping[Lane, Mark]
    store: StoreState = StoreState.OK
    historical: bool = False
    clock_synchronised: bool = True


def encode_status(status: Status) -> bytes:
    """Encode `status`."""
    return write_message(
        {
            "gateway": status.gateway,
            "epoch": status.epoch,
            "online": status.online,
            "at_us": status.at_us,
            "boot_id": status.boot_id,
            "software": status.software[:SOFTWARE_LENGTH_MAX],
            "marks": {lane.value: _written(mark) for lane, mark in status.marks.items()},
            "store": status.store.value,
            "historical": status.historical,
            "clock_synchronised": status.clock_synchronised,
        }
    )


def _written(mark: Mark) -> dict[str, object]:
    fields: dict[str, object] = {"first": mark.first, "last": mark.last, "acked": mark.acked}
    if mark.published is not None:
        fields["published"] = [list(range_) for range_ in mark.published[:PUBLISHED_RANGES_MAX]]
    return fields


def decode_status(data: bytes) -> Status:
    """Decode a status. Raises RemoteProtocolError and nothing else, on any bytes."""
    fields = Fields.of(data, _CLAUSE)
    try:
        store = StoreState(fields.text("store", limit_length=16))
    except ValueError:
        raise fields.wrong("no such state of a store") from None
    return Status(
        gateway=fields.identifier("gateway"),
        epoch=fields.identifier("epoch"),
        online=fields.boolean("online"),
        at_us=fields.integer("at_us"),
        boot_id=fields.identifier("boot_id"),
        software=fields.text("software", limit_length=SOFTWARE_LENGTH_MAX),
        marks=_marks(fields),
        store=store,
        historical=fields.boolean("historical"),
        clock_synchronised=fields.boolean("clock_synchronised"),
    )


def _marks(fields: Fields) -> dict[Lane, Mark]:
    """Return marks by lane; a lane unknown to this side is from a newer version and left out."""
    sent = fields.inner("marks")
    marks = {}
    for lane in Lane:
        if lane.value in sent:
            mark = sent.inner(lane.value)
            marks[lane] = Mark(
                first=mark.integer("first", least=0),
                last=mark.integer("last", least=0),
                acked=mark.integer("acked", least=0),
                published=mark.ranges("published", limit_count=PUBLISHED_RANGES_MAX) if "published" in mark else None,
            )
    return marks
