"""Nomenclature codes of our extended configurations. Terms named X_PRIVATE_… (a defibrillator's shocks, compressions
and pacing) have no public code. Importing this module loads every table, so only modules that describe or simulate
devices import it.
"""

from protocols.ieee11073.nomenclature import Code, code_of

SPO2 = code_of("MDC_PULS_OXIM_SAT_O2")
PULSE_RATE_OXIMETER = code_of("MDC_PULS_OXIM_PULS_RATE")
PERFUSION = code_of("MDC_PULS_OXIM_PERF_REL")
PLETH = code_of("MDC_PULS_OXIM_PLETH")
HEART_RATE = code_of("MDC_ECG_HEART_RATE")
PRESSURE = code_of("MDC_PRESS_BLD_NONINV")
PRESSURE_PARTS = (
    code_of("MDC_PRESS_BLD_NONINV_SYS"),
    code_of("MDC_PRESS_BLD_NONINV_DIA"),
    code_of("MDC_PRESS_BLD_NONINV_MEAN"),
)
PULSE_RATE_CUFF = code_of("MDC_PULS_RATE_NON_INV")
CO2 = code_of("MDC_AWAY_CO2")
INSPIRED_CO2 = code_of("MDC_AWAY_CO2_INSP")
END_TIDAL_CO2 = code_of("MDC_AWAY_CO2_ET")
RESPIRATION_RATE = code_of("MDC_CO2_RESP_RATE")
IMPEDANCE_RESPIRATION = code_of("MDC_IMPED_TTHOR")
TEMPERATURE = code_of("MDC_TEMP_BODY")
BODY_MASS = code_of("MDC_MASS_BODY_ACTUAL")
BODY_HEIGHT = code_of("MDC_LEN_BODY_ACTUAL")
BODY_MASS_INDEX = code_of("MDC_RATIO_MASS_BODY_LEN_SQ")
GLUCOSE = code_of("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD")
MEAL = code_of("MDC_CTXT_GLU_MEAL")
MEAL_BEFORE = code_of("MDC_CTXT_GLU_MEAL_PREPRANDIAL")
MEAL_AFTER = code_of("MDC_CTXT_GLU_MEAL_POSTPRANDIAL")
EXERCISE = code_of("MDC_CTXT_GLU_EXERCISE")
LEAD_CODES: dict[str, Code] = {
    "I": code_of("MDC_ECG_ELEC_POTL_I"),
    "II": code_of("MDC_ECG_ELEC_POTL_II"),
    "III": code_of("MDC_ECG_ELEC_POTL_III"),
    "aVR": code_of("MDC_ECG_ELEC_POTL_AVR"),
    "aVL": code_of("MDC_ECG_ELEC_POTL_AVL"),
    "aVF": code_of("MDC_ECG_ELEC_POTL_AVF"),
    **{f"V{number}": code_of(f"MDC_ECG_ELEC_POTL_V{number}") for number in range(1, 7)},
}

COMPRESSION_RATE = code_of("X_PRIVATE_01")
COMPRESSION_DEPTH = code_of("X_PRIVATE_02")
SHOCK_COUNT = code_of("X_PRIVATE_05")
ENERGY_DELIVERED = code_of("X_PRIVATE_06")
ENERGY_SELECTED = code_of("X_PRIVATE_07")
PAD_STATUS = code_of("X_PRIVATE_08")
PAD_IMPEDANCE = code_of("X_PRIVATE_09")
PACER_RATE = code_of("X_PRIVATE_10")
PACER_CURRENT = code_of("X_PRIVATE_11")
PACER_MODE = code_of("X_PRIVATE_12")

PERCENT = code_of("MDC_DIM_PERCENT")
DIMENSIONLESS = code_of("MDC_DIM_DIMLESS")
BEATS_PER_MIN = code_of("MDC_DIM_BEAT_PER_MIN")
BREATHS_PER_MIN = code_of("MDC_DIM_RESP_PER_MIN")
PER_MIN = code_of("MDC_DIM_PER_MIN")
MMHG = code_of("MDC_DIM_MMHG")
CELSIUS = code_of("MDC_DIM_DEGC")
MILLIVOLT = code_of("MDC_DIM_MILLI_VOLT")
OHM = code_of("MDC_DIM_X_OHM")
JOULE = code_of("MDC_DIM_X_JOULES")
MILLIAMPERE = code_of("MDC_DIM_MILLI_AMPS")
MILLIMETRE = code_of("MDC_DIM_MILLI_M")
CENTIMETRE = code_of("MDC_DIM_CENTI_M")
KILOGRAM = code_of("MDC_DIM_KILO_G")
KILOGRAM_PER_M2 = code_of("MDC_DIM_KG_PER_M_SQ")
MILLIMOLE_PER_L = code_of("MDC_DIM_MILLI_MOLE_PER_L")
