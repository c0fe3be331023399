"""Read the descriptions of a device by itself, to find the one that was valid at a time.

An export needs the description for each of a device's observations, and these may be millions. So the history of the
device is read once, and a time is found in memory. The descriptions over verified links and over others are two
histories: what a rival on the vehicle's network claims does not end the description of the device.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, select, tuple_

from cloud.clinical.devices.description import SelfDescription, read_stored
from cloud.clinical.devices.errors import DescriptionsTooMany
from cloud.clinical.devices.tables import device_descriptions
from cloud.foundation.db import Transaction
from cloud.foundation.viewer import Viewer

PAGE_ROWS = 2_000
"""Rows of one query: about a megabyte."""
DESCRIPTIONS_MAX = 100_000
"""Changes of one device that are held in memory, at most 60 MB. A device has some in its life, and one that invents
descriptions reaches this number after a year, since a gateway reports at most twelve an hour."""

NEAR_ROWS = 100
"""Changes that are read before and after one time. A device has one in months, and a rival on the vehicle's network
that changes its claim with each report needs eight hours for so many."""

_PLACE = (device_descriptions.c.at_us, device_descriptions.c.lane_id, device_descriptions.c.sequence)


@dataclass(frozen=True, slots=True)
class ValidDescription:
    """A description, and the time since which the device describes itself so, by the clock of the gateway."""

    from_us: int
    description: SelfDescription


@dataclass(slots=True)
class _Course:
    """The descriptions over links of one kind, in the order of time."""

    begins_us: list[int] = field(default_factory=list)
    descriptions: list[ValidDescription] = field(default_factory=list)

    def add(self, at_us: int, description: SelfDescription) -> None:
        self.begins_us.append(at_us)
        self.descriptions.append(ValidDescription(at_us, description))

    def valid_at(self, at_us: int) -> ValidDescription | None:
        if not self.begins_us:
            return None
        return self.descriptions[max(bisect_right(self.begins_us, at_us) - 1, 0)]


class DescribedTimes:
    """The descriptions of one device by itself. `rows` has times and stored forms, in the order of time."""

    def __init__(self, rows: Iterable[tuple[int, str]]) -> None:
        self._courses = {False: _Course(), True: _Course()}
        known: dict[str, SelfDescription] = {}
        for at_us, text in rows:
            if (description := known.get(text)) is None:
                description = known[text] = read_stored(text)
            self._courses[description.unverified].add(at_us, description)

    def valid_at(self, at_us: int, *, unverified: bool) -> ValidDescription | None:
        """Return the description that was valid at a time; before the first one, return the first, since a device may
        measure before it describes itself. None: the device has never described itself. `unverified` selects the
        descriptions over links that prove nothing, which are those of a device that only claims to be this one."""
        return self._courses[unverified].valid_at(at_us)


async def read_described_times(tx: Transaction, viewer: Viewer, device_id: str) -> DescribedTimes:
    """Return the descriptions of a device that the caller has found for this viewer. Raises `DescriptionsTooMany`."""
    statement = _descriptions(viewer, device_id).order_by(*_PLACE).limit(PAGE_ROWS)
    found: list[tuple[int, str]] = []
    page = (await tx.execute(statement)).rows
    while page:
        found += [(row.at_us, row.description) for row in page]
        if len(found) > DESCRIPTIONS_MAX:
            raise DescriptionsTooMany(f"({device_id})")
        if len(page) < PAGE_ROWS:
            break
        last = page[-1]
        page = (await tx.execute(statement.where(tuple_(*_PLACE) > (last.at_us, last.lane_id, last.sequence)))).rows
    return DescribedTimes(found)


async def read_descriptions_near(
    tx: Transaction, viewer: Viewer, device_id: str, from_us: int, until_us: int | None
) -> DescribedTimes:
    """Return the descriptions that decide which one was valid at `from_us` or, if none was, first before `until_us`
    (None: ever). The caller has found the device for this viewer."""
    at_us, statement = device_descriptions.c.at_us, _descriptions(viewer, device_id).limit(NEAR_ROWS)
    descending = [column.desc() for column in _PLACE]
    before = (await tx.execute(statement.where(at_us <= from_us).order_by(*descending))).rows
    later = statement.where(at_us > from_us).order_by(*_PLACE)
    after = (await tx.execute(later if until_us is None else later.where(at_us < until_us))).rows
    return DescribedTimes((row.at_us, row.description) for row in (*reversed(before), *after))


def _descriptions(viewer: Viewer, device_id: str) -> Select[Any]:
    history = device_descriptions.c
    return select(*_PLACE, history.description).where(
        history.tenant_id == viewer.tenant_id, history.device_id == device_id
    )
