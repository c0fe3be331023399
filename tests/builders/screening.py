"""A tenant with imported lists of invented subjects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloud.clinical.screening import ImportedList, ListFile, ListImport, Screened, Search, Subject
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.viewer import Actor
from protocols.sanctions.entry import EntryKind, ListedEntry
from tests.builders.cloud_people import HandClock, household
from tests.builders.sanctions_lists import ofac_xml

PIECE_BYTES = 1 << 16
EVERY_KIND = frozenset(EntryKind)


def pieces(data: bytes) -> Iterable[bytes]:
    return (data[begin : begin + PIECE_BYTES] for begin in range(0, len(data), PIECE_BYTES))


@dataclass
class Office:
    """The operator of a tenant who imports and searches lists."""

    database: Database
    clock: Clock
    actor: Actor

    async def take(
        self,
        data: bytes,
        format: str = "ofac-xml",
        *,
        aliases: bytes = b"",
        name: str | None = None,
        accept_problems: bool = False,
        accept_smaller: bool = False,
    ) -> ImportedList:
        file = ListFile(format=format, pieces=pieces(data), aliases=pieces(aliases), name=name)
        service = ListImport(self.database, self.clock)
        return await service.import_list(
            self.actor, file, accept_problems=accept_problems, accept_smaller=accept_smaller
        )

    async def list_entries(self, *entries: ListedEntry) -> ImportedList:
        return await self.take(ofac_xml(entries), accept_smaller=True)

    async def screen(
        self, *names: str, kinds: frozenset[EntryKind] = EVERY_KIND, birth_date: str | None = None
    ) -> Screened:
        async with self.database.read() as tx:
            return await Search().screen(tx, self.actor, Subject(names=names, kinds=kinds, birth_date=birth_date))

    async def references(self, *names: str) -> Sequence[str]:
        """Return the references of the hits, best first."""
        return [hit.entry.reference for hit in (await self.screen(*names)).hits]


async def open_office(database: Database, clock: Clock | None = None, name: str = "north") -> Office:
    """Add a tenant, and return the office of its operator."""
    clock = clock or HandClock()
    home = await household(database, clock, name=name)
    return Office(database, clock, home.operator)
