"""The tables of webhook subscriptions, deliveries, attempts, replays and signing keys.

A delivery is queued in a lane: one subscription and one event key (an incident, a device). Only the oldest unfinished
delivery of a lane has a `due_at_us`; when it ends, the next one becomes due. So due deliveries are found without
reading the others, even after a long outage of a receiver, and a stuck delivery delays only its own lane. While an
attempt runs, `due_at_us` is the end of the lease, so the deliveries of a killed worker become due again.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from cloud.foundation.db import metadata, partial_index, row_number, sealed_for

SECRETS_SEALED_FOR = "webhook secrets"
KEYS_SEALED_FOR = "webhook keys"
"""Purposes under which the master key seals the secrets of subscriptions and the private keys."""

webhook_subscriptions = Table(
    "webhook_subscriptions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("organization_id", Text),  # null: it receives events of every organisation of the tenant
    Column("client_id", Text, ForeignKey("apps.client_id"), nullable=False),
    Column("secrecy_level", Integer, nullable=False),  # it receives no event above this level
    Column("url", Text, nullable=False),
    Column("description", Text),
    Column("secret_sealed", LargeBinary, info=sealed_for(SECRETS_SEALED_FOR, "id")),  # null once deleted
    Column("secret_set_at_us", BigInteger, nullable=False),
    Column("previous_secret_sealed", LargeBinary, info=sealed_for(SECRETS_SEALED_FOR, "id")),
    Column("previous_secret_expires_at_us", BigInteger),
    Column("disabled_at_us", BigInteger),
    Column("disabled_reason", Text),
    Column("failing_since_us", BigInteger),  # the first failure after the last success
    Column("failed_at_us", BigInteger),  # the last failure of this period
    Column("version", Integer, nullable=False),  # counts the changes that its owner made
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Column("deleted_at_us", BigInteger),  # its deliveries stay for the administrator until their retention ends
    partial_index("ix_webhook_subscriptions_live", "tenant_id", "id", where="deleted_at_us IS NULL"),
    # 1: the receiver of an app's call-backs, which has no events and is signed with the app's call-back secret.
    Column("is_callback", Integer, nullable=False, server_default=text("0")),
    Index(None, "client_id"),
    partial_index("ix_webhook_subscriptions_callback", "updated_at_us", where="is_callback = 1"),
)

webhook_events = Table(
    "webhook_events",
    metadata,
    Column("webhook_id", Text, ForeignKey("webhook_subscriptions.id"), primary_key=True),
    Column("event", Text, primary_key=True),
)

webhook_replays = Table(
    "webhook_replays",
    metadata,
    Column("id", Text, primary_key=True),
    Column("webhook_id", Text, ForeignKey("webhook_subscriptions.id"), nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("mode", Text, nullable=False),  # one, failed, range
    Column("from_us", BigInteger),
    Column("to_us", BigInteger),
    Column("after_position", BigInteger, nullable=False),  # deliveries up to here are done
    Column("until_position", BigInteger, nullable=False),  # later deliveries are not repeated
    Column("queued", Integer, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("done_at_us", BigInteger),
    Index(None, "webhook_id", "created_at_us"),
    partial_index("ix_webhook_replays_open", "id", where="done_at_us IS NULL"),
    partial_index(None, "done_at_us", where="done_at_us IS NOT NULL"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("position", row_number(), primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("webhook_id", Text, ForeignKey("webhook_subscriptions.id"), nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # event, test, replay, notice, callback
    Column("event", Text, nullable=False),
    Column("event_id", Text, nullable=False),  # the `webhook-id`: the same in every attempt and every replay
    Column("lane", Text, nullable=False),  # the deliveries of one (webhook_id, lane) are sent one after the other
    Column("body", Text, nullable=False),  # the exact bytes that are signed and sent
    Column("traceparent", Text),
    Column("replay_id", Text, ForeignKey("webhook_replays.id")),
    Column("status", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("due_at_us", BigInteger),
    Column("lease_token", BigInteger, nullable=False),  # fencing token: rises with every claim
    Column("attempts", Integer, nullable=False),  # the number of recorded attempts
    Column("attempted_at_us", BigInteger),  # this and the next three columns: of the last attempt
    Column("duration_ms", Integer),
    Column("response_status", Integer),
    Column("error_code", Text),
    Column("finished_at_us", BigInteger),
    UniqueConstraint("id"),
    partial_index("ix_webhook_deliveries_due", "webhook_id", "due_at_us", where="due_at_us IS NOT NULL"),
    partial_index("ix_webhook_deliveries_lane", "webhook_id", "lane", "position", where="finished_at_us IS NULL"),
    Index(None, "webhook_id", "position"),
    # Not for unfinished ones: PostgreSQL would choose a scan of all pending rows to find the few due ones.
    partial_index(None, "finished_at_us", where="finished_at_us IS NOT NULL"),
    # For the foreign key too: without it the database scans all deliveries for each deleted replay.
    partial_index(None, "replay_id", where="replay_id IS NOT NULL"),
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column(
        "delivery_position",
        BigInteger,
        ForeignKey("webhook_deliveries.position"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("attempted_at_us", BigInteger, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("response_status", Integer),
    Column("error_code", Text),
    Column("response_head", Text),  # the first KiB of the response, with possible secrets redacted
)

webhook_keys = Table(
    "webhook_keys",
    metadata,
    # Counted by us, like `signing_keys.number`: two processes that both make the first key collide here.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kid", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),  # the 32 bytes of RFC 8032
    Column("private_key_sealed", LargeBinary, nullable=False, info=sealed_for(KEYS_SEALED_FOR, "kid")),
    Column("published_at_us", BigInteger, nullable=False),
    Column("signs_from_us", BigInteger),  # null: the next key, published and not in use yet
    Column("retired_at_us", BigInteger),
    UniqueConstraint("kid"),
)
