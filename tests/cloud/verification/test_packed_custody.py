"""The custody check reads the envelopes of waveforms from their objects, and names each fault."""

from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from cloud.clinical.waveforms import WAVEFORMS, BatchToPack, new_name, pack, waveform_runs, waveform_sources
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects
from cloud.vehicles.verification.chain_ranges import RANGES_MAX, ChainRanges
from cloud.vehicles.verification.check import PAGE_RUNS, CustodyCheck
from cloud.vehicles.verification.lane_audit import LaneReport
from cloud.vehicles.verification.object_audit import ObjectAudit, ObjectsReport
from protocols.provenance.hash_chain import Link
from protocols.uplink.envelope import Envelope, encode_envelope
from tests.builders.ingest_cloud import OPERATOR, TENANT, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle
from tests.builders.waveforms import block, many_waves, waves


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, tmp_path: Path) -> CloudUnderTest:
    return await CloudUnderTest(database, objects=LocalObjects(tmp_path / "objects")).register(gateway)


async def checked(cloud: CloudUnderTest) -> LaneReport:
    check = CustodyCheck(cloud.database, cloud.clock, OPERATOR, objects=cloud.objects, with_rows=True)
    (report,) = [report async for report in check.reports()]
    return report


def objects_of(folder: Path) -> list[Path]:
    return sorted(one for one in (folder / "objects" / WAVEFORMS).rglob("*") if one.is_file())


