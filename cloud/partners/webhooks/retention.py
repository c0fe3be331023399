"""The retention of finished deliveries and of the replays that queued them."""

from sqlalchemy import select

from cloud.foundation.retention import AgedRows, InTurn, Kind, Sweep
from cloud.partners.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_replays


def delivery_sweep() -> Sweep:
    """Return the sweep of deliveries with their attempts, and then of replays: a replay stays until its last delivery
    is deleted."""
    deliveries, replays = webhook_deliveries.c, webhook_replays.c
    unused = ~select(deliveries.position).where(deliveries.replay_id == replays.id).exists()
    return InTurn(
        AgedRows(webhook_deliveries, deliveries.finished_at_us, dependents=[webhook_attempts.c.delivery_position]),
        AgedRows(webhook_replays, replays.done_at_us, unused),
    )


KINDS = (
    Kind(
        name="deliveries",
        meaning="finished webhook deliveries with their attempts",
        default_days=30,
        days_least=30,  # so long a finished delivery can be read and replayed (contract matrix A-060)
        sweep=delivery_sweep,
    ),
)
