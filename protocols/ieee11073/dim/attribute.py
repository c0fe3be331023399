"""Attribute ids and object classes of the domain information model, partition 1 (reference 20601 §8).

Only what the code asks for by name; any other attribute keeps its number and is skipped by its length.
"""

from protocols.ieee11073.mder import OpenIntEnum


class ObjectClass(OpenIntEnum):
    """obj-class of a configuration object."""

    ENUMERATION = 5
    NUMERIC = 6
    RT_SA = 9
    EPISODIC_SCANNER = 18
    PERIODIC_SCANNER = 19
    MDS = 37
    PM_STORE = 61
    PM_SEGMENT = 62


class Attribute(OpenIntEnum):
    """attribute-id of an AVA-Type or of an Attribute-Value-Map."""

    CONFIRM_MODE = 2323
    CONFIRM_TIMEOUT = 2324
    HANDLE = 2337
    LABEL_STRING = 2343
    SYSTEM_MODEL = 2344
    METRIC_ID = 2347
    PRODUCTION_SPECIFICATION = 2349
    TYPE = 2351
    MEASUREMENT_STATUS = 2375
    NU_COMPOUND = 2379
    NU_OBSERVED = 2384
    OPERATIONAL_STATE = 2387
    POWER_STATUS = 2389
    SA_SPECIFICATION = 2413
    SCALE_AND_RANGE_I16 = 2415
    SCALE_AND_RANGE_I32 = 2416
    SCALE_AND_RANGE_I8 = 2417
    REPORTING_INTERVAL = 2421
    SYSTEM_ID = 2436
    SYSTEM_TYPE = 2438
    DATE_AND_TIME = 2439
    SAMPLE_PERIOD = 2445
    RELATIVE_TIME = 2447
    TIME_STAMP_ABSOLUTE = 2448
    TIME_STAMP_RELATIVE = 2449
    TRANSMIT_WINDOW = 2453
    UNIT_CODE = 2454
    BATTERY_LEVEL = 2460
    ENUM_OBSERVED = 2462
    HIGH_RESOLUTION_TIME = 2536
    TIME_STAMP_HIGH_RESOLUTION = 2537
    DEV_CONFIGURATION_ID = 2628
    MDS_TIME_INFO = 2629
    METRIC_SPEC_SMALL = 2630
    SA_SIMPLE = 2632
    ENUM_SIMPLE_OID = 2633
    ENUM_SIMPLE_STRING = 2634
    REG_CERT_DATA_LIST = 2635
    NU_BASIC = 2636
    SCAN_HANDLE_ATTR_VAL_MAP = 2643
    ATTRIBUTE_VALUE_MAP = 2645
    NU_SIMPLE = 2646
    MEASURE_ACTIVE_PERIOD = 2649
    SYSTEM_TYPE_SPEC_LIST = 2650
    METRIC_ID_PARTITION = 2655
    ENUM_PARTITION = 2656
    SUPPLEMENTAL_TYPES = 2657
    ENUM_SIMPLE_BITS = 2661
    ENUM_BASIC_BITS = 2662
    METRIC_STRUCTURE_SMALL = 2675
    NU_COMPOUND_SIMPLE = 2676
    NU_COMPOUND_BASIC = 2677
    METRIC_ID_LIST = 2678
    SCAN_HANDLE_LIST = 2679
    BASE_OFFSET_TIME = 2689
    TIME_STAMP_BASE_OFFSET = 2690


SHAPING = frozenset(
    {
        Attribute.TYPE,
        Attribute.METRIC_ID,
        Attribute.METRIC_ID_LIST,
        Attribute.METRIC_ID_PARTITION,
        Attribute.UNIT_CODE,
        Attribute.SUPPLEMENTAL_TYPES,
        Attribute.SAMPLE_PERIOD,
        Attribute.SA_SPECIFICATION,
        Attribute.SCALE_AND_RANGE_I8,
        Attribute.SCALE_AND_RANGE_I16,
        Attribute.SCALE_AND_RANGE_I32,
        Attribute.ENUM_PARTITION,
    }
)
"""Attributes that say what an object's values mean. A report may change them, for its own values and all later ones."""

PARTITION_OBJECT = 1
PARTITION_METRIC = 2
PARTITION_DIMENSION = 4
PARTITION_INFRASTRUCTURE = 8
