"""The slow computation of quality indicators, which the sums of the product are compared with.

It reads the whole record of each encounter, and shares no rule, no score and no selection of changes with
`cloud.clinical.acqi`: each indicator is written a second time, as a function of the record.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from cloud.clinical.epcr import CareLog, Encounters
from cloud.foundation.db import Transaction
from cloud.foundation.viewer import Viewer
from protocols.epcr.record import CareRecord, current_record

Share = tuple[int, int]
"""The numbers that an encounter adds to numerator and denominator."""

_BELOW_ALERT = ("3326003", "3326005", "3326007")


class _Sheet:
    """The values of a record, each with its entry. A value beside a negative is one only if it is approximate."""

    def __init__(self, record: CareRecord) -> None:
        self.values = [
            (field.name.key, field.name.entry, one.value)
            for field in record.fields
            if record.declared_void(field.name) is None
            for one in field.shown
            if one.value is not None and one.negative in (None, "approximate")
        ]

    def of(self, key: str) -> list[str]:
        return [value for name, _, value in self.values if name == key]

    def has(self, *keys: str) -> bool:
        return any(self.of(key) for key in keys)

    def states(self, key: str, *codes: str) -> bool:
        return not set(self.of(key)).isdisjoint(codes)

    def impression(self, *beginnings: str) -> bool:
        stated = self.of("situation.primary_impression") + self.of("situation.secondary_impressions")
        return any(code.startswith(beginning) for code in stated for beginning in beginnings)

    def numbers(self, key: str) -> Iterator[float]:
        for value in self.of(key):
            if value.replace(".", "", 1).replace("-", "", 1).isdecimal():
                yield float(value)

    def seconds(self, begin: str, end: str) -> int | None:
        """Return the seconds from the first time of one element to that of the other, if they are plausible."""
        times = [[datetime.fromisoformat(value).timestamp() for value in self.of(key)] for key in (begin, end)]
        if not all(times):
            return None
        elapsed_s = int(min(times[1]) - min(times[0]))
        return elapsed_s if 0 <= elapsed_s <= 24 * 3600 else None

    @property
    def emergency(self) -> bool:
        return self.states("call.service_requested", "2205001", "2205003", "2205009")

    @property
    def tried(self) -> bool:
        return self.states("arrest.resuscitation", "3003001", "3003003", "3003005")

    @property
    def resuscitated(self) -> bool:
        return self.tried and self.states("arrest.present", "3001003", "3001005")

    @property
    def arrested_before_arrival(self) -> bool:
        return self.tried and self.states("arrest.present", "3001003")

    @property
    def shockable(self) -> bool:
        return self.states("arrest.first_rhythm", "3011009", "3011011", "3011013")

    @property
    def stroke(self) -> bool:
        return self.impression("I60", "I61", "I63", "I64", "G45", "G46")

    @property
    def stroke_scale(self) -> bool:
        return self.has("vitals.stroke_result", "vitals.stroke_scale", "vitals.stroke_score")

    @property
    def not_alert(self) -> bool:
        return self.states("vitals.avpu", *_BELOW_ALERT) or any(sum < 15 for sum in self.numbers("vitals.gcs_sum"))

    def gave(self, *drugs: str) -> bool:
        return self.states("medications.drug", *drugs)


def _share(counts: bool, achieved: bool) -> Share | None:
    return (int(achieved), 1) if counts else None


def _mean(counts: bool, seconds: int | None) -> Share | None:
    return (seconds, 1) if counts and seconds is not None else None


def _rosc_utstein(sheet: _Sheet) -> Share | None:
    witnessed = sheet.states("arrest.witnessed_by", "3004003", "3004005", "3004007")
    cardiac = sheet.states("arrest.cause", "3002001")
    counts = sheet.arrested_before_arrival and witnessed and cardiac and sheet.shockable
    return _share(counts, sheet.states("arrest.rosc", "3012003"))


def _aspirin(sheet: _Sheet) -> Share | None:
    ecg = sheet.states("vitals.rhythm", "9901051", "9901053", "9901055", "9901057", "9901058")
    return _share(ecg or sheet.impression("I21.0", "I21.1", "I21.2", "I21.3"), sheet.gave("1191"))


def _hypoglycemia(sheet: _Sheet) -> Share | None:
    low = any(value < 60 for value in sheet.numbers("vitals.glucose"))
    drugs = ("4832", "4850", "237653", "260258", "309778", "372326", "376937", "377980")
    return _share(sheet.emergency and low and sheet.not_alert, sheet.gave(*drugs))


def _asthma(sheet: _Sheet) -> Share | None:
    infant = sheet.states("patient.age_unit", "2516009") and any(age < 2 for age in sheet.numbers("patient.age"))
    counts = sheet.emergency and sheet.impression("J45", "J98.01") and not infant
    return _share(counts, sheet.gave("435", "237159", "6760"))


def _seizure(sheet: _Sheet) -> Share | None:
    epileptic = sheet.impression("G41", "G40.001", "G40.011", "G40.301", "G40.901", "G40.911")
    return _share(sheet.emergency and epileptic, sheet.gave("3322", "6470", "6960", "203128"))


def _sirens(sheet: _Sheet) -> Share | None:
    stated = sheet.states("call.mode_details", "2224015", "2224017", "2224019", "2224021", "2224023")
    return _share(sheet.emergency and stated, sheet.states("call.mode_details", "2224019"))


def _brain_injury(sheet: _Sheet) -> Share | None:
    sets: dict[str, set[str]] = {}
    for key, entry, _ in sheet.values:
        sets.setdefault(entry, set()).add(key)
    wanted = {"vitals.spo2", "vitals.etco2", "vitals.systolic"}
    return _share(sheet.emergency and sheet.impression("S06"), any(wanted <= keys for keys in sets.values()))


REFERENCE: dict[str, Callable[[_Sheet], Share | None]] = {
    "rosc_survival": lambda it: _share(it.resuscitated, it.states("arrest.rosc", "3012003")),
    "rosc_survival_utstein": _rosc_utstein,
    "arrest_any_rosc": lambda it: _share(it.resuscitated, it.states("arrest.rosc", "3012003", "3012005", "3012007")),
    "arrest_bystander_cpr": lambda it: _share(
        it.arrested_before_arrival and it.has("arrest.cpr_begun_by"),
        it.states("arrest.cpr_begun_by", "3020001", "3020003", "3020005"),
    ),
    "arrest_shockable_rhythm": lambda it: _share(it.resuscitated and it.has("arrest.first_rhythm"), it.shockable),
    "arrest_aed_before_arrival": lambda it: _share(
        it.arrested_before_arrival and it.has("arrest.aed_before"),
        it.states("arrest.aed_before", "3007003", "3007005"),
    ),
    "stemi_aspirin": _aspirin,
    "stroke_assessment": lambda it: _share(
        it.emergency and it.stroke and not it.states("vitals.avpu", "3326007"), it.stroke_scale
    ),
    "stroke_diagnostic_bundle": lambda it: _share(
        it.stroke, it.stroke_scale and it.has("vitals.systolic") and it.has("vitals.glucose")
    ),
    "stroke_call_to_hospital_mean": lambda it: _mean(
        it.stroke, it.seconds("times.call_received", "times.at_destination")
    ),
    "hypoglycemia_treatment": _hypoglycemia,
    "asthma_beta_agonist": _asthma,
    "seizure_benzodiazepine": _seizure,
    "respiratory_assessment": lambda it: _share(
        it.emergency and it.impression("J", "R06"), it.has("vitals.spo2") and it.has("vitals.breathing_rate")
    ),
    "trauma_pain_assessment": lambda it: _share(
        it.emergency and it.states("situation.possible_injury", "9922005") and not it.not_alert,
        it.has("vitals.pain"),
    ),
    "syncope_ecg": lambda it: _share(it.emergency and it.impression("R55"), it.has("vitals.ecg_type")),
    "response_without_sirens": _sirens,
    "brain_injury_monitoring": _brain_injury,
    "response_time_mean": lambda it: _mean(it.emergency, it.seconds("times.call_received", "times.on_scene")),
}
"""Each indicator of the product by its name."""


async def reference_sums(tx: Transaction, viewer: Viewer, from_us: int, until_us: int) -> dict[str, Share]:
    """Compute the sums of a range from the whole records of all encounters that the viewer may see."""
    totals = dict.fromkeys(REFERENCE, (0, 0))
    for encounter in await Encounters().list(tx, viewer):
        if from_us <= encounter.created_at_us < until_us:
            sheet = _Sheet(current_record(await CareLog().of_encounter(tx, encounter)))
            for name, share in REFERENCE.items():
                numerator, denominator = share(sheet) or (0, 0)
                totals[name] = (totals[name][0] + numerator, totals[name][1] + denominator)
    return totals
