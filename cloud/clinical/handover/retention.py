"""The retention of share links."""

from cloud.clinical.handover.tables import share_links
from cloud.foundation.retention import AgedRows, Kind

KINDS = (
    Kind(
        name="share_links",
        meaning="share links of hand-overs, which expired long before",
        # A year: who could read a hand-over must be known when a patient requests it. The audit trail is kept longer.
        default_days=366,
        days_least=15,
        sweep=lambda: AgedRows(share_links, share_links.c.added_at_us),
    ),
)
