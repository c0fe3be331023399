"""The declaration of the job kind `export.bulk`."""

from cloud.work.exports.schemas import ExportPayload, ExportState
from cloud.work.exports.work import ExportWork
from cloud.work.jobs import JobKind, always

KINDS = (
    JobKind(
        name="export.bulk",
        description="Export encounters, observations or waveforms as one file",
        payload=ExportPayload,
        state=ExportState,
        work=ExportWork,
        scopes=always("argus:epcr:read"),
    ),
)
