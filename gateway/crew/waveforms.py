"""Tables of the waveforms that the crew page draws: strip, colour and scale.

The page has four strips: the ECG, the pleth, the capnogram, and one for everything else. An ECG is drawn at the gain of
ECG paper, 10 mm/mV, so that noise of 0.1 mV is 1 mm high and is not taken for fibrillation. A waveform without a unit
(pleth) has no true height; the page scales it to the strip and labels it so.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.crew.languages import Language
from protocols.ieee11073.nomenclature import Code, name_of, term_of
from protocols.observation import Channel, Observation

STRIPS = ("ecg", "pleth", "co2", "more")
"""The strips of the page, from the top; each has waveforms of its kind."""
TWELVE_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_LEAD_PREFIX = "MDC_ECG_ELEC_POTL_"
_LEAD_II = f"{_LEAD_PREFIX}II"


class Look(NamedTuple):
    """The appearance of one waveform. `strip`: one of `STRIPS`. `scale`: ecg, co2 or fit (sweep.js). `name`: key of its
    name in the files of languages (`vitals.waves`), "" where the nomenclature's English name is shown."""

    prefix: str
    strip: str
    colour: str
    scale: str
    name: str


LOOKS = (
    Look("MDC_ECG_",              "ecg",   "ecg",   "ecg", "ecg"),
    Look("MDC_PULS_OXIM_PLETH",   "pleth", "spo2",  "fit", "pleth"),
    Look("MDC_AWAY_CO2",          "co2",   "co2",   "co2", "co2"),
    Look("MDC_CONC_AWAY_CO2",     "co2",   "co2",   "fit", "co2"),
    Look("MDC_IMPED_TTHOR",       "more",  "resp",  "fit", "respiration"),
    Look("MDC_RESP",              "more",  "resp",  "fit", "respiration"),
    Look("",                      "more",  "plain", "fit", ""),
)  # fmt: skip
"""Drawings by the beginning of the type's name, the first that matches; in the order in which a strip prefers them."""


def look_of(code: Code) -> Look:
    name = name_of(code)
    return next(look for look in LOOKS if name.startswith(look.prefix))


def lead_of(code: Code) -> str:
    """Return the name of an ECG lead as it is printed (I, II, aVR, V1); "" for another waveform."""
    name = name_of(code)
    if not name.startswith(_LEAD_PREFIX):
        return ""
    lead = name.removeprefix(_LEAD_PREFIX)
    return f"aV{lead[2:]}" if lead in ("AVR", "AVL", "AVF") else lead


def wave_words(code: Code, words: Language) -> str:
    """Return the name of a waveform."""
    look = look_of(code)
    name = words.text(f"vitals.waves.{look.name}") if look.name else term_of(code).display
    return f"{name} {lead_of(code)}".rstrip()


def preference(code: Code) -> tuple[int, bool]:
    """Return a sort key by which a strip's default waveform comes first. Waveforms are in the order of `LOOKS`, and ECG
    lead II comes before other leads."""
    return LOOKS.index(look_of(code)), name_of(code) != _LEAD_II


def samples(arrays: Iterable[Observation]) -> list[int]:
    """Return the raw samples of one channel's arrays as integers, in order."""
    raw: list[int] = []
    for observation in arrays:
        array, packed = observation.channel.array, observation.samples
        if array is not None and packed is not None:
            raw.extend(struct.unpack(f">{len(packed) // array.format.width_bytes}{array.format.value}", packed))
    return raw


def has_scale(channel: Channel) -> bool:
    """Return whether the channel's samples can be drawn, that is, whether their format and period are known."""
    return channel.array is not None and channel.array.period_s > 0


def newest_s(arrays: Sequence[Observation]) -> float:
    """Return the monotonic time in seconds at which the newest array was received."""
    return max(each.received_s for each in arrays)
