"""A dataclass is converted to a database row and back; columns are matched with fields by name."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from cloud.access.identity.tables import users
from cloud.access.tenancy.tables import tenants
from cloud.clinical.incidents.tables import incidents
from cloud.foundation.db import Database, Records


class State(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class Level(IntEnum):
    LOW = 0
    HIGH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    id: str
    status: State | None
    secrecy_level: Level
    remarks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    id: str
    name: str
    created_at_us: int


CASES, OWNERS = Records(Case, incidents), Records(Owner, tenants)


def test_record_omits_the_dataclass_fields_that_have_no_column_in_the_table():
    assert CASES.names == ["id", "status", "secrecy_level"]


def test_database_row_is_read_into_a_dataclass_with_enumeration_members():
    read = CASES.read(("inc_1", "open", 3), remarks="none")
    assert read == Case(id="inc_1", status=State.OPEN, secrecy_level=Level.HIGH, remarks="none")
    assert isinstance(read.secrecy_level, Level)
    assert CASES.read(("inc_1", None, 0), remarks="").status is None


def test_dataclass_is_converted_to_a_row_with_only_the_columns_of_the_table():
    value = Case(id="inc_1", status=State.CLOSED, secrecy_level=Level.HIGH, remarks="not a column")
    assert CASES.values(value) == {"id": "inc_1", "status": "closed", "secrecy_level": 3}


async def test_insert_of_an_existing_key_returns_false_and_keeps_the_first_row(database: Database):
    owner = Owner(id="tnt_1", name="North", created_at_us=1)
    async with database.transaction() as tx:
        assert await OWNERS.add(tx, owner)
        assert not await OWNERS.add(tx, owner)
        assert await OWNERS.first(tx, OWNERS.select().where(tenants.c.id == "tnt_1")) == owner
        assert await OWNERS.first(tx, OWNERS.select().where(tenants.c.id == "tnt_2")) is None
        assert await OWNERS.all(tx, OWNERS.select()) == [owner]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    id: str
    roles: tuple[Level, ...]
    clearance: Level


def test_field_with_a_codec_or_a_renamed_column_is_read_back_from_its_row_unchanged():
    codec = (
        lambda roles: " ".join(str(int(one)) for one in roles),
        lambda text: tuple(map(Level, map(int, text.split()))),
    )
    members = Records(Member, users, codecs={"roles": codec}, renamed={"clearance": "secrecy_level"})
    member = Member(id="usr_1", roles=(Level.LOW, Level.HIGH), clearance=Level.HIGH)
    assert members.values(member) == {"id": "usr_1", "roles": "0 3", "secrecy_level": 3}
    assert members.read(("usr_1", "0 3", 3)) == member
