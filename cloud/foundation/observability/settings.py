"""Settings of logs and metrics."""

from typing import Literal

from cloud.foundation.settings import Listen, Section


class LogSection(Section):
    """`[log]`: JSON lines on standard error. They never carry patient data."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe line that is written."""


class MetricsSection(Section):
    """`[metrics]`: figures for Prometheus. Without this section none are offered."""

    listen: Listen
    """HOST:PORT of `GET /metrics`. Keep it on loopback or a network of your own: it tells of all tenants' business."""
