"""A suspended or revoked gateway is refused at once. The custody check finds a batch that was signed with a gateway's
former key after the key was replaced.
"""

import asyncio
import base64
from collections.abc import Sequence
from pathlib import Path

import pytest

from cloud.access.audit import Audit, AuditFilter
from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.master_key import MasterKey
from cloud.foundation.viewer import Viewer
from cloud.vehicles.custody.tables import batches, quarantined_batches
from cloud.vehicles.fleet import Fleet, GatewayAccess, GatewayTaken
from cloud.vehicles.fleet.access import GatewayAccessDesk
from cloud.vehicles.fleet.authority import (
    REVOCATION_DAYS,
    CertificateRequestUnusable,
    create_authority,
    read_list,
    read_request,
)
from cloud.vehicles.fleet.authority_store import AuthorityStore
from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from cloud.vehicles.fleet.broker_directory import (
    ALARM_BEFORE_US,
    DAY_US,
    BrokerDirectory,
    BrokerUpkeep,
    RevocationListCheck,
    expiry_of,
    expiry_sentence,
)
from cloud.vehicles.fleet.errors import GatewayNotSuspended, GatewayRevoked, GatewayShutOut, KeyUnchanged, KeyUsedBefore
from cloud.vehicles.fleet.model import CLOCKS_US
from cloud.vehicles.verification.check import CustodyCheck
from protocols.uplink.envelope import encode_envelope
from protocols.uplink.status import Status
from tests.builders.cloud_people import HandClock, household, public_key_text
from tests.builders.cloud_settings import settings_file
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.cloud.cli.test_console import Console, add_vehicle
from tests.harness.certificates import certificate_request, certificate_revocation_list
from tests.harness.eventually import eventually

MASTER = MasterKey(bytes(32))


def desk_of(cloud: CloudUnderTest) -> GatewayAccessDesk:
    return GatewayAccessDesk(cloud.database, cloud.clock, cloud.ids)


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


@pytest.mark.finding("security-6")
def test_gateways_commands_suspend_resume_and_revoke_a_gateway_and_replace_its_key(tmp_path: Path) -> None:
    console = Console(settings_file(tmp_path, more=f'[broker]\ndirectory = "{tmp_path}"\n'))
    console.json("init")
    add_vehicle(console)
    where = ("--tenant", "tnt_1", "--organization", "org_1", "--vehicle", "veh_1")
    console.json("gateways", "add", *where, "--public-key", public_key_text(), "--id", "gw_1")
    tenant, why = ("--tenant", "tnt_1"), ("--reason", "stolen")
    admitted = tmp_path / "rights.json"
    assert "gw_1" in admitted.read_text()
    assert console.json("gateways", "suspend", "gw_1", *tenant, *why)["access"] == "suspended"
    assert "gw_1" not in admitted.read_text()
    assert console.json("gateways", "resume", "gw_1", *tenant)["access"] == "active"
    assert "gw_1" in admitted.read_text()
    revoked = console.json("gateways", "revoke", "gw_1", *tenant, *why)
    assert (revoked["access"], revoked["access_reason"]) == ("revoked", "stolen")
    assert "replace-key" in console.refused("gateways", "resume", "gw_1", *tenant)
    new_key = ("--public-key", public_key_text(9))
    assert console.json("gateways", "replace-key", "gw_1", *tenant, *new_key, *why)["access"] == "active"
    shown = console.json("gateways", "show", "gw_1", *tenant)
    assert [one["public_key"] for one in shown["former_keys"]] == [public_key_text()]
    actions = [one["action"] for one in console.json("audit", "list", *tenant)]
    assert {"gateway.suspend", "gateway.resume", "gateway.revoke", "gateway.replace_key"} <= set(actions)


