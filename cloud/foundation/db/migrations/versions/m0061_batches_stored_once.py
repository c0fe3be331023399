"""Refuse a row of a batch that lies in a packed object.

The release before recognises a batch that arrives again by its row, and not by its run. While both releases receive, or
after a return to it, it stored such batches a second time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"
compatible_from = "0020"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _refuse_on_postgresql()
    else:
        _refuse_on_sqlite()


def _refuse_on_postgresql() -> None:
    """Add a trigger of statements, since a function call for each row would cost more. Runs do not overlap, so the run
    that may hold a batch is the last one that begins at or before it: one look-up. Rows without an envelope are of
    removed batches, whose run is deleted in the same transaction."""
    op.execute(
        sa.text(
            "CREATE FUNCTION refuse_packed_batch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF EXISTS (SELECT 1 FROM added WHERE added.kind = 'observations' AND length(added.envelope) > 0"
            " AND added.sequence <= (SELECT run.through_sequence FROM waveform_runs AS run"
            " WHERE run.lane_id = added.lane_id AND run.sequence <= added.sequence"
            " ORDER BY run.sequence DESC LIMIT 1))"
            " THEN RAISE unique_violation USING MESSAGE = 'the batch is stored in a packed object'; END IF;"
            " RETURN NULL; END $$"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER batches_stored_once AFTER INSERT ON batches REFERENCING NEW TABLE AS added"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_packed_batch()"
        )
    )


def _refuse_on_sqlite() -> None:
    op.execute(
        sa.text(
            "CREATE TRIGGER batches_stored_once BEFORE INSERT ON batches"
            " WHEN NEW.kind = 'observations' AND length(NEW.envelope) > 0"
            " AND NEW.sequence <= (SELECT through_sequence FROM waveform_runs"
            " WHERE lane_id = NEW.lane_id AND sequence <= NEW.sequence ORDER BY sequence DESC LIMIT 1)"
            " BEGIN SELECT RAISE(ABORT, 'the batch is stored in a packed object'); END"
        )
    )
