"""Read, enrich, import and remove profiles."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import orjson
from pydantic import ValidationError

from cloud.access.apps import ClearanceExceeded
from cloud.access.audit import Audit
from cloud.access.tenancy import OrganizationUnknown, TenancyStore
from cloud.clinical.profiles.comparison import compare
from cloud.clinical.profiles.errors import ProfilesUnreadable, ProfileTaken, ProfileUnknown
from cloud.clinical.profiles.model import Enrichment, ImportedProfiles, LineProblem, Profile
from cloud.clinical.profiles.schemas import ProfileLine
from cloud.clinical.profiles.store import ProfileStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.http import IdempotentReply, Response
from cloud.foundation.ids import Ids
from cloud.foundation.viewer import Actor, SecrecyLevel, Viewer

CHUNK_PROFILES = 200
"""Profiles of one transaction: 20 ms on SQLite."""
LINE_BYTES_MAX = 1 << 16
"""Longest line of an imported file. A profile with 32 names of 512 characters has at most this."""
PROBLEMS_MAX = 200
"""Problems of which line and text are returned."""


class Profiles:
    """Operations on profiles."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._store = ProfileStore()
        self._audit = Audit(clock)

    async def read(self, viewer: Viewer, profile_id: str) -> tuple[Profile, Enrichment | None]:
        """Return a profile and its last enrichment. Raises `ProfileUnknown`."""
        async with self._database.read() as tx:
            profile = await self._store.find(tx, viewer, profile_id)
            if profile is None:
                raise ProfileUnknown
            return profile, await self._store.newest_enrichment(tx, profile)

    async def list(self, viewer: Viewer, *, count: int) -> Sequence[Profile]:
        """Return the newest profiles, newest first, at most `count`."""
        async with self._database.read() as tx:
            return await self._store.list(tx, viewer, count=count)

    async def enrich(
        self,
        actor: Actor,
        profile_id: str,
        names: Sequence[str] | None,
        reply: IdempotentReply,
        respond: Callable[[Enrichment], Response],
    ) -> Response:
        """Run the connectors with these names (None: all) and store their result. A repeated request gets the first
        response. Raises `ProfileUnknown`, `ConnectorNotForKind`."""
        async with self._database.read() as tx:
            profile = await self._store.find(tx, actor, profile_id)
            if profile is None:
                raise ProfileUnknown
            compared = await compare(tx, actor, profile, names)
        enrichment = compared.enrichment(self._ids.new("enr"), self._clock.now_us())
        async with self._database.transaction() as tx:
            replayed = await reply.replay(tx)
            if replayed is not None:
                return replayed
            if await self._store.find(tx, actor, profile_id, lock=True) is None:
                raise ProfileUnknown  # removed since
            await self._store.add_enrichments(tx, [enrichment])
            details = compared.audit_details(enrichment)
            await self._audit.record(tx, actor, "profile.enrich", profile.id, metadata=details)
            return await reply.store(tx, respond(enrichment))

    async def remove(self, actor: Actor, profile_id: str) -> None:
        """Delete a profile with its enrichments. Raises `ProfileUnknown`."""
        async with self._database.transaction() as tx:
            profile = await self._store.find(tx, actor, profile_id, lock=True)
            if profile is None:
                raise ProfileUnknown
            await self._store.remove(tx, profile)
            await self._audit.record(tx, actor, "profile.remove", profile.id)

    async def import_profiles(self, actor: Actor, organization_id: str, lines: Iterable[bytes]) -> ImportedProfiles:
        """Import profiles, one JSON object a line. A profile with a known reference is replaced and keeps its id. A
        chunk of `CHUNK_PROFILES` lines is stored as a whole, or not at all if one of its lines has a problem. Raises
        `OrganizationUnknown`, `ProfilesUnreadable`."""
        async with self._database.read() as tx:
            if await TenancyStore().find_organization(tx, actor, organization_id) is None:
                raise OrganizationUnknown
        stored = left_out = 0
        problems: list[LineProblem] = []
        numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
        while chunk := list(islice(numbered, CHUNK_PROFILES)):
            found: list[ProfileLine] = []
            faults: list[LineProblem] = []
            for number, line in chunk:
                if len(line) > LINE_BYTES_MAX:
                    raise ProfilesUnreadable(f"(Line {number} has more than {LINE_BYTES_MAX} bytes.)")
                read = _read_line(number, line)
                if isinstance(read, LineProblem):
                    faults.append(read)
                else:
                    found.append(read)
            problems.extend(faults[: PROBLEMS_MAX - len(problems)])
            if faults:
                left_out += len(chunk)
                continue
            async with self._database.transaction() as tx:
                for wanted in found:
                    await self.put_in(tx, actor, organization_id, wanted)
                await self.record_import(tx, actor, organization_id, len(found))
            stored += len(found)
        return ImportedProfiles(stored=stored, left_out=left_out, problems=problems)

    async def put_in(self, tx: Transaction, actor: Actor, organization_id: str, wanted: ProfileLine) -> bool:
        """Add a profile, or replace the one with its reference, which keeps its id; return whether it is new. The
        caller must have checked the organisation. Raises `ClearanceExceeded`, `ProfileTaken`."""
        now_us = self._clock.now_us()
        profile = Profile(
            tenant_id=actor.tenant_id,
            id=self._ids.new("prf"),
            organization_id=organization_id,
            reference=wanted.reference,
            kind=wanted.kind,
            names=wanted.names,
            birth_date=wanted.birth_date,
            countries=wanted.countries,
            asset=wanted.asset,
            address=wanted.address,
            secrecy_level=SecrecyLevel.of(wanted.secrecy_level),
            created_at_us=now_us,
            updated_at_us=now_us,
        )
        if profile.secrecy_level > actor.clearance:
            raise ClearanceExceeded(mistakes=[Mistake("above the clearance", "/secrecy_level")])
        stored_id = await self._store.put(tx, actor, profile)
        if stored_id is None:
            raise ProfileTaken
        return stored_id == profile.id

    async def record_import(self, tx: Transaction, actor: Actor, organization_id: str, count: int) -> None:
        """Record in the audit trail that a chunk of profiles was stored."""
        await self._audit.record(tx, actor, "profile.import", organization_id, metadata={"profiles": count})


def _read_line(number: int, line: bytes) -> ProfileLine | LineProblem:
    try:
        return ProfileLine.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        text = str(first["msg"]).removeprefix("Value error, ")
        place = ".".join(map(str, first["loc"]))
        return LineProblem(number, f"{place}: {text}" if place else text)


def read_document(enrichment: Enrichment) -> Any:
    """Return an enrichment as JSON."""
    return orjson.loads(enrichment.document)
