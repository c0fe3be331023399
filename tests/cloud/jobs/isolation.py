"""Functions that create an object for a path parameter of the routes of jobs, for `tests/contract/test_isolation`."""

import sqlite3
from contextlib import closing

from cloud.foundation.clock import SystemClock
from cloud.foundation.ids import UlidIds
from tests.harness.running_cloud import RunningCloud


def start(cloud: RunningCloud, app: str) -> str:
    """Add a job of the app that stays open: its kind is one of the next release, so workers give it back. A job of
    another kind might end before the test cancels it."""
    clock = SystemClock()
    id, now_us = UlidIds(clock).new(""), clock.now_us()
    statement = """
        INSERT INTO jobs (id, tenant_id, organization_id, client_id, subject, kind, payload, secrecy_level, trace_id,
            status, progress_pct, created_at_us, updated_at_us, due_at_us, lease_token, attempts)
        SELECT :id, tenant_id, organization_id, client_id, client_id, 'later.release', '{}', 0, :trace,
            'queued', 0, :now, :now, :now, 0, 0 FROM apps WHERE client_id = :client
    """
    values = {"id": id, "now": now_us, "trace": "0af7651916cd43dd8448eb211c80319c", "client": f"app_{app}"}
    file = cloud.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, timeout=30)) as database, database:
        assert database.execute(statement, values).rowcount == 1
    return id


MAKERS = {"/v1/jobs/{id}": start}
