"""The agency as which an organisation reports to NEMSIS, set by the operator."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import orjson
from sqlalchemy import Table

from cloud.access.audit import Audit
from cloud.access.tenancy import OrganizationUnknown, TenancyStore
from cloud.clinical.nemsis.errors import AgencyMalformed, AgencyMissing
from cloud.clinical.nemsis.tables import nemsis_agencies
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Records, Transaction, insert
from cloud.foundation.errors import Mistake
from cloud.foundation.readable import hidden_character
from cloud.foundation.suggestions import closest
from cloud.foundation.viewer import Actor, Viewer, visible
from protocols.epcr.catalogue import ELEMENTS, find_element
from protocols.epcr.element import Usage

STATE_ID_LENGTH_MAX = 50
"""Longest id of an agency in its state (dAgency.01)."""
NUMBER_LENGTH_MAX = 15
"""Longest number of an agency (dAgency.02)."""
_STATE = re.compile("[0-9]{2}", re.ASCII)
_CAPABILITY = "call.unit_capability"
_KEYS = [element.key for element in ELEMENTS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """The agency of an organisation. `unit_capability` is the code of eResponse.07 for records that lack it.
    `not_reporting` are keys of elements that the organisation leaves out of its reports."""

    tenant_id: str
    organization_id: str
    state_id: str
    number: str
    state: str
    unit_capability: str | None
    not_reporting: tuple[str, ...]
    changed_at_us: int


_TABLE: Table = nemsis_agencies
_AGENCIES = Records(
    Agency,
    _TABLE,
    codecs={"not_reporting": (lambda keys: orjson.dumps(keys).decode(), lambda text: tuple(orjson.loads(text)))},
)


class AgencyStore:
    """SQL statements on agencies."""

    async def find(self, tx: Transaction, viewer: Viewer, organization_id: str) -> Agency | None:
        """Return the agency of an organisation that the viewer may see, or None."""
        statement = _AGENCIES.select().where(*visible(_TABLE, viewer), _TABLE.c.organization_id == organization_id)
        return await _AGENCIES.first(tx, statement)

    async def put(self, tx: Transaction, agency: Agency) -> None:
        """Add or replace the agency of an organisation."""
        values = _AGENCIES.values(agency)
        key = ["tenant_id", "organization_id"]
        changed = {name: value for name, value in values.items() if name not in key}
        await tx.execute(insert(_TABLE).values(values).on_conflict_do_update(index_elements=key, set_=changed))


class Agencies:
    """Operations on agencies."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._store = AgencyStore()
        self._audit = Audit(clock)

    async def set(
        self,
        actor: Actor,
        organization_id: str,
        *,
        state_id: str,
        number: str,
        state: str,
        unit_capability: str | None = None,
        not_reporting: Collection[str] = (),
    ) -> Agency:
        """Set the agency of an organisation. Raises `OrganizationUnknown`, `AgencyMalformed`."""
        agency = Agency(
            tenant_id=actor.tenant_id,
            organization_id=organization_id,
            state_id=_checked_text(state_id, "--state-id", STATE_ID_LENGTH_MAX),
            number=_checked_text(number, "--number", NUMBER_LENGTH_MAX),
            state=_checked_state(state),
            unit_capability=_checked_capability(unit_capability),
            not_reporting=tuple(sorted(map(_checked_key, set(not_reporting)))),
            changed_at_us=self._clock.now_us(),
        )
        async with self._database.transaction() as tx:
            if await TenancyStore().find_organization(tx, actor, organization_id) is None:
                raise OrganizationUnknown
            await self._store.put(tx, agency)
            details = {"number": agency.number, "state": agency.state, "not_reporting": len(agency.not_reporting)}
            await self._audit.record(tx, actor, "nemsis.set", organization_id, metadata=details)
        return agency

    async def read(self, viewer: Viewer, organization_id: str) -> Agency:
        """Return the agency of an organisation. Raises `AgencyMissing`."""
        async with self._database.read() as tx:
            agency = await self._store.find(tx, viewer, organization_id)
        if agency is None:
            raise AgencyMissing
        return agency


def _checked_text(text: str, option: str, length_max: int) -> str:
    trimmed = text.strip()
    if not 1 <= len(trimmed) <= length_max or hidden_character(trimmed) is not None:
        raise AgencyMalformed(f"{option} has 1 to {length_max} printable characters.")
    return trimmed


def _checked_state(state: str) -> str:
    if _STATE.fullmatch(state) is None:
        raise AgencyMalformed("--state is the ANSI code of a state: two digits, such as 09.")
    return state


def _checked_capability(code: str | None) -> str | None:
    element = find_element(_CAPABILITY)
    assert element is not None, "the catalogue has the capability of a unit"
    if code is not None and not element.values.permits(code):
        raise AgencyMalformed(f"--unit-capability is {element.values.rule}.")
    return code


def _checked_key(key: str) -> str:
    element = find_element(key)
    if element is None:
        mistake = Mistake("not an element of the catalogue", did_you_mean=closest(key, _KEYS))
        raise AgencyMalformed(f"There is no element {key!r}.", mistakes=[mistake])
    if element.usage is Usage.MANDATORY:
        raise AgencyMalformed(f"{key} is mandatory in NEMSIS and cannot be left out.")
    return key
