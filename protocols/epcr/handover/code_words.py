"""Words for the codes that a hand-over states most often, in our own wording.

The lists of NEMSIS have no licence, and the terminologies have hundreds of thousands of concepts, so this is a
selection. A code without words is shown as the code itself with the name of its system: a receiver must see that
something is stated.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocols.epcr.handover.language import Words

LIST_CODES: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "9919001": Words("female", "kobieta", "weiblich"),
        "9919003": Words("male", "mężczyzna", "männlich"),
        "9919005": Words("sex unknown", "płeć nieznana", "Geschlecht unbekannt"),
        "2516001": Words("days", "dni", "Tage"),
        "2516003": Words("hours", "godz.", "Stunden"),
        "2516005": Words("minutes", "min", "Minuten"),
        "2516007": Words("months", "mies.", "Monate"),
        "2516009": Words("years", "lat", "Jahre"),
        "2806001": Words("seconds", "s", "Sekunden"),
        "2806003": Words("minutes", "min", "Minuten"),
        "2806005": Words("hours", "godz.", "Stunden"),
        "2806007": Words("days", "dni", "Tage"),
        "2806009": Words("weeks", "tyg.", "Wochen"),
        "2806011": Words("months", "mies.", "Monate"),
        "2806013": Words("years", "lat", "Jahre"),
        "2813001": Words("critical (red)", "stan krytyczny (czerwony)", "kritisch (rot)"),
        "2813003": Words("urgent (yellow)", "pilny (żółty)", "dringend (gelb)"),
        "2813005": Words("less urgent (green)", "mniej pilny (zielony)", "weniger dringend (grün)"),
        "2813007": Words("dead, no resuscitation", "zgon, bez resuscytacji", "tot, ohne Reanimation"),
        "2813009": Words("not acute", "stan stabilny", "nicht akut"),
        "2902001": Words("blunt", "tępy", "stumpf"),
        "2902003": Words("burn", "oparzenie", "Verbrennung"),
        "2902005": Words("other mechanism", "inny mechanizm", "anderer Mechanismus"),
        "2902007": Words("penetrating", "przenikający", "penetrierend"),
        "3001001": Words("no cardiac arrest", "bez zatrzymania krążenia", "kein Kreislaufstillstand"),
        "3001003": Words("arrest before arrival", "NZK przed przybyciem", "Stillstand vor Eintreffen"),
        "3001005": Words("arrest after arrival", "NZK po przybyciu", "Stillstand nach Eintreffen"),
        "3011001": Words("asystole", "asystolia", "Asystolie"),
        "3011005": Words("PEA", "PEA", "PEA"),
        "3011007": Words("AED: no shock", "AED: bez wyładowania", "AED: kein Schock"),
        "3011009": Words("AED: shock", "AED: wyładowanie", "AED: Schock"),
        "3011011": Words("VF", "VF", "Kammerflimmern"),
        "3011013": Words("pulseless VT", "VT bez tętna", "pulslose VT"),
        "3012001": Words("no ROSC", "bez ROSC", "kein ROSC"),
        "3012003": Words("ROSC at arrival", "ROSC przy przybyciu", "ROSC bei Ankunft"),
        "3012005": Words("ROSC before arrival", "ROSC przed przybyciem", "ROSC vor Ankunft"),
        "3012007": Words("ROSC for 20 min", "ROSC przez 20 min", "ROSC seit 20 min"),
        "3105001": Words("family asks for no CPR", "rodzina prosi: bez RKO", "Familie wünscht keine CPR"),
        "3105003": Words("living will", "testament życia", "Patientenverfügung"),
        "3105005": Words("no directives", "bez dyspozycji", "keine Verfügung"),
        "3105011": Words("order: no CPR", "zlecenie DNR", "Anordnung: keine Reanimation"),
        "3118001": Words("not pregnant", "nie w ciąży", "nicht schwanger"),
        "3326001": Words("alert (A)", "przytomny (A)", "wach (A)"),
        "3326003": Words("to voice (V)", "na głos (V)", "auf Ansprache (V)"),
        "3326005": Words("to pain (P)", "na ból (P)", "auf Schmerz (P)"),
        "3326007": Words("unresponsive (U)", "nieprzytomny (U)", "bewusstlos (U)"),
        "3329001": Words("negative", "ujemny", "negativ"),
        "3329003": Words("not conclusive", "niejednoznaczny", "nicht eindeutig"),
        "3329005": Words("positive", "dodatni", "positiv"),
        "3708031": Words("none", "brak", "keine"),
        "9901001": Words("idioventricular", "rytm komorowy zastępczy", "idioventrikulär"),
        "9901003": Words("asystole", "asystolia", "Asystolie"),
        "9901007": Words("atrial fibrillation", "migotanie przedsionków", "Vorhofflimmern"),
        "9901009": Words("atrial flutter", "trzepotanie przedsionków", "Vorhofflattern"),
        "9901011": Words("AV block 1", "blok AV I°", "AV-Block I"),
        "9901013": Words("AV block 2 type 1", "blok AV II° typ 1", "AV-Block II Typ 1"),
        "9901015": Words("AV block 2 type 2", "blok AV II° typ 2", "AV-Block II Typ 2"),
        "9901017": Words("AV block 3", "blok AV III°", "AV-Block III"),
        "9901021": Words("LBBB", "LBBB", "Linksschenkelblock"),
        "9901033": Words("paced", "rytm ze stymulatora", "Schrittmacher"),
        "9901035": Words("PEA", "PEA", "PEA"),
        "9901041": Words("RBBB", "RBBB", "Rechtsschenkelblock"),
        "9901045": Words("sinus bradycardia", "bradykardia zatokowa", "Sinusbradykardie"),
        "9901047": Words("sinus rhythm", "rytm zatokowy", "Sinusrhythmus"),
        "9901049": Words("sinus tachycardia", "tachykardia zatokowa", "Sinustachykardie"),
        "9901051": Words("STEMI anterior", "STEMI ściana przednia", "STEMI Vorderwand"),
        "9901053": Words("STEMI inferior", "STEMI ściana dolna", "STEMI inferior"),
        "9901055": Words("STEMI lateral", "STEMI ściana boczna", "STEMI Seitenwand"),
        "9901057": Words("STEMI posterior", "STEMI ściana tylna", "STEMI posterior"),
        "9901058": Words("STEMI septal", "STEMI przegroda", "STEMI septal"),
        "9901059": Words("SVT", "SVT", "SVT"),
        "9901067": Words("VF", "VF", "Kammerflimmern"),
        "9901069": Words("VT with pulse", "VT z tętnem", "VT mit Puls"),
        "9901071": Words("pulseless VT", "VT bez tętna", "pulslose VT"),
        "9916001": Words("improved", "poprawa", "gebessert"),
        "9916003": Words("unchanged", "bez zmian", "unverändert"),
        "9916005": Words("worse", "pogorszenie", "verschlechtert"),
        "9922001": Words("no", "nie", "nein"),
        "9922003": Words("unknown", "nieznane", "unbekannt"),
        "9922005": Words("yes", "tak", "ja"),
        "9923001": Words("no", "nie", "nein"),
        "9923003": Words("yes", "tak", "ja"),
        "9927009": Words("inhaled", "wziewnie", "inhalativ"),
        "9927015": Words("IM", "i.m.", "i.m."),
        "9927017": Words("nasal", "donosowo", "nasal"),
        "9927021": Words("IO", "i.o.", "i.o."),
        "9927023": Words("IV", "i.v.", "i.v."),
        "9927025": Words("nasal cannula", "kaniula nosowa", "Nasenbrille"),
        "9927031": Words("non-rebreather mask", "maska z rezerwuarem", "Reservoirmaske"),
        "9927035": Words("oral", "doustnie", "oral"),
        "9927043": Words("rectal", "doodbytniczo", "rektal"),
        "9927045": Words("SC", "s.c.", "s.c."),
        "9927047": Words("sublingual", "podjęzykowo", "sublingual"),
        "9927063": Words("auto-injector", "autostrzykawka", "Autoinjektor"),
        "9927071": Words("nebulised", "w nebulizacji", "vernebelt"),
    }
)  # fmt: skip
"""Words by the code of a NEMSIS list."""

DRUGS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "317361": Words("adrenaline", "adrenalina", "Adrenalin"),
        "328316": Words("adrenaline", "adrenalina", "Adrenalin"),
        "703": Words("amiodarone", "amiodaron", "Amiodaron"),
        "1191": Words("aspirin", "kwas acetylosalicylowy", "ASS"),
        "4917": Words("glyceryl trinitrate", "nitrogliceryna", "Nitroglycerin"),
        "7052": Words("morphine", "morfina", "Morphin"),
        "4337": Words("fentanyl", "fentanyl", "Fentanyl"),
        "6130": Words("ketamine", "ketamina", "Ketamin"),
        "6960": Words("midazolam", "midazolam", "Midazolam"),
        "7242": Words("naloxone", "nalokson", "Naloxon"),
        "7806": Words("oxygen", "tlen", "Sauerstoff"),
        "4850": Words("glucose", "glukoza", "Glukose"),
        "10691": Words("tranexamic acid", "kwas traneksamowy", "Tranexamsäure"),
    }
)
"""Words by the code of RxNorm."""

CONCEPTS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "268400002": Words("12-lead ECG", "EKG 12-odprowadzeniowe", "12-Kanal-EKG"),
        "46825001": Words("ECG monitoring", "monitorowanie EKG", "EKG-Überwachung"),
        "426220008": Words("shock", "defibrylacja", "Defibrillation"),
        "250980009": Words("cardioversion", "kardiowersja", "Kardioversion"),
        "18590009": Words("pacing", "stymulacja", "Schrittmacher"),
        "429283006": Words("mechanical CPR", "RKO mechaniczna", "mechanische CPR"),
        "89666000": Words("CPR", "RKO", "CPR"),
        "425447009": Words("bag ventilation", "wentylacja workiem", "Beutelbeatmung"),
        "232674004": Words("intubation", "intubacja", "Intubation"),
        "424979004": Words("laryngeal mask", "maska krtaniowa", "Larynxmaske"),
        "47545007": Words("CPAP", "CPAP", "CPAP"),
        "392230005": Words("IV access", "dostęp i.v.", "i.v.-Zugang"),
        "430824005": Words("IO access", "dostęp i.o.", "i.o.-Zugang"),
        "20655006": Words("tourniquet", "opaska uciskowa", "Tourniquet"),
        "79321009": Words("splint", "szyna", "Schienung"),
        "33747003": Words("glucose measured", "pomiar glukozy", "Blutzuckermessung"),
        "409137002": Words(
            "no known drug allergy", "bez znanych uczuleń na leki", "keine bekannte Arzneimittelallergie"
        ),
    }
)
"""Words by the concept of SNOMED CT."""

DIAGNOSES: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "E10": Words("diabetes type 1", "cukrzyca typu 1", "Diabetes Typ 1"),
        "E11": Words("diabetes type 2", "cukrzyca typu 2", "Diabetes Typ 2"),
        "E16.2": Words("hypoglycaemia", "hipoglikemia", "Hypoglykämie"),
        "G40": Words("epilepsy", "padaczka", "Epilepsie"),
        "G41": Words("status epilepticus", "stan padaczkowy", "Status epilepticus"),
        "I10": Words("hypertension", "nadciśnienie", "Hypertonie"),
        "I20": Words("angina pectoris", "dusznica bolesna", "Angina pectoris"),
        "I21": Words("myocardial infarction", "zawał serca", "Herzinfarkt"),
        "I26": Words("pulmonary embolism", "zatorowość płucna", "Lungenembolie"),
        "I46": Words("cardiac arrest", "zatrzymanie krążenia", "Kreislaufstillstand"),
        "I48": Words("atrial fibrillation", "migotanie przedsionków", "Vorhofflimmern"),
        "I50": Words("heart failure", "niewydolność serca", "Herzinsuffizienz"),
        "I61": Words("intracerebral haemorrhage", "krwotok mózgowy", "Hirnblutung"),
        "I63": Words("ischaemic stroke", "udar niedokrwienny", "Hirninfarkt"),
        "I64": Words("stroke", "udar", "Schlaganfall"),
        "J44": Words("COPD", "POChP", "COPD"),
        "J45": Words("asthma", "astma", "Asthma"),
        "R06.0": Words("dyspnoea", "duszność", "Atemnot"),
        "R07.4": Words("chest pain", "ból w klatce piersiowej", "Thoraxschmerz"),
        "R10": Words("abdominal pain", "ból brzucha", "Bauchschmerz"),
        "R40": Words("reduced consciousness", "zaburzenia świadomości", "Bewusstseinsstörung"),
        "R55": Words("syncope", "omdlenie", "Synkope"),
        "R56": Words("convulsions", "drgawki", "Krampfanfall"),
        "S06": Words("intracranial injury", "uraz śródczaszkowy", "intrakranielle Verletzung"),
        "S72": Words("fracture of the femur", "złamanie kości udowej", "Oberschenkelfraktur"),
        "T78.2": Words("anaphylactic shock", "wstrząs anafilaktyczny", "anaphylaktischer Schock"),
        "V43": Words("car occupant, collision with a car", "zderzenie samochodów", "PKW-Insasse, Zusammenstoß mit PKW"),
        "W19": Words("fall", "upadek", "Sturz"),
        "Z88": Words("drug allergy", "uczulenie na leki", "Arzneimittelallergie"),
    }
)
"""Words by the code of ICD-10, or by its category: the first three characters, where they have one meaning."""

UNITS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "mm[Hg]": Words("mmHg", "mmHg", "mmHg"),
        "Cel": Words("°C", "°C", "°C"),
        "{beat}/min": Words("/min", "/min", "/min"),
        "{breath}/min": Words("/min", "/min", "/min"),
        "[degF]": Words("°F", "°F", "°F"),
        "[ft_i]": Words("ft", "stóp", "ft"),
        "ug": Words("µg", "µg", "µg"),
        "[iU]": Words("IU", "j.m.", "IE"),
        "[drp]": Words("drops", "kropli", "Tropfen"),
        "{puff}": Words("puffs", "wdechy", "Hübe"),
        "{dose}": Words("dose", "dawka", "Dosis"),
        "{unit}": Words("units", "j.", "E"),
        "1": Words("", "", ""),
    }
)
"""Units as people write them, by their UCUM code. Other units are shown as UCUM has them."""
