"""The measurements of one call, reduced while they are read, and the proposals that follow from them.

Continuous values are kept once for each quarter of a minute: the best source of each element, and of this the first.
Blood pressures, temperatures and glucose values are kept one by one. So a call of hours needs a fixed memory; beyond
the limits the oldest values are dropped, and with them their proposals.
"""

from collections import OrderedDict
from collections.abc import Iterable

from protocols.epcr.catalogue import find_element
from protocols.epcr.measured import Reading, number_of, readings_of
from protocols.epcr.proposal import Proposal, ProposalKind, ProposedValue, device_event, vitals
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import MEASUREMENT_STATUS
from protocols.observation_record import ObservationRecord

SLOT_US = 15_000_000
SLOTS_MAX = 1_920
"""Quarters of a minute of one element: eight hours, longer than any call of one vehicle."""
SPOTS_MAX = 256
"""Spot values of one element: a cuff that measures every two minutes for eight hours."""
EVENTS_MAX = 256
"""Events of devices: shocks, pads and compressions of the longest resuscitation."""
SET_EVERY_US = 300_000_000
"""Interval of the sets without a blood pressure, as monitors keep their log (LIFEPAK 15 manual 7-7)."""
NEAR_US = 30_000_000
"""A continuous value belongs to a set if it was measured at most this much earlier or later."""
NEAR_SPOT_US = 150_000_000
"""The same for a temperature or a glucose value: half the interval of two sets."""
PAUSE_US = 30_000_000
"""Compressions, pacing and alarms that begin after a longer pause are a new event."""
DURING_COMPRESSIONS = "during_compressions"
"""Flag of a continuous value that was measured during chest compressions: it may be an artefact."""

_COUNT, _ENERGY = code_of("X_PRIVATE_05"), code_of("X_PRIVATE_06")
_PADS, _COMPRESSIONS = code_of("X_PRIVATE_08"), code_of("X_PRIVATE_01")
_PACER_RATE = code_of("X_PRIVATE_10")
_IN_ALARM = next(bit for bit, name in MEASUREMENT_STATUS.items() if name == "msmt-state-in-alarm")
_ATTACHED = 0x8000
_SHOCK_US = 10_000_000
"""The energy of a shock is reported within this time of its count."""
_MANUAL_SHOCK, _CPR, _PACING = "426220008", "89666000", "18590009"
"""SNOMED CT: defibrillation; cardiopulmonary resuscitation; external cardiac pacing."""
_PRESSURE = "vitals.systolic"


