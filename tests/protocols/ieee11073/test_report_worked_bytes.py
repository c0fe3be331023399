"""The reports among the reference's worked examples (20601 §12) decode as the reference states, and are encoded
exactly.
"""

from array import array
from typing import Any

import pytest

from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import numeric
from protocols.ieee11073.dim.report_values import FullNumeric
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, variable_report
from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.specializations import standard_configuration
from protocols.observation import Observation, SampleFormat
from tests.builders.ieee11073_apdus import scan_report
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_devices import STAMP, ecg_configuration, minute
from tests.builders.reports_reading import Read

TAKEN = minute(145)


def standard(config_id: int) -> Configuration:
    found = standard_configuration(config_id)
    assert found is not None
    return found


OXIMETER, PRESSURE, SCALE = standard(0x0190), standard(0x02BC), standard(0x05DC)
THERMOMETER = Configuration(0x4050, (numeric(1, Code(2, 19292), Code(4, 6048), time_stamp=STAMP),))
ECG = ecg_configuration(8, SampleFormat.U16, (0, 4000))
ECG_SAMPLES = bytes.fromhex("07D007DC080308B60BC2071C07A807D1")

WORKED: dict[str, tuple[Configuration, ScanReport, dict[str, Any]]] = {
    "e10": (OXIMETER, fixed_report(OXIMETER, (Reading(1, 98.0), Reading(10, 72.0))), {"invoke_id": 3}),
    "e12": (
        PRESSURE,
        variable_report(PRESSURE, (Reading(1, (122.0, 81.0, 94.0), TAKEN, status=0x4000), Reading(2, 66.5, TAKEN))),
        {"invoke_id": 4, "report_no": 7},
    ),
    "e13": (
        THERMOMETER,
        variable_report(THERMOMETER, (Reading(1, FullNumeric(19292, 6048, 36.7), TAKEN),)),
        {"invoke_id": 5},
    ),
    "e17": (
        ECG,
        fixed_report(ECG, (Reading(1, ECG_SAMPLES), Reading(2, 75.0)), scanner=3),
        {"invoke_id": 8, "report_no": 1, "confirmed": False},
    ),
    "e28": (
        SCALE,
        fixed_report(SCALE, (Reading(1, 76.2, TAKEN, person=1), Reading(1, 58.45, TAKEN, person=2))),
        {"invoke_id": 14},
    ),
}


def read(name: str) -> list[Observation]:
    reading = Read(WORKED[name][0])
    observations = reading.octets(apdu(name))
    assert reading.sentences == []
    return observations


@pytest.mark.parametrize("name", WORKED)
def test_report_of_each_worked_example_is_encoded_to_the_bytes_of_the_reference(name: str) -> None:
    _, report, numbers = WORKED[name]
    assert scan_report(report, **numbers).hex() == apdu(name).hex()


def test_example_e10_decodes_to_saturation_98_and_pulse_rate_72() -> None:
    spo2, pulse = read("e10")
    assert (spo2.channel.type, spo2.channel.unit, spo2.value) == (Code(2, 19384), Code(4, 544), 98.0)
    assert (pulse.channel.type, pulse.channel.unit, pulse.value) == (Code(2, 18458), Code(4, 2720), 72.0)


def test_example_e12_decodes_to_a_questionable_pressure_and_a_valid_pulse_rate() -> None:
    pressure, pulse = read("e12")
    assert (pressure.value, pressure.status, pressure.device_time) == ((122.0, 81.0, 94.0), 0x4000, TAKEN)
    assert pressure.channel.components == (Code(2, 18949), Code(2, 18950), Code(2, 18951))
    assert (pulse.value, pulse.status, pulse.device_time) == (66.5, 0, TAKEN)


def test_example_e13_decodes_to_a_body_temperature_in_celsius() -> None:
    (temperature,) = read("e13")
    assert (temperature.channel.type, temperature.channel.unit) == (Code(2, 19292), Code(4, 6048))
    assert (temperature.value, temperature.status, temperature.device_time) == (36.7, 0, TAKEN)


def test_example_e17_decodes_to_a_scaled_ecg_waveform_and_a_heart_rate() -> None:
    lead, rate = read("e17")
    scale, raw = lead.channel.array, array("H", ECG_SAMPLES)
    raw.byteswap()
    assert scale is not None
    assert lead.samples == ECG_SAMPLES
    assert [scale.slope * raw[at] + scale.offset for at in (0, 4)] == pytest.approx([0.0, 1.01])
    assert scale.period_s == 0.004
    assert (rate.value, rate.channel.unit) == (75.0, Code(4, 2720))


def test_example_e28_decodes_to_the_weights_of_two_persons() -> None:
    found = read("e28")
    assert [(one.channel.person, one.value, one.device_time) for one in found] == [(1, 76.2, TAKEN), (2, 58.45, TAKEN)]
    assert {one.channel.unit for one in found} == {Code(4, 1731)}
