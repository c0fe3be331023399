"""Run our migrations with Alembic, on the connection and in the transactions that `foundation.db.migrate` began."""

from alembic import context

from cloud.foundation.db.revisions import APPLIED_TABLE
from cloud.foundation.db.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=APPLIED_TABLE,
    render_as_batch=True,  # SQLite changes a table by rebuilding it
    on_version_apply=context.config.attributes.get("after_each"),
)
context.run_migrations()
