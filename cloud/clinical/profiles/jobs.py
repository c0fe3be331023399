"""Retention of enrichments."""

from cloud.clinical.profiles.tables import profile_enrichments
from cloud.foundation.retention import AgedRows, Kind

KINDS = (
    Kind(
        name="profile_enrichments",
        meaning="results of the comparison of profiles with sanctions lists and labels of wallets",
        default_days=10 * 366,  # ten years, for which OFAC requires records of screening (31 CFR 501.601)
        sweep=lambda: AgedRows(profile_enrichments, profile_enrichments.c.enriched_at_us),
    ),
)
