"""A value that cannot be encoded is counted in a gap record (a record of lost data), and the other values of its report
are stored.
"""

from collections.abc import Sequence

import pytest

from gateway.buffer import blocks
from gateway.sessions import formless
from gateway.sessions.formless import part_by_form
from protocols.errors import LocalProtocolError
from protocols.uplink.gaps import GapReason
from protocols.uplink.observations import DeviceObservations, encode_block
from tests.builders.gateway_device import device
from tests.builders.gateway_sessions import sessions
from tests.builders.uplink_blocks import observation, section
from tests.harness.eventually import eventually

FORMLESS = 66.6


@pytest.fixture
def no_form_for_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(sections: Sequence[DeviceObservations]) -> bytes:
        if any(each.value == FORMLESS for one in sections for each in one.observations):
            raise LocalProtocolError("a value has no form")
        return encode_block(sections)

    monkeypatch.setattr(blocks, "encode_block", encode)
    monkeypatch.setattr(formless, "encode_block", encode)


def test_observations_are_separated_into_encodable_and_unencodable_values_in_order(no_form_for_one_value: None) -> None:
    parted = part_by_form(
        [section(observation(1.0), observation(FORMLESS), observation(2.0)), section(observation(3.0))]
    )
    assert [[each.value for each in one.observations] for one in parted.formed] == [[1.0, 2.0], [3.0]]
    assert [[each.value for each in one.observations] for one in parted.formless] == [[FORMLESS]]
    assert (parted.formless_count, parted.why) == (1, "a value has no form")


@pytest.mark.finding("edge-C8")
async def test_unencodable_live_value_is_counted_in_a_gap_record_and_other_values_are_stored(
    tmp_path, no_form_for_one_value
):
    async with sessions(tmp_path) as gateway, device(gateway.address) as thermometer:
        for celsius in (36.6, FORMLESS, 36.7):
            await thermometer.measure(celsius, confirmed=False)
        await eventually(lambda: gateway.supervisor.sessions[0].counts.observations == 2)
        assert [row.value for row in await gateway.stored()] == [36.6, 36.7]
        gaps = [each.gap for each in await gateway.buffer.gaps()]
        assert [(gap.why, gap.observations) for gap in gaps] == [(GapReason.NOT_STORED, 1)]
        event = await gateway.event("store.no_form")
        assert (await gateway.event_names()).count("store.no_form") == 1
        assert event.fields == {"observations": 1, "kept": False, "why": "a value has no form"}


@pytest.mark.finding("edge-C8")
async def test_confirmed_report_without_an_encodable_value_is_refused(tmp_path, no_form_for_one_value):
    async with sessions(tmp_path) as gateway, device(gateway.address) as thermometer:
        assert await thermometer.measure(FORMLESS) == "refused"
        assert await thermometer.measure(36.6) == "answered"
        assert [each.gap for each in await gateway.buffer.gaps()] == [], "the device keeps it"
        report = gateway.context.histories.find(thermometer.system_id)
        assert report is not None
        assert report.refusals == {"no form in the record": 1}