class CallMeasurements:
    """Takes the observations of a call in the order of their storage; `proposals` follow from what it has taken."""

    def __init__(self) -> None:
        self._slots: dict[str, OrderedDict[int, Reading]] = {}
        self._spots: dict[str, list[Reading]] = {}
        self._energies: list[ObservationRecord] = []
        self._events: OrderedDict[str, tuple[ProposalKind, ObservationRecord]] = OrderedDict()
        self._counts: dict[str, float] = {}
        self._pads: dict[str, bool] = {}
        self._continued_us: dict[tuple[ProposalKind, str, int], int] = {}
        self._compression_slots: OrderedDict[int, None] = OrderedDict()

    def add(self, records: Iterable[ObservationRecord]) -> None:
        """Take further observations."""
        for record in records:
            if record.samples is not None:
                continue
            self._take_event(record)
            for reading in readings_of(record):
                if reading.is_spot:
                    self._take_spot(reading)
                else:
                    self._take_continuous(reading)

    def _take_spot(self, reading: Reading) -> None:
        spots = self._spots.setdefault(reading.key, [])
        at_us, value = reading.record.observed_at_us, reading.value
        if any(each.record.observed_at_us == at_us and each.value == value for each in spots):
            return  # a device reports one measurement again
        spots.append(reading)
        del spots[:-SPOTS_MAX]

    def _take_continuous(self, reading: Reading) -> None:
        slots = self._slots.setdefault(reading.key, OrderedDict())
        slot = reading.record.observed_at_us // SLOT_US
        known = slots.get(slot)
        if known is None or _order(reading) < _order(known):
            slots[slot] = reading
        while len(slots) > SLOTS_MAX:
            slots.popitem(last=False)

    def _take_event(self, record: ObservationRecord) -> None:
        device, at_us = record.device.system_id, record.observed_at_us
        if record.type == _COUNT and (count := number_of(record)) is not None:
            before = self._counts.get(device)
            self._counts[device] = count
            if before is not None and count > before:
                self._note(ProposalKind.SHOCK, record)
        elif record.type == _ENERGY and number_of(record) is not None:
            self._energies.append(record)
            del self._energies[:-EVENTS_MAX]
        elif record.type == _PADS and isinstance(record.value, int):
            attached = bool(record.value & _ATTACHED)
            if attached and not self._pads.get(device, False):
                self._note(ProposalKind.PADS, record)
            self._pads[device] = attached
        elif record.type == _COMPRESSIONS and number_of(record):
            self._note_beginning(ProposalKind.COMPRESSIONS, record)
            self._compression_slots[at_us // SLOT_US] = None
            while len(self._compression_slots) > SLOTS_MAX:
                self._compression_slots.popitem(last=False)
        elif record.type == _PACER_RATE and number_of(record):
            self._note_beginning(ProposalKind.PACING, record)
        if record.status & _IN_ALARM and readings_of(record):
            self._note_beginning(ProposalKind.ALARM, record)

    def _note_beginning(self, kind: ProposalKind, record: ObservationRecord) -> None:
        """Note an event that continues while values arrive, once for each time that it begins."""
        key, at_us = (kind, record.device.system_id, record.handle), record.observed_at_us
        before_us = self._continued_us.get(key)
        if before_us is None or at_us - before_us > PAUSE_US:
            self._note(kind, record)
        if before_us is not None or len(self._continued_us) < EVENTS_MAX:
            self._continued_us[key] = at_us

    def _note(self, kind: ProposalKind, record: ObservationRecord) -> None:
        self._events[f"{kind}{record.sequence}/{record.index}"] = kind, record
        while len(self._events) > EVENTS_MAX:
            self._events.popitem(last=False)

    def proposals(self) -> list[Proposal]:
        """Return all proposals, the earliest first."""
        found = [self._set_at(anchor) for anchor in self._anchors()]
        found += [self._event(kind, record) for kind, record in self._events.values()]
        return sorted(found, key=lambda each: each.at_us)

    def _anchors(self) -> list[Reading]:
        """Return the readings that decide about the time of a set: each blood pressure, and where there is none for
        five minutes, the first continuous value."""
        anchors = list(self._spots.get(_PRESSURE, ()))
        taken = sorted(each.record.observed_at_us for each in anchors)
        firsts: dict[int, Reading] = {}
        for slots in self._slots.values():
            for slot, reading in slots.items():
                known = firsts.get(slot)
                if known is None or reading.record.observed_at_us < known.record.observed_at_us:
                    firsts[slot] = reading
        for slot in sorted(firsts):
            at_us = firsts[slot].record.observed_at_us
            if all(abs(at_us - other) >= SET_EVERY_US - SLOT_US for other in taken):
                anchors.append(firsts[slot])
                taken.append(at_us)
        return anchors

    def _set_at(self, anchor: Reading) -> Proposal:
        at_us = anchor.record.observed_at_us
        found = []
        for spots in self._spots.values():
            if anchor.is_spot and _is_of_cuff(spots[0]):
                found += [each for each in spots if each.record is anchor.record]
            elif not _is_of_cuff(spots[0]) and (near := _nearest(spots, at_us, NEAR_SPOT_US)) is not None:
                found.append(near)
        for slots in self._slots.values():
            here = at_us // SLOT_US
            near_slots = [slots[slot] for slot in range(here - 2, here + 3) if slot in slots]
            if (near := _nearest(near_slots, at_us, NEAR_US)) is not None:
                found.append(near)
        flags = (DURING_COMPRESSIONS,) if at_us // SLOT_US in self._compression_slots else ()
        return vitals(anchor, found, flags)

    def _event(self, kind: ProposalKind, record: ObservationRecord) -> Proposal:
        match kind:
            case ProposalKind.SHOCK:
                return device_event(kind, record, self._shock(record))
            case ProposalKind.COMPRESSIONS:
                return device_event(kind, record, [ProposedValue("procedures.procedure", _CPR)])
            case ProposalKind.PACING:
                return device_event(kind, record, _pacing(record))
            case ProposalKind.ALARM:
                return device_event(
                    kind, record, [ProposedValue("devices.interpretation", _alarm_text(record), record)]
                )
            case _:
                return device_event(kind, record, [ProposedValue("devices.event", "4103031")])

    def _shock(self, record: ObservationRecord) -> list[ProposedValue]:
        values = [ProposedValue("devices.event", "4103009"), ProposedValue("procedures.procedure", _MANUAL_SHOCK)]
        count = number_of(record)
        if count is not None and 1 <= count <= 100:
            values.append(ProposedValue("devices.shocks", str(round(count)), record))
        near = [
            each
            for each in self._energies
            if each.device.system_id == record.device.system_id
            and abs(each.observed_at_us - record.observed_at_us) <= _SHOCK_US
        ]
        if near:
            energy = min(near, key=lambda each: abs(each.observed_at_us - record.observed_at_us))
            joules = number_of(energy)
            if joules is not None and 1 <= joules <= 9000:
                values.append(ProposedValue("devices.shock_energy", f"{joules:.1f}".removesuffix(".0"), energy))
        return values


def _pacing(record: ObservationRecord) -> list[ProposedValue]:
    values = [ProposedValue("devices.event", "4103027"), ProposedValue("procedures.procedure", _PACING)]
    rate = number_of(record)
    if rate is not None and 1 <= rate <= 1000:
        values.append(ProposedValue("devices.pacing_rate", str(round(rate)), record))
    return values


def _alarm_text(record: ObservationRecord) -> str:
    """Return what the device's alarm was about, as a text in English: NEMSIS has no code for alarms."""
    reading = readings_of(record)[0]
    element = find_element(reading.key)
    assert element is not None, "each reading is of an element"
    unit = getattr(element.values, "unit", "")
    return f"Alarm: {element.english} {reading.value} {unit}".rstrip()


def _order(reading: Reading) -> tuple[bool, int, int]:
    """Return the sort key of sources: without a mark of the device, then the better type, then the earlier."""
    return reading.record.status != 0, reading.rank, reading.record.observed_at_us


def _is_of_cuff(reading: Reading) -> bool:
    return reading.key in ("vitals.systolic", "vitals.diastolic", "vitals.mean_pressure")


def _nearest(readings: Iterable[Reading], at_us: int, limit_us: int) -> Reading | None:
    near = [each for each in readings if abs(each.record.observed_at_us - at_us) <= limit_us]
    return min(near, key=lambda each: abs(each.record.observed_at_us - at_us), default=None)
