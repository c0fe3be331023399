"""Elements of an injury and of a cardiac arrest (Utstein core)."""

from protocols.epcr.catalogue.words import APPROXIMATE, CAUSE, NONE_REPORTED, RHYTHM, TIME, UNABLE, YES_NO, E, O, R
from protocols.epcr.element import Element
from protocols.epcr.value_sets import ListCode, Whole

ELEMENTS = (
    Element("injury.cause", "Cause of the injury", "Przyczyna urazu", CAUSE, R, "eInjury.01", "Observation 69543-7", many=True),
    Element("injury.mechanism", "Mechanism", "Mechanizm urazu", ListCode("2902"), E, "eInjury.02", "Observation 67494-5", many=True),
    Element("injury.high_risk", "Triage criteria of high risk", "Kryteria wysokiego ryzyka", ListCode("2903"), R, "eInjury.03", "Observation 67495-2", many=True, instead=NONE_REPORTED),
    Element("injury.moderate_risk", "Triage criteria of moderate risk", "Kryteria umiarkowanego ryzyka", ListCode("2904"), R, "eInjury.04", "Observation 67496-0", many=True, instead=NONE_REPORTED),
    Element("injury.seat", "Seat in the vehicle", "Miejsce w pojeździe", ListCode("2906"), O, "eInjury.06", "Observation 67498-6"),
    Element("injury.safety_equipment", "Safety equipment", "Środki ochrony", ListCode("2907"), E, "eInjury.07", "Observation 67499-4", many=True),
    Element("injury.airbag", "Airbag", "Poduszka powietrzna", ListCode("2908"), O, "eInjury.08", "Observation 67500-9", many=True),
    Element("injury.height_of_fall", "Height of the fall", "Wysokość upadku", Whole(0, 10_000, "[ft_i]"), O, "eInjury.09", "Observation 67501-7"),
    Element("arrest.present", "Cardiac arrest", "Zatrzymanie krążenia", ListCode("3001"), R, "eArrest.01", "Observation 67502-5"),
    Element("arrest.cause", "Cause", "Przyczyna", ListCode("3002"), R, "eArrest.02", "Observation 67503-3"),
    Element("arrest.resuscitation", "Resuscitation", "Resuscytacja", ListCode("3003"), R, "eArrest.03", "Observation 67504-1", many=True),
    Element("arrest.witnessed_by", "Witnessed by", "Świadek", ListCode("3004"), R, "eArrest.04", "Observation", many=True),
    Element("arrest.aed_before", "AED before arrival", "AED przed przybyciem", ListCode("3007"), R, "eArrest.07", "Observation 67508-2"),
    Element("arrest.cpr_kind", "Kind of CPR", "Rodzaj RKO", ListCode("3009"), R, "eArrest.09", "Observation", many=True),
    Element("arrest.first_rhythm", "First monitored rhythm", "Pierwszy rytm", ListCode("3011"), R, "eArrest.11", "Observation 67512-4"),
    Element("arrest.rosc", "Return of circulation", "Powrót krążenia (ROSC)", ListCode("3012"), R, "eArrest.12", "Observation 67513-2", many=True),
    Element("arrest.time", "Time of the arrest", "Czas zatrzymania", TIME, R, "eArrest.14", "Observation", with_value=APPROXIMATE, instead=UNABLE),
    Element("arrest.stopped_at", "Resuscitation stopped", "Zakończenie resuscytacji", TIME, E, "eArrest.15", "Observation"),
    Element("arrest.stopped_why", "Reason for stopping", "Powód zakończenia resuscytacji", ListCode("3016"), R, "eArrest.16", "Observation"),
    Element("arrest.rhythm_at_destination", "Rhythm at the destination", "Rytm u celu", RHYTHM, R, "eArrest.17", "Observation 67519-9", many=True),
    Element("arrest.end", "End of the event", "Wynik zdarzenia", ListCode("3018"), R, "eArrest.18", "Observation"),
    Element("arrest.first_cpr", "First CPR", "Początek RKO", TIME, O, "eArrest.19", "Procedure.performedDateTime"),
    Element("arrest.cpr_begun_by", "CPR begun by", "RKO rozpoczął", ListCode("3020"), R, "eArrest.20", "Observation 67506-6"),
    Element("arrest.aed_applied_by", "AED applied by", "AED podłączył", ListCode("3021"), R, "eArrest.21", "Observation"),
    Element("arrest.first_shock_by", "First shock by", "Pierwsza defibrylacja przez", ListCode("3022"), R, "eArrest.22", "Observation"),
    Element("arrest.cooling", "Therapeutic cooling", "Hipotermia terapeutyczna", YES_NO, O, "eArrest.10", "Procedure.code"),
    Element("arrest.cpc", "CPC at discharge", "CPC przy wypisie", ListCode("3013"), O, "eArrest.13", "Observation"),
)
