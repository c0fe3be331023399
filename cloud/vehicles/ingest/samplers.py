"""Metrics of ingest that are read when Prometheus scrapes the process."""

from collections.abc import Callable

from cloud.foundation.db import Database
from cloud.foundation.observability import (
    BROKER_CONNECTED,
    INGEST_HELD_BACK,
    INGEST_LEFT_OUT,
    INGEST_MISSING,
    INGEST_OVER_QUOTA,
    INGEST_PARKED,
    INGEST_REPEATED,
    Metrics,
    Sampler,
)
from cloud.vehicles.ingest.figures import read_figures


def ingest_sampler(database: Database) -> Sampler:
    """Return a sampler that sets the metrics of parked batches, quotas, missing batches and repeated measurements."""

    async def sample(metrics: Metrics) -> None:
        async with database.read() as tx:
            figures = await read_figures(tx)
        metrics.set(INGEST_PARKED, figures.parked_batches)
        metrics.set(INGEST_OVER_QUOTA, figures.gateways_over_quota)
        metrics.set(INGEST_HELD_BACK, figures.gateways_held_back)
        metrics.set(INGEST_MISSING, figures.lanes_missing)
        metrics.set(INGEST_REPEATED, figures.repeated_measurements)

    return sample


def broker_sampler(connected: Callable[[], bool]) -> Sampler:
    """Return a sampler that sets whether ingest is connected to the broker."""

    async def sample(metrics: Metrics) -> None:
        metrics.set(BROKER_CONNECTED, connected())

    return sample


def left_out_sampler(left_out: Callable[[], int]) -> Sampler:
    """Return a sampler that sets the number of messages that this process discarded for lack of room."""

    async def sample(metrics: Metrics) -> None:
        metrics.set(INGEST_LEFT_OUT, left_out())

    return sample
