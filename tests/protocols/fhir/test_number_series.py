"""Numbers of a series have the text that the same observations have as records."""

from collections.abc import Sequence

import pytest

from protocols.device_time import absolute_time_at, base_offset_time_at
from protocols.fhir.bundle import BundlePart, EncounterBundle
from protocols.fhir.devices import SentTime
from protocols.observation_record import ObservationRecord
from tests.builders.fhir_encounters import NOW_US, SECOND_US, device, encounter_facts, observed, visible


def part(*, as_lines: bool) -> BundlePart:
    return EncounterBundle(encounter_facts(), visible()).part(is_first=False, as_lines=as_lines)


def as_records(records: Sequence[ObservationRecord], *, as_lines: bool) -> list[str]:
    filled, facts = part(as_lines=as_lines), device()
    for record in records:
        filled.add(record, facts)
    return filled.take()


def as_numbers(records: Sequence[ObservationRecord], *, as_lines: bool) -> list[str]:
    filled, facts = part(as_lines=as_lines), device()
    series = filled.series(records[0], facts)
    for record in records:
        assert isinstance(record.value, float)
        time = record.device_time
        filled.add_number(
            series,
            record.sequence,
            record.index,
            record.value,
            observed_at_us=record.observed_at_us,
            received_at_us=record.received_at_us,
            sent=None if time is None else SentTime(time, record.device_local_us),
        )
    return filled.take()


@pytest.mark.parametrize("as_lines", [False, True], ids=["entries", "lines"])
@pytest.mark.parametrize("status", [0, 0x8000, 0x4000 | 0x0800], ids=["valid", "invalid", "questionable test"])
@pytest.mark.parametrize("gateway", ["gw_test", ""], ids=["gateway", "none"])
def test_number_of_a_series_has_the_text_of_its_record(status: int, gateway: str, as_lines: bool):
    late_us = NOW_US + 3_700 * SECOND_US
    times = [
        (NOW_US, None),
        (NOW_US + 1, absolute_time_at(NOW_US - 7 * SECOND_US)),
        (NOW_US + SECOND_US, base_offset_time_at(NOW_US + SECOND_US)),
        (late_us, absolute_time_at(late_us - 7 * SECOND_US)),
    ]
    records = [
        observed(
            97.0 + number / 4,
            at_us=at_us,
            index=99 + number,
            status=status,
            gateway=gateway,
            device_time=time,
            received_at_us=at_us + 12_000,
        )
        for number, (at_us, time) in enumerate(times)
    ]
    lines = as_numbers(records, as_lines=as_lines)
    assert lines == as_records(records, as_lines=as_lines)
    assert len(lines) > len(records)
