"""A synthetic encounter with each kind of resource and value, by which the bundle is checked at start-up."""

from protocols.device_time import absolute_time_at
from protocols.epcr.change import FieldChange
from protocols.epcr.encounter import EncounterStatus
from protocols.epcr.projection import partner_record
from protocols.epcr.record import current_record
from protocols.fhir.bundle import EncounterBundle
from protocols.fhir.devices import FIRMWARE, DeviceFacts
from protocols.fhir.encounter import EncounterFacts
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.observation import SampleArray, SampleFormat, Special, Value
from protocols.observation_record import ObservationRecord
from protocols.uplink.channels import DeviceRef
from protocols.uplink.lanes import Lane

_AT_US = 1_767_225_600_000_000
_ENCOUNTER = "enc_sample"
_KEY = bytes(32)
_CARE = (
    ("patient.age", "", "97"),
    ("patient.age_unit", "", "2516009"),
    ("patient.sex", "", "9919003"),
    ("situation.primary_impression", "", "I21.9"),
    ("vitals.systolic", "v1", "122"),
    ("vitals.diastolic", "v1", "81"),
    ("vitals.temperature", "v1", "37.5"),
    ("medications.drug", "m1", "703"),
    ("medications.dose", "m1", "300"),
    ("medications.dose_unit", "m1", "3706021"),
    ("medications.route", "m1", "9927023"),
    ("procedures.procedure", "p1", "268400002"),
    ("procedures.success", "p1", "9923003"),
)
_OXIMETER = DeviceRef("1122334455667788", "Synthetic Monitor")
_DEVICE = DeviceFacts(
    id="dev_sample",
    system_id=_OXIMETER.system_id,
    manufacturer="Synthetic",
    model="Monitor",
    serial_number="SN-1",
    device_class="multiparameter",
    versions={FIRMWARE: "1.0"},
)
_PRESSURE = ("MDC_PRESS_BLD_NONINV_SYS", "MDC_PRESS_BLD_NONINV_DIA", "MDC_PRESS_BLD_NONINV_MEAN")
_VALUES: tuple[tuple[str, str | None, Value | None], ...] = (
    ("MDC_PULS_OXIM_SAT_O2", "MDC_DIM_PERCENT", 97.0),
    ("MDC_PULS_OXIM_SAT_O2", "MDC_DIM_PERCENT", Special.NAN),
    ("MDC_PRESS_BLD_NONINV", "MDC_DIM_MMHG", (122.0, 81.0, Special.NRES)),
    ("MDC_ECG_ELEC_POTL_I", "MDC_DIM_MILLI_VOLT", None),
    ("MDC_PULS_OXIM_DEV_STATUS", None, 0x2100),
    ("MDC_ECG_RHY", None, code_of("MDC_ECG_ASY_RHY")),
    ("MDC_ECG_RHY", None, "text of a device"),
)


def sample_bundle() -> bytes:
    """Return the bundle of the synthetic encounter."""
    changes = [
        FieldChange(
            id=f"c{number}",
            encounter=_ENCOUNTER,
            key=key,
            entry=entry or None,
            value=value,
            author="usr_sample",
            gateway_time_us=_AT_US,
        )
        for number, (key, entry, value) in enumerate(_CARE)
    ]
    record = partner_record(current_record(changes), key=_KEY, encounter=_ENCOUNTER, mission_us=_AT_US)
    facts = EncounterFacts(
        tenant="ten_sample",
        id=_ENCOUNTER,
        organization_id="org_sample",
        care_model="prehospital_emergency",
        status=EncounterStatus.IN_PROGRESS,
        began_us=_AT_US,
    )
    part = EncounterBundle(facts, record).part(is_first=True)
    for number, (type_, unit, value) in enumerate(_VALUES):
        part.add(_observation(number, code_of(type_), None if unit is None else code_of(unit), value), _DEVICE)
    return part.encoded()


def _observation(number: int, type_: Code, unit: Code | None, value: Value | None) -> ObservationRecord:
    return ObservationRecord(
        gateway="gw_sample",
        epoch="epoch",
        lane=Lane.NUMERIC,
        sequence=1,
        index=number,
        device=_OXIMETER,
        handle=number + 1,
        person=None,
        type=type_,
        value=value,
        unit=unit,
        samples=bytes(8) if value is None else None,
        array=SampleArray(format=SampleFormat.I16, period_s=0.004, slope=0.001, offset=-2.0) if value is None else None,
        components=tuple(map(code_of, _PRESSURE)) if isinstance(value, tuple) and not isinstance(value, Code) else (),
        supplemental_types=(code_of("MDC_MODALITY_SPOT"),) if number == 0 else (),
        status=0x4000 if number == 0 else 0,
        device_time=absolute_time_at(_AT_US - 3_000_000),
        device_local_us=_AT_US - 3_000_000,
        observed_at_us=_AT_US,
        uncertainty_us=1000,
        received_at_us=_AT_US + 1000,
        stored=False,
    )
