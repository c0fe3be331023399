"""The declaration of `graph.compute`."""

from cloud.foundation.process import Process
from cloud.work.graph.schemas import GraphPayload, GraphState, NodeGroup
from cloud.work.jobs import JobKind, JobWork, by_field

_SCOPES = {
    NodeGroup.ENCOUNTERS: ("argus:epcr:read", "argus:devices:read"),
    NodeGroup.PROFILES: ("argus:profiles:read",),
}


def _work(process: Process) -> JobWork[GraphPayload, GraphState]:
    # Imported when a worker runs the first job, since requests need the payload alone.
    from cloud.work.graph.work import GraphWork

    return GraphWork(process)


KINDS = (
    JobKind(
        name="graph.compute",
        description="Analyse the graph of incidents, encounters, crews, vehicles and devices, or of profiles",
        payload=GraphPayload,
        state=GraphState,
        work=_work,
        scopes=by_field("nodes", _SCOPES),
        has_long_steps=True,
        window=("since", "until"),
    ),
)
