"""Write observations: number their sources and channels, leave out what a device's memory repeats, append the rows.

Always inside the transaction that also writes the batch (custody) and moves the lane's mark: a batch is there whole
or not at all, and its row is what makes a repeat harmless. Numbers once given never change, so they are remembered in
the process; a number is remembered only after its transaction is durable, because an undone one may be given again to
another channel.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import bindparam, select

from cloud.db import Prepared, Transaction, insert
from cloud.observations.rows import COLUMNS, ObservationColumns
from cloud.observations.tables import observation_channels, observation_sources, observations, stored_measurements
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel

NUMBERS_MAX = 65_536
"""Sources and channels remembered in the process: some thousand vehicles with twenty channels each."""

_KEYS_AT_ONCE = 500  # content keys in one look-up; SQLite allows 32 766 parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Who brought an observation: one device as carried by one vehicle of one organisation."""

    tenant_id: str
    organization_id: str
    vehicle_id: str | None
    device_id: str
    system_id: str
    model: str
    origin: str = "vehicle"


class Numbers:
    """What the process remembers of `fingerprint → number`, oldest forgotten first."""

    def __init__(self, limit: int = NUMBERS_MAX) -> None:
        self._known: OrderedDict[object, int] = OrderedDict()
        self._limit = limit

    def get(self, key: object) -> int | None:
        return self._known.get(key)

    def learn(self, numbers: dict[object, int]) -> None:
        """Only after the transaction that gave them is durable."""
        self._known.update(numbers)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)


def _by_fingerprint(table: Any, number: Any) -> Prepared:
    return Prepared(select(number).where(table.c.fingerprint == bindparam("of_fingerprint")))


def _insert(table: Any, names: Sequence[str]) -> Prepared:
    """Another worker may have been first; then the look-up that follows finds its number."""
    return Prepared(insert(table).values({name: bindparam(name) for name in names}).on_conflict_do_nothing())


_SOURCE_FIELDS = ("tenant_id", "organization_id", "vehicle_id", "device_id", "system_id", "model", "origin")
_CHANNEL_FIELDS = (
    "source_id",
    "handle",
    "person",
    "type_partition",
    "type_code",
    "unit_partition",
    "unit_code",
    "components",
    "supplemental_types",
    "sample_format",
    "sample_period_s",
    "slope",
    "array_offset",
)
_FIND_SOURCE = _by_fingerprint(observation_sources, observation_sources.c.source_id)
_INSERT_SOURCE = _insert(observation_sources, ("fingerprint", *_SOURCE_FIELDS))
_FIND_CHANNEL = _by_fingerprint(observation_channels, observation_channels.c.channel_id)
_INSERT_CHANNEL = _insert(observation_channels, ("fingerprint", *_CHANNEL_FIELDS))


