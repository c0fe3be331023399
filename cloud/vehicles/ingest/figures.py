"""Figures of ingest for operators, as lists and as sums: quotas, parked batches, lanes, missing batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select, update

from cloud.foundation.db import Transaction
from cloud.foundation.errors import PrivateError
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Viewer, visible
from cloud.vehicles.custody import lanes
from cloud.vehicles.fleet import gateways
from cloud.vehicles.ingest.quota_store import QuotaRow, QuotaStore
from cloud.vehicles.ingest.quotas import Bucket, Quota, buckets_of
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.tables import gateway_quotas, missing_batches

FACTOR_LEAST, FACTOR_MOST = 0.01, 1_000.0
"""Bounds of an operator's factor on all quotas of one gateway: from nearly nothing to more than any vehicle sends."""


class QuotaFactorMalformed(PrivateError, code="quota_factor_malformed", status=422):
    """The factor of a quota is a number from 0.01 to 1000. 1 is the quota of the settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestFigures:
    """Figures of ingest as sums over all tenants. `lanes_missing` counts the lanes with batches that were reported as
    missing."""

    parked_batches: int
    gateways_over_quota: int
    gateways_held_back: int
    lanes_missing: int
    repeated_measurements: int


async def read_figures(tx: Transaction) -> IngestFigures:
    quotas = gateway_quotas.c
    over = (
        await tx.execute(
            select(
                func.coalesce(func.sum(quotas.parked_batches), 0).label("batches"),
                func.count().label("gateways"),
                func.count(quotas.held_back_us).label("held_back"),
            ).where(quotas.parked_batches > 0)
        )
    ).first()
    assert over is not None, "an aggregate always gives a row"
    reported = select(func.count()).select_from(missing_batches).where(missing_batches.c.reported_us.is_not(None))
    repeated = select(func.coalesce(func.sum(lanes.c.repeated), 0))
    return IngestFigures(
        parked_batches=int(over.batches),
        gateways_over_quota=over.gateways,
        gateways_held_back=over.held_back,
        lanes_missing=int((await tx.execute(reported)).scalar()),
        repeated_measurements=int((await tx.execute(repeated)).scalar()),
    )


async def list_quotas(
    tx: Transaction, viewer: Viewer, settings: IngestSection, *, gateway_id: str | None, now_us: int
) -> list[dict[str, Any]]:
    """Return for each gateway (`gateway_id` None: all that the viewer may see) the used part of each quota in per cent,
    the factor on the gateway's quotas, and the number of its parked batches (stored, to be unpacked later)."""
    buckets = buckets_of(settings)
    named = select(gateways.c.id).where(*visible(gateways, viewer)).order_by(gateways.c.id)
    if gateway_id is not None:
        named = named.where(gateways.c.id == gateway_id)
    names = [(viewer.tenant_id, row.id) for row in await tx.execute(named)]
    rows = await QuotaStore(tx).read(names) if names else {}
    return [_quota_row(name[1], rows[name], buckets, now_us) for name in names]


def _quota_row(gateway_id: str, row: QuotaRow, buckets: Sequence[Bucket], now_us: int) -> dict[str, Any]:
    used = {
        f"{bucket.quota.value}_used_percent": round(100 * max(until_us - now_us, 0) / bucket.burst_us, 1)
        for bucket, until_us in zip(buckets, row.until_us, strict=True)
    }
    return {
        "gateway": gateway_id,
        "factor": row.factor,
        **used,
        "parked_batches": row.parked_batches,
        "parked_bytes": row.parked_bytes,
        "reached": row.reached_quota,
        "reached_at": write_moment(row.reached_us),
        "held_back_at": write_moment(row.held_back_us),
        "epochs_held_back_at": write_moment(row.epochs_held_back_us),
    }


async def change_quota(tx: Transaction, viewer: Viewer, gateway_id: str, *, factor: float, refill: bool) -> None:
    """Set the factor of a gateway's quotas; `refill` also sets all quotas to unused. Raises `QuotaFactorMalformed`."""
    if not FACTOR_LEAST <= factor <= FACTOR_MOST:
        raise QuotaFactorMalformed
    name = viewer.tenant_id, gateway_id
    values: dict[str, Any] = {"factor": factor}
    if refill:
        values |= {f"{quota.value}_until_us": 0 for quota in Quota}
    await QuotaStore(tx).make(name)
    quotas = gateway_quotas.c
    await tx.execute(
        update(gateway_quotas).where(quotas.tenant_id == name[0], quotas.gateway_id == name[1]).values(**values)
    )


async def list_lanes(tx: Transaction, viewer: Viewer, *, gateway_id: str | None) -> Sequence[dict[str, Any]]:
    """Return for each lane (numbered stream of batches) of the gateway (`gateway_id` None: of all gateways) the
    sequence numbers held, the number of repeated measurements, and the missing batches. A missing batch is one that the
    broker confirmed and the cloud did not receive."""
    missing = missing_batches.c
    statement = (
        select(lanes, missing.ranges, missing.reported_us)
        .select_from(
            lanes.outerjoin(
                missing_batches,
                and_(
                    missing.tenant_id == lanes.c.tenant_id,
                    missing.gateway_id == lanes.c.gateway_id,
                    missing.epoch == lanes.c.epoch,
                    missing.lane == lanes.c.lane,
                    missing.reported_us.is_not(None),
                ),
            )
        )
        .where(lanes.c.tenant_id == viewer.tenant_id)
        .order_by(lanes.c.gateway_id, lanes.c.epoch, lanes.c.lane)
    )
    if gateway_id is not None:
        statement = statement.where(lanes.c.gateway_id == gateway_id)
    return [
        {
            "gateway": row.gateway_id,
            "epoch": row.epoch,
            "lane": row.lane,
            "through": row.through_sequence,
            "ahead": row.ahead,
            "repeated_measurements": row.repeated,
            "missing": row.ranges,
            "missing_reported_at": write_moment(row.reported_us),
        }
        for row in await tx.execute(statement)
    ]
