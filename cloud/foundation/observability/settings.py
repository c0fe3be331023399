"""Settings of logs and metrics."""

from typing import Literal

from cloud.foundation.settings import Listen, Section


class LogSection(Section):
    """`[log]`: JSON lines on standard error. They never carry patient data."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is written."""


class MetricsSection(Section):
    """`[metrics]`: the endpoint for Prometheus. Without this section there is none."""

    listen: Listen
    """HOST:PORT of `GET /metrics`. Keep it on loopback or a network of your own: the metrics cover all tenants."""