async def test_chain_of_waveforms_in_many_objects_and_a_declared_gap_is_intact(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    sent = many_waves(gateway, 3 * PAGE_RUNS + 5)
    lost = sent[20:30]
    for begin in range(0, len(sent), 2):
        await cloud.take(*(one for one in sent[begin : begin + 2] if one not in lost[4:]))
    await cloud.take(gateway.gap(lost))
    report = await checked(cloud)
    assert (report.findings, report.intact) == ([], True)
    assert (report.through, report.batches, report.stood_in, report.gaps) == (len(sent), len(sent) - 6, 6, 1)


async def test_absent_and_damaged_objects_are_found_with_the_numbers_of_their_batches(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, tmp_path: Path
) -> None:
    sent = many_waves(gateway, 9)
    for begin in range(0, 9, 3):
        await cloud.take(*sent[begin : begin + 3])
    first, second, _ = objects_of(tmp_path)
    first.unlink()
    data = bytearray(second.read_bytes())
    data[60] ^= 1
    second.write_bytes(bytes(data))
    report = await checked(cloud)
    found = [(one.first, one.last, first.name in one.what or second.name in one.what) for one in report.findings]
    assert (1, 3, True) in found
    assert (4, 6, True) in found
    assert ("missing", 1, 6) in [(one.what, one.first, one.last) for one in report.findings]
    assert report.through == 9


async def test_removed_run_and_changed_hashes_are_found(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    for sent in many_waves(gateway, 3):
        await cloud.take(sent)
    async with cloud.database.transaction() as tx:
        await tx.execute(delete(waveform_runs).where(waveform_runs.c.sequence == 2))
        await tx.execute(update(waveform_runs).where(waveform_runs.c.sequence == 3).values(hashes=bytes(32)))
    report = await checked(cloud)
    assert [(one.what, one.first) for one in report.findings] == [
        ("the row's hash is not its envelope's", 3),
        ("missing", 2),
    ]


async def test_index_that_differs_from_the_envelopes_is_found(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    early = waves(gateway, block(1, at_s=9.0), synchronised=False)
    for sent in (*many_waves(gateway, 3), early):
        await cloud.take(sent)
    assert (await checked(cloud)).findings == []
    assert (await checked(cloud)).observations == 4
    async with cloud.database.transaction() as tx:
        await tx.execute(delete(waveform_sources).where(waveform_sources.c.sequence == 2))
        await tx.execute(update(waveform_sources).where(waveform_sources.c.sequence == 3).values(observations=2))
    assert [(one.what, one.first) for one in (await checked(cloud)).findings] == [
        ("its index differs from its envelopes", 2),
        ("its index differs from its envelopes", 3),
    ]


async def test_batches_with_rows_beside_their_run_are_found(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    sent = many_waves(gateway, 4)
    await cloud.take(*sent)
    async with cloud.database.transaction() as tx:
        (run,) = await tx.execute(select(waveform_runs))
        await tx.execute(delete(waveform_runs))
    await CloudUnderTest(cloud.database).take(*sent[1:3])
    async with cloud.database.transaction() as tx:
        await tx.execute(insert(waveform_runs).values(tuple(run)))
    report = await checked(cloud)
    assert [(one.what, one.first, one.last) for one in report.findings] == [
        ("2 batches are stored twice: with a row, and in a packed object", 2, 3)
    ]
    assert not report.intact


async def objects_report(cloud: CloudUnderTest) -> ObjectsReport:
    assert cloud.objects is not None
    return await ObjectAudit(cloud.database, OPERATOR, cloud.objects).run()


async def test_chain_is_verified_from_the_objects_alone(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    sent = many_waves(gateway, 12)
    lost = sent[4:6]
    for some in (sent[8:], sent[:4], [gateway.gap(lost)], sent[6:8], sent[2:4]):
        await cloud.take(*some)
    async with cloud.database.transaction() as tx:
        await tx.execute(delete(waveform_runs))
    report = await objects_report(cloud)
    (lane,) = report.lanes
    assert (report.intact, report.objects, lane.findings) == (True, 5, [])
    assert (lane.ranges, lane.batches, lane.repeated) == ([(1, 12)], 13, 2)


async def test_faults_of_objects_are_found_without_the_index(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, tmp_path: Path
) -> None:
    twin = GatewayInVehicle()
    other = waves(twin, block(66))
    forger = GatewayInVehicle(key_seed=9)
    for one in [*many_waves(gateway, 3), other]:
        await cloud.take(one)
    forged = forger.signed(waves(gateway).batch)
    first, _, third, conflict = objects_of(tmp_path)
    first.unlink()
    third.write_bytes(third.read_bytes()[:-1])
    (packing,) = pack(TENANT, NOW_US, [to_pack(forged)])
    assert cloud.objects is not None
    await cloud.objects.put(new_name(cloud.ids, TENANT, NOW_US), packing.data)
    report = await objects_report(cloud)
    assert not report.intact
    assert [(Path(name).name, "SHA-256" in why or "cut off" in why) for name, why in report.damaged] == [
        (third.name, True)
    ]
    (lane,) = report.lanes
    assert lane.ranges == [(1, 2), (4, 4)]
    assert [(one.what, one.first) for one in lane.findings] == [
        ("does not follow the batch before it", 2),
        ("not signed by the registered key", 4),
    ]
    assert conflict.exists()


def to_pack(envelope: Envelope) -> BatchToPack:
    batch = envelope.batch
    return BatchToPack(
        gateway=batch.gateway,
        epoch=batch.epoch,
        sequence=batch.sequence,
        envelope=encode_envelope(envelope),
        blocks=None,
    )


async def test_memory_of_the_check_grows_with_the_ranges_and_not_with_the_batches() -> None:
    chain = ChainRanges(bytes(32))
    for sequence in (*range(2, 2_000, 2), *range(1, 2_000, 2)):
        errors = list(chain.add(Link(first=sequence, last=sequence, previous=bytes(32), after=bytes(32))))
        assert not errors
    assert [(one.first, one.last) for one in chain.ranges] == [(1, 1_999)]
    full = ChainRanges(bytes(32))
    for sequence in range(1, 2 * RANGES_MAX + 2, 2):
        errors = list(full.add(Link(first=sequence, last=sequence, previous=bytes(32), after=bytes(32))))
    assert (len(full.ranges), [what for what, _ in errors]) == (RANGES_MAX, [f"more than {RANGES_MAX} separate ranges"])
