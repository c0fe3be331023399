"""Captures of another IEEE 11073-20601 stack decode to exactly the values that its agent was given to send."""

from array import array
from typing import Any

import pytest

from protocols.deviation import Deviation
from protocols.ieee11073.association.events import Aborted, Associated, ConfigurationAgreed, LinkLost, Released
from protocols.ieee11073.association.manager_events import MdsRead, ReportReceived
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Observation, SampleFormat
from tests.builders.ieee11073_apdus import report_response, rlre
from tests.builders.ieee11073_captures import CapturePlayer, Played
from tests.harness.shared import shared_path

WITH_TRUTH = (
    "config_bloodpressure_02bc",
    "config_oximeter_0190",
    "config_oximeter_0191",
    "end_agent_abort",
    "end_agent_drop",
    "end_manager_release",
    "known_bloodpressure_02bc",
    "known_oximeter_0190",
    "known_oximeter_0191",
)
UNITS = {"%": Code(4, 544), "bpm": Code(4, 2720), "mmHg": Code(4, 3872)}
TYPES = {
    "spo2": Code(2, 19384),
    ("pulse", 10): Code(2, 18458),
    ("pulse", 2): Code(2, 18474),
    "sys": Code(2, 18949),
    "dia": Code(2, 18950),
    "mean": Code(2, 18951),
}
Row = tuple[str | None, int, Code, object, Code | None]


def play(name: str, *, known: bool, octets_a_read: int | None = None) -> Played:
    path = shared_path(f"data/captures/{name}.jsonl")
    return CapturePlayer(path, known_configurations=known).play(octets_a_read=octets_a_read)


def rows(observations: list[Observation]) -> list[Row]:
    """Return (device time, handle, type, value, unit) for each value; a compound gives one row for each component."""
    found: list[Row] = []
    for one in observations:
        time = None if one.device_time is None else one.device_time.text()
        channel = one.channel
        values = one.value if isinstance(one.value, tuple) and channel.components else (one.value,)
        types = channel.components or (channel.type,)
        found += [(time, channel.handle, code, value, channel.unit) for code, value in zip(types, values, strict=True)]
    return found


def truth_rows(truth: list[dict[str, Any]]) -> list[Row]:
    return [
        (
            report["time"],
            value["handle"],
            TYPES.get(value["name"]) or TYPES[value["name"], value["handle"]],
            float(value["value"]),
            UNITS[value["unit"]],
        )
        for report in truth
        for value in report["values"]
    ]


@pytest.mark.parametrize("known", [True, False], ids=["known-configurations", "asks-for-the-configuration"])
@pytest.mark.parametrize("name", WITH_TRUTH)
def test_capture_decodes_to_exactly_the_recorded_observations(name: str, known: bool) -> None:
    played = play(name, known=known)
    assert rows(played.observations) == truth_rows(played.meta["truth"])
    associated = next(event for event in played.events if isinstance(event, Associated))
    assert associated.configuration_known is known
    agreed = next(event for event in played.events if isinstance(event, ConfigurationAgreed))
    assert agreed.learned is not known


@pytest.mark.parametrize("name", WITH_TRUTH)
def test_capture_read_byte_by_byte_decodes_to_the_recorded_observations(name: str) -> None:
    played = play(name, known=True, octets_a_read=1)
    assert rows(played.observations) == truth_rows(played.meta["truth"])


def test_every_capture_file_with_recorded_observations_is_tested() -> None:
    names = {
        path.stem
        for path in shared_path("data/captures").glob("*.jsonl")
        if '"truth"' in path.read_text().split("\n", 1)[0]
    }
    assert names == set(WITH_TRUTH)


def test_abort_or_release_or_lost_link_in_a_capture_is_reported() -> None:
    assert isinstance(play("end_agent_abort", known=True).events[-2], Aborted)
    assert [type(event) for event in play("end_agent_drop", known=True).events[-2:]] == [ReportReceived, LinkLost]
    released = play("known_bloodpressure_02bc", known=True)
    assert [type(event) for event in released.events[-2:]] == [Released, LinkLost]
    assert released.answers[-1] == rlre()


def test_confirmed_reports_are_acknowledged_with_the_invoke_ids_of_the_agent() -> None:
    answers = play("known_bloodpressure_02bc", known=True).answers
    assert answers[2:5] == [report_response(invoke_id) for invoke_id in (0, 1, 2)]


