"""The payload of `intelligence.enrich.bulk`, and the state from which a job resumes."""

from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from cloud.clinical.profiles import ConnectorName

PROFILES_MAX = 10_000
"""Ids of one job (contract matrix A-073): half a minute of comparisons, and with the longest ids 700 kB of a body."""
ProfileId = Annotated[str, Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]


class EnrichmentPayload(BaseModel):
    """The profiles to enrich, and the connectors to run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile_ids: tuple[ProfileId, ...] = Field(
        min_length=1,
        max_length=PROFILES_MAX,
        description="The profiles, in the order of the result. An id that is repeated counts once.",
    )
    connectors: tuple[ConnectorName, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=8,
        description="Connectors to run. Default: for each profile, all for its kind.",
    )

    @cached_property
    def unique_ids(self) -> tuple[str, ...]:
        """The ids, each once, in the order of their first places."""
        return tuple(dict.fromkeys(self.profile_ids))


class Counts(BaseModel):
    """Numbers of profiles by their results."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enriched: int = 0
    failed: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0
    unknown: int = 0


class EnrichmentState(BaseModel):
    """The progress of a job. The result is written into an upload, a part in each step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    began_us: int | None = None
    """Time of the beginning, from which the results hold; None before the first step."""
    result: dict[str, Any] | None = None
    """Mark of the upload; None before the first step."""
    done: int = 0
    """Number of the ids, each counted once, whose results are written."""
    counts: Counts = Counts()
    joined: tuple[str, int, str] | None = None
    """Name, size and SHA-256 of the object with the whole result; None before the parts are joined."""
