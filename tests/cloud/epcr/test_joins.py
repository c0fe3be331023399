"""Joins of reports and encounters: which of them readers, erasures and legal holds follow."""

from collections.abc import Sequence

import pytest

from cloud.clinical.epcr import CareLog, Encounters, Epcr, JoinedReport, Joins, ReceivedChanges
from cloud.clinical.epcr.joins import JOINED_MAX
from cloud.foundation.db import Database
from protocols.epcr.annotations import Annotation
from tests.builders.care_changes import change
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, VEHICLE, CloudUnderTest

ENCOUNTER, OTHER, REPORT = "enc_call", "enc_other", "enc_of_crew"
HERE, ELSEWHERE = "gw_test", "gw_relief"
Statement = tuple[str, str, str]
"""Gateway, the encounter of the log, and the encounter that it names."""


@pytest.fixture
async def cloud(database: Database) -> CloudUnderTest:
    made = CloudUnderTest(database)
    await made.register()
    for encounter in (ENCOUNTER, OTHER):
        await Epcr(database, made.clock, made.ids).begin(OPERATOR, organization_id=ORGANIZATION, id=encounter)
    return made


async def state(
    cloud: CloudUnderTest,
    joined: Sequence[Statement] = (),
    part_of: Sequence[Statement] = (),
    names: Sequence[Statement] = (),
    *,
    owner: str = ORGANIZATION,
) -> None:
    """Store statements of joins and names of patients, each in a batch of its own."""
    stated = [
        *((Annotation.JOINED, one) for one in joined),
        *((Annotation.PART_OF, one) for one in part_of),
        *(("patient.last_name", one) for one in names),
    ]
    received = [
        ReceivedChanges(
            lane_id=1 + (gateway == ELSEWHERE),
            sequence=number,
            tenant_id=TENANT,
            organization_id=owner,
            vehicle_id=VEHICLE,
            gateway_id=gateway,
            received_at_us=number,
            changes=[change(key, named, encounter=log)],
        )
        for number, (key, (gateway, log, named)) in enumerate(stated)
    ]
    async with cloud.database.transaction() as tx:
        await CareLog().append(tx, received)


async def erased_with(cloud: CloudUnderTest, encounter: str = ENCOUNTER) -> set[JoinedReport]:
    async with cloud.database.read() as tx:
        return await Joins().to_erase(tx, TENANT, ORGANIZATION, encounter)


async def readers_follow(cloud: CloudUnderTest) -> bool:
    async with cloud.database.read() as tx:
        encounter = await Joins().encounter(tx, TENANT, ORGANIZATION, REPORT)
        reports = await Joins().reports(tx, TENANT, ORGANIZATION, ENCOUNTER)
    assert (encounter, list(reports)) in [(ENCOUNTER, [JoinedReport(REPORT, HERE)]), (None, [])]
    return encounter is not None


async def test_join_that_both_logs_state_is_followed_by_all(cloud: CloudUnderTest):
    await state(cloud, joined=[(HERE, ENCOUNTER, REPORT)], part_of=[(HERE, REPORT, ENCOUNTER)])
    assert await readers_follow(cloud)
    assert await erased_with(cloud) == {JoinedReport(REPORT, HERE)}
    async with cloud.database.read() as tx:
        assert await Joins().held(tx, TENANT, [ENCOUNTER]) == {REPORT}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("joined", "part_of"), [([(HERE, ENCOUNTER, REPORT)], []), ([], [(HERE, REPORT, ENCOUNTER)])])
