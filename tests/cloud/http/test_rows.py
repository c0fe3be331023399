"""A route declares everything about an endpoint, and an incomplete declaration raises an error (STYLE §7)."""

from datetime import date
from pathlib import Path

import pytest
from pydantic import BaseModel

from cloud.foundation.clock import SystemClock
from cloud.foundation.http import EVERY_HOST, Access, BodyKind, Host, Scopes
from cloud.foundation.http.listing import listed
from cloud.foundation.http.request import NEVER_AN_ID
from cloud.foundation.http.table import RouteTable
from cloud.foundation.ids import SHAPE, UlidIds
from cloud.settings import read_settings
from cloud.surface import rows_of
from tests.builders.cloud_settings import settings_file
from tests.builders.http_surface import route


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": None},
        {"scopes": "argus:devices:read"},
        {"method": "HEAD"},
        {"path": "no/slash"},
        {"path": "/two//slashes"},
        {"path": "/{a}/{b*}/c"},
        {"scopes": Scopes.any_of("read"), "open_to_browsers": True},
        {"sunset_on": date(2027, 1, 1)},
        {"deprecated_on": date(2027, 1, 2), "sunset_on": date(2027, 1, 1)},
        {"idempotent": True},
        {"method": "POST", "body_kind": BodyKind.BYTES, "idempotent": True},
        {"method": "POST", "body_kind": BodyKind.BYTES, "body": BaseModel},
    ],
)
def test_route_with_invalid_attributes_is_refused_when_it_is_defined(wrong: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        route(**wrong)  # type: ignore[arg-type]  # the wrong type is the test


def test_path_matches_the_route_with_the_most_literal_segments() -> None:
    table = RouteTable(
        [
            route("/devices"),
            route("/devices/enrol", method="POST"),
            route("/devices/{id}"),
            route("/devices/{id}/observations"),
            route("/schemas/{id}.json"),
            route("/platform/{rest*}"),
        ]
    )

    def found(path: str) -> tuple[str, dict[str, str]] | None:
        hit = table.find(path)
        return None if hit is None else (next(iter(hit[0].values())).path, dict(hit[1]))

    assert found("/devices") == ("/devices", {})
    assert found("/%64evices") == ("/devices", {})
    assert found("/devices/enrol") == ("/devices/enrol", {})
    assert found("/devices/dev_1") == ("/devices/{id}", {"id": "dev_1"})
    assert found("/devices/enrol/observations") == ("/devices/{id}/observations", {"id": "enrol"})
    assert found("/schemas/argus.profile.v1.json") == ("/schemas/{id}.json", {"id": "argus.profile.v1"})
    assert found("/platform/a/b") == ("/platform/{rest*}", {"rest": "a/b"})
    assert found("/devices/a%2Fb") == ("/devices/{id}", {"id": NEVER_AN_ID})
    for path in ("/devices/", "//devices", "/Devices", "/devices/..", "/devices/%ff", "/schemas/.json", "/", "*", ""):
        assert found(path) is None, path


def test_two_routes_with_the_same_path_or_with_different_names_for_one_parameter_are_refused() -> None:
    with pytest.raises(ValueError, match="two rows"):
        RouteTable([route("/a/{x}"), route("/a/{x}")])
    with pytest.raises(ValueError, match="called"):
        RouteTable([route("/a/{x}"), route("/a/{y}/b")])


def test_placeholder_that_replaces_a_malformed_id_is_never_a_valid_id() -> None:
    assert SHAPE.fullmatch(NEVER_AN_ID) is None


@pytest.mark.contract("C-008", "C-009", "C-010", "A-010")
def test_list_of_routes_contains_every_host_and_states_access_and_scopes_of_each_route(tmp_path: Path) -> None:
    clock = SystemClock()
    rows = rows_of(read_settings(settings_file(tmp_path)), clock, UlidIds(clock))
    shown = [listed(row, host) for row in rows for host in row.hosts]
    assert {row["host"] for row in shown} == {host.value for host in EVERY_HOST}
    for row in shown:
        assert (row["access"] == Access.TOKEN) == (row["scopes"] is not None)
    assert ("api", "POST", "/api/v1/devices/{deviceId}/observations", "argus:devices:write") in {
        (row["host"], row["method"], row["path"], row["scopes"]) for row in shown
    }
    assert Host.AUTH in {host for row in rows for host in row.hosts if row.path == "/.well-known/jwks.json"}
