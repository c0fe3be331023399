"""Make the objects that the isolation walker names in the trace routes: by path parameter, one object of an app."""

from tests.harness.running_cloud import RunningCloud


def trace(cloud: RunningCloud, app: str) -> str:
    with cloud.client(app) as client:
        return str(client.get("/api/v1/devices").headers["X-Argus-Trace-ID"])


MAKERS = {"trace_id": trace}
