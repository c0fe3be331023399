"""Let autovacuum analyse the tables of ingest after a thousand changes at least.

By default it does so after 50 changes and a tenth of the rows. Ten vehicles change the few rows of `lanes` and
`gateway_quotas` as often each minute, and each analysis writes pages of `pg_statistic` again: with those of new and
small tables, a third of what PostgreSQL wrote for ingest. The planner loses nothing, since the cloud itself analyses a
table after 500 changes, if they are as many as half of its rows (`cloud.foundation.db.statistics`).

The lock of these statements excludes neither readers nor writers. A partition of a day that is added after this
migration has the setting from the start.
"""

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0061"
compatible_from = "0020"

_UNDIVIDED = sa.text("SELECT relkind = 'r' FROM pg_class WHERE oid = to_regclass('observations')")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _set_thresholds()
        # Until a background step divides it, `observations` is the table that becomes the partition of undated rows.
        if op.get_bind().scalar(_UNDIVIDED):
            op.execute("ALTER TABLE observations SET (autovacuum_analyze_threshold = 1000)")
        else:
            op.execute("ALTER TABLE observations_undated SET (autovacuum_analyze_threshold = 1000)")


def _set_thresholds() -> None:
    op.execute("ALTER TABLE batches SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE devices SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE gateway_epochs SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE gateway_events SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE gateway_quotas SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE gateways SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE lane_days SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE lanes SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE missing_batches SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE observation_channels SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE observation_sources SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE outbox_events SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE spans SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE staging_processes SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE waveform_objects SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE waveform_runs SET (autovacuum_analyze_threshold = 1000)")
    op.execute("ALTER TABLE waveform_sources SET (autovacuum_analyze_threshold = 1000)")
