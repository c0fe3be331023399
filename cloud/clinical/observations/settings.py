"""Settings of stored observations."""

from pydantic import Field

from cloud.foundation.settings import Section


class ObservationsSection(Section):
    """`[observations]`: how stored measurements are kept."""

    compact_after_days: int = Field(default=7, ge=0, le=3_650)
    """Whole days after which the numerics of gateways move from single rows to rows of a channel and minute, with the
    same values. 0: they stay single rows, and those that moved stay as they are."""