def test_undeclared_time_stamps_of_configuration_0190_are_one_deviation_per_handle() -> None:
    played = play("known_oximeter_0190", known=True)
    sentences = [event.sentence for event in played.events if isinstance(event, Deviation)]
    assert sentences == [
        "the clock that the device shows is no time",
        "observations of handle 1 end with a time that their map does not declare",
        "observations of handle 10 end with a time that their map does not declare",
        "a report has the number of the one before it",
    ]


def test_system_id_is_read_from_an_mds_with_empty_attributes() -> None:
    played = play("known_bloodpressure_02bc", known=True)
    identity = next(event.identity for event in played.events if isinstance(event, MdsRead))
    assert identity.system_id.hex() == "00091ffffe801001"
    assert (identity.manufacturer, identity.model, identity.config_id) == ("", "", 0x02BC)
    assert len(identity.attributes) == 17


# Hand decodes, from the bytes, of the captures that have no truth file.

SPO2_AND_PULSE = ((1, Code(2, 19384), Code(4, 544)), (10, Code(2, 18458), Code(4, 2720)))


@pytest.mark.parametrize("known", [True, False])
def test_values_of_capture_file_agent_vs_settime_equal_the_manually_decoded_values(known: bool) -> None:
    # obs-val-data 0062 2024050607080950, 0048 …; 0061 2024050607081050, 0047 …; 0060 2024050607081150, 0046 …
    by_hand = [("09.500", 98.0, 72.0), ("10.500", 97.0, 71.0), ("11.500", 96.0, 70.0)]
    expected = [
        (f"2024-05-06T07:08:{second}", handle, code, value, unit)
        for second, *values in by_hand
        for (handle, code, unit), value in zip(SPO2_AND_PULSE, values, strict=True)
    ]
    assert rows(play("agent_vs_settime", known=known).observations) == expected


# 0003 0006 0078 0050 005D 2024050607080950 of handle 1, 0040 2024050607080950 of handle 2
PRESSURE_BY_HAND = [
    ("2024-05-06T07:08:09.500", 1, Code(2, 18949), 120.0, Code(4, 3872)),
    ("2024-05-06T07:08:09.500", 1, Code(2, 18950), 80.0, Code(4, 3872)),
    ("2024-05-06T07:08:09.500", 1, Code(2, 18951), 93.0, Code(4, 3872)),
    ("2024-05-06T07:08:09.500", 2, Code(2, 18474), 64.0, Code(4, 2720)),
]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("octets_a_read", [None, 1, 7])
def test_values_of_capture_file_neg_byte_by_byte_equal_the_manually_decoded_values(
    known: bool, octets_a_read: int | None
) -> None:
    played = play("neg_byte_by_byte", known=known, octets_a_read=octets_a_read)
    assert rows(played.observations) == PRESSURE_BY_HAND


@pytest.mark.parametrize("known", [True, False])
def test_values_of_capture_file_neg_two_apdus_one_segment_equal_the_manually_decoded_values(known: bool) -> None:
    played = play("neg_two_apdus_one_segment", known=known)
    assert rows(played.observations) == PRESSURE_BY_HAND * 2
    assert played.answers[-2:] == [report_response(1), report_response(2)]


@pytest.mark.parametrize("known", [True, False])
def test_values_of_capture_file_synth_ecg_rtsa_equal_the_manually_decoded_values(known: bool) -> None:
    played = play("synth_ecg_rtsa", known=known)
    waves, rates = played.observations[0::2], played.observations[1::2]
    assert [rate.value for rate in rates] == [72.0] * 4
    assert {(rate.channel.handle, rate.channel.type, rate.channel.unit) for rate in rates} == {
        (2, Code(2, 16770), Code(4, 2720))
    }
    for number, wave in enumerate(waves):
        scale = wave.channel.array
        assert scale is not None
        # 098D 00000020: 32 × 125 µs; 096F 00FFFFFB 00000005 0000 0FFF: -5 … 5 mV over 0 … 4095; 096D 0064 10 0C: U16
        assert (scale.format, scale.period_s, scale.offset) == (SampleFormat.U16, 0.004, -5.0)
        assert scale.slope == pytest.approx(10 / 4095, rel=1e-15)
        assert (wave.channel.type, wave.channel.unit) == (Code(2, 257), Code(4, 4274))
        samples = array("H", wave.samples or b"")
        samples.byteswap()
        # 0000 0025 004A … 0E4F: steps of 37; each report starts 100 higher
        assert samples.tolist() == [100 * number + 37 * at for at in range(100)]
    model = next(event.identity for event in played.events if isinstance(event, MdsRead))
    assert (model.manufacturer, model.model, model.serial_number) == ("Synthetic", "ECG", "SN-0001")
