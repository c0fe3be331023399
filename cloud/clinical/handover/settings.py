"""Settings of share links."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from cloud.foundation.settings import Section


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('name a zone of the time zone database, for instance "Europe/Warsaw"') from None
    return name


class HandoverSection(Section):
    """`[handover]`: share links of hand-overs."""

    link_h_after_arrival: int = Field(default=24, ge=1, le=168)
    """Hours after the arrival at the hospital, or after a later link was made, at which a link expires."""
    link_h_max: int = Field(default=72, ge=1, le=336)
    """Hours after which a link expires in any case, also when no arrival was recorded."""
    zone: Annotated[str, Field(max_length=64), AfterValidator(_zone)] = "UTC"
    """The time zone of the times that a reader sees."""
