"""Tables of the measurements that the crew page shows, so that a clinician can review them at a glance.

One parameter has one tile. All types of a tile, and all devices that measure them, are sources of that tile; the page
shows one source and names it. A type without a row is shown after the others, in its own tile under its name in the
nomenclature.

The ages are not alarm limits. A continuous value arrives every few seconds, so it is ageing after 10 s and stale after
30 s. A spot value (cuff, thermometer, glucose meter) is stale after 15 minutes.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.crew.languages import Language
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
    """One type of measurement. `label`: key of its name in the files of languages (`vitals.labels`), "" for a type
    without a row. `colour`: CSS class. `decimals` None: as many decimals as the device sent."""

    type: str
    tile: str
    label: str
    colour: str
    decimals: int | None
    spot: bool = False


VITALS = (
    Vital("X_PRIVATE_01",                    "compression-rate",  "cpr_rate",          "plain", 0),
    Vital("X_PRIVATE_02",                    "compression-depth", "cpr_depth",         "plain", 0),
    Vital("X_PRIVATE_06",                    "shock-energy",      "shock",             "plain", 0, spot=True),
    Vital("X_PRIVATE_05",                    "shock-count",       "shocks",            "plain", 0, spot=True),
    Vital("X_PRIVATE_10",                    "pacer-rate",        "pacer",             "plain", 0),
    Vital("X_PRIVATE_11",                    "pacer-current",     "pacer_current",     "plain", 0),
    Vital("X_PRIVATE_12",                    "pacer-mode",        "pacer_mode",        "plain", 0),
    Vital("MDC_ECG_HEART_RATE",              "heart-rate",        "heart_rate",        "ecg",   0),
    Vital("MDC_PULS_OXIM_PULS_RATE",         "heart-rate",        "pulse",             "spo2",  0),
    Vital("MDC_PLETH_PULS_RATE",             "heart-rate",        "pulse",             "spo2",  0),
    Vital("MDC_PULS_RATE",                   "heart-rate",        "pulse",             "plain", 0),
    Vital("MDC_PULS_RATE_NON_INV",           "heart-rate",        "pulse_cuff",        "plain", 0, spot=True),
    Vital("MDC_PULS_OXIM_SAT_O2",            "spo2",              "spo2",              "spo2",  0),
    Vital("MDC_PRESS_BLD_NONINV",            "nibp",              "nibp",              "nibp",  0, spot=True),
    Vital("MDC_AWAY_CO2_ET",                 "etco2",             "etco2",             "co2",   0),
    Vital("MDC_CONC_AWAY_CO2_ET",            "etco2",             "etco2",             "co2",   1),
    Vital("MDC_CO2_RESP_RATE",               "respiration",       "respiration",       "resp",  0),
    Vital("MDC_RESP_RATE",                   "respiration",       "respiration",       "resp",  0),
    Vital("MDC_TTHOR_RESP_RATE",             "respiration",       "respiration",       "resp",  0),
    Vital("MDC_TEMP_CORE",                   "temperature",       "temperature_core",  "temp",  1, spot=True),
    Vital("MDC_TEMP_BODY",                   "temperature",       "temperature",       "temp",  1, spot=True),
    Vital("MDC_TEMP_TYMP",                   "temperature",       "temperature_ear",   "temp",  1, spot=True),
    Vital("MDC_TEMP_EAR",                    "temperature",       "temperature_ear",   "temp",  1, spot=True),
    Vital("MDC_TEMP_ORAL",                   "temperature",       "temperature_oral",  "temp",  1, spot=True),
    Vital("MDC_TEMP_RECT",                   "temperature",       "temperature_rectal", "temp",  1, spot=True),
    Vital("MDC_TEMP_AXILLA",                 "temperature",       "temperature_axilla", "temp",  1, spot=True),
    Vital("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "glucose",         "glucose",           "plain", None, spot=True),
    Vital("MDC_CONC_GLU_CAPILLARY_PLASMA",   "glucose",           "glucose",           "plain", None, spot=True),
    Vital("MDC_CONC_GLU_UNDETERMINED_WHOLEBLOOD", "glucose",      "glucose",           "plain", None, spot=True),
    Vital("MDC_CONC_GLU_UNDETERMINED_PLASMA", "glucose",          "glucose",           "plain", None, spot=True),
    Vital("X_PRIVATE_08",                    "pads",              "pads",              "plain", 0),
    Vital("X_PRIVATE_09",                    "impedance",         "impedance",         "plain", 0),
    Vital("MDC_PULS_OXIM_PERF_REL",          "perfusion",         "perfusion",         "spo2",  1),
    Vital("MDC_AWAY_CO2_INSP_MIN",           "inspired-co2",      "inspired_co2",      "co2",   0),
    Vital("MDC_AWAY_CO2_INSP",               "inspired-co2",      "inspired_co2",      "co2",   0),
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
    "X_PRIVATE_08": {0x8000: "attached", 0: "not_attached"},
    "X_PRIVATE_12": {0x8000: "fixed_rate", 0x4000: "demand"},
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
        vital = Vital(name, name, "", "plain", None, spot=name.startswith(_SPOT_PREFIXES))
        return Placed(Tile(name, "secondary"), len(TILES), len(VITALS), vital)
    rank, vital = known
    order = _TILE_RANKS[vital.tile]
    return Placed(TILES[order], order, rank, vital)


def limits_s(channel: Channel, vital: Vital) -> tuple[float, float]:
    """Return the ages in seconds at which a value is ageing and stale; the two are equal for a spot value."""
    if vital.spot or _SPOT_MODALITY in channel.supplemental_types:
        return SPOT_STALE_S, SPOT_STALE_S
    return AGEING_S, STALE_S


def label_words(code: Code, vital: Vital, words: Language) -> str:
    """Return the name of a type of measurement; the nomenclature's English name for a type without a row."""
    return words.text(f"vitals.labels.{vital.label}") if vital.label else term_of(code).display


def state_words(code: Code, bits: int, words: Language) -> str:
    """Return the words for a state that is sent as bits; the bits in hexadecimal where no words are known."""
    state = _STATE_WORDS.get(name_of(code), {}).get(bits)
    return f"0x{bits:X}" if state is None else words.text(f"vitals.states.{state}")


def status_words(names: Sequence[str], words: Language) -> list[str]:
    """Return the words for the flags of a measurement; the standard's own name where no words are known."""
    return [words.text_or(f"vitals.status.{name}", name.replace("-", " ")) for name in names]


def unit_words(unit: Code | None) -> str:
    """Return a unit as a monitor prints it; "" for None."""
    if unit is None:
        return ""
    ucum = term_of(unit).ucum
    return _UNIT_WORDS.get(ucum, ucum or name_of(unit))
