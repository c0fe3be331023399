"""Profiles of a simulated vehicle: the devices whose reports its gateway stores and sends."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ProfileName(StrEnum):
    """Names of the profiles, as the command line has them."""

    FULL = "full"
    MONITOR = "monitor"
    VITALS = "vitals"


@dataclass(frozen=True, slots=True)
class Profile:
    """The devices of a vehicle, as kinds of `simulators.agents.kinds`."""

    kinds: tuple[str, ...]


PROFILES: Final[Mapping[ProfileName, Profile]] = {
    # A vehicle with a patient under full monitoring: 12-lead ECG, pleth, capnogram and respiration, the ECG of the
    # defibrillator's pads, and the numbers of both.
    ProfileName.FULL: Profile(("monitor", "defibrillator")),
    # The monitor alone: 15 waveforms and their numbers.
    ProfileName.MONITOR: Profile(("monitor",)),
    # A vehicle without waveforms: an oximeter, a cuff and a thermometer.
    ProfileName.VITALS: Profile(("oximeter", "blood-pressure", "thermometer")),
}
