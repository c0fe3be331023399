"""The rows of gateways' quotas: the use of each bucket, and the number and time of parked batches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Text, bindparam, case, func, select, update

from cloud.foundation.db import GivenRows, Prepared, Records, Transaction, given, insert
from cloud.vehicles.fleet import GatewayName
from cloud.vehicles.ingest.tables import gateway_quotas


class Spent(NamedTuple):
    """The use of one gateway's four quotas that is not stored yet. Each value is in microseconds: the time in which the
    quota refills by the used units."""

    tenant_id: str
    gateway_id: str
    rows_us: int
    bytes_us: int
    devices_us: int
    epochs_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRow:
    """The stored quotas of one gateway; `factor` multiplies all of them. `until_us`: for each `Quota`, the time at
    which its bucket is full again. The next three are None while they do not apply. `reached_us`: since when batches
    are parked (stored, to be unpacked later). `held_back_us`: since when there is no room to park more.
    `epochs_held_back_us`: since when batches of new epochs are held back."""

    until_us: tuple[int, ...] = (0, 0, 0, 0)
    factor: float = 1.0
    parked_batches: int = 0
    parked_bytes: int = 0
    reached_us: int | None = None
    reached_quota: str | None = None
    held_back_us: int | None = None
    epochs_held_back_us: int | None = None

    def parking(self, batches: int, parked_bytes: int) -> "QuotaRow":
        """Return a copy of the row, with `batches` and `parked_bytes` added to the counts of parked
        batches and bytes."""
        return replace(
            self, parked_batches=self.parked_batches + batches, parked_bytes=self.parked_bytes + parked_bytes
        )


_table = gateway_quotas.c
_UNTIL = ("rows_until_us", "bytes_until_us", "devices_until_us", "epochs_until_us")
_ROWS = Records(QuotaRow, gateway_quotas)
_COLUMNS = (_table.tenant_id, _table.gateway_id, *(_table[name] for name in _UNTIL), *_ROWS.columns)
_named = GivenRows("named", tenant_id=Text(), gateway_id=Text())
_READ = Prepared(
    select(*_COLUMNS).where(
        _named.among(_table.tenant_id, _named.c("tenant_id")),
        _named.among(_table.gateway_id, _named.c("gateway_id")),
        _table.tenant_id == _named.c("tenant_id"),
        _table.gateway_id == _named.c("gateway_id"),
    )
)
_spent = GivenRows(
    "spent",
    tenant_id=Text(),
    gateway_id=Text(),
    rows_us=BigInteger(),
    bytes_us=BigInteger(),
    devices_us=BigInteger(),
    epochs_us=BigInteger(),
)
_now = bindparam("now_us", type_=BigInteger)
_add = insert(gateway_quotas).from_select(
    ("tenant_id", "gateway_id", *_UNTIL),
    select(
        _spent.c("tenant_id"),
        _spent.c("gateway_id"),
        *(_spent.c(name) + _now for name in ("rows_us", "bytes_us", "devices_us", "epochs_us")),
        # SQLite reads `ON` behind a SELECT without WHERE as the beginning of a join.
    ).where(_spent.c("tenant_id").is_not(None)),
)
_SPEND = Prepared(
    _add.on_conflict_do_update(
        index_elements=["tenant_id", "gateway_id"],
        set_={name: case((_table[name] > _now, _table[name] - _now), else_=0) + _add.excluded[name] for name in _UNTIL},
    ).returning(*_COLUMNS)
)
_parked = GivenRows(
    "parked",
    tenant_id=Text(),
    gateway_id=Text(),
    batches=BigInteger(),
    parked_bytes=BigInteger(),
    reached_us=BigInteger(),
    reached_quota=Text(),
)


def _is(rows: GivenRows) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _table.tenant_id == rows.c("tenant_id"), _table.gateway_id == rows.c("gateway_id")


_PARK = Prepared(
    update(gateway_quotas)
    .where(*_is(_parked))
    .values(
        parked_batches=_table.parked_batches + _parked.c("batches"),
        parked_bytes=_table.parked_bytes + _parked.c("parked_bytes"),
        # The first quota that parks a batch stays the reason until no batch is parked.
        reached_us=func.coalesce(_table.reached_us, _parked.c("reached_us")),
        reached_quota=func.coalesce(_table.reached_quota, _parked.c("reached_quota")),
    )
)
_at = bindparam("at_us", type_=BigInteger)
_BEGIN_HOLDING_BACK = Prepared(
    update(gateway_quotas)
    .where(*_is(_named), _table.held_back_us.is_(None))
    .values(held_back_us=_at)
    .returning(_table.tenant_id, _table.gateway_id)
)
_HOLD_EPOCHS = Prepared(update(gateway_quotas).where(*_is(_named)).values(epochs_held_back_us=_at))
_ours = (_table.tenant_id == bindparam("tenant"), _table.gateway_id == bindparam("gateway"))
_UNPARK = Prepared(
    update(gateway_quotas)
    .where(*_ours)
    .values(
        parked_batches=_table.parked_batches - 1,
        parked_bytes=_table.parked_bytes - bindparam("parked_bytes", type_=BigInteger),
    )
)
_END_PARKING = Prepared(
    update(gateway_quotas)
    .where(*_ours, _table.parked_batches == 0, _table.reached_us.is_not(None))
    .values(reached_us=None, reached_quota=None, held_back_us=None)
)


class QuotaStore:
    """SQL statements on quotas, in one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def read(self, names: Sequence[GatewayName]) -> dict[GatewayName, QuotaRow]:
        """Return the quotas of these gateways. For a gateway without a row, return quotas of which nothing is used."""
        found = _by_name(await self._tx.driver.rows(_READ, {"named": given(names)}))
        return {name: found.get(name, QuotaRow()) for name in names}

    async def spend(self, spent: Sequence[Spent], *, now_us: int) -> dict[GatewayName, QuotaRow]:
        """Add `spent` to the used part of the gateways' quotas, and create missing rows; return the rows with the new
        use."""
        return _by_name(
            await self._tx.driver.rows(_SPEND, {"spent": given([tuple(one) for one in spent]), "now_us": now_us})
        )

    async def make(self, name: GatewayName) -> None:
        """Create the quota row of a gateway if it does not exist."""
        fresh = insert(gateway_quotas).values(tenant_id=name[0], gateway_id=name[1], **dict.fromkeys(_UNTIL, 0))
        await self._tx.execute(fresh.on_conflict_do_nothing())

    async def park(self, parked: Sequence[tuple[str, str, int, int, int, str]]) -> None:
        """Add newly parked batches (stored, to be unpacked later) to the gateways' rows. `parked` has for each gateway
        its tenant and id, the numbers of batches and bytes, the present time and the quota that is the reason."""
        if parked:
            await self._tx.driver.run(_PARK, {"parked": given(parked)})

    async def begin_holding_back(self, names: Sequence[GatewayName], *, now_us: int) -> list[GatewayName]:
        """Record that these gateways' batches are held back (neither stored nor acknowledged), because there is no room
        to park them. Return those for which this was not recorded yet."""
        if not names:
            return []
        rows = await self._tx.driver.rows(_BEGIN_HOLDING_BACK, {"named": given(names), "at_us": now_us})
        return sorted((tenant_id, gateway_id) for tenant_id, gateway_id in rows)

    async def hold_epochs(self, names: Sequence[GatewayName], *, since_us: int | None) -> None:
        """Record since when batches of the gateways' new epochs (lives of the store) are held back: neither stored nor
        acknowledged. None: they no longer are."""
        if names:
            await self._tx.driver.run(_HOLD_EPOCHS, {"named": given(names), "at_us": since_us})

    async def unpark(self, name: GatewayName, parked_bytes: int) -> bool:
        """Subtract one batch from the gateway's parked batches (stored, to be unpacked later). If none is left, record
        that its parking has ended, and return True if this was recorded now."""
        await self._tx.driver.run(_UNPARK, {**_key(name), "parked_bytes": parked_bytes})
        return await self._tx.driver.run(_END_PARKING, _key(name)) == 1


def _key(name: GatewayName) -> dict[str, str]:
    return {"tenant": name[0], "gateway": name[1]}


def _by_name(rows: Sequence[Sequence[Any]]) -> dict[GatewayName, QuotaRow]:
    return {
        (tenant_id, gateway_id): _ROWS.read(row[len(_UNTIL) :], until_us=tuple(row[: len(_UNTIL)]))
        for tenant_id, gateway_id, *row in rows
    }
