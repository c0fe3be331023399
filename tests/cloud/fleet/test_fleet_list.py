"""Many vehicles and gateways are registered from one list: all of them, or none."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from cloud.access.tenancy import OrganizationUnknown, Tenancy, VehicleUnknown
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import UlidIds
from cloud.vehicles.fleet import Fleet, GatewayTaken, PublicKeyMalformed
from cloud.vehicles.fleet import fleet_list as fleet_list_module
from cloud.vehicles.fleet.fleet_list import FleetListUnusable, ListedGateway, read_list
from cloud.vehicles.fleet.service import Imported
from tests.builders.cloud_people import HandClock, Household, household, public_key_text

CLOCK = HandClock()


def listed(*vehicles: str, key: int = 9) -> list[ListedGateway]:
    return [
        ListedGateway(
            line=line, vehicle_id=f"veh_{name}", name=name, gateway_id=f"gw_{name}", public_key=public_key_text(key)
        )
        for line, name in enumerate(vehicles, 2)
    ]


async def imported(database: Database, home: Household, rows: Sequence[ListedGateway]) -> Imported:
    fleet = Fleet(database, CLOCK, UlidIds(CLOCK))
    return await fleet.import_list(home.operator, organization_id=home.organization.id, listed=rows)


async def gateways_of(database: Database, home: Household) -> dict[str, str]:
    """Return the vehicle of each gateway of the tenant."""
    found = await Fleet(database, CLOCK, UlidIds(CLOCK)).list(home.operator)
    return {one.id: one.vehicle_id for one in found}


async def test_listed_vehicles_and_gateways_are_registered(database: Database) -> None:
    home = await household(database, CLOCK)
    assert await imported(database, home, listed("a", "b")) == Imported(2, 2, 0)
    assert await gateways_of(database, home) == {"gw_north": "veh_north", "gw_a": "veh_a", "gw_b": "veh_b"}
    vehicles = await Tenancy(database, CLOCK, UlidIds(CLOCK)).list_vehicles(home.operator)
    assert {one.id: one.name for one in vehicles} == {"veh_north": "Ambulance north", "veh_a": "a", "veh_b": "b"}


async def test_repeated_import_adds_only_what_is_missing(database: Database) -> None:
    home = await household(database, CLOCK)
    await imported(database, home, listed("a", "b"))
    assert await imported(database, home, listed("a", "b", "c")) == Imported(1, 1, 2)


async def test_second_gateway_of_an_existing_vehicle_is_registered(database: Database) -> None:
    home = await household(database, CLOCK)
    row = ListedGateway(
        line=2, vehicle_id=home.vehicle.id, name="other", gateway_id="gw_new", public_key=public_key_text(9)
    )
    assert await imported(database, home, [row]) == Imported(0, 1, 0)
    (vehicle,) = await Tenancy(database, CLOCK, UlidIds(CLOCK)).list_vehicles(home.operator)
    assert vehicle.name == "Ambulance north"


def replaced(row: ListedGateway, **values: str) -> ListedGateway:
    known = {name: getattr(row, name) for name in ("line", "vehicle_id", "name", "gateway_id", "public_key")}
    return ListedGateway(**{**known, **values})


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"gateway_id": "gw_north"}, GatewayTaken),
        ({"gateway_id": "gw_south"}, GatewayTaken),
        ({"vehicle_id": "veh_east"}, VehicleUnknown),
        ({"public_key": "AAAA"}, PublicKeyMalformed),
        ({"gateway_id": "gw north"}, DomainError),
        ({"gateway_id": "argus-cloud-1"}, DomainError),
        ({"vehicle_id": ""}, DomainError),
        ({"name": "x" * 201}, DomainError),
    ],
)
async def test_wrong_line_is_named_and_nothing_is_registered(
    database: Database, wrong: dict[str, str], error: type[DomainError]
) -> None:
    home = await household(database, CLOCK)
    await household(database, CLOCK, name="south")
    tenancy = Tenancy(database, CLOCK, UlidIds(CLOCK))
    east = await tenancy.add_organization(home.operator, "Station east", id="org_east")
    await tenancy.add_vehicle(home.operator, east.id, "Ambulance east", id="veh_east")
    first, second = listed("a", "b")
    with pytest.raises(error, match="line 3 of the list"):
        await imported(database, home, [first, replaced(second, **wrong)])
    assert await gateways_of(database, home) == {"gw_north": "veh_north"}


async def test_import_into_an_unknown_organisation_is_refused(database: Database) -> None:
    home = await household(database, CLOCK)
    with pytest.raises(OrganizationUnknown):
        await Fleet(database, CLOCK, UlidIds(CLOCK)).import_list(
            home.operator, organization_id="org_none", listed=listed("a")
        )


HEAD = "vehicle,name,gateway,public_key\n"


def test_list_is_read_with_any_order_of_columns_and_with_marks_of_a_spreadsheet(tmp_path: Path) -> None:
    file = tmp_path / "fleet.csv"
    file.write_bytes(
        b'\xef\xbb\xbfgateway,public_key,vehicle,name\r\n gw_1 ,KEY,veh_1,"AMB, 42"\r\ngw_2,KEY,veh_2,\r\n'
    )
    first, second = read_list(file)
    assert first == ListedGateway(line=2, vehicle_id="veh_1", name="AMB, 42", gateway_id="gw_1", public_key="KEY")
    assert (second.line, second.name) == (3, "veh_2")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "must name the columns: vehicle,name,gateway,public_key"),
        (b"vehicle;name;gateway;public_key\n", "must name the columns"),
        (HEAD.encode() + b"veh_1,AMB\n", "Line 2 does not have 4 columns"),
        (HEAD.encode() + b"veh_1,AMB,gw_1,KEY,more\n", "Line 2 does not have 4 columns"),
        (HEAD.encode() + b'veh_1,"AMB\n', "is not CSV"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_unusable_list_is_refused_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "fleet.csv"
    file.write_bytes(content)
    with pytest.raises(FleetListUnusable, match=why):
        read_list(file)


def test_list_above_a_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "fleet.csv"
    file.write_text(HEAD + "veh_1,AMB,gw_1,KEY\n" * 3)
    monkeypatch.setattr(fleet_list_module, "ROWS_MAX", 2)
    with pytest.raises(FleetListUnusable, match="more than 2 gateways"):
        read_list(file)
    monkeypatch.setattr(fleet_list_module, "BYTES_MAX", 10)
    with pytest.raises(FleetListUnusable, match="more than 10 bytes"):
        read_list(file)
    with pytest.raises(FleetListUnusable, match="No such file"):
        read_list(tmp_path / "absent.csv")
