"""The retention of finished deliveries, of the replays that queued them, and of receivers of call-backs."""

from sqlalchemy import func, literal_column, select

from cloud.foundation.retention import AgedRows, InTurn, Kind, Sweep
from cloud.partners.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_replays, webhook_subscriptions


def delivery_sweep() -> Sweep:
    """Return the sweep of deliveries with their attempts, and then of replays and receivers of call-backs: these stay
    until their last delivery is deleted."""
    deliveries, replays, receivers = webhook_deliveries.c, webhook_replays.c, webhook_subscriptions.c
    # Compares with a value, because PostgreSQL turns NOT EXISTS into a join that reads all deliveries.
    newest = select(func.max(deliveries.position)).where(deliveries.webhook_id == receivers.id).scalar_subquery()
    unused = ~select(deliveries.position).where(deliveries.replay_id == replays.id).exists()
    return InTurn(
        AgedRows(webhook_deliveries, deliveries.finished_at_us, dependents=[webhook_attempts.c.delivery_position]),
        AgedRows(webhook_replays, replays.done_at_us, unused),
        # Without a parameter, as in the partial index: otherwise SQLite would not use it.
        AgedRows(
            webhook_subscriptions,
            receivers.updated_at_us,
            literal_column("is_callback") == literal_column("1"),
            newest.is_(None),
        ),
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
