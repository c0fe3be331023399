"""Schedules and their runs as the console prints them."""

from typing import Any

import orjson

from cloud.foundation.moments import write_moment
from cloud.work.schedules.model import HOUR_US, Run, Schedule, Window


def shown(schedule: Schedule) -> dict[str, Any]:
    """Return the JSON fields of a schedule."""
    return {
        "id": schedule.id,
        "name": schedule.name,
        "tenant_id": schedule.tenant_id,
        "organization_id": schedule.organization_id,
        "client_id": schedule.client_id,
        "kind": schedule.kind,
        "payload": orjson.loads(schedule.payload),
        "secrecy_level": schedule.secrecy_level.word,
        "callback_url": schedule.callback_url,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "window": Window.NONE if schedule.since_us is None else Window.SINCE_LAST,
        "delay_hours": None if schedule.since_us is None else schedule.delay_us // HOUR_US,
        "next_at": None if schedule.due_at_us is None else write_moment(schedule.next_at_us),
        "paused_at": write_moment(schedule.paused_at_us),
        "pause_reason": schedule.pause_reason,
        "created_at": write_moment(schedule.created_at_us),
        "updated_at": write_moment(schedule.updated_at_us),
    }


def shown_run(run: Run) -> dict[str, Any]:
    """Return the JSON fields of a run."""
    return {
        "at": write_moment(run.at_us),
        "outcome": run.outcome,
        "job_id": run.job_id,
        "since": write_moment(run.since_us),
        "until": write_moment(run.until_us),
        "missed": run.missed,
    }
