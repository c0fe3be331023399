"""The confirmed standard configurations, object by object as in the specialisations (reference 20601 §10)."""

from protocols.ieee11073.dim.attribute import PARTITION_DIMENSION, Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import SPOT_MEASUREMENT, compound, metric, numeric
from protocols.ieee11073.nomenclature.code import Code

_STAMP = Attribute.TIME_STAMP_ABSOLUTE
_SPOT = (metric(19516),)

_PERCENT = Code(PARTITION_DIMENSION, 544)
_BPM = Code(PARTITION_DIMENSION, 2720)
_MMHG = Code(PARTITION_DIMENSION, 3872)
_DEGC = Code(PARTITION_DIMENSION, 6048)
_KG = Code(PARTITION_DIMENSION, 1731)
_MG_PER_DL = Code(PARTITION_DIMENSION, 2130)

_SPO2 = metric(19384)
_OXIMETER_PULSE = metric(18458)

OXIMETER = Configuration(
    0x0190,
    (
        numeric(1, _SPO2, _PERCENT),
        numeric(10, _OXIMETER_PULSE, _BPM),
    ),
)
"""10404, continuous."""

OXIMETER_SPOT = Configuration(
    0x0191,
    (
        numeric(1, _SPO2, _PERCENT, time_stamp=_STAMP, supplemental_types=_SPOT),
        numeric(10, _OXIMETER_PULSE, _BPM, time_stamp=_STAMP, supplemental_types=_SPOT),
    ),
)
"""10404, spot measurements with a time."""

BLOOD_PRESSURE = Configuration(
    0x02BC,
    (
        compound(1, metric(18948), (metric(18949), metric(18950), metric(18951)), _MMHG, time_stamp=_STAMP),
        numeric(2, metric(18474), _BPM, time_stamp=_STAMP, metric_spec=SPOT_MEASUREMENT),
    ),
)
"""10407: systolic, diastolic and mean pressure, pulse."""

THERMOMETER = Configuration(
    0x0320, (numeric(1, metric(19292), _DEGC, time_stamp=_STAMP, metric_spec=SPOT_MEASUREMENT),)
)
"""10408."""

WEIGHING_SCALE = Configuration(
    0x05DC,
    (numeric(1, metric(57664), _KG, value=Attribute.NU_SIMPLE, time_stamp=_STAMP, metric_spec=SPOT_MEASUREMENT),),
)
"""10415."""

GLUCOSE_METER = Configuration(
    0x06A4, (numeric(1, metric(29112), _MG_PER_DL, time_stamp=_STAMP, metric_spec=SPOT_MEASUREMENT),)
)
"""10417: capillary whole blood."""

STANDARD_CONFIGURATIONS = (
    OXIMETER,
    OXIMETER_SPOT,
    BLOOD_PRESSURE,
    THERMOMETER,
    WEIGHING_SCALE,
    GLUCOSE_METER,
)
