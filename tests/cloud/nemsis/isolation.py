"""Functions that create an object for a path parameter of the report route, for `tests/contract/test_isolation`.

The encounter of all routes has the record of a mission and an agency, so that its report can be exported.
"""

from tests.builders.nemsis_reports import WITH_VEHICLE, document
from tests.cloud.epcr.isolation import begin
from tests.harness.running_cloud import RunningCloud


def begin_with_record(cloud: RunningCloud, app: str) -> str:
    encounter, owner = begin(cloud, app), cloud.apps[app]
    path = cloud.folder / "report.xml"
    path.write_bytes(document(*WITH_VEHICLE))
    tenant = ["--tenant", owner.tenant_id]
    agency = ["--state-id", "C034", "--number", "351-C034", "--state", "09", "--unit-capability", "2207015"]
    cloud.commands(
        ["nemsis", "set", *tenant, "--organization", owner.organization_id, *agency, "--json"],
        ["epcr", "import", "--nemsis", str(path), *tenant, "--encounter", encounter, "--json"],
    )
    return encounter


MAKERS = {"encounterId": begin_with_record}