async def test_join_that_one_log_states_is_erased_and_held_but_not_read(
    cloud: CloudUnderTest, joined: list[Statement], part_of: list[Statement]
):
    await state(cloud, joined, part_of)
    assert not await readers_follow(cloud)
    assert await erased_with(cloud) == {JoinedReport(REPORT, HERE)}
    async with cloud.database.read() as tx:
        assert await Joins().held(tx, TENANT, [ENCOUNTER]) == {REPORT}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("joined", "part_of"),
    [
        ([(HERE, ENCOUNTER, REPORT)], [(HERE, REPORT, OTHER)]),
        ([(HERE, ENCOUNTER, "enc_another_report")], [(HERE, REPORT, ENCOUNTER)]),
        ([(HERE, ENCOUNTER, OTHER)], [(HERE, OTHER, ENCOUNTER)]),
        ([(HERE, ENCOUNTER, ENCOUNTER)], [(HERE, ENCOUNTER, ENCOUNTER)]),
    ],
    ids=["report names another", "encounter names another", "encounter of its own", "itself"],
)
async def test_report_of_another_patient_is_not_erased(
    cloud: CloudUnderTest, joined: list[Statement], part_of: list[Statement]
):
    await state(cloud, joined, part_of)
    assert REPORT not in {one.report_id for one in await erased_with(cloud)}
    assert not {OTHER, ENCOUNTER} & {one.report_id for one in await erased_with(cloud)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_report_that_names_another_encounter_is_not_erased_however_many_gateways_name_one(cloud: CloudUnderTest):
    relief = [(f"gw_relief_{number}", REPORT, OTHER) for number in range(80)]
    await state(cloud, joined=[(HERE, ENCOUNTER, REPORT)], part_of=[*relief, (HERE, REPORT, OTHER)])
    assert not await erased_with(cloud)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_statement_of_another_gateway_concerns_only_its_own_changes(cloud: CloudUnderTest):
    await state(cloud, joined=[(ELSEWHERE, ENCOUNTER, REPORT)], part_of=[(HERE, REPORT, OTHER)])
    assert not await readers_follow(cloud)
    assert await erased_with(cloud) == {JoinedReport(REPORT, ELSEWHERE)}
    assert await erased_with(cloud, OTHER) == {JoinedReport(REPORT, HERE)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_statement_from_another_organisation_is_ignored(cloud: CloudUnderTest):
    await state(cloud, [(HERE, ENCOUNTER, REPORT)], [(HERE, REPORT, ENCOUNTER)], owner="org_other")
    assert not await readers_follow(cloud)
    assert not await erased_with(cloud)


@pytest.mark.parametrize("keys", [None, frozenset(["patient.last_name"])], ids=["all", "one element"])
async def test_record_has_the_changes_of_a_joined_report_only_from_the_gateway_that_states_the_join(
    cloud: CloudUnderTest, keys: frozenset[str] | None
):
    names = [(HERE, REPORT, "Kowalska"), (ELSEWHERE, REPORT, "Nowak"), (ELSEWHERE, ENCOUNTER, "Zieliński")]
    await state(cloud, [(HERE, ENCOUNTER, REPORT)], [(HERE, REPORT, ENCOUNTER)], names)
    async with cloud.database.read() as tx:
        encounter = await Encounters().find(tx, OPERATOR, ENCOUNTER)
        assert encounter is not None
        changes = await CareLog().of_encounter(tx, encounter, keys=keys)
        count = await CareLog().count(tx, encounter, keys=["patient.last_name"])
    assert {each.value for each in changes if each.key == "patient.last_name"} == {"Kowalska", "Zieliński"}
    assert count == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_further_join_leaves_out_no_report_of_an_older_one(cloud: CloudUnderTest):
    reports = [f"enc_{letter}" for letter in "zyxwva"]
    await state(cloud, [(HERE, ENCOUNTER, one) for one in reports], [(HERE, one, ENCOUNTER) for one in reports])
    async with cloud.database.read() as tx:
        found = await Joins().reports(tx, TENANT, ORGANIZATION, ENCOUNTER)
    assert [one.report_id for one in found] == reports[:JOINED_MAX]


async def test_value_that_is_no_id_is_stored_and_joins_nothing(cloud: CloudUnderTest):
    await state(cloud, part_of=[(HERE, REPORT, "x" * 50_000)])
    assert not await readers_follow(cloud)
