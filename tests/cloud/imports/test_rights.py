"""An import needs the scopes of the requests that change the same data."""

from cloud.clinical.devices.routes import routes as device_routes
from cloud.clinical.epcr.routes import routes as encounter_routes
from cloud.clinical.profiles.routes import routes as profile_routes
from cloud.foundation.http import Route
from cloud.work.imports.kinds import SCOPES
from cloud.work.imports.schemas import ImportData
from tests.builders.parts import make_parts

OPERATIONS = {
    ImportData.DEVICES: "enrolDevice",
    ImportData.ENCOUNTERS: "beginEncounter",
    ImportData.PROFILES: "enrichProfile",
    ImportData.SANCTIONS: "enrichProfile",
}


def test_import_needs_the_scopes_of_the_routes_that_change_the_same_data() -> None:
    parts = make_parts()
    made: tuple[Route, ...] = (*device_routes(parts), *encounter_routes(parts), *profile_routes(parts))
    rows = {row.operation_id: row for row in made}
    assert {data: frozenset(scopes) for data, scopes in SCOPES.items()} == {
        data: rows[operation].scopes.names for data, operation in OPERATIONS.items()
    }
