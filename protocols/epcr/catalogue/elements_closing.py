"""Elements of the end of a mission: narrative, protocols, disposition, outcome, attachments and signatures."""

from protocols.epcr.catalogue.words import PLACE_OF_PATIENT, STAFF, TIME, TREATMENT, YES_NO, E, M, O, R
from protocols.epcr.element import Element
from protocols.epcr.value_sets import ListCode, OneOf, Reference, Text

_DISCHARGE = tuple(f"{number:02d}" for number in (*range(1, 8), 9, 20, 21, 30, 43, 50, 51, *range(61, 67), 70))

ELEMENTS = (
    Element("narrative.text", "Narrative", "Opis", Text(10_000), E, "eNarrative.01", "Composition.section 67781-5", audience=TREATMENT),
    Element("protocols.protocol", "Protocol", "Protokół", ListCode("9914"), R, "eProtocols.01", "Observation 67537-1"),
    Element("protocols.age_group", "Age group of the protocol", "Grupa wiekowa protokołu", ListCode("3602"), E, "eProtocols.02", "Observation 67538-9"),
    Element("disposition.destination", "Destination", "Miejsce docelowe", Text(100, 2), E, "eDisposition.01", "Encounter.hospitalization.destination", audience=TREATMENT),
    Element("disposition.destination_code", "Code of the destination", "Kod miejsca docelowego", Text(50, 2), E, "eDisposition.02", "Encounter.hospitalization.destination", audience=TREATMENT),
    Element("disposition.moved_to_vehicle", "Moved to the vehicle", "Przeniesienie do pojazdu", PLACE_OF_PATIENT, O, "eDisposition.13", "Observation", many=True),
    Element("disposition.position", "Position in transport", "Pozycja podczas transportu", ListCode("4214"), O, "eDisposition.14", "Observation", many=True),
    Element("disposition.moved_from_vehicle", "Moved from the vehicle", "Przeniesienie z pojazdu", PLACE_OF_PATIENT, O, "eDisposition.15", "Observation", many=True),
    Element("disposition.transport_kind", "Kind of transport", "Rodzaj transportu", ListCode("4216"), R, "eDisposition.16", "Observation 67549-6"),
    Element("disposition.transport_mode", "Mode of transport", "Tryb transportu", ListCode("4217"), R, "eDisposition.17", "Observation 67550-4"),
    Element("disposition.acuity", "Acuity at release", "Stan przy przekazaniu", ListCode("4219"), R, "eDisposition.19", "Observation 77941-3"),
    Element("disposition.destination_reason", "Reason for the destination", "Powód wyboru celu", ListCode("4220"), R, "eDisposition.20", "Observation", many=True),
    Element("disposition.destination_type", "Type of the destination", "Rodzaj celu", ListCode("4221"), R, "eDisposition.21", "Observation 67552-0"),
    Element("disposition.hospital_capability", "Capability of the hospital", "Możliwości szpitala", ListCode("9908"), R, "eDisposition.23", "Observation", many=True),
    Element("team_alerts.team", "Alerted team", "Powiadomiony zespół", ListCode("4224"), R, "eDisposition.24", "Observation 69462-0"),
    Element("team_alerts.time", "Time of the alert", "Czas powiadomienia", TIME, R, "eDisposition.25", "Observation 69462-0"),
    Element("disposition.unit", "Unit disposition", "Zakończenie zlecenia", ListCode("4227"), M, "eDisposition.27", "Observation 67548-8"),
    Element("disposition.care", "Care", "Pomoc", ListCode("4228"), R, "eDisposition.28", "Encounter.hospitalization.dischargeDisposition"),
    Element("disposition.crew", "Crew disposition", "Postępowanie zespołu", ListCode("4229"), R, "eDisposition.29", "Encounter.hospitalization.dischargeDisposition"),
    Element("disposition.transport", "Transport", "Transport", ListCode("4230"), R, "eDisposition.30", "Encounter.hospitalization.dischargeDisposition"),
    Element("disposition.release_reason", "Reason for refusal or release", "Powód odmowy lub pozostawienia", ListCode("4231"), O, "eDisposition.31", "Observation", many=True),
    Element("disposition.level_of_care", "Level of care", "Poziom opieki", ListCode("4232"), R, "eDisposition.32", "Observation"),
    Element("outcome.ed_disposition", "Disposition of the emergency department", "Decyzja oddziału ratunkowego", OneOf(_DISCHARGE), R, "eOutcome.01", ""),
    Element("report.staff_exposure", "Exposure of staff", "Ekspozycja zawodowa", YES_NO, E, "eOther.05", "", audience=STAFF),
    Element("report.author", "Author of the report", "Autor raportu", Text(50, 2), E, "eOther.08", "Composition.author", audience=STAFF),
    Element("attachments.type", "Type", "Rodzaj", ListCode("4509"), O, "eOther.09", "DocumentReference.type", audience=TREATMENT),
    Element("attachments.media_type", "Media type", "Typ pliku", Text(255), O, "eOther.10", "DocumentReference.content.attachment.contentType", audience=TREATMENT),
    Element("attachments.file", "File", "Plik", Reference(), O, "eOther.11", "DocumentReference.content.attachment", audience=TREATMENT),
    Element("attachments.name", "Name", "Nazwa", Text(255), O, "eOther.22", "DocumentReference.content.attachment.title", audience=TREATMENT),
    Element("signatures.signer", "Signer", "Podpisujący", ListCode("4512"), O, "eOther.12", "Provenance.signature.who", audience=TREATMENT),
    Element("signatures.reason", "Reason", "Powód podpisu", ListCode("4513"), O, "eOther.13", "Provenance.reason", many=True, audience=TREATMENT),
    Element("signatures.relation", "Relation to the patient", "Stosunek do pacjenta", ListCode("4514"), O, "eOther.14", "Provenance.agent.role", audience=TREATMENT),
    Element("signatures.status", "Status", "Status", ListCode("4515"), O, "eOther.15", "Composition.attester", audience=TREATMENT),
    Element("signatures.file_name", "Name of the picture", "Nazwa obrazu", Text(255), O, "eOther.16", "Provenance.signature", audience=TREATMENT),
    Element("signatures.media_type", "Media type of the picture", "Typ obrazu", Text(255), O, "eOther.17", "Provenance.signature.sigFormat", audience=TREATMENT),
    Element("signatures.picture", "Picture of the signature", "Obraz podpisu", Reference(), O, "eOther.18", "Provenance.signature.data", audience=TREATMENT),
    Element("signatures.time", "Time of the signature", "Czas podpisu", TIME, O, "eOther.19", "Provenance.signature.when", audience=TREATMENT),
    Element("signatures.last_name", "Last name of the signer", "Nazwisko podpisującego", Text(60), O, "eOther.20", "Provenance.signature.who", audience=TREATMENT),
    Element("signatures.first_name", "First name of the signer", "Imię podpisującego", Text(50), O, "eOther.21", "Provenance.signature.who", audience=TREATMENT),
)
