"""Functions that create an object for a path parameter of the trace routes, for `tests/contract/test_isolation`."""

from tests.harness.running_cloud import RunningCloud


def trace(cloud: RunningCloud, app: str) -> str:
    with cloud.client(app) as client:
        return str(client.get("/api/v1/devices").headers["X-Argus-Trace-ID"])


MAKERS = {"trace_id": trace}
