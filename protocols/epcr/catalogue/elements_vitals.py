"""Elements of a set of vital signs: one entry for each moment."""

from protocols.epcr.catalogue.words import DECLINED, MEASURED, RHYTHM, TIME, UNABLE, YES_NO, E, O, R, scale
from protocols.epcr.element import Element
from protocols.epcr.value_sets import Decimal, ListCode, Whole

ELEMENTS = (
    Element("vitals.time", "Time", "Czas", TIME, R, "eVitals.01", "Observation.effectiveDateTime"),
    Element("vitals.before_unit", "Before this unit", "Przed przybyciem zespołu", YES_NO, R, "eVitals.02", "Observation 67518-1"),
    Element("vitals.rhythm", "Heart rhythm", "Rytm serca", RHYTHM, R, "eVitals.03", "Observation 8884-9", many=True, instead=DECLINED),
    Element("vitals.ecg_type", "Type of ECG", "Rodzaj EKG", ListCode("3304"), R, "eVitals.04", "Observation.method"),
    Element("vitals.ecg_reader", "Interpretation of the ECG", "Interpretacja EKG", ListCode("3305"), R, "eVitals.05", "Observation.performer", many=True),
    Element("vitals.systolic", "Systolic pressure", "Ciśnienie skurczowe", Whole(0, 500, "mm[Hg]"), R, "eVitals.06", "Observation 8480-6", instead=MEASURED),
    Element("vitals.diastolic", "Diastolic pressure", "Ciśnienie rozkurczowe", Whole(0, 500, "mm[Hg]", ("P",)), E, "eVitals.07", "Observation 8462-4", instead=MEASURED),
    Element("vitals.pressure_method", "Method of the pressure", "Metoda pomiaru ciśnienia", ListCode("3308"), E, "eVitals.08", "Observation.method"),
    Element("vitals.mean_pressure", "Mean pressure", "Ciśnienie średnie", Whole(1, 500, "mm[Hg]"), O, "eVitals.09", "Observation 8478-0"),
    Element("vitals.heart_rate", "Heart rate", "Częstość akcji serca", Whole(0, 500, "/min"), R, "eVitals.10", "Observation 8867-4", instead=MEASURED),
    Element("vitals.heart_rate_method", "Method of the heart rate", "Metoda pomiaru tętna", ListCode("3311"), O, "eVitals.11", "Observation.method"),
    Element("vitals.spo2", "SpO₂", "SpO₂", Whole(0, 100, "%"), R, "eVitals.12", "Observation 59408-5", instead=MEASURED),
    Element("vitals.pulse_rhythm", "Pulse rhythm", "Miarowość tętna", ListCode("3313"), O, "eVitals.13", "Observation"),
    Element("vitals.breathing_rate", "Breathing rate", "Częstość oddechów", Whole(0, 300, "/min"), R, "eVitals.14", "Observation 9279-1", instead=MEASURED),
    Element("vitals.breathing_effort", "Breathing effort", "Charakter oddechu", ListCode("3315"), O, "eVitals.15", "Observation 80341-1"),
    Element("vitals.etco2", "EtCO₂", "EtCO₂", Decimal(0, 760, 1, "mm[Hg]"), R, "eVitals.16", "Observation 19889-5", instead=DECLINED),
    Element("vitals.carboxyhaemoglobin", "CO in blood", "Karboksyhemoglobina", Decimal(0, 100, 1, "%"), E, "eVitals.17", "Observation 20563-3", instead=DECLINED),
    Element("vitals.glucose", "Glucose", "Glikemia", Whole(0, 2000, "mg/dL", ("High", "Low")), R, "eVitals.18", "Observation 2339-0", instead=DECLINED),
    Element("vitals.gcs_eye", "GCS eyes", "GCS oczy", scale(4), R, "eVitals.19", "Observation 9267-6", instead=DECLINED),
    Element("vitals.gcs_verbal", "GCS verbal", "GCS kontakt słowny", scale(5), R, "eVitals.20", "Observation 9270-0", instead=DECLINED),
    Element("vitals.gcs_motor", "GCS motor", "GCS reakcja ruchowa", scale(6), R, "eVitals.21", "Observation 9268-4", instead=DECLINED),
    Element("vitals.gcs_qualifier", "GCS qualifier", "GCS zastrzeżenia", ListCode("3322"), R, "eVitals.22", "Observation 55285-1", many=True),
    Element("vitals.gcs_sum", "GCS sum", "GCS suma", Whole(3, 15), E, "eVitals.23", "Observation 9269-2", instead=DECLINED),
    Element("vitals.temperature", "Temperature", "Temperatura", Decimal(0, 50, 1, "Cel"), E, "eVitals.24", "Observation 8310-5", instead=DECLINED),
    Element("vitals.temperature_site", "Site of the temperature", "Miejsce pomiaru temperatury", ListCode("3325"), O, "eVitals.25", "Observation.bodySite"),
    Element("vitals.avpu", "AVPU", "AVPU", ListCode("3326"), R, "eVitals.26", "Observation 67775-7"),
    Element("vitals.pain", "Pain (0–10)", "Ból (0–10)", Whole(0, 10), R, "eVitals.27", "Observation 56840-2", instead=DECLINED),
    Element("vitals.pain_scale", "Pain scale", "Skala bólu", ListCode("3328"), E, "eVitals.28", "Observation.method"),
    Element("vitals.stroke_result", "Stroke scale result", "Wynik skali udarowej", ListCode("3329"), R, "eVitals.29", "Observation 67520-7", instead=DECLINED),
    Element("vitals.stroke_scale", "Stroke scale", "Skala udarowa", ListCode("3330"), R, "eVitals.30", "Observation 67521-5"),
    Element("vitals.stroke_score", "Stroke score", "Punkty skali udarowej", Whole(0, 42), E, "eVitals.34", "Observation 72089-6", instead=DECLINED),
    Element("vitals.thrombolysis", "Thrombolysis check", "Kwalifikacja do trombolizy", ListCode("3331"), R, "eVitals.31", "Observation 67523-1", instead=DECLINED),
    Element("vitals.apgar", "Apgar score", "Skala Apgar", Whole(0, 10), O, "eVitals.32", "Observation 48334-7", instead=UNABLE),
    Element("vitals.trauma_score", "Revised trauma score", "Skala RTS", Whole(0, 12), O, "eVitals.33", "Observation", instead=DECLINED),
)
