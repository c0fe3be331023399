"""The document of a trace (contract matrix A-107)."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

TraceId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
SpanId = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class SpanShown(BaseModel):
    """A span of a trace."""

    model_config = ConfigDict(frozen=True)

    span_id: SpanId
    parent_span_id: SpanId | None = Field(
        description="The span that caused this one; null for the first span. The parent of a request that continued "
        "your trace is a span of yours, which is not in the list."
    )
    name: str
    kind: str = Field(description="`server`, `client`, `producer`, `consumer` or `internal`.")
    start_time: str
    end_time: str
    status: str = Field(description="`ok` or `error`.")
    attributes: dict[str, Any] = Field(
        description="Facts from a fixed list of names. They have no bodies, tokens, query strings or patient data."
    )


class TraceShown(BaseModel):
    """A trace: its spans in the order of their start."""

    model_config = ConfigDict(frozen=True)

    trace_id: TraceId
    spans: list[SpanShown]
    complete: bool = Field(
        description="False if spans are missing: the trace has more than a response may have, or a part of the service "
        "did not deliver its spans in time."
    )
