"""The counts in `devices show` are exact: refused reports by reason, refused connections, and PM-store entries."""

from pathlib import Path
from typing import Any

import pytest

from gateway.cli.device_pages import print_report
from gateway.console.device_view import report_json
from tests.builders.gateway_device import device, device_id
from tests.builders.gateway_sessions import Sessions, sessions
from tests.builders.memory_devices import HeldMemory, meter_segment
from tests.builders.memory_meter import meter
from tests.builders.report_device import ODD_ID, odd_device
from tests.harness.eventually import eventually

pytestmark = pytest.mark.finding("edge-check-3")


def shown(gateway: Sessions, system_id: str) -> dict[str, Any]:
    report = gateway.context.histories.find(system_id)
    assert report is not None
    return report_json(report, None)


async def test_rejected_reports_are_counted_as_refused_and_not_as_lost(tmp_path: Path) -> None:
    async with sessions(tmp_path) as gateway:
        async with odd_device(gateway.address) as oximeter:
            await oximeter.report("0001 0006 0001 0003 0062")  # a length that differs from the list's: RORJ
            await oximeter.report("0001 0006 0009 0002 0062")  # an object that does not exist: ROER
            await oximeter.report("0001 0006 0001 0002 0062")
        await eventually(lambda: not any(each.device for each in gateway.supervisor.sessions), what="the release")
        said = shown(gateway, ODD_ID.hex())
    counts = said["counts"]
    assert (counts["reports"], counts["refused_reports"], counts["lost_reports"]) == (1, 2, 0)
    assert sorted(said["refused_by_reason"].values()) == [1, 1]


async def test_refused_connection_with_the_system_id_of_a_connected_device_is_counted(tmp_path: Path) -> None:
    async with sessions(tmp_path) as gateway, device(gateway.address, 1) as first:
        await first.measure(36.6)
        async with device(gateway.address, 1) as second:
            await eventually(lambda: second.was_turned_away)
        said = shown(gateway, device_id(1).hex())
    assert list(said["refused_claims"].values()) == [1]
    assert said["refused_claim_link"] == "tcp:127.0.0.1"


async def test_pm_store_entries_are_counted_separately_in_the_device_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = HeldMemory([meter_segment(1, range(5)), meter_segment(2, [10, 11])])
    async with sessions(tmp_path) as gateway, meter(gateway.address, held) as glucose_meter:
        await eventually(lambda: glucose_meter.sent_whole == [1, 2], what="both segments")
        said = shown(gateway, glucose_meter.system_id)
    print_report(said)
    assert "7 entries of 2 segments, 7 observations" in capsys.readouterr().out
    assert said["memory"] == {"entries": 7, "observations": 7, "segments": 2, "refused_entries": 0}
