"""Evidence: signed, append-only records of what was done with encounters and with the files of jobs."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import IdKind, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.work.evidence.encounters import encounter_evidence
    from cloud.work.evidence.errors import EvidenceUnknown
    from cloud.work.evidence.job_files import job_evidence_of
    from cloud.work.evidence.model import EvidenceKind, EvidenceWithRecords, StoredRecord
    from cloud.work.evidence.store import EvidenceStore
    from cloud.work.evidence.tables import evidence_records
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    tables="tables",
    jobs="jobs:jobs",
    ids={"evidence": IdKind("piece of evidence", "evidence")},
    commands={"evidence": "cli:evidence"},
)