class ObservationWriter:
    """One a transaction: gathers the rows of its batches and appends them at once. `numbers` outlives it."""

    def __init__(self, tx: Transaction, numbers: Numbers) -> None:
        self._tx = tx
        self._numbers = numbers
        self._rows: list[tuple[Any, ...]] = []
        self._content_rows: list[tuple[Any, ...]] = []
        self._content_seen: set[tuple[str, bytes]] = set()
        self.learned: dict[object, int] = {}

    async def add(
        self, columns: ObservationColumns, *, lane_id: int, sequence: int, carriers: Sequence[Carrier]
    ) -> int:
        """Take in one batch; `carriers` stand in the order of `columns.sources`. The number of observations that are
        new, which is less than all where a device's memory repeats itself."""
        source_ids = [await self._source_id(carrier) for carrier in carriers]
        channel_ids = [
            await self._channel_id(source_ids[channel.source_number], channel.channel) for channel in columns.channels
        ]
        rows = columns.placed(lane_id, sequence, source_ids, channel_ids)
        if columns.content_keys and carriers:
            repeated = await self._repeated(columns.content_keys, lane_id, sequence, carriers[0].tenant_id)
            rows = [row for position, row in enumerate(rows) if position not in repeated]
        self._rows.extend(rows)
        return len(rows)

    async def append(self) -> None:
        """Write what was gathered."""
        if self._content_rows:
            names = ("tenant_id", "content_key", "lane_id", "sequence", "position")
            # In one order in all workers, so that two with the same memory wait for each other and not in a circle.
            await self._tx.driver.append(stored_measurements, names, sorted(self._content_rows))
        if self._rows:
            await self._tx.driver.append(observations, COLUMNS, self._rows)

    async def _source_id(self, carrier: Carrier) -> int:
        found = self._known(carrier)
        if found is None:
            values = {name: getattr(carrier, name) for name in _SOURCE_FIELDS}
            found = await self._number(carrier, values, _FIND_SOURCE, _INSERT_SOURCE)
        return found

    async def _channel_id(self, source_id: int, channel: Channel) -> int:
        key = (source_id, channel)
        found = self._known(key)
        if found is None:
            values = {"source_id": source_id, **channel_columns(channel)}
            found = await self._number(key, values, _FIND_CHANNEL, _INSERT_CHANNEL)
        return found

    def _known(self, key: object) -> int | None:
        found = self.learned.get(key)
        return found if found is not None else self._numbers.get(key)

    async def _number(self, key: object, values: dict[str, Any], find: Prepared, add: Prepared) -> int:
        fingerprint = hashlib.sha256(orjson.dumps(list(values.values()))).digest()
        rows = await self._tx.driver.rows(find, {"of_fingerprint": fingerprint})
        if not rows:
            await self._tx.driver.run(add, {"fingerprint": fingerprint, **values})
            rows = await self._tx.driver.rows(find, {"of_fingerprint": fingerprint})
        number = int(rows[0][0])
        self.learned[key] = number
        return number

    async def _repeated(self, keys: dict[int, bytes], lane_id: int, sequence: int, tenant_id: str) -> set[int]:
        """The positions whose measurement is stored already, or stands earlier in this transaction. A rival worker that
        stores the same memory at this moment makes the append fail, and the group is tried again."""
        held = await keys_held(self._tx, tenant_id, keys.values())
        repeated = set()
        for position, key in keys.items():
            if key in held or (tenant_id, key) in self._content_seen:
                repeated.add(position)
            else:
                self._content_seen.add((tenant_id, key))
                self._content_rows.append((tenant_id, key, lane_id, sequence, position))
        return repeated


async def keys_held(tx: Transaction, tenant_id: str, keys: Iterable[bytes]) -> set[bytes]:
    """Which of these content keys belong to a measurement that is stored."""
    wanted = sorted(set(keys))
    held: set[bytes] = set()
    for begin in range(0, len(wanted), _KEYS_AT_ONCE):
        some = wanted[begin : begin + _KEYS_AT_ONCE]
        found = await tx.execute(
            select(stored_measurements.c.content_key).where(
                stored_measurements.c.tenant_id == tenant_id, stored_measurements.c.content_key.in_(some)
            )
        )
        held.update(bytes(row.content_key) for row in found)
    return held


def channel_columns(channel: Channel) -> dict[str, Any]:
    """The columns of `observation_channels` that say what a channel measures."""
    scale = channel.array
    return {
        "handle": channel.handle,
        "person": channel.person,
        "type_partition": channel.type.partition,
        "type_code": channel.type.code,
        "unit_partition": None if channel.unit is None else channel.unit.partition,
        "unit_code": None if channel.unit is None else channel.unit.code,
        "components": codes_text(channel.components),
        "supplemental_types": codes_text(channel.supplemental_types),
        "sample_format": None if scale is None else scale.format.value,
        "sample_period_s": None if scale is None else scale.period_s,
        "slope": None if scale is None else scale.slope,
        "array_offset": None if scale is None else scale.offset,
    }


def codes_text(codes: Sequence[Code]) -> str:
    """Codes as the JSON of a row: [[partition, code], …]."""
    return orjson.dumps([[code.partition, code.code] for code in codes]).decode()
