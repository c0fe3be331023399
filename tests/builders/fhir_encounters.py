"""Generated encounters for the tests of FHIR bundles: devices of all classes, values of all kinds, random care
records."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from protocols.device_description import (
    NO_DESCRIPTION,
    CertifiedProfile,
    DeviceDescription,
    DeviceProfile,
)
from protocols.device_time import DeviceTime, absolute_time_at, base_offset_time_at
from protocols.epcr.catalogue import ELEMENTS, find_group
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.check import find_fault
from protocols.epcr.element import Element
from protocols.epcr.encounter import EncounterStatus
from protocols.epcr.projection import VisibleRecord, partner_record, treatment_record
from protocols.epcr.record import current_record
from protocols.epcr.value_sets import (
    Day,
    Decimal,
    Digits,
    EitherOf,
    Icd10,
    Letters,
    ListCode,
    Moment,
    OneOf,
    Position,
    Reference,
    Text,
    ValueSet,
    Whole,
)
from protocols.fhir.bundle import ENTRIES_MAX, EncounterBundle
from protocols.fhir.device_properties import CONTINUA_VERSION
from protocols.fhir.devices import FIRMWARE, DeviceFacts
from protocols.fhir.encounter import EncounterFacts
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.observation import SampleArray, SampleFormat, Special, Value
from protocols.observation_record import ObservationRecord
from protocols.uplink.channels import DeviceRef
from protocols.uplink.lanes import Lane

NOW_US = 1_800_000_000_000_000
ENCOUNTER, TENANT = "enc_test", "ten_test"
KEY = bytes(range(32))
SECOND_US = 1_000_000
STATUSES = (0, 0, 0, 0, 0x4000, 0x8000, 0x2000, 0x1000, 0x0800, 0x0400, 0x0080, 0x0040, 0x0020, 0x0002, 0x0001, 0xFFFF)

NUMERICS: Mapping[str, Sequence[tuple[str, str, float, float]]] = {
    "defib": (("MDC_ECG_HEART_RATE", "MDC_DIM_BEAT_PER_MIN", 30, 200), ("X_PRIVATE_01", "MDC_DIM_X_JOULES", 1, 360)),
    "ecg": (("MDC_ECG_HEART_RATE", "MDC_DIM_BEAT_PER_MIN", 30, 200),),
    "oximeter": (
        ("MDC_PULS_OXIM_SAT_O2", "MDC_DIM_PERCENT", 60, 100),
        ("MDC_PULS_OXIM_PULS_RATE", "MDC_DIM_BEAT_PER_MIN", 30, 200),
        ("MDC_PULS_OXIM_PERF_REL", "MDC_DIM_PERCENT", 0, 20),
    ),
    "bp": (
        ("MDC_PRESS_BLD_NONINV_SYS", "MDC_DIM_MMHG", 60, 220),
        ("MDC_PULS_RATE_NON_INV", "MDC_DIM_BEAT_PER_MIN", 40, 150),
    ),
    "glucose": (
        ("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "MDC_DIM_MILLI_G_PER_DL", 20, 500),
        ("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "MDC_DIM_MILLI_MOLE_PER_L", 1, 30),
    ),
    "etco2": (("MDC_AWAY_CO2_ET", "MDC_DIM_MMHG", 5, 90), ("MDC_AWAY_CO2_ET", "MDC_DIM_KILO_PASCAL", 1, 10)),
    "thermometer": (("MDC_TEMP_BODY", "MDC_DIM_DEGC", 30, 42), ("MDC_TEMP_BODY", "MDC_DIM_FAHR", 90, 108)),
    "multiparameter": (
        ("MDC_TTHOR_RESP_RATE", "MDC_DIM_RESP_PER_MIN", 5, 40),
        ("MDC_ECG_AMPL_ST_II", "MDC_DIM_MILLI_M", -3, 3),
        ("MDC_MASS_BODY_ACTUAL", "MDC_DIM_KILO_G", 2, 200),
    ),
}
"""Metrics of each class of devices: type, unit, least and greatest value."""
SPECIALS = tuple(Special)
PRESSURE = ("MDC_PRESS_BLD_NONINV_SYS", "MDC_PRESS_BLD_NONINV_DIA", "MDC_PRESS_BLD_NONINV_MEAN")


@dataclass(frozen=True, slots=True)
class GeneratedEncounter:
    """An encounter with its visible record, and its observations with the facts about their devices."""

    facts: EncounterFacts
    record: VisibleRecord
    observations: Sequence[tuple[ObservationRecord, DeviceFacts]]

    def parts(self, entries_max: int = ENTRIES_MAX) -> Iterator[bytes]:
        """Yield the parts of the bundle, as the cloud makes them."""
        bundle = EncounterBundle(self.facts, self.record)
        part, number = bundle.part(is_first=True, entries_max=entries_max), 0
        for record, device in self.observations:
            if part.is_full:
                number += 1
                yield part.encoded(f"https://api.example.org/part/{number}")
                part = bundle.part(is_first=False, entries_max=entries_max)
            part.add(record, device)
        yield part.encoded()


def encounter_facts(status: EncounterStatus = EncounterStatus.IN_PROGRESS, *, tenant: str = TENANT) -> EncounterFacts:
    return EncounterFacts(
        tenant=tenant,
        id=ENCOUNTER,
        organization_id="org_test",
        care_model="prehospital_emergency",
        status=status,
        began_us=NOW_US,
    )


def visible(*changes: FieldChange, identified: bool = False, key: bytes = KEY) -> VisibleRecord:
    """Return the record of these changes, as a partner or the treating hospital sees it."""
    record = current_record(changes)
    if identified:
        return treatment_record(record, key=key, encounter=ENCOUNTER)
    return partner_record(record, key=key, encounter=ENCOUNTER, mission_us=NOW_US)


DESCRIBED = DeviceDescription(
    part_number="PN-2",
    profiles=(DeviceProfile(4100, 2), DeviceProfile(4102, 1)),
    certified_version="6.0",
    certified=(CertifiedProfile(1, 4100), CertifiedProfile(4, 4100)),
    unregulated=False,
    clock_capabilities=0xC010,
    clock_protocol=7936,
    clock_accuracy_us=1_000,
    clock_resolution_us=10_000,
)


def device(device_class: str = "oximeter", number: int = 1, *, unverified: bool = False) -> DeviceFacts:
    return DeviceFacts(
        id=f"dev_{number}",
        system_id=f"{number:016x}",
        manufacturer="Synthetic Medical",
        model=f"Model {device_class}",
        serial_number=f"SN-{number}",
        device_class=device_class,
        unverified_link=unverified,
        versions={} if unverified else {FIRMWARE: "1.4", CONTINUA_VERSION: "6.0"},
        described=NO_DESCRIPTION if unverified else DESCRIBED,
    )


def observed(
    value: Value | None = 97.0,
    *,
    type_: str | Code = "MDC_PULS_OXIM_SAT_O2",
    unit: str | Code | None = "MDC_DIM_PERCENT",
    at_us: int = NOW_US,
    index: int = 0,
    status: int = 0,
    samples: bytes | None = None,
    array: SampleArray | None = None,
    components: Sequence[str] = (),
    supplemental: Sequence[str] = (),
    device_time: DeviceTime | None = None,
    received_at_us: int | None = None,
    gateway: str = "gw_test",
    system_id: str = f"{1:016x}",
) -> ObservationRecord:
    """Return an observation, with defaults for what a test does not examine."""
    return ObservationRecord(
        gateway=gateway,
        epoch="epoch-a" if gateway else "",
        lane=Lane.NUMERIC if samples is None else Lane.WAVEFORM,
        sequence=1 + index // 100,
        index=index % 100,
        device=DeviceRef(system_id, "Model"),
        handle=1,
        person=None,
        type=code_of(type_) if isinstance(type_, str) else type_,
        value=value,
        unit=code_of(unit) if isinstance(unit, str) else unit,
        samples=samples,
        array=array,
        components=tuple(map(code_of, components)),
        supplemental_types=tuple(map(code_of, supplemental)),
        status=status,
        device_time=device_time,
        device_local_us=None if device_time is None else device_time.local_us(),
        observed_at_us=at_us,
        uncertainty_us=1_000,
        received_at_us=at_us if received_at_us is None else received_at_us,
        stored=False,
    )


@dataclass(slots=True)
class _Generator:
    random: random.Random
    index: int = 0
    made: list[tuple[ObservationRecord, DeviceFacts]] = field(default_factory=list)

    def numeric(self, facts: DeviceFacts) -> None:
        type_, unit, low, high = self.random.choice(NUMERICS[facts.device_class])
        value: Value = round(self.random.uniform(low, high), self.random.randrange(3))
        if self.random.random() < 0.1:
            value = self.random.choice((*SPECIALS, 1e-7, -0.0, 123456789012.5))
        self.add(facts, observed(value, type_=type_, unit=unit, **self._shared(facts)))

    def other(self, facts: DeviceFacts) -> None:
        parts: tuple[float | Special, ...] = tuple(
            self.random.choice((round(self.random.uniform(40, 220), 1), *SPECIALS)) for _ in PRESSURE
        )
        array = SampleArray(
            format=self.random.choice(list(SampleFormat)),
            period_s=self.random.choice((0.004, 0.002, 1 / 360)),
            slope=self.random.choice((0.001, 1e-6, 0.5)),
            offset=self.random.choice((-2.0, 0.0)),
        )
        shared = self._shared(facts)
        waveform = observed(
            None,
            type_="MDC_ECG_ELEC_POTL_II",
            unit="MDC_DIM_MILLI_VOLT",
            samples=self.random.randbytes(self.random.choice((0, 3, 200))),
            array=array,
            **shared,
        )
        self.add(
            facts,
            self.random.choice(
                (
                    observed(parts, type_="MDC_PRESS_BLD_NONINV", unit="MDC_DIM_MMHG", components=PRESSURE, **shared),
                    observed(parts, type_="MDC_PRESS_BLD_NONINV", unit="MDC_DIM_MMHG", components=(), **shared),
                    waveform,
                    observed(self.random.randrange(1 << 16), type_="MDC_PULS_OXIM_DEV_STATUS", unit=None, **shared),
                    observed(self.random.randrange(1 << 32), type_=Code(2, 4711), unit=None, **shared),
                    observed(0, type_="MDC_PULS_OXIM_DEV_STATUS", unit=None, **shared),
                    observed(Code(2, 17_000), type_="MDC_ECG_RHY", unit=None, **shared),
                    observed(
                        self.random.choice(("Jan Kowalski", "", "\x01")), type_="MDC_ECG_RHY", unit=None, **shared
                    ),
                    observed(4.0, type_=Code(2, 61_731), unit=Code(4, 60_000), **shared),
                    observed(
                        1.0, type_="MDC_PULS_OXIM_SAT_O2", unit=None, supplemental=("MDC_MODALITY_SPOT",), **shared
                    ),
                )
            ),
        )

    def add(self, facts: DeviceFacts, record: ObservationRecord) -> None:
        self.made.append((record, facts))
        self.index += 1

    def _shared(self, facts: DeviceFacts) -> dict[str, object]:
        at_us = NOW_US + self.index * 100_003
        clock = self.random.choice(
            (
                None,
                absolute_time_at(at_us - 3 * SECOND_US),
                base_offset_time_at(at_us, 60),
                base_offset_time_at(at_us + 9 * SECOND_US),
            )
        )
        return {
            "at_us": at_us,
            "index": self.index,
            "status": self.random.choice(STATUSES),
            "device_time": clock,
            "received_at_us": at_us + 12_345,
            "system_id": facts.system_id,
        }


def generated_encounter(
    seed: int, *, observations: int = 150, changes: int = 120, identified: bool = False
) -> GeneratedEncounter:
    """Return an encounter that follows from `seed`: devices of all classes, invalid and special values, and a random
    care record with voids, contradictions, negatives and missing values."""
    generator = _Generator(random.Random(seed))
    devices = [device(one, number, unverified=number == 3) for number, one in enumerate(NUMERICS, 1)]
    for number in range(observations):
        facts = generator.random.choice(devices)
        (generator.other if number % 3 == 0 else generator.numeric)(facts)
    status = generator.random.choice(list(EncounterStatus))
    record = visible(*random_changes(generator.random, changes), identified=identified)
    return GeneratedEncounter(encounter_facts(status), record, generator.made)


def random_changes(chance: random.Random, count: int) -> Iterator[FieldChange]:
    """Yield changes that a crew may write, of all elements."""
    number = 0
    while number < count:
        element = chance.choice(ELEMENTS)
        entry = _entry(element, chance)
        content = chance.random()
        value = random_value(element.values, chance)
        negatives = sorted(element.instead)
        reasons = sorted(element.usage.reasons)
        change = FieldChange(
            id=f"change-{number}",
            encounter=ENCOUNTER,
            key=element.key,
            entry=entry,
            author=chance.choice(("usr_anna", "usr_jan")),
            gateway_time_us=NOW_US + number * SECOND_US,
            value=value if content < 0.8 else None,
            negative=chance.choice(negatives) if 0.8 <= content < 0.9 and negatives else None,
            not_recorded=chance.choice(reasons) if content >= 0.9 and reasons else None,
        )
        if change.content == (None, None, None):
            continue
        if element.with_value and content < 0.2:
            change = _with_negative(change, chance.choice(sorted(element.with_value)))
        assert find_fault(change) is None, find_fault(change)
        number += 1
        yield change
        if entry is not None and chance.random() < 0.05:
            yield FieldChange(
                id=f"void-{number}",
                encounter=ENCOUNTER,
                key=element.group,
                entry=entry,
                author="usr_anna",
                gateway_time_us=NOW_US + number * SECOND_US,
                action=Action.VOID,
                value="entered for another patient",
            )


def _with_negative(change: FieldChange, negative: str) -> FieldChange:
    return FieldChange(
        id=change.id,
        encounter=change.encounter,
        key=change.key,
        entry=change.entry,
        author=change.author,
        gateway_time_us=change.gateway_time_us,
        value=change.value,
        negative=negative,
    )


def _entry(element: Element, chance: random.Random) -> str | None:
    group = find_group(element.group)
    assert group is not None
    if not group.repeated:
        return None
    own = f"e{chance.randrange(3)}"
    return own if group.parent is None else f"p{chance.randrange(2)}/{own}"


def random_value(values: ValueSet, chance: random.Random) -> str:
    """Return a value that is in the value set."""
    match values:
        case Text():
            return ("Jan Kowalski, ul. Długa 5 " * 500)[: chance.randint(values.length_min, min(values.length_max, 60))]
        case ListCode(number=number):
            return f"{number}{chance.randrange(1, 90) * 2 - 1:03d}"
        case OneOf(codes=codes):
            return chance.choice(codes)
        case Icd10(chapters=chapters):
            return f"{chance.choice(chapters)}{chance.randrange(100):02d}.{chance.randrange(10)}"
        case Digits(length_min=least):
            return chance.choice(("703", "317361", "1191")) if least <= 3 else chance.choice(("268400002", "89666000"))
        case Letters():
            return "pol"
        case EitherOf(first=first, second=second):
            return random_value(chance.choice((first, second)), chance)
        case Whole(least=least, most=most, words=words):
            return chance.choice((str(chance.randint(least, most)), *words))
        case Decimal(least=least_number, most=most_number, places=places):
            return f"{chance.uniform(least_number, min(most_number, 999)):.{places}f}"
        case Moment():
            moment = datetime.fromtimestamp(NOW_US / SECOND_US, UTC) + timedelta(seconds=chance.randrange(-3600, 3600))
            return chance.choice((moment.isoformat(timespec="seconds"), moment.isoformat(timespec="milliseconds")))
        case Day():
            return "1964-02-29"
        case Position():
            return "52.2297,21.0122"
        case Reference():
            return "file_1"
    raise AssertionError(f"no generator of {values.rule}")
