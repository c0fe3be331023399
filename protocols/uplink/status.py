"""Retained status of a gateway: its identity, its presence, and the progress of each lane.

The gateway publishes it when it connects, and then periodically. The cloud responds with one `Ack` for each lane, so
that each side has the other's progress (DESIGN D3). When the gateway's connection is lost, the broker publishes the
will: the same status with `online` false.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from protocols.uplink.lanes import Lane
from protocols.uplink.limits import SEQUENCE_MAX
from protocols.uplink.messages import Fields, write_message
from protocols.uplink.topics import is_identifier

SOFTWARE_LENGTH_MAX = 64
PUBLISHED_RANGES_MAX = 32
"""Limit of the ranges of published batches that one lane reports: a lane is sent at two places at once (live and
backlog), and each lost connection may leave one more. Four full lanes are 5 kB of the 16 kB that a status may have."""
MISSIONS_MAX = 16
"""Limit of the missions that a status lists: those of more than a day of one vehicle, in about 1 kB."""
_CLAUSE = "uplink status v1"


@dataclass(frozen=True, slots=True)
class Mark:
    """Progress of a lane. `first` and `last` are the lowest and highest sequence that the gateway still stores (0 and
    0: none). `acked` is the sequence up to which the cloud has acknowledged every batch.

    `published` are the batches that the broker confirmed (PUBACK) and the cloud has not acknowledged, as ascending
    ranges (first, last), at most the `PUBLISHED_RANGES_MAX` lowest. A cloud that never received these batches detects
    that they were lost between broker and cloud. None: the gateway's software is older than this field.
    """

    first: int
    last: int
    acked: int
    published: tuple[tuple[int, int], ...] | None = None


class StoreState(StrEnum):
    """State of the gateway's store: healthy, using its reserve, refusing new data, or also used by another gateway."""

    OK = "ok"
    RESERVE = "reserve"
    FULL = "full"
    CONTESTED = "contested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Status of a gateway. `at_us` is its wall clock in µs, correct only if `clock_synchronised`. `historical`: the
    gateway sends a backlog in addition to live data. `missions`: the version of each mission that the gateway has
    stored, by encounter; the newest `MISSIONS_MAX`."""

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
    missions: Mapping[str, int] = field(default_factory=dict)


def encode_status(status: Status) -> bytes:
    missions = dict(list(status.missions.items())[:MISSIONS_MAX])
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
            **({"missions": missions} if missions else {}),
        }
    )


def _written(mark: Mark) -> dict[str, object]:
    fields: dict[str, object] = {"first": mark.first, "last": mark.last, "acked": mark.acked}
    if mark.published is not None:
        fields["published"] = [list(range_) for range_ in mark.published[:PUBLISHED_RANGES_MAX]]
    return fields


def decode_status(data: bytes) -> Status:
    """Decode a status. Raises only `RemoteProtocolError`."""
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
        missions=_missions(fields),
    )


def _missions(fields: Fields) -> dict[str, int]:
    if "missions" not in fields:  # the gateway's software is older than this field, or it has no mission
        return {}
    listed = fields.mapping("missions", limit_count=MISSIONS_MAX)
    if not all(map(is_identifier, listed)):
        raise fields.wrong("missions does not name encounters")
    versions = fields.inner("missions")
    return {encounter: versions.integer(encounter, least=1, most=SEQUENCE_MAX) for encounter in listed}


def _marks(fields: Fields) -> dict[Lane, Mark]:
    """Return the progress of each lane, without unknown lanes, which a newer version may send."""
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
