"""How many observations an encounter has: those of its devices while they were assigned, and those posted to it.

Counts up to a limit and stops there. An hour at a patient is some hundred thousand rows, a summary is asked for often,
and nobody needs the last digit.
"""

from typing import Any

from sqlalchemy import Select, and_, func, literal_column, or_, select

from cloud.assignments.tables import assignments
from cloud.db import Transaction
from cloud.devices.tables import devices
from cloud.observations.tables import observation_sources, observations
from cloud.tenancy import Viewer, visible

COUNT_MAX = 10_000
"""What `observation_count` says when there are that many or more."""


async def count_observations(tx: Transaction, viewer: Viewer, encounter_id: str) -> int:
    """Observations of an encounter of the viewer's, at most `COUNT_MAX`."""
    posted = await _count(tx, _posted(viewer, encounter_id), COUNT_MAX)
    if posted == COUNT_MAX:
        return posted
    return posted + await _count(tx, _assigned(viewer, encounter_id), COUNT_MAX - posted)


async def _count(tx: Transaction, rows: Select[Any], limit: int) -> int:
    return int((await tx.execute(select(func.count()).select_from(rows.limit(limit).subquery()))).scalar())


def _posted(viewer: Viewer, encounter_id: str) -> Select[Any]:
    return (
        select(literal_column("1").label("one"))
        .select_from(observations)
        .join(observation_sources, observation_sources.c.source_id == observations.c.source_id)
        .where(*visible(observation_sources, viewer), observations.c.encounter_id == encounter_id)
    )


def _assigned(viewer: Viewer, encounter_id: str) -> Select[Any]:
    """A device and those that were merged into it measure as one, whichever of them the assignment names."""
    named, measuring = devices.alias("named"), devices.alias("measuring")
    owner = func.coalesce(named.c.merged_into, named.c.id)
    of_owner = or_(measuring.c.id == owner, measuring.c.merged_into == owner)
    return (
        select(literal_column("1").label("one"))
        .select_from(assignments)
        .join(named, and_(named.c.tenant_id == assignments.c.tenant_id, named.c.id == assignments.c.device_id))
        .join(measuring, and_(measuring.c.tenant_id == named.c.tenant_id, of_owner))
        .join(
            observation_sources,
            and_(
                observation_sources.c.tenant_id == measuring.c.tenant_id,
                observation_sources.c.device_id == measuring.c.id,
            ),
        )
        .join(
            observations,
            and_(
                observations.c.source_id == observation_sources.c.source_id,
                observations.c.observed_at_us >= assignments.c.from_us,
                or_(assignments.c.until_us.is_(None), observations.c.observed_at_us < assignments.c.until_us),
                observations.c.encounter_id.is_(None),
            ),
        )
        .where(
            *visible(assignments, viewer),
            *visible(observation_sources, viewer),
            assignments.c.encounter_id == encounter_id,
            assignments.c.voided_at_us.is_(None),
        )
    )
