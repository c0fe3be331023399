"""Care records of an entitled tenant, from which a registry gets reports."""

from uuid import UUID, uuid5

from cloud.access.apps import Apps
from cloud.access.tenancy import Tenancy
from cloud.clinical.nemsis import REGISTRY
from cloud.clinical.nemsis.agency import Agencies
from cloud.clinical.nemsis.importing import Destination, ReportImport
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, VEHICLE, CloudUnderTest
from tests.builders.nemsis_reports import UUID_TEXT

OTHER_ORGANIZATION = "org_other"


def report_uuid(number: int) -> UUID:
    return uuid5(UUID(UUID_TEXT), str(number))


async def entitle(cloud: CloudUnderTest, *scopes: str) -> None:
    await Apps(cloud.database, cloud.clock, cloud.ids).entitle(OPERATOR, scopes)


async def begin_registry(cloud: CloudUnderTest) -> None:
    """Entitle the tenant, name the agency of its organisation, and add an organisation without an agency."""
    await entitle(cloud, REGISTRY)
    await Agencies(cloud.database, cloud.clock).set(
        OPERATOR, ORGANIZATION, state_id="C034", number="351-C034", state="09", unit_capability="2207015"
    )
    await Tenancy(cloud.database, cloud.clock, cloud.ids).add_organization(OPERATOR, "Other", id=OTHER_ORGANIZATION)


async def take_report(cloud: CloudUnderTest, document: bytes, *, organization_id: str = ORGANIZATION) -> str:
    """Import a document with one report; return the id of its encounter, which is the latest."""
    cloud.clock.at_us += 1_000_000
    vehicle_id = VEHICLE if organization_id == ORGANIZATION else None
    to = Destination(organization_id=organization_id, vehicle_id=vehicle_id)
    (found,) = await ReportImport(cloud.database, cloud.clock, cloud.ids).take(OPERATOR, document, to)
    return found.encounter.id
