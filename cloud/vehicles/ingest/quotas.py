"""The quotas of each gateway, and the check whether a batch fits them.

Each gateway has four quotas: rows (observations and events), bytes (envelopes and their content after decompression),
new devices, and new epochs (lives of the gateway's store). Each quota is a bucket that a normal vehicle never empties
and that refills with time. Batches that do not fit are parked (`parking`), and batches of a new epoch stay with the
gateway (`epoch_gate`). Nothing is lost. An event reports that a quota is reached, and an operator may raise the quota.

A bucket is stored as the time at which it would be full again (generic cell rate algorithm). No job refills it, and two
workers may add use in any order. Each process caches the buckets and writes its use every few seconds; a crash loses
some seconds of use, to the gateway's advantage.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from operator import add, sub
from typing import NamedTuple

from cloud.foundation.db import Transaction
from cloud.vehicles.fleet import GatewayName
from cloud.vehicles.ingest.quota_store import QuotaRow, QuotaStore, Spent
from cloud.vehicles.ingest.settings import IngestSection

HOUR_US = 3_600_000_000

SYNCED_FOR_US = 5_000_000
"""Longest time for which a process uses its copy of a gateway's quotas: another worker may add as much in that time,
which is little compared with any of the buckets. The copies of all gateways end together, at multiples of this time.
If each ended for itself, every group of a fleet would read and write the quotas of some gateways."""

RESERVE_PART = 20
"""Parked batches are unpacked while more than this fraction (1/20) of the bucket is left, so that a gateway's backlog
does not cause its live data to be parked."""

ROW_BYTES = 512
"""Bytes that a parked batch counts in addition to its envelope."""


class Quota(StrEnum):
    """The four quotas of a gateway. A tuple with a value for each quota has the values in this order."""

    ROWS = "rows"
    BYTES = "bytes"
    DEVICES = "devices"
    EPOCHS = "epochs"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A gateway's quota as a bucket that refills with time: `burst_us` is the time to refill the whole bucket, and
    `unit_us` the time to refill one unit."""

    quota: Quota
    burst_us: int
    unit_us: float

    @classmethod
    def of(cls, quota: Quota, burst: int, per_hour: int) -> "Bucket":
        return cls(quota, burst * HOUR_US // per_hour, HOUR_US / per_hour)

    def cost_us(self, units: int, factor: float) -> int:
        """Return the time in microseconds in which the quota refills by `units`. `factor` is the operator's factor on
        the quota."""
        return int(units * self.unit_us / factor)


def buckets_of(quotas: IngestSection) -> tuple[Bucket, ...]:
    """Return the buckets of the four quotas in the settings, in the order of `Quota`."""
    return (
        Bucket.of(Quota.ROWS, quotas.rows_burst, quotas.rows_per_hour),
        Bucket.of(Quota.BYTES, quotas.bytes_burst, quotas.bytes_per_hour),
        Bucket.of(Quota.DEVICES, quotas.devices_burst, quotas.devices_per_hour),
        Bucket.of(Quota.EPOCHS, quotas.epochs_burst, quotas.epochs_per_hour),
    )


class Need(NamedTuple):
    """A number of units of each quota, in the order of `Quota`: the use by one batch, or the sum for
    several batches."""

    rows: int = 0
    bytes: int = 0
    devices: int = 0
    epochs: int = 0

    def plus(self, other: "Need") -> "Need":
        return Need(*map(add, self, other))

    def minus(self, other: "Need") -> "Need":
        return Need(*map(sub, self, other))


NOTHING = Need()


@dataclass(slots=True)
class Account:
    """The cached quotas of one gateway: the row as read at `read_us`, and the use that is not stored yet."""

    row: QuotaRow
    read_us: int
    unsaved: Need = NOTHING

    def is_stale(self, now_us: int) -> bool:
        return self.read_us // SYNCED_FOR_US != now_us // SYNCED_FOR_US


_FOR_EVERY_BATCH = (Quota.ROWS, Quota.BYTES)


class QuotaBook:
    """The cached quotas of all gateways in a process, shared by all code of the process that stores batches."""

    def __init__(self, settings: IngestSection) -> None:
        self.settings = settings
        self._accounts: dict[GatewayName, Account] = {}

    def begin(self, tx: Transaction, now_us: int) -> "QuotaCharges":
        """Return an object that checks and charges quotas in the transaction `tx`. After the commit call its `keep`."""
        return QuotaCharges(self, tx, now_us)

    def account(self, name: GatewayName) -> Account | None:
        return self._accounts.get(name)

    def remember(self, name: GatewayName, account: Account) -> None:
        self._accounts[name] = account

    def exhausted(self, name: GatewayName, now_us: int) -> Quota | None:
        """Return a quota of rows or bytes that the gateway has used up according to the cache, or None."""
        account = self._accounts.get(name)
        if account is None or account.is_stale(now_us):
            return None
        row = account.row
        for bucket, until_us, unsaved in zip(buckets_of(self.settings), row.until_us, account.unsaved, strict=True):
            used_us = max(until_us - now_us, 0) + bucket.cost_us(unsaved, row.factor)
            if bucket.quota in _FOR_EVERY_BATCH and used_us >= bucket.burst_us:
                return bucket.quota
        return None


class QuotaCharges:
    """Check and charge the quotas of gateways within one transaction. The cache changes only with `keep`."""

    def __init__(self, book: QuotaBook, tx: Transaction, now_us: int) -> None:
        self._book = book
        self._store = QuotaStore(tx)
        self._now_us = now_us
        self._buckets = buckets_of(book.settings)
        self._rows: dict[GatewayName, QuotaRow] = {}
        self._stale: set[GatewayName] = set()
        self._unsaved: dict[GatewayName, Need] = {}
        self._spent: dict[GatewayName, Need] = {}
        self._parked: dict[GatewayName, tuple[Quota, int, int]] = {}
        self._epochs_held_back: set[GatewayName] = set()
        self._saved: dict[GatewayName, tuple[QuotaRow, Need]] = {}

    async def load(self, names: Collection[GatewayName], *, afresh: bool = False) -> None:
        """Load these gateways' quotas from the cache, or from the database where the cache has none or a stale value.
        `afresh`: load all from the database that this transaction has not loaded from there. Call this before anything
        is charged to the gateways."""
        stale: list[GatewayName] = []
        for name in names:
            if name in self._stale:
                continue
            account = self._book.account(name)
            self._unsaved[name] = NOTHING if account is None else account.unsaved
            if account is None or afresh or account.is_stale(self._now_us):
                stale.append(name)
            else:
                self._rows[name] = account.row
        if stale:
            self._rows.update(await self._store.read(sorted(stale)))
            self._stale.update(stale)

    def reached(self, name: GatewayName, need: Need, *, reserve: bool = False) -> Quota | None:
        """Return the quota that `need` would exceed, or None. `reserve`: leave 1/20 of each bucket for live data."""
        row = self._rows[name]
        for bucket, until_us, unsaved, units in zip(
            self._buckets, row.until_us, self._unsaved[name], need, strict=True
        ):
            if not units:
                continue
            limit_us = bucket.burst_us - bucket.burst_us // RESERVE_PART if reserve else bucket.burst_us
            after_us = max(until_us - self._now_us, 0) + bucket.cost_us(unsaved + units, row.factor)
            # A batch that needs more than a whole bucket passes when the bucket is full; otherwise it could never pass.
            if after_us > limit_us and after_us > bucket.cost_us(units, row.factor):
                return bucket.quota
        return None

    def charge(self, name: GatewayName, need: Need) -> None:
        self._unsaved[name] = self._unsaved[name].plus(need)
        self._spent[name] = self._spent.get(name, NOTHING).plus(need)

    def may_begin_epoch(self, name: GatewayName) -> bool:
        """Return whether the quota allows one more epoch (life of the gateway's store). The caller must have loaded the
        gateway's quotas from the database, since another worker may have begun epochs."""
        assert name in self._stale, "the cache does not have the epochs that other workers began"
        if self.reached(name, Need(epochs=1)) is None:
            return True
        self._epochs_held_back.add(name)
        return False

    def has_parking(self, name: GatewayName, envelope_bytes: int) -> bool:
        """Return whether one more batch of this gateway can be parked (stored, to be unpacked later) within the limit
        of parked bytes."""
        row = self._rows[name]
        _, _, parked = self._parked.get(name, (Quota.ROWS, 0, 0))
        most = int(self._book.settings.parked_bytes_max * row.factor)
        return row.parked_bytes + parked + envelope_bytes + ROW_BYTES <= most

    def park(self, name: GatewayName, quota: Quota, envelope_bytes: int) -> None:
        first, batches, parked = self._parked.get(name, (quota, 0, 0))
        self._parked[name] = first, batches + 1, parked + envelope_bytes + ROW_BYTES

    async def save(self) -> list[tuple[GatewayName, Quota]]:
        """Write the counted use of each gateway that has newly parked batches or an outdated cached quota. Return the
        gateways whose batches are parked or whose new epochs are held back from now on, each with the quota that is the
        reason. Call this last in the transaction: other workers wait for the quota rows."""
        due = sorted(self._stale | self._parked.keys())
        costs = [
            Spent(
                *name,
                *[
                    bucket.cost_us(units, self._rows[name].factor)
                    for bucket, units in zip(self._buckets, self._unsaved[name], strict=True)
                ],
            )
            for name in due
        ]
        # From here on the rows are locked, so they show whether another worker has recorded the same.
        rows = await self._store.spend(costs, now_us=self._now_us) if costs else {}
        began = [(name, quota) for name, (quota, _, _) in sorted(self._parked.items()) if rows[name].reached_us is None]
        await self._store.park(
            [
                (*name, batches, parked_bytes, self._now_us, quota.value)
                for name, (quota, batches, parked_bytes) in sorted(self._parked.items())
            ]
        )
        for name, (_, batches, parked_bytes) in self._parked.items():
            rows[name] = rows[name].parking(batches, parked_bytes)
        holding = [name for name in sorted(self._epochs_held_back) if rows[name].epochs_held_back_us is None]
        ended = [
            name
            for name in sorted(self._stale - self._epochs_held_back)
            if rows[name].epochs_held_back_us is not None and self._spent.get(name, NOTHING).epochs
        ]
        await self._store.hold_epochs(holding, since_us=self._now_us)
        await self._store.hold_epochs(ended, since_us=None)
        began.extend([(name, Quota.EPOCHS) for name in holding])
        self._saved = {name: (rows[name], self._unsaved[name]) for name in due}
        return began

    async def begin_holding_back(self, names: Collection[GatewayName]) -> list[GatewayName]:
        """Record that these gateways' batches are held back (neither stored nor acknowledged). Return those for which
        this was not recorded yet. Call this after `save`."""
        return await self._store.begin_holding_back(
            [name for name in names if self._rows[name].held_back_us is None], now_us=self._now_us
        )

    async def unpark(self, name: GatewayName, parked_bytes: int) -> bool:
        """Subtract one batch from the gateway's count of parked batches (stored, to be unpacked later). Return True if
        none is left. Call this after `save`."""
        return await self._store.unpark(name, parked_bytes)

    def keep(self) -> None:
        """Add the charges of this transaction to the process's cache of quotas. Call `keep` after the commit."""
        for name in self._rows:
            account, spent = self._book.account(name), self._spent.get(name, NOTHING)
            if name in self._saved:
                row, saved = self._saved[name]
                before = NOTHING if account is None else account.unsaved
                # The use by concurrent transactions of this process is still to be saved.
                self._book.remember(name, Account(row, self._now_us, before.plus(spent).minus(saved)))
            elif account is not None:
                account.unsaved = account.unsaved.plus(spent)
