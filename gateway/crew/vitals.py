"""Tables of the measurements that the crew page shows, so that a clinician can review them at a glance.

One parameter has one tile. All types of a tile, and all devices that measure them, are sources of that tile; the page
shows one source and names it. A type without a row is shown after the others, in its own tile under its name in the
nomenclature.

The ages are not alarm limits. A continuous value arrives every few seconds, so it is ageing after 10 s and stale after
30 s. A spot value (cuff, thermometer, glucose meter) is stale after 15 minutes.
"""

from typing import NamedTuple

from protocols.ieee11073.nomenclature import Code, code_of, name_of, term_of
from protocols.observation import Channel

AGEING_S = 10.0
"""Age at which a continuous value is dimmed: several reports late, whatever the device's rhythm."""
STALE_S = 30.0
"""Age at which a continuous value no longer counts as the present: the patient may have changed since."""
SPOT_STALE_S = 900.0
"""Age at which a spot value no longer counts as the present: a cuff that runs every fifteen minutes is the slowest
programme of a transport monitor."""


class Tile(NamedTuple):
    """The tile of one parameter on the page. `place` is the section of the page: treatment, primary or secondary."""

    name: str
    place: str


TILES = (
    Tile("compression-rate",  "treatment"),
    Tile("compression-depth", "treatment"),
    Tile("shock-energy",      "treatment"),
    Tile("shock-count",       "treatment"),
    Tile("pacer-rate",        "treatment"),
    Tile("pacer-current",     "treatment"),
    Tile("pacer-mode",        "treatment"),
    Tile("heart-rate",        "primary"),
    Tile("spo2",              "primary"),
    Tile("nibp",              "primary"),
    Tile("etco2",             "primary"),
    Tile("respiration",       "primary"),
    Tile("temperature",       "primary"),
    Tile("glucose",           "secondary"),
    Tile("pads",              "secondary"),
    Tile("impedance",         "secondary"),
    Tile("perfusion",         "secondary"),
    Tile("inspired-co2",      "secondary"),
)  # fmt: skip
"""Tiles in the order of the page: during a cardiac arrest the treatment comes first, then the order of most
monitors."""


class Vital(NamedTuple):
    """One type of measurement. `colour`: CSS class. `decimals` None: as many decimals as the device sent."""

    type: str
    tile: str
    label: str
    colour: str
    decimals: int | None
    spot: bool = False


