"""Partition 1024, our private codes: measurements of a defibrillator and a CPR sensor that have no public code.

They are not IEEE codes: partition 1024 is reserved for private use. They leave the project only as mappings to other
systems, never as if they were public.
"""

from typing import Final

from protocols.ieee11073.nomenclature.term import Term

TERMS: Final = (
    Term("X_PRIVATE_01", 1024, 61441, "metric", "CPR compression rate", "/min|{compression}/min"),
    Term("X_PRIVATE_02", 1024, 61442, "metric", "CPR compression depth", "mm|cm|[in_i]"),
    Term("X_PRIVATE_03", 1024, 61443, "metric", "CPR chest compression fraction", "%"),
    Term("X_PRIVATE_04", 1024, 61444, "metric", "CPR release/recoil velocity", "mm/s"),
    Term("X_PRIVATE_05", 1024, 61445, "metric", "Defibrillator shock count", "1|{shock}"),
    Term("X_PRIVATE_06", 1024, 61446, "metric", "Defibrillator energy delivered", "J"),
    Term("X_PRIVATE_07", 1024, 61447, "metric", "Defibrillator energy selected", "J"),
    Term("X_PRIVATE_08", 1024, 61448, "metric", "Defibrillator/pad status"),
    Term("X_PRIVATE_09", 1024, 61449, "metric", "Patient (pad) impedance", "Ohm"),
    Term("X_PRIVATE_10", 1024, 61450, "metric", "Pacer rate", "/min"),
    Term("X_PRIVATE_11", 1024, 61451, "metric", "Pacer current", "mA"),
    Term("X_PRIVATE_12", 1024, 61452, "metric", "Pacer mode"),
    Term("X_PRIVATE_13", 1024, 61453, "metric", "SpCO (non-invasive carboxyhaemoglobin)", "%"),
    Term("X_PRIVATE_14", 1024, 61454, "metric", "SpMet (non-invasive methaemoglobin)", "%"),
    Term("X_PRIVATE_15", 1024, 61455, "metric", "SpHb (non-invasive haemoglobin)", "g/dL"),
)
