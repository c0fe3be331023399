"""The declaration of `import.bulk`."""

from cloud.foundation.process import Process
from cloud.work.evidence import EvidenceKind
from cloud.work.imports.admission import ImportAdmission
from cloud.work.imports.schemas import IMPORT_KIND, ImportData, ImportPayload, ImportState
from cloud.work.jobs import JobKind, JobWork, by_field

SCOPES = {
    ImportData.DEVICES: ("argus:devices:write",),
    ImportData.PROFILES: ("argus:profiles:write",),
    ImportData.ENCOUNTERS: ("argus:epcr:write",),
    ImportData.SANCTIONS: ("argus:profiles:write",),
}
"""The scopes of the requests that change the same data. The lists of sanctions decide the enrichment of profiles."""


def _work(process: Process) -> JobWork[ImportPayload, ImportState]:
    # Imported when a worker runs the first job, since requests need neither the services nor the readers of XML.
    from cloud.work.imports.work import ImportWork

    return ImportWork(process)


KINDS = (
    JobKind(
        name=IMPORT_KIND,
        description="Import devices, profiles, encounters or a sanctions list",
        payload=ImportPayload,
        state=ImportState,
        work=_work,
        scopes=by_field("data", SCOPES),
        has_long_steps=True,  # a sanctions list is read in one step
        admission=ImportAdmission,
        evidence_kind=EvidenceKind.IMPORT.value,
    ),
)
