"""Configurations of devices that tests associate, and a manager in the operating state."""

from datetime import UTC, datetime, timedelta

from protocols.device_time import DeviceTime, absolute_time
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import compound, enumeration, numeric, periodic_scanner, waveform
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import SampleFormat
from tests.builders.ieee11073_apdus import AGENT_ID, MANAGER_ID, aarq, config_report, get_response

PERCENT, BPM, MMHG, MILLIVOLT = Code(4, 544), Code(4, 2720), Code(4, 3872), Code(4, 4274)
SPO2, PULSE, ECG_I, HEART_RATE = Code(2, 19384), Code(2, 18458), Code(2, 257), Code(2, 16770)
PRESSURE, SYSTOLIC, DIASTOLIC, MEAN = Code(2, 18948), Code(2, 18949), Code(2, 18950), Code(2, 18951)
STAMP = Attribute.TIME_STAMP_ABSOLUTE


def minute(number: int, hundredths: int = 0) -> DeviceTime:
    """Return the absolute device time `number` minutes and `hundredths` of a second after noon."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    return absolute_time(noon + timedelta(minutes=number, milliseconds=10 * hundredths))


OXIMETER = Configuration(
    0x4001, (numeric(1, SPO2, PERCENT, time_stamp=STAMP), numeric(10, PULSE, BPM, time_stamp=STAMP))
)
BLOOD_PRESSURE = Configuration(
    0x4002,
    (compound(1, PRESSURE, (SYSTOLIC, DIASTOLIC, MEAN), MMHG, time_stamp=STAMP), numeric(2, PULSE, BPM)),
)


def ecg_configuration(
    samples: int = 8, sample_format: SampleFormat = SampleFormat.I16, raw: tuple[int, int] = (-2000, 2000)
) -> Configuration:
    """Return a configuration with ECG lead I at 250 Hz, -2 to 2 mV, and a heart rate; the scanner with handle 3 reports
    both."""
    lead = waveform(
        1,
        ECG_I,
        MILLIVOLT,
        period_s=0.004,
        samples=samples,
        sample_format=sample_format,
        physical=(-2.0, 2.0),
        raw=raw,
    )
    rate = numeric(2, HEART_RATE, BPM)
    return Configuration(0x4003, (lead, rate, periodic_scanner(3, (lead, rate), interval_s=0.032)))


ALARMS = Configuration(
    0x4004,
    (
        enumeration(1, Code(2, 100), value=Attribute.ENUM_SIMPLE_OID, partition=10),
        enumeration(2, Code(2, 101), value=Attribute.ENUM_BASIC_BITS),
        enumeration(3, Code(2, 102), value=Attribute.ENUM_SIMPLE_BITS),
        enumeration(4, Code(2, 103), value=Attribute.ENUM_SIMPLE_STRING),
    ),
)


def manager(*, known: Configuration | None = None, settings: ManagerSettings | None = None) -> ManagerAssociation:
    """Return a manager on a new link, which remembers the configuration `known` of the test agent, if given."""
    remembered = RememberedConfigurations()
    if known is not None:
        remembered.remember(AGENT_ID, known.config_id, known.encoded)
    return ManagerAssociation(system_id=MANAGER_ID, configurations=remembered, settings=settings)


def operating_manager(configuration: Configuration, settings: ManagerSettings | None = None) -> ManagerAssociation:
    """Return a manager in the operating state, with an empty outbox, which has received this configuration and read the
    MDS."""
    associated = manager(settings=settings)
    told: list[Event] = []
    for octets in (aarq(configuration.config_id), config_report(configuration), get_response()):
        told += associated.receive(octets, 0.0)
    associated.to_send()
    return associated
