"""Logs as JSON, metrics for Prometheus, and notifications of our state to systemd."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.foundation.observability.heartbeat import Heartbeat, make_heartbeat
    from cloud.foundation.observability.logs import configure_logs
    from cloud.foundation.observability.metrics import (
        BROKER_CONNECTED,
        DATABASE_DAMAGED,
        EVENTS_PARKED,
        EVENTS_WAITING,
        INGEST_HELD_BACK,
        INGEST_LEFT_OUT,
        INGEST_MISSING,
        INGEST_OVER_QUOTA,
        INGEST_PARKED,
        INGEST_REPEATED,
        JOB_LATE_SECONDS,
        JOBS_RUNNING,
        JOBS_WAITING,
        RETENTION_LAG_SECONDS,
        REVOCATION_LIST_SECONDS_LEFT,
        SPANS_DROPPED,
        SPANS_EXPORTED,
        SPANS_UNEXPORTED,
        STEPS_FAILING,
        STEPS_PENDING,
        STEPS_ROWS_DONE,
        STEPS_ROWS_TOTAL,
        WEBHOOK_LATE_SECONDS,
        WEBHOOKS_WAITING,
        Metrics,
        MetricsServer,
        Sampler,
    )
    from cloud.foundation.observability.service_manager import notify
    from cloud.foundation.observability.settings import LogSection, MetricsSection
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, settings={"log": "settings:LogSection", "metrics": "settings:MetricsSection"})
