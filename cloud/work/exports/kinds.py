"""The declaration of the job kind `export.bulk`."""

from cloud.clinical.nemsis import REGISTRY
from cloud.work.evidence import EvidenceKind
from cloud.work.exports.schemas import ExportFormat, ExportPayload, ExportState
from cloud.work.exports.work import ExportWork
from cloud.work.jobs import JobKind, ScopesNeeded

_READ = "argus:epcr:read"


def _scopes(payload: ExportPayload) -> tuple[str, ...]:
    """Return the scopes of the routes that return the same data for one encounter."""
    return (REGISTRY,) if payload.format is ExportFormat.NEMSIS else (_READ,)


KINDS = (
    JobKind(
        name="export.bulk",
        description="Export encounters, observations or waveforms as one file",
        payload=ExportPayload,
        state=ExportState,
        work=ExportWork,
        # The text is public, and the scope of reports is not.
        scopes=ScopesNeeded(_scopes, f"`{_READ}`"),
        has_long_steps=True,
        window=("since", "until"),
        evidence_kind=EvidenceKind.EXPORT.value,
    ),
)
