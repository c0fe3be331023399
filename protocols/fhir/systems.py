"""URIs of code systems, identifier systems, profiles and extensions.

Our own systems are OIDs that are made from random UUIDs (ITU-T X.667), so they need no registration, and vehicle and
cloud have the same ones at every installation.
"""

from typing import Final

IDENTIFIER: Final = "urn:oid:2.25.85022521334398116030207701525226300837"
"""Identifiers by which a resource is created once (`ids`)."""
ENTRY: Final = "urn:oid:2.25.160604310313873334535967641447066043400"
"""Identifiers of an entry of the care record, the same in each version of its content."""
ENCOUNTER: Final = "urn:oid:2.25.28692555585080023867726057599403676423"
"""Ids of encounters, as in the addresses of this API."""
GATEWAY: Final = "urn:oid:2.25.193455660811532567657427815161530088120"
"""Ids of gateways."""
ORGANIZATION: Final = "urn:oid:2.25.128546803040006841693678980699051106800"
"""Ids of organisations."""
ELEMENT: Final = "urn:oid:2.25.253337853778798982132380816586171055833"
"""Keys of the elements of the care record (`protocols.epcr.catalogue`)."""
NEMSIS: Final = "urn:oid:2.25.231604259120047816410968571594889839253"
"""Codes of NEMSIS 3.5, which has no published URI: four digits of the list, and three of the value."""

MDC: Final = "urn:iso:std:iso:11073:10101"
LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
SNOMED: Final = "http://snomed.info/sct"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10: Final = "http://hl7.org/fhir/sid/icd-10"
ISO_639: Final = "urn:iso:std:iso:639:-2"
PESEL: Final = "urn:oid:2.16.840.1.113883.3.4424.1.1.616"
ABSENT_REASON: Final = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ACT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
OBSERVATION_VALUE: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
IDENTIFIER_TYPE: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
OBSERVATION_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
PHD_CATEGORY: Final = "http://hl7.org/fhir/uv/phd/CodeSystem/PhdObservationCategories"
MEASUREMENT_STATUS: Final = "http://hl7.org/fhir/uv/pocd/CodeSystem/measurement-status"
BITS: Final = "http://terminology.hl7.org/CodeSystem/ASN1ToHL7"
DEVICE_IDENTIFIERS: Final = "http://terminology.hl7.org/CodeSystem/ContinuaDeviceIdentifiers"
EUI_64: Final = "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680"
BLUETOOTH_ADDRESS: Final = "http://hl7.org/fhir/sid/eui-48/bluetooth"

PHD_PROFILE: Final = "http://hl7.org/fhir/uv/phd/StructureDefinition/"
VITAL_SIGN_PROFILE: Final = "http://hl7.org/fhir/StructureDefinition/"
GATEWAY_EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition/observation-gatewayDevice"
COINCIDENT_EXTENSION: Final = "http://hl7.org/fhir/uv/phd/StructureDefinition/CoincidentTimeStampReference"