async def test_batch_of_a_suspended_gateway_is_quarantined_and_stored_when_resent_after_the_resume(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    first, second = gateway.many(2)
    assert len(await cloud.take(first)) == 1
    await desk_of(cloud).suspend(OPERATOR, gateway.gateway, "in the workshop")
    assert await cloud.take(second) == []
    assert [(row.reason, row.detail) for row in await cloud.rows(quarantined_batches)] == [
        ("shut_out", "the gateway is suspended")
    ]
    await desk_of(cloud).resume(OPERATOR, gateway.gateway)
    (ack,) = await cloud.take(second)
    assert ack.through_sequence == 2
    assert len(await cloud.rows(observations)) == 2


async def test_status_of_a_revoked_gateway_is_ignored(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    await desk_of(cloud).revoke(OPERATOR, gateway.gateway, "stolen")
    said = Status(gateway=gateway.gateway, epoch="epoch-a", online=True, at_us=0, boot_id="b", software="1.0", marks={})
    assert await cloud.take(cloud.handover.status_delivery(said)) == []
    (kept,) = await Fleet(cloud.database, cloud.clock, cloud.ids).list(OPERATOR)
    assert (kept.status, kept.access, kept.access_reason) == (None, GatewayAccess.REVOKED, "stolen")


async def test_repeated_suspension_or_revocation_of_a_gateway_is_audited_and_published_once(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    desk = desk_of(cloud)
    for _ in range(2):
        await desk.suspend(OPERATOR, gateway.gateway, "lost")
    for reason in ("stolen", "again"):
        revoked = await desk.revoke(OPERATOR, gateway.gateway, reason)
        assert revoked.access_reason == "stolen"
    assert [name for name, _ in await cloud.events() if name.startswith("gateway.")] == [
        "gateway.suspended",
        "gateway.revoked",
    ]
    async with cloud.database.read() as tx:
        entries = list(await Audit(cloud.clock).search(tx, OPERATOR, AuditFilter(), count=10))
    assert [(one.action, one.metadata) for one in entries] == [
        ("gateway.revoke", {"reason": "stolen"}),
        ("gateway.suspend", {"reason": "lost"}),
    ]
    with pytest.raises(GatewayRevoked):
        await desk.resume(OPERATOR, gateway.gateway)
    with pytest.raises(GatewayRevoked):
        await desk.suspend(OPERATOR, gateway.gateway, "x")


async def test_only_a_suspended_gateway_can_be_resumed(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    with pytest.raises(GatewayNotSuspended):
        await desk_of(cloud).resume(OPERATOR, gateway.gateway)


async def test_connection_of_a_suspended_gateway_is_ended_when_it_sends_a_batch(database: Database) -> None:
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(gateway)
    ended: list[str] = []
    cloud.ingest.opener.shut_out = ended.append
    await cloud.take(gateway.send())
    assert ended == []
    await desk_of(cloud).suspend(OPERATOR, gateway.gateway, "lost")
    await cloud.take(gateway.send())
    assert ended == [gateway.gateway]


# ---- keys


async def test_batch_signed_with_a_former_key_after_its_replacement_is_quarantined_as_forged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    before, after, stolen = gateway.many(3)
    await cloud.take(before)
    cloud.clock.at_us += DAY_US
    renewed = GatewayInVehicle(key_seed=9)
    key = base64.b64encode(renewed.public_key).decode()
    replaced = await desk_of(cloud).replace_key(OPERATOR, gateway.gateway, key, "new box")
    assert replaced.public_key == renewed.public_key
    (ack,) = await cloud.take(renewed.signed(after.batch))
    assert ack.through_sequence == 2
    assert await cloud.take(stolen) == []  # signed with the replaced key
    assert [row.reason for row in await cloud.rows(quarantined_batches)] == ["forged"]
    (report,) = [report async for report in CustodyCheck(cloud.database, cloud.clock, OPERATOR).reports()]
    assert (report.intact, report.through, report.findings) == (True, 2, [])


async def test_custody_check_finds_a_batch_signed_by_a_former_key_after_its_replacement(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    renewed = GatewayInVehicle(key_seed=9)
    await desk_of(cloud).replace_key(OPERATOR, gateway.gateway, base64.b64encode(renewed.public_key).decode(), "x")
    batch = gateway.send().batch
    await cloud.take(renewed.signed(batch))
    async with cloud.database.transaction() as tx:
        cloud.clock.at_us += CLOCKS_US + 1
        forged = encode_envelope(gateway.signed(batch))
        await tx.execute(batches.update().values(envelope=forged, received_at_us=cloud.clock.at_us))
    (report,) = [report async for report in CustodyCheck(cloud.database, cloud.clock, OPERATOR).reports()]
    assert [finding.what for finding in report.findings] == ["not signed by the registered key"]


async def test_key_replacement_with_a_current_or_former_key_of_the_gateway_is_refused(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    desk, first = desk_of(cloud), base64.b64encode(gateway.public_key).decode()
    with pytest.raises(KeyUnchanged):
        await desk.replace_key(OPERATOR, gateway.gateway, first, "x")
    await desk.replace_key(OPERATOR, gateway.gateway, public_key_text(5), "x")
    with pytest.raises(KeyUsedBefore):
        await desk.replace_key(OPERATOR, gateway.gateway, first, "x")


async def test_gateway_id_of_another_tenant_cannot_be_registered(database: Database) -> None:
    clock = HandClock()
    north, south = await household(database, clock), await household(database, clock, name="south")
    with pytest.raises(GatewayTaken, match="another tenant"):
        await Fleet(database, clock, UlidIds(clock)).register(
            south.operator,
            organization_id=south.organization.id,
            vehicle_id=south.vehicle.id,
            public_key=public_key_text(),
            id=north.gateway.id,
        )


# ---- certificates and the list of revoked ones


class FleetOnDisk:
    """A cloud with a certificate authority, and a folder with the files that mosquitto would read."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.clock = HandClock()
        self.database = database
        self.folder = folder
        self.desk = GatewayAccessDesk(database, self.clock, UlidIds(self.clock))
        self.directory = BrokerDirectory(database, self.clock, lambda: MASTER, folder)

    async def begin(self) -> Viewer:
        home = await household(self.database, self.clock)
        authority = create_authority("aut_1", "Test", self.clock.now_us())
        async with self.database.transaction() as tx:
            await AuthorityStore().add(tx, authority, MASTER, self.clock.now_us())
        return home.operator

    async def certificate(self, viewer: Viewer) -> int:
        key = read_request(certificate_request("whatever it says"))
        made = await self.desk.issue_certificate(viewer, "gw_north", key, lambda: MASTER, days=100)
        assert made.subject.rfc4514_string() == "CN=gw_north"
        return made.serial_number

    def listed(self) -> frozenset[tuple[int, bool]]:
        (facts,) = read_list((self.folder / "revoked.pem").read_bytes()).values()
        return facts.entries


@pytest.fixture
async def fleet(database: Database, tmp_path: Path) -> FleetOnDisk:
    return FleetOnDisk(database, tmp_path)


async def test_revocation_list_contains_the_certificates_of_suspended_and_revoked_gateways(
    fleet: FleetOnDisk,
) -> None:
    viewer = await fleet.begin()
    serial = await fleet.certificate(viewer)
    await fleet.directory.refresh()
    assert fleet.listed() == frozenset()
    await fleet.desk.suspend(viewer, "gw_north", "lost")
    await fleet.directory.refresh()
    assert fleet.listed() == {(serial, True)}
    with pytest.raises(GatewayShutOut):
        await fleet.certificate(viewer)
    await fleet.desk.resume(viewer, "gw_north")
    await fleet.directory.refresh()
    assert fleet.listed() == frozenset()
    await fleet.desk.revoke(viewer, "gw_north", "stolen")
    await fleet.desk.replace_key(viewer, "gw_north", public_key_text(8), "new box")
    new = await fleet.certificate(viewer)
    await fleet.directory.refresh()
    assert fleet.listed() == {(serial, False)}
    assert new != serial
    fleet.clock.advance(us=101 * DAY_US)
    await fleet.directory.refresh()
    assert fleet.listed() == frozenset()  # expired: refused without the list


async def test_revocation_list_is_renewed_daily_and_other_unchanged_broker_files_are_not_rewritten(
    fleet: FleetOnDisk,
) -> None:
    await fleet.begin()
    assert set((await fleet.directory.refresh()).files) == {"rights.json", "authorities.pem", "revoked.pem"}
    (fleet.folder / "reload-due").unlink()
    assert (await fleet.directory.refresh()).files == ()
    assert not (fleet.folder / "reload-due").exists()
    fleet.clock.advance(us=DAY_US)
    assert (await fleet.directory.refresh()).files == ("revoked.pem",)
    assert (fleet.folder / "reload-due").exists()
    assert {path.stat().st_mode & 0o777 for path in fleet.folder.glob("*.*")} >= {0o640}
    until_us = expiry_of(fleet.folder)
    assert until_us == fleet.clock.now_us() + REVOCATION_DAYS * DAY_US


async def test_expiry_of_the_revocation_list_is_reported_fourteen_days_in_advance(
    fleet: FleetOnDisk,
) -> None:
    await fleet.begin()
    await fleet.directory.refresh()
    check = RevocationListCheck(fleet.folder, fleet.clock)
    fleet.clock.advance(us=REVOCATION_DAYS * DAY_US - ALARM_BEFORE_US - 1)
    assert expiry_sentence(fleet.folder, fleet.clock.now_us()) is None
    fleet.clock.advance(us=1)
    locked_out, sentence = expiry_sentence(fleet.folder, fleet.clock.now_us()) or (None, "")
    assert (locked_out, "in 14 days" in sentence) == (False, True)
    assert await check.why_not() is None
    fleet.clock.advance(us=ALARM_BEFORE_US)
    locked_out, sentence = expiry_sentence(fleet.folder, fleet.clock.now_us()) or (None, "")
    assert (locked_out, "refuses every vehicle" in sentence) == (True, True)
    assert "refuses every vehicle" in (await check.why_not() or "")


async def test_broker_upkeep_writes_the_rights_file_after_another_process_suspends_a_gateway(
    fleet: FleetOnDisk,
) -> None:
    viewer = await fleet.begin()
    away = BrokerDirectory(fleet.database, fleet.clock, lambda: MASTER, fleet.folder / "away")
    await BrokerUpkeep(away, fleet.clock).look()
    upkeep = BrokerUpkeep(fleet.directory, fleet.clock)
    await upkeep.look()
    rights = fleet.folder / "rights.json"
    assert '"gw_north"' in rights.read_text()
    await fleet.desk.suspend(viewer, "gw_north", "lost")
    await upkeep.look()
    assert '"gw_north"' not in rights.read_text()
    rights.unlink()
    await upkeep.look()
    assert not rights.exists()  # nothing changed: two small queries only
    fleet.clock.advance(us=DAY_US)
    await upkeep.look()
    assert rights.exists()


class SentRights:
    """A stand-in for the connection to mosquitto, which keeps the lists of admitted gateways that were sent over it."""

    def __init__(self) -> None:
        self.lists: list[Sequence[AdmittedGateway]] = []
        self.closed = False
        self.differences: list[int] = []

    async def apply(self, admitted: Sequence[AdmittedGateway]) -> int:
        self.lists.append(admitted)
        return self.differences.pop(0) if self.differences else 0

    async def close(self) -> None:
        self.closed = True


async def test_broker_upkeep_sends_a_new_gateway_list_only_after_a_change_and_requests_no_broker_reload(
    fleet: FleetOnDisk,
) -> None:
    viewer = await fleet.begin()
    sent = SentRights()
    upkeep = BrokerUpkeep(fleet.directory, fleet.clock, sent)
    for _ in range(2):
        await upkeep.look()
    assert sent.lists[0] is sent.lists[1]
    (fleet.folder / "reload-due").unlink()
    await fleet.desk.suspend(viewer, "gw_north", "lost")
    await upkeep.look()
    assert ([one.gateway_id for one in sent.lists[0]], sent.lists[2]) == (["gw_north"], [])
    assert not (fleet.folder / "reload-due").exists()
    stopping = asyncio.Event()
    stopping.set()
    await upkeep.run(stopping)
    assert sent.closed


async def test_rights_of_many_gateways_are_sent_at_once_while_they_become_fewer(fleet: FleetOnDisk) -> None:
    await fleet.begin()
    sent = SentRights()
    sent.differences = [120, 70, 20, 20, 0]
    stopping = asyncio.Event()
    upkeep = BrokerUpkeep(fleet.directory, fleet.clock, sent, look_every_s=3600.0)
    running = asyncio.create_task(upkeep.run(stopping))
    await eventually(lambda: len(sent.lists) == 4, what="all chunks but the one that changed nothing")
    stopping.set()
    await running
    assert sent.differences == [0]


async def test_malformed_revocation_list_or_list_of_another_authority_is_replaced(fleet: FleetOnDisk) -> None:
    await fleet.begin()
    foreign = certificate_revocation_list("another")
    for pem in (foreign, foreign[:200], b"", b"-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"):
        (fleet.folder / "revoked.pem").write_bytes(pem)
        assert expiry_of(fleet.folder) is None
        await fleet.directory.refresh()
        assert fleet.listed() == frozenset()


def test_certificate_request_that_is_malformed_or_has_an_invalid_signature_is_refused() -> None:
    for pem in (b"", b"nonsense", certificate_request("x").replace(b"M", b"N", 3)):
        with pytest.raises(CertificateRequestUnusable):
            read_request(pem)
