"""Items of a hand-over, the names of elements in it, and its phrases, in each language."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from protocols.epcr.handover.language import Words


class Item(StrEnum):
    """Item of a hand-over: the letters of IMIST-AMBO, and the time of ATMIST."""

    IDENTITY = "identity"
    TIME = "time"
    MECHANISM = "mechanism"
    INJURIES = "injuries"
    SIGNS = "signs"
    TREATMENT = "treatment"
    ALLERGIES = "allergies"
    MEDICINES = "medicines"
    BACKGROUND = "background"
    OTHER = "other"


ITEM_TITLES: Final[Mapping[Item, Words]] = MappingProxyType(
    {
        Item.IDENTITY: Words("Identity", "Pacjent", "Patient"),
        Item.TIME: Words("Time", "Czas", "Zeit"),
        Item.MECHANISM: Words("Mechanism/complaint", "Mechanizm/dolegliwość", "Mechanismus/Beschwerde"),
        Item.INJURIES: Words("Injuries/findings", "Obrażenia/objawy", "Verletzungen/Befunde"),
        Item.SIGNS: Words("Signs", "Parametry", "Vitalwerte"),
        Item.TREATMENT: Words("Treatment", "Leczenie", "Behandlung"),
        Item.ALLERGIES: Words("Allergies", "Uczulenia", "Allergien"),
        Item.MEDICINES: Words("Medicines", "Leki", "Medikamente"),
        Item.BACKGROUND: Words("Background", "Wywiad", "Vorgeschichte"),
        Item.OTHER: Words("Other", "Inne", "Sonstiges"),
    }
)
ITEM_MISSING: Final[Mapping[Item, Words]] = MappingProxyType(
    {
        Item.IDENTITY: Words("Identity not recorded", "Nie odnotowano danych pacjenta", "Identität nicht dokumentiert"),
        Item.TIME: Words("Time not recorded", "Nie odnotowano czasu", "Zeit nicht dokumentiert"),
        Item.MECHANISM: Words("Complaint not recorded", "Nie odnotowano dolegliwości", "Beschwerde nicht dokumentiert"),
        Item.INJURIES: Words("Findings not recorded", "Nie odnotowano objawów", "Befunde nicht dokumentiert"),
        Item.SIGNS: Words("Signs not recorded", "Nie odnotowano parametrów", "Vitalwerte nicht dokumentiert"),
        Item.TREATMENT: Words("Treatment not recorded", "Nie odnotowano leczenia", "Behandlung nicht dokumentiert"),
        Item.ALLERGIES: Words("Allergies not recorded", "Nie odnotowano uczuleń", "Allergien nicht dokumentiert"),
        Item.MEDICINES: Words("Medicines not recorded", "Nie odnotowano leków", "Medikamente nicht dokumentiert"),
        Item.BACKGROUND: Words("Background not recorded", "Nie odnotowano wywiadu", "Vorgeschichte nicht dokumentiert"),
        Item.OTHER: Words("Nothing else recorded", "Brak innych wpisów", "Nichts Weiteres dokumentiert"),
    }
)  # fmt: skip
"""Sentence in the place of an item without facts. "Not recorded" is not "none": the crew may not know."""

LABELS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "patient.birth_date": Words("born", "ur.", "geb."),
        "patient.national_number": Words("number", "PESEL", "Nr."),
        "patient.language": Words("language", "język", "Sprache"),
        "situation.onset": Words("since", "od", "seit"),
        "situation.last_known_well": Words("last well", "ostatnio bezobjawowo", "zuletzt symptomfrei"),
        "situation.duration": Words("for", "od", "seit"),
        "situation.other_symptoms": Words("also", "także", "auch"),
        "injury.height_of_fall": Words("height", "wysokość", "Höhe"),
        "injury.safety_equipment": Words("protection", "zabezpieczenia", "Schutz"),
        "injury.airbag": Words("airbag", "poduszka", "Airbag"),
        "injury.high_risk": Words("high risk:", "wysokie ryzyko:", "hohes Risiko:"),
        "injury.moderate_risk": Words("moderate risk:", "umiarkowane ryzyko:", "mittleres Risiko:"),
        "arrest.time": Words("arrest", "NZK", "Kreislaufstillstand"),
        "arrest.cause": Words("cause:", "przyczyna:", "Ursache:"),
        "arrest.witnessed_by": Words("witnessed:", "świadek:", "beobachtet:"),
        "arrest.first_cpr": Words("first CPR", "pierwsza RKO", "erste Reanimation"),
        "arrest.rhythm_at_destination": Words("rhythm", "rytm", "Rhythmus"),
        "exam.mental": Words("mental:", "stan psychiczny:", "psychisch:"),
        "exam.neurological": Words("neuro:", "neurol.:", "neurol.:"),
        "exam.skin": Words("skin:", "skóra:", "Haut:"),
        "exam.head": Words("head:", "głowa:", "Kopf:"),
        "exam.face": Words("face:", "twarz:", "Gesicht:"),
        "exam.neck": Words("neck:", "szyja:", "Hals:"),
        "exam.heart": Words("heart:", "serce:", "Herz:"),
        "exam.pelvis": Words("pelvis:", "miednica:", "Becken:"),
        "exam.weight": Words("weight", "masa ciała", "Gewicht"),
        "exam.stroke_resolved": Words("stroke signs resolved:", "objawy udaru ustąpiły:", "Schlaganfall rückläufig:"),
        "lungs.findings": Words("lungs:", "płuca:", "Lunge:"),
        "chest.findings": Words("chest:", "klatka:", "Thorax:"),
        "abdomen.findings": Words("abdomen:", "brzuch:", "Abdomen:"),
        "spine.findings": Words("spine:", "kręgosłup:", "Wirbelsäule:"),
        "limbs.findings": Words("limbs:", "kończyny:", "Extremitäten:"),
        "eyes.findings": Words("eyes:", "oczy:", "Augen:"),
        "history.substances": Words("substances:", "używki:", "Substanzen:"),
        "history.last_intake": Words("last meal", "ostatni posiłek", "letzte Mahlzeit"),
        "history.barriers": Words("barriers:", "utrudnienia:", "Hindernisse:"),
        "team_alerts.team": Words("alerted:", "powiadomiono:", "alarmiert:"),
        "scene.triage": Words("triage", "segregacja", "Sichtung"),
        "disposition.hospital_capability": Words("needs:", "potrzebne:", "benötigt:"),
        "narrative.text": Words("narrative:", "opis:", "Bericht:"),
        "times.at_patient": Words("at patient", "przy pacjencie", "beim Patienten"),
        "times.on_scene": Words("on scene", "na miejscu", "vor Ort"),
        "vitals.stroke_result": Words("stroke scale", "skala udarowa", "Schlaganfallskala"),
    }
)  # fmt: skip
"""Names of elements as a hand-over states them, where the value alone would not be understood."""

PHRASES: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "title": Words("Hand-over", "Przekazanie pacjenta", "Übergabe"),
        "preliminary": Words("Preliminary, not signed", "Wstępne, niepodpisane", "Vorläufig, nicht unterschrieben"),
        "signed": Words("Signed", "Podpisane", "Unterschrieben"),
        "partial": Words("Only a part of the report", "Tylko część karty", "Nur ein Teil des Protokolls"),
        "why_partial": Words(
            "The vehicle no longer has all entries of this report.",
            "Pojazd nie ma już wszystkich wpisów tej karty.",
            "Das Fahrzeug hat nicht mehr alle Einträge dieses Protokolls.",
        ),
        "newest": Words("Newest value {age} ago", "Najnowszy pomiar {age} temu", "Neuester Wert vor {age}"),
        "arrival": Words(
            "Arrival expected {time}, stated {age} ago",
            "Przewidywany przyjazd {time}, podano {age} temu",
            "Ankunft erwartet {time}, angegeben vor {age}",
        ),
        "arrived": Words("Arrived {time}", "Przyjazd {time}", "Angekommen {time}"),
        "summary": Words("Summary", "Podsumowanie", "Zusammenfassung"),
        "order": Words("Order", "Kolejność", "Reihenfolge"),
        "pdf": Words("PDF", "PDF", "PDF"),
        "bundle": Words("FHIR bundle", "Pakiet FHIR", "FHIR-Bundle"),
        "monitor": Words(
            "The monitor’s own screen is primary. This page raises no alarms.",
            "Wiążące są wskazania na ekranie monitora. Ta strona nie zgłasza alarmów.",
            "Maßgeblich ist der Bildschirm des Monitors. Diese Seite löst keine Alarme aus.",
        ),
        "lost": Words(
            "No contact with the vehicle. Everything here is as it was at {time}.",
            "Brak kontaktu z pojazdem. Stan danych: {time}.",
            "Kein Kontakt mit dem Fahrzeug. Stand der Angaben: {time}.",
        ),
        "details": Words("Details", "Szczegóły", "Einzelheiten"),
        "trend": Words("Trend of the vital signs", "Trend parametrów", "Verlauf der Vitalwerte"),
        "vitals": Words("Vital signs by the crew", "Parametry zmierzone przez zespół", "Vitalwerte vom Team"),
        "signatures": Words("Signatures", "Podpisy", "Unterschriften"),
        "time": Words("Time", "Czas", "Zeit"),
        "ecg": Words("ECG", "EKG", "EKG"),
        "ecg_12": Words("12-lead ECG", "EKG 12-odprowadzeniowe", "12-Kanal-EKG"),
        "scale": Words(
            "25 mm/s, 10 mm/mV, as the device sent it",
            "25 mm/s, 10 mm/mV, tak jak wysłało urządzenie",
            "25 mm/s, 10 mm/mV, wie vom Gerät gesendet",
        ),
        "ruler": Words("50 mm if printed at 100 %", "50 mm przy wydruku w skali 100 %", "50 mm bei Druck mit 100 %"),
        "accessible": Words(
            "The HTML page of this hand-over is its accessible form.",
            "Dostępną cyfrowo postacią tego dokumentu jest strona HTML.",
            "Die barrierefreie Form dieser Übergabe ist ihre HTML-Seite.",
        ),
        "first": Words("first", "pierwszy", "erster"),
        "lowest": Words("lowest", "najniższy", "niedrigster"),
        "highest": Words("highest", "najwyższy", "höchster"),
        "last": Words("last", "ostatni", "letzter"),
        "crew": Words("crew", "zespół", "Team"),
        "doubtful": Words("doubtful", "wątpliwy", "fraglich"),
        "failed": Words("failed", "nieudane", "erfolglos"),
    }
)
