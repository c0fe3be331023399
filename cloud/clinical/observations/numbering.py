"""The numbers of sources, channels and clocks: looked up or added, many at once.

A row of an observation has two numbers instead of the twenty columns of its source and channel. The process caches the
numbers, but only after their transaction is durable: a number from a transaction that was rolled back may be assigned
to another channel. Keys that are not cached are looked up by fingerprint in one statement, and the missing ones added
in another.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from sqlalchemy import Column, Table, select

from cloud.clinical.observations.tables import observation_channels, observation_clocks, observation_sources
from cloud.foundation.db import Transaction

Key = TypeVar("Key", bound=Hashable)

NUMBERS_MAX = 65_536
"""Numbers in the cache of the process: some thousand vehicles with four lanes and twenty sources and channels each."""

FINGERPRINTS_AT_ONCE = 8_192
"""Fingerprints in one query: all channels of two of the largest blocks. SQLite allows 32 766 parameters."""


@dataclass(frozen=True, slots=True)
class NumberedTable:
    """A table whose rows have a `number` and are identified by a fingerprint of `fields`, in this order. The
    fingerprint omits each field in `added_later` whose value is false, so rows from before the field existed keep their
    fingerprint."""

    table: Table
    number: Column[int]
    fields: tuple[str, ...]
    added_later: frozenset[str] = frozenset()

    def fingerprint(self, row: Sequence[Any]) -> bytes:
        """Return the fingerprint of a row whose values are in the order of `fields`."""
        identity = [
            value for name, value in zip(self.fields, row, strict=True) if value or name not in self.added_later
        ]
        return hashlib.sha256(orjson.dumps(identity)).digest()


SOURCES = NumberedTable(
    observation_sources,
    observation_sources.c.source_id,
    ("tenant_id", "organization_id", "vehicle_id", "device_id", "system_id", "model", "origin", "unverified_link"),
    frozenset({"unverified_link"}),
)
CHANNELS = NumberedTable(
    observation_channels,
    observation_channels.c.channel_id,
    (
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
    ),
)

CLOCKS = NumberedTable(
    observation_clocks, observation_clocks.c.clock_id, ("tenant_id", "gateway_id", "boot_id", "device_known")
)


class Numbers:
    """The process's cache of the row numbers of sources (device and vehicle), channels (what is measured) and clocks,
    and of other rows that ingest looks up by a longer key. If the cache is full, the oldest entry is dropped."""

    def __init__(self, limit: int = NUMBERS_MAX) -> None:
        self._known: OrderedDict[object, int] = OrderedDict()
        self._limit = limit

    def get(self, key: object) -> int | None:
        return self._known.get(key)

    def learn(self, numbers: Mapping[object, int]) -> None:
        """Add numbers to the cache. Call this only after the transaction that assigned the numbers is durable."""
        self._known.update(numbers)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)


class Numbering:
    """Looks up and adds the row numbers of sources (device and vehicle), channels (what is measured) and clocks within
    one transaction."""

    def __init__(self, tx: Transaction, numbers: Numbers) -> None:
        self._tx = tx
        self._numbers = numbers
        self.learned: dict[object, int] = {}

    async def numbers_of(
        self, where: NumberedTable, keys: Sequence[Key], row_of: Callable[[Key], Sequence[Any]]
    ) -> list[int]:
        """Return the numbers of these keys in a table, and add the missing rows. `row_of` returns a key's row in the
        order of `where.fields`. Raises `ConstraintViolated` when another worker adds the same row; a retry of the
        transaction finds that row."""
        remembered = list(map(self._numbers.get, keys))  # one look-up for each key: hashing a channel is expensive
        unknown = [key for key, number in zip(keys, remembered, strict=True) if number is None]
        if unknown:
            await self._learn(where, {key: row_of(key) for key in unknown if key not in self.learned})
        return [self.learned[key] if met is None else met for key, met in zip(keys, remembered, strict=True)]

    async def _learn(self, where: NumberedTable, wanted: Mapping[Key, Sequence[Any]]) -> None:
        if not wanted:
            return
        prints = {key: where.fingerprint(row) for key, row in wanted.items()}
        found = await self._find(where, list(prints.values()))
        new = {prints[key]: tuple(row) for key, row in wanted.items() if prints[key] not in found}
        if new:
            rows = [(fingerprint, *new[fingerprint]) for fingerprint in sorted(new)]
            await self._tx.driver.append(where.table, ("fingerprint", *where.fields), rows)
            found.update(await self._find(where, list(new)))
        self.learned.update({key: found[fingerprint] for key, fingerprint in prints.items()})

    async def _find(self, where: NumberedTable, fingerprints: Sequence[bytes]) -> dict[bytes, int]:
        column = where.table.c.fingerprint
        found: dict[bytes, int] = {}
        for begin in range(0, len(fingerprints), FINGERPRINTS_AT_ONCE):
            some = fingerprints[begin : begin + FINGERPRINTS_AT_ONCE]
            rows = await self._tx.execute(select(column, where.number).where(column.in_(some)))
            found.update({bytes(fingerprint): int(number) for fingerprint, number in rows})
        return found