VITALS = (
    Vital("X_PRIVATE_01",                    "compression-rate",  "CPR rate",      "plain", 0),
    Vital("X_PRIVATE_02",                    "compression-depth", "CPR depth",     "plain", 0),
    Vital("X_PRIVATE_06",                    "shock-energy",      "Shock",         "plain", 0, spot=True),
    Vital("X_PRIVATE_05",                    "shock-count",       "Shocks",        "plain", 0, spot=True),
    Vital("X_PRIVATE_10",                    "pacer-rate",        "Pacer",         "plain", 0),
    Vital("X_PRIVATE_11",                    "pacer-current",     "Pacer mA",      "plain", 0),
    Vital("X_PRIVATE_12",                    "pacer-mode",        "Pacer mode",    "plain", 0),
    Vital("MDC_ECG_HEART_RATE",              "heart-rate",        "HR",            "ecg",   0),
    Vital("MDC_PULS_OXIM_PULS_RATE",         "heart-rate",        "Pulse",         "spo2",  0),
    Vital("MDC_PLETH_PULS_RATE",             "heart-rate",        "Pulse",         "spo2",  0),
    Vital("MDC_PULS_RATE",                   "heart-rate",        "Pulse",         "plain", 0),
    Vital("MDC_PULS_RATE_NON_INV",           "heart-rate",        "Pulse cuff",    "plain", 0, spot=True),
    Vital("MDC_PULS_OXIM_SAT_O2",            "spo2",              "SpO₂",          "spo2",  0),
    Vital("MDC_PRESS_BLD_NONINV",            "nibp",              "NIBP",          "plain", 0, spot=True),
    Vital("MDC_AWAY_CO2_ET",                 "etco2",             "EtCO₂",         "co2",   0),
    Vital("MDC_CONC_AWAY_CO2_ET",            "etco2",             "EtCO₂",         "co2",   1),
    Vital("MDC_CO2_RESP_RATE",               "respiration",       "Resp",          "resp",  0),
    Vital("MDC_RESP_RATE",                   "respiration",       "Resp",          "resp",  0),
    Vital("MDC_TTHOR_RESP_RATE",             "respiration",       "Resp",          "resp",  0),
    Vital("MDC_TEMP_CORE",                   "temperature",       "Temp core",     "plain", 1, spot=True),
    Vital("MDC_TEMP_BODY",                   "temperature",       "Temp",          "plain", 1, spot=True),
    Vital("MDC_TEMP_TYMP",                   "temperature",       "Temp ear",      "plain", 1, spot=True),
    Vital("MDC_TEMP_EAR",                    "temperature",       "Temp ear",      "plain", 1, spot=True),
    Vital("MDC_TEMP_ORAL",                   "temperature",       "Temp oral",     "plain", 1, spot=True),
    Vital("MDC_TEMP_RECT",                   "temperature",       "Temp rectal",   "plain", 1, spot=True),
    Vital("MDC_TEMP_AXILLA",                 "temperature",       "Temp axilla",   "plain", 1, spot=True),
    Vital("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "glucose",         "Glucose",       "plain", None, spot=True),
    Vital("MDC_CONC_GLU_CAPILLARY_PLASMA",   "glucose",           "Glucose",       "plain", None, spot=True),
    Vital("MDC_CONC_GLU_UNDETERMINED_WHOLEBLOOD", "glucose",      "Glucose",       "plain", None, spot=True),
    Vital("MDC_CONC_GLU_UNDETERMINED_PLASMA", "glucose",          "Glucose",       "plain", None, spot=True),
    Vital("X_PRIVATE_08",                    "pads",              "Pads",          "plain", 0),
    Vital("X_PRIVATE_09",                    "impedance",         "Impedance",     "plain", 0),
    Vital("MDC_PULS_OXIM_PERF_REL",          "perfusion",         "Perfusion",     "spo2",  1),
    Vital("MDC_AWAY_CO2_INSP_MIN",           "inspired-co2",      "FiCO₂",         "co2",   0),
    Vital("MDC_AWAY_CO2_INSP",               "inspired-co2",      "FiCO₂",         "co2",   0),
)  # fmt: skip
"""Types of measurements. Within a tile, the preferred type comes first: an electrical heart rate before a pulse
rate."""

_TILE_RANKS = {tile.name: rank for rank, tile in enumerate(TILES)}
_BY_CODE: dict[Code, tuple[int, Vital]] = {code_of(vital.type): (rank, vital) for rank, vital in enumerate(VITALS)}

_SPOT_PREFIXES = (
    *("MDC_CONC_GLU", "MDC_TEMP_", "MDC_MASS_", "MDC_LEN_BODY", "MDC_BODY_"),
    *("MDC_ATTR_VAL_BATT", "MDC_BLOOD_PRESSURE_MEASUREMENT_STATUS", "MDC_GLU_METER"),
)
"""Prefixes of types without a row that devices measure once and then leave or stay silent: meters, cuffs, thermometers,
scales."""
_SPOT_MODALITY = code_of("MDC_MODALITY_SPOT")
"""The supplemental type of an oximeter that measures one finger at a time (10404)."""

# Our private codes' bits; bit 0 of a BITS-16 is its most significant one. Other states are shown as numbers.
_STATE_WORDS = {
    "X_PRIVATE_08": {0x8000: "attached", 0: "not attached"},
    "X_PRIVATE_12": {0x8000: "fixed rate", 0x4000: "demand"},
}

# Units as monitors print them; UCUM's own spelling is for machines.
_UNIT_WORDS = {"mm[Hg]": "mmHg", "Cel": "°C", "{beat}/min": "/min", "Ohm": "Ω", "[degF]": "°F", "1": ""}


class Placed(NamedTuple):
    """A type of measurement with its tile. `order`: position of the tile on the page. `rank`: among the sources of a
    tile, the one with the lowest rank is preferred."""

    tile: Tile
    order: int
    rank: int
    vital: Vital


def place(code: Code) -> Placed:
    known = _BY_CODE.get(code)
    if known is None:
        name = name_of(code)
        vital = Vital(name, name, term_of(code).display, "plain", None, spot=name.startswith(_SPOT_PREFIXES))
        return Placed(Tile(name, "secondary"), len(TILES), len(VITALS), vital)
    rank, vital = known
    order = _TILE_RANKS[vital.tile]
    return Placed(TILES[order], order, rank, vital)


def limits_s(channel: Channel, vital: Vital) -> tuple[float, float]:
    """Return the ages in seconds at which a value is ageing and stale; the two are equal for a spot value."""
    if vital.spot or _SPOT_MODALITY in channel.supplemental_types:
        return SPOT_STALE_S, SPOT_STALE_S
    return AGEING_S, STALE_S


def state_words(code: Code, bits: int) -> str:
    """Return the words for a state that is sent as bits; the bits in hexadecimal where no words are known."""
    return _STATE_WORDS.get(name_of(code), {}).get(bits, f"0x{bits:X}")


def unit_words(unit: Code | None) -> str:
    """Return a unit as a monitor prints it; "" for None."""
    if unit is None:
        return ""
    ucum = term_of(unit).ucum
    return _UNIT_WORDS.get(ucum, ucum or name_of(unit))
