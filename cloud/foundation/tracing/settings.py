"""Settings of traces."""

from pydantic import Field

from cloud.foundation.settings import Section


class TracingSection(Section):
    """`[tracing]`: the export of spans. Without this section spans are stored, and not exported."""

    otlp_endpoint: str
    """URL of an OTLP receiver (OTLP/HTTP with protobuf), with its path, for instance `http://127.0.0.1:4318/v1/traces`.
    It gets the spans of all tenants."""
    export_ratio: float = Field(default=1.0, gt=0, le=1)
    """The part of the traces that is exported, chosen by trace id: 0.1 is a tenth. All are stored, whatever it is."""
