"""The retention of audit entries."""

from cloud.access.audit.tables import audit_entries
from cloud.foundation.retention import Kind, NumberedRows

KINDS = (
    Kind(
        name="audit",
        meaning="entries of the audit trail",
        # Ten years: an entry must outlast the time in which a patient may request it.
        default_days=10 * 366,
        days_least=365,
        # Entries are numbered in the order of writing, so the primary key finds the oldest ones, and no writer
        # maintains an index on time alone. Entries written under a wrong clock are kept longer.
        sweep=lambda: NumberedRows(audit_entries, audit_entries.c.at_us),
    ),
)
