"""Figures that are asked for when somebody scrapes, since they lie in the database or with another part."""

from collections.abc import Callable

from cloud.foundation.db import Database
from cloud.foundation.events import Outbox
from cloud.foundation.observability.metrics import (
    BROKER_CONNECTED,
    EVENTS_PARKED,
    EVENTS_WAITING,
    REVOCATION_LIST_SECONDS_LEFT,
    Metrics,
    Sampler,
)


def events_sampler(database: Database, outbox: Outbox) -> Sampler:
    """How many domain events wait, and how many were parked."""

    async def sample(metrics: Metrics) -> None:
        async with database.read() as tx:
            waiting, parked = await outbox.backlog(tx)
        metrics.set(EVENTS_WAITING, waiting)
        metrics.set(EVENTS_PARKED, parked)

    return sample


def broker_sampler(connected: Callable[[], bool]) -> Sampler:
    """Whether ingest has its connection."""

    async def sample(metrics: Metrics) -> None:
        metrics.set(BROKER_CONNECTED, connected())

    return sample


def revocation_sampler(expiry_us: Callable[[], int | None], now_us: Callable[[], int]) -> Sampler:
    """Seconds until the broker's revocation list expires; no value where there is no list."""

    async def sample(metrics: Metrics) -> None:
        until_us = expiry_us()
        if until_us is not None:
            metrics.set(REVOCATION_LIST_SECONDS_LEFT, (until_us - now_us()) // 1_000_000)

    return sample
