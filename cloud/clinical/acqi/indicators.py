"""The table of indicators: published measures of ambulance care, computed from the elements of our care record.

Codes are of NEMSIS 3.5 (lists 2205 … 9922), ICD-10 and RxNorm. The texts are our own. Where our record has no element
for a condition of the publication, the exclusions state it. A changed rule changes past results: after
an upgrade, all encounters are scored again (see `marking.py`).
"""

from cloud.clinical.acqi.indicator import Indicator
from cloud.clinical.acqi.rules import All, AnyOf, Below, Elapsed, Rule, SameEntry, beginning, coded, recorded

AMBCO = "NHS England, Ambulance Quality Indicators: Clinical Outcomes"
AMBSYS = "NHS England, Ambulance Quality Indicators: Systems"
UTSTEIN = "Utstein resuscitation registry template for out-of-hospital cardiac arrest (ILCOR 2024)"
NEMSQA = "National EMS Quality Alliance, National EMS Quality Measure Set"

_IMPRESSIONS = ("situation.primary_impression", "situation.secondary_impressions")
_NONE = "None."
DAY_S = 86_400

_EMERGENCY = coded("call.service_requested", "2205001", "2205003", "2205009")
_ARREST = coded("arrest.present", "3001003", "3001005")
_TRIED = coded("arrest.resuscitation", "3003001", "3003003", "3003005")
_RESUSCITATED = All((_ARREST, _TRIED))
_BEFORE_ARRIVAL = All((coded("arrest.present", "3001003"), _TRIED))
_SHOCKABLE = coded("arrest.first_rhythm", "3011009", "3011011", "3011013")
_STROKE = beginning(_IMPRESSIONS, "I60", "I61", "I63", "I64", "G45", "G46")
_ADULT = All((coded("patient.age_unit", "2516009"), recorded("patient.age")))
_STEMI: Rule = AnyOf(
    (
        coded("vitals.rhythm", "9901051", "9901053", "9901055", "9901057", "9901058"),
        beginning(_IMPRESSIONS, "I21.0", "I21.1", "I21.2", "I21.3"),
    )
)
_UNRESPONSIVE = coded("vitals.avpu", "3326007")


def _drug(*codes: str) -> Rule:
    return coded("medications.drug", *codes)


INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        name="rosc_survival",
        english="Circulation at arrival in hospital after cardiac arrest",
        polish="Krążenie przy przybyciu do szpitala po zatrzymaniu krążenia",
        numerator="Patients with return of spontaneous circulation at arrival in the hospital.",
        denominator="Patients in cardiac arrest for whom resuscitation was begun or continued.",
        exclusions="Resuscitation was not tried.",
        source=f"{AMBCO}, ROSC at time of arrival at hospital (overall)",
        population=_RESUSCITATED,
        achieved=coded("arrest.rosc", "3012003"),
    ),
    Indicator(
        name="rosc_survival_utstein",
        english="Circulation at arrival in hospital, Utstein comparator group",
        polish="Krążenie przy przybyciu do szpitala, grupa porównawcza Utstein",
        numerator="Patients with return of spontaneous circulation at arrival in the hospital.",
        denominator="Patients with a witnessed arrest before arrival, a presumed cardiac cause and a shockable first "
        "rhythm, for whom resuscitation was begun or continued.",
        exclusions="Resuscitation was not tried.",
        source=f"{AMBCO}, ROSC at time of arrival at hospital (Utstein comparator group)",
        population=All(
            (
                _BEFORE_ARRIVAL,
                coded("arrest.cause", "3002001"),
                coded("arrest.witnessed_by", "3004003", "3004005", "3004007"),
                _SHOCKABLE,
            )
        ),
        achieved=coded("arrest.rosc", "3012003"),
    ),
    Indicator(
        name="arrest_any_rosc",
        english="Any return of circulation",
        polish="Jakikolwiek powrót krążenia",
        numerator="Patients with return of spontaneous circulation at any time.",
        denominator="Patients in cardiac arrest for whom resuscitation was begun or continued.",
        exclusions="Resuscitation was not tried.",
        source=f"{UTSTEIN}, any ROSC",
        population=_RESUSCITATED,
        achieved=coded("arrest.rosc", "3012003", "3012005", "3012007"),
    ),
    Indicator(
        name="arrest_bystander_cpr",
        english="CPR by bystanders",
        polish="Resuscytacja przez świadków",
        numerator="Patients whose CPR was begun by a bystander, a relative or a health professional who was present.",
        denominator="Patients whose arrest was before the arrival of any crew, and who were resuscitated.",
        exclusions="It is not recorded who began CPR.",
        source=f"{UTSTEIN}, bystander CPR",
        population=All((_BEFORE_ARRIVAL, recorded("arrest.cpr_begun_by"))),
        achieved=coded("arrest.cpr_begun_by", "3020001", "3020003", "3020005"),
    ),
    Indicator(
        name="arrest_shockable_rhythm",
        english="Shockable first rhythm",
        polish="Pierwszy rytm do defibrylacji",
        numerator="Patients whose first monitored rhythm was shockable.",
        denominator="Patients in cardiac arrest for whom resuscitation was begun or continued.",
        exclusions="The first rhythm is not recorded.",
        source=f"{UTSTEIN}, first monitored rhythm",
        population=All((_RESUSCITATED, recorded("arrest.first_rhythm"))),
        achieved=_SHOCKABLE,
    ),
    Indicator(
        name="arrest_aed_before_arrival",
        english="AED applied before arrival",
        polish="AED podłączone przed przybyciem",
        numerator="Patients to whom an AED was applied before the arrival of the crew.",
        denominator="Patients whose arrest was before the arrival of any crew, and who were resuscitated.",
        exclusions="It is not recorded whether an AED was applied.",
        source=f"{UTSTEIN}, bystander AED",
        population=All((_BEFORE_ARRIVAL, recorded("arrest.aed_before"))),
        achieved=coded("arrest.aed_before", "3007003", "3007005"),
    ),
    Indicator(
        name="stemi_aspirin",
        english="Aspirin in myocardial infarction with ST elevation",
        polish="Aspiryna w zawale z uniesieniem odcinka ST",
        numerator="Patients who were given aspirin.",
        denominator="Patients with an ECG or an impression of infarction with ST elevation.",
        exclusions=f"{_NONE} A patient with a contraindication counts as not treated.",
        source=f"{AMBCO}, STEMI care bundle (aspirin)",
        population=_STEMI,
        achieved=_drug("1191"),
    ),
    Indicator(
        name="stroke_assessment",
        english="Stroke scale for suspected stroke",
        polish="Skala udarowa przy podejrzeniu udaru",
        numerator="Patients with a result, a scale or a score of a stroke scale.",
        denominator="Emergency patients with an impression of stroke.",
        exclusions="Unresponsive patients.",
        source=f"{NEMSQA}, Stroke-01",
        population=All((_EMERGENCY, _STROKE)),
        achieved=recorded("vitals.stroke_result", "vitals.stroke_scale", "vitals.stroke_score"),
        excluded=_UNRESPONSIVE,
    ),
    Indicator(
        name="stroke_diagnostic_bundle",
        english="Diagnostic bundle for suspected stroke",
        polish="Pakiet diagnostyczny przy podejrzeniu udaru",
        numerator="Patients with a stroke scale, a blood pressure and a glucose value.",
        denominator="Patients with an impression of stroke.",
        exclusions=_NONE,
        source=f"{AMBCO}, stroke diagnostic bundle",
        population=_STROKE,
        achieved=All(
            (
                recorded("vitals.stroke_result", "vitals.stroke_scale", "vitals.stroke_score"),
                recorded("vitals.systolic"),
                recorded("vitals.glucose"),
            )
        ),
    ),
    Indicator(
        name="stroke_call_to_hospital_mean",
        english="Mean time from call to hospital for suspected stroke",
        polish="Średni czas od wezwania do szpitala przy podejrzeniu udaru",
        numerator="Sum of the seconds from the call to the arrival at the destination.",
        denominator="Patients with an impression of stroke.",
        exclusions="A time is missing, or the interval is negative or longer than a day.",
        source=f"{AMBCO}, stroke, mean time from call to hospital arrival",
        population=_STROKE,
        achieved=Elapsed("times.call_received", "times.at_destination", DAY_S),
    ),
    Indicator(
        name="hypoglycemia_treatment",
        english="Treatment of hypoglycaemia",
        polish="Leczenie hipoglikemii",
        numerator="Patients who were given glucose or glucagon.",
        denominator="Emergency patients with glucose below 60 mg/dL and a reduced level of consciousness.",
        exclusions=_NONE,
        source=f"{NEMSQA}, Hypoglycemia-01",
        population=All(
            (
                _EMERGENCY,
                Below("vitals.glucose", 60),
                AnyOf((coded("vitals.avpu", "3326003", "3326005", "3326007"), Below("vitals.gcs_sum", 15))),
            )
        ),
        achieved=_drug("4832", "4850", "237653", "260258", "309778", "372326", "376937", "377980"),
    ),
    Indicator(
        name="asthma_beta_agonist",
        english="Beta agonist in asthma",
        polish="Beta-mimetyk w astmie",
        numerator="Patients who were given salbutamol, levosalbutamol or orciprenaline.",
        denominator="Emergency patients with an impression of asthma or acute bronchospasm.",
        exclusions="Patients younger than two years, as far as their age is recorded in years.",
        source=f"{NEMSQA}, Asthma-01",
        population=All((_EMERGENCY, beginning(_IMPRESSIONS, "J45", "J98.01"))),
        achieved=_drug("435", "237159", "6760"),
        excluded=All((_ADULT, Below("patient.age", 2))),
    ),
    Indicator(
        name="seizure_benzodiazepine",
        english="Benzodiazepine in epileptic seizures",
        polish="Benzodiazepina w napadzie padaczkowym",
        numerator="Patients who were given diazepam, lorazepam or midazolam.",
        denominator="Emergency patients with an impression of status epilepticus.",
        exclusions=_NONE,
        source=f"{NEMSQA}, Seizure-02",
        population=All(
            (_EMERGENCY, beginning(_IMPRESSIONS, "G41", "G40.001", "G40.011", "G40.301", "G40.901", "G40.911"))
        ),
        achieved=_drug("3322", "6470", "6960", "203128"),
    ),
    Indicator(
        name="respiratory_assessment",
        english="Breathing rate and SpO2 in respiratory distress",
        polish="Częstość oddechów i SpO2 w niewydolności oddechowej",
        numerator="Patients with a breathing rate and an SpO2 value.",
        denominator="Emergency patients with an impression of a respiratory disease or of respiratory distress.",
        exclusions=_NONE,
        source=f"{NEMSQA}, Respiratory-01",
        population=All((_EMERGENCY, beginning(_IMPRESSIONS, "J", "R06"))),
        achieved=All((recorded("vitals.spo2"), recorded("vitals.breathing_rate"))),
    ),
    Indicator(
        name="trauma_pain_assessment",
        english="Pain assessment after an injury",
        polish="Ocena bólu po urazie",
        numerator="Patients with a pain value.",
        denominator="Emergency patients with a possible injury.",
        exclusions="Patients who were not alert, by AVPU or a GCS below 15.",
        source=f"{NEMSQA}, Trauma-01",
        population=All((_EMERGENCY, coded("situation.possible_injury", "9922005"))),
        achieved=recorded("vitals.pain"),
        excluded=AnyOf((coded("vitals.avpu", "3326003", "3326005", "3326007"), Below("vitals.gcs_sum", 15))),
    ),
    Indicator(
        name="syncope_ecg",
        english="ECG after syncope",
        polish="EKG po omdleniu",
        numerator="Patients with an ECG of any type.",
        denominator="Emergency patients with an impression of syncope.",
        exclusions=_NONE,
        source=f"{NEMSQA}, Syncope-01",
        population=All((_EMERGENCY, beginning(_IMPRESSIONS, "R55"))),
        achieved=recorded("vitals.ecg_type"),
    ),
    Indicator(
        name="response_without_sirens",
        english="Response without lights and sirens",
        polish="Dojazd bez sygnałów uprzywilejowania",
        numerator="Responses without lights or sirens.",
        denominator="Emergency responses with recorded lights and sirens.",
        exclusions="Lights and sirens are not recorded.",
        source=f"{NEMSQA}, Safety-01",
        population=All((_EMERGENCY, coded("call.mode_details", "2224015", "2224017", "2224019", "2224021", "2224023"))),
        achieved=coded("call.mode_details", "2224019"),
    ),
    Indicator(
        name="brain_injury_monitoring",
        english="Monitoring of a brain injury",
        polish="Monitorowanie urazu mózgu",
        numerator="Patients with SpO2, end-tidal CO2 and systolic pressure in one set of vital signs.",
        denominator="Emergency patients with an impression of an intracranial injury.",
        exclusions=_NONE,
        source=f"{NEMSQA}, TBI-01",
        population=All((_EMERGENCY, beginning(_IMPRESSIONS, "S06"))),
        achieved=SameEntry("vitals", (recorded("vitals.spo2"), recorded("vitals.etco2"), recorded("vitals.systolic"))),
    ),
    Indicator(
        name="response_time_mean",
        english="Mean response time",
        polish="Średni czas dojazdu",
        numerator="Sum of the seconds from the call to the arrival on scene.",
        denominator="Emergency responses.",
        exclusions="A time is missing, or the interval is negative or longer than a day.",
        source=f"{AMBSYS}, mean response time",
        population=_EMERGENCY,
        achieved=Elapsed("times.call_received", "times.on_scene", DAY_S),
    ),
)
"""The indicators in the order of the API."""

BY_NAME = {one.name: one for one in INDICATORS}
KEYS: frozenset[str] = frozenset().union(*(one.keys for one in INDICATORS))
"""The keys of all elements that an indicator reads."""
