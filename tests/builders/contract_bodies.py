"""Bodies of requests that the contract tests send to every route."""

from typing import Any

from cloud.foundation.http import Route
from tests.builders.provenance_transcripts import transcript


def body_of(row: Route) -> Any:
    """Return a body that a route accepts: its documented example, or a real body where the example is a placeholder."""
    if row.operation_id == "verifyEvidenceProvenance":
        return {"transcript": transcript(1)}
    return None if row.body is None else row.request_example
