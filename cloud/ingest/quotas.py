"""How much one gateway may add, and whether it may add this now.

Three quotas for each gateway: rows (observations and events), bytes (envelopes and what they unpack to) and devices
that nobody has seen before. Each is a bucket that a normal vehicle never empties and that fills again with time. What
does not fit is parked (`parking`), not lost: an event reports it, and an operator may raise the quota.

A bucket is one number, the time at which it would be full again if nothing more came (the generic cell rate algorithm):
it needs no job that fills it, and two workers add to it in any order. Processes remember it and write it back every few
seconds, so that an ordinary group runs no statement for it; a crash forgets some seconds of use, to the gateway's
advantage.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cloud.db import Transaction
from cloud.ingest.quota_store import GatewayName, QuotaRow, QuotaStore, Spent
from protocols.uplink.limits import BLOCK_DEVICES_MAX

HOUR_US = 3_600_000_000

SYNCED_FOR_US = 5_000_000
"""How long what is remembered of a gateway's quotas stands in for the database: another worker may add as much in that
time, which is little beside any of the buckets."""

RESERVE_PART = 20
"""Parked batches are taken up while more than one part in so many of the bucket is left, so that live data of the
gateway is not parked behind its own past."""

ROW_BYTES = 512
"""What a parked batch counts for beside its envelope."""


class Quota(StrEnum):
    """What is counted."""

    ROWS = "rows"
    BYTES = "bytes"
    DEVICES = "devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSettings:
    """The quotas of a gateway whose factor is 1. A bucket is what may come at once, a rate what may come for ever.

    A normal vehicle brings 75 observations and 11.5 kB a second. After 72 h offline these are 19.4 million observations
    and 3.0 GB on the wire, which unpack to about 4.5 GB; a gateway's store holds 4 GiB at most. The buckets take all of
    that at once, because a cloud that was restored asks for it; the rates are four times that of a normal vehicle.
    """

    rows_burst: int = 28_000_000
    rows_per_hour: int = 4 * 75 * 3_600
    bytes_burst: int = 12 << 30
    bytes_per_hour: int = 128 * 1024 * 3_600
    """Envelope and unpacked block together: 29 kB a second of a normal vehicle, four times that and some."""
    devices_burst: int = BLOCK_DEVICES_MAX
    """As many as a gateway's roster holds, so that the first hour of any vehicle passes."""
    devices_per_hour: int = 32
    """A vehicle meets some new devices a day."""
    parked_bytes_max: int = 256 << 20
    """Envelopes that are parked for one gateway: six hours of a normal vehicle. Beyond it the gateway keeps its batches
    itself: they are not acknowledged until there is room."""

    def burst(self, quota: Quota) -> int:
        return {Quota.ROWS: self.rows_burst, Quota.BYTES: self.bytes_burst, Quota.DEVICES: self.devices_burst}[quota]

    def per_hour(self, quota: Quota) -> int:
        return {
            Quota.ROWS: self.rows_per_hour,
            Quota.BYTES: self.bytes_per_hour,
            Quota.DEVICES: self.devices_per_hour,
        }[quota]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one batch would add."""

    rows: int = 0
    bytes: int = 0
    devices: int = 0

    def units(self) -> tuple[tuple[Quota, int], ...]:
        return (Quota.ROWS, self.rows), (Quota.BYTES, self.bytes), (Quota.DEVICES, self.devices)


@dataclass(slots=True)
class Account:
    """What this process knows of one gateway: its row as last read, and what was spent since."""

    row: QuotaRow
    read_us: int
    unsaved: dict[Quota, int] = field(default_factory=dict)


class QuotaBook:
    """One a process, shared by everything that stores batches in it."""

    def __init__(self, settings: QuotaSettings) -> None:
        self.settings = settings
        self._accounts: dict[GatewayName, Account] = {}

    def begin(self, tx: Transaction, now_us: int) -> "QuotaCharges":
        """The charges of one transaction; `keep` them once it is durable."""
        return QuotaCharges(self, tx, now_us)

    def account(self, name: GatewayName) -> Account | None:
        return self._accounts.get(name)

    def remember(self, name: GatewayName, account: Account) -> None:
        self._accounts[name] = account

    def exhausted(self, name: GatewayName, now_us: int) -> Quota | None:
        """The quota of which nothing is left, as far as this process knows: then a batch need not even be unpacked."""
        account = self._accounts.get(name)
        if account is None or account.read_us + SYNCED_FOR_US <= now_us:
            return None
        for quota in (Quota.ROWS, Quota.BYTES):
            if self.used_us(account.row, quota, account.unsaved.get(quota, 0), now_us) >= self.burst_us(quota):
                return quota
        return None

    def burst_us(self, quota: Quota) -> int:
        """The bucket, as the time in which it fills."""
        return self.settings.burst(quota) * HOUR_US // self.settings.per_hour(quota)

    def cost_us(self, quota: Quota, units: int, factor: float) -> int:
        """What so many units take out of the bucket."""
        return int(units * HOUR_US / (self.settings.per_hour(quota) * factor))

    def used_us(self, row: QuotaRow, quota: Quota, unsaved: int, now_us: int) -> int:
        """How much of the bucket is used."""
        return max(row.until_us[quota.value] - now_us, 0) + self.cost_us(quota, unsaved, row.factor)


class QuotaCharges:
    """The quotas of some gateways within one transaction. Nothing of it counts before `keep`."""

    def __init__(self, book: QuotaBook, tx: Transaction, now_us: int) -> None:
        self._book = book
        self._store = QuotaStore(tx)
        self._now_us = now_us
        self._rows: dict[GatewayName, QuotaRow] = {}
        self._stale: set[GatewayName] = set()
        self._spent: dict[GatewayName, dict[Quota, int]] = {}
        self._parked: dict[GatewayName, tuple[Quota, int, int]] = {}
        self._saved: dict[GatewayName, tuple[QuotaRow, Mapping[Quota, int]]] = {}

    async def load(self, names: Collection[GatewayName], *, afresh: bool = False) -> None:
        """Look at these gateways' quotas: at most one statement, and none while they are remembered."""
        for name in names:
            account = self._book.account(name)
            if account is None or afresh or account.read_us + SYNCED_FOR_US <= self._now_us:
                self._stale.add(name)
            else:
                self._rows[name] = account.row
        if self._stale:
            self._rows.update(await self._store.read(sorted(self._stale)))

    def reached(self, name: GatewayName, need: Need, *, reserve: bool = False) -> Quota | None:
        """The quota that `need` would exceed, None when it fits. `reserve`: it must leave some for live data."""
        row = self._rows[name]
        for quota, units in need.units():
            if not units:
                continue
            burst_us, cost_us = self._book.burst_us(quota), self._book.cost_us(quota, units, row.factor)
            limit_us = burst_us - burst_us // RESERVE_PART if reserve else burst_us
            used_us = self._book.used_us(row, quota, self._unsaved(name, quota), self._now_us)
            # What is more than a whole bucket passes when the bucket is full, or it would never pass.
            if used_us + cost_us > max(limit_us, cost_us):
                return quota
        return None

    def charge(self, name: GatewayName, need: Need) -> None:
        spent = self._spent.setdefault(name, {})
        for quota, units in need.units():
            spent[quota] = spent.get(quota, 0) + units

    def has_parking(self, name: GatewayName, envelope_bytes: int) -> bool:
        """Whether one more batch of this gateway may be parked."""
        row = self._rows[name]
        _, _, parked = self._parked.get(name, (Quota.ROWS, 0, 0))
        most = int(self._book.settings.parked_bytes_max * row.factor)
        return row.parked_bytes + parked + envelope_bytes + ROW_BYTES <= most

    def park(self, name: GatewayName, quota: Quota, envelope_bytes: int) -> None:
        first, batches, parked = self._parked.get(name, (quota, 0, 0))
        self._parked[name] = first, batches + 1, parked + envelope_bytes + ROW_BYTES

    async def save(self) -> list[tuple[GatewayName, Quota]]:
        """Write what is due, as the last of the transaction, since other workers then wait for it. The gateways for
        which parking began, and over which quota."""
        due = sorted(self._stale | self._parked.keys())
        saved: dict[GatewayName, dict[Quota, int]] = {
            name: {quota: self._unsaved(name, quota) for quota in Quota} for name in due
        }
        costs = [
            Spent(*name, *(self._book.cost_us(quota, saved[name][quota], self._rows[name].factor) for quota in Quota))
            for name in due
        ]
        rows = await self._store.spend(costs, now_us=self._now_us) if costs else {}
        began: list[tuple[GatewayName, Quota]] = []
        for name, (quota, batches, parked_bytes) in sorted(self._parked.items()):
            if await self._store.begin_parking(name, quota.value, now_us=self._now_us):
                began.append((name, quota))
            await self._store.count_parked(name, batches, parked_bytes)
            row = rows[name]
            rows[name] = row.parking(batches, parked_bytes)
        self._saved = {name: (rows[name], saved[name]) for name in due}
        return began

    async def begin_holding_back(self, name: GatewayName) -> bool:
        """Note that batches of this gateway are not taken; True when this is news. After `save`."""
        return self._rows[name].held_back_us is None and await self._store.begin_holding_back(name, now_us=self._now_us)

    async def unpark(self, name: GatewayName, parked_bytes: int) -> bool:
        """One batch was taken up; True when none is left. After `save`."""
        await self._store.count_parked(name, -1, -parked_bytes)
        return await self._store.end_parking(name)

    def keep(self) -> None:
        """The transaction is durable."""
        for name in self._rows:
            account = self._book.account(name)
            if name in self._saved:
                row, saved = self._saved[name]
                before = account.unsaved if account is not None else {}
                spent = self._spent.get(name, {})
                # What other transactions of this process spent meanwhile is still to be saved.
                left = {quota: before.get(quota, 0) + spent.get(quota, 0) - saved[quota] for quota in Quota}
                self._book.remember(name, Account(row, self._now_us, left))
            elif account is not None:
                for quota, units in self._spent.get(name, {}).items():
                    account.unsaved[quota] = account.unsaved.get(quota, 0) + units

    def _unsaved(self, name: GatewayName, quota: Quota) -> int:
        account = self._book.account(name)
        before = account.unsaved.get(quota, 0) if account is not None else 0
        return before + self._spent.get(name, {}).get(quota, 0)
