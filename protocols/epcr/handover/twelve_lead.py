"""The part of an encounter's waveforms that the ECG of a hand-over shows: the last 12-lead ECG, or the last seconds.

A 12-lead ECG is an event of a device or a snapshot of the crew; both are stated in the record with their time.
"""

from collections.abc import Sequence

from protocols.epcr.handover.ecg import STRIP_S
from protocols.epcr.handover.wording import microseconds_of
from protocols.epcr.projection import VisibleRecord
from protocols.observation_record import ObservationRecord

SEARCH_US = 60_000_000
"""Time before the end of the call in which the ECG strip is searched, beside the time of the last 12-lead ECG."""
TWELVE_LEAD = "4103001"
"""NEMSIS: 12-lead ECG, a kind of device event (`devices.event`)."""
_SECOND_US = 1_000_000


def strip_interval(record: VisibleRecord, began_us: int, until_us: int) -> tuple[int, int]:
    """Return the time, within that of the call, from which the blocks of the strip are read."""
    recorded_us = last_twelve_lead(record)
    if recorded_us is not None and began_us <= recorded_us <= until_us:
        until_us = min(until_us, recorded_us + round(STRIP_S * _SECOND_US))
    return max(began_us, until_us - SEARCH_US), until_us


def last_blocks(records: Sequence[ObservationRecord]) -> list[ObservationRecord]:
    """Return the blocks that the strip needs: those of its length before the newest one."""
    if not records:
        return []
    since_us = max(each.observed_at_us for each in records) - round(STRIP_S * _SECOND_US) - 2 * _SECOND_US
    return [each for each in records if each.observed_at_us >= since_us]


def last_twelve_lead(record: VisibleRecord) -> int | None:
    """Return the time of the last 12-lead ECG among the device events, in µs since 1970."""
    times: dict[str, int] = {}
    recorded: set[str] = set()
    for field in record.fields:
        if field.void:
            continue
        if field.element.key == "devices.time" and (value := field.shown[0].value) is not None:
            times[field.entry] = microseconds_of(value)
        if field.element.key == "devices.event" and any(each.value == TWELVE_LEAD for each in field.shown):
            recorded.add(field.entry)
    return max((times[entry] for entry in recorded if entry in times), default=None)
