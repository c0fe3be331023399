"""The reader of NEMSIS documents raises `DocumentRefused` and nothing else, on any bytes.

What it reads passes the check of the catalogue, and an export of it is read with the same statements. `make fuzz` reads
15 000 mutated documents.
"""

from dataclasses import replace
from random import Random

from lxml import etree

from protocols.epcr.catalogue import ELEMENTS
from protocols.nemsis.document import DocumentRefused
from protocols.nemsis.export import export_record
from protocols.nemsis.reading import ReadReport, read_reports
from tests.builders.fuzz_counts import SEED, count, seeded
from tests.builders.ingest_nonsense import mutated
from tests.builders.nemsis_records import NEEDED, SUPPLIED
from tests.builders.nemsis_reports import WITH_VEHICLE, document, record_of

COUNT = count(300)
WORDS = (
    "",
    " ",
    "0",
    "-1",
    "9" * 40,
    "1e999999",
    "2026-02-30T25:00:00Z",
    "2050-01-01T00:00:00+24:00",
    "NaN",
    "ſ",
    "\n",
)
VITALS = """<eVitals><eVitals.VitalGroup><eVitals.01>2026-03-01T01:02:03+01:00</eVitals.01><eVitals.CardiacRhythmGroup>
<eVitals.03>9901047</eVitals.03><eVitals.04 xsi:nil="true" NV="7701001"/></eVitals.CardiacRhythmGroup>
<eVitals.BloodPressureGroup><eVitals.06>120</eVitals.06><eVitals.07>P</eVitals.07></eVitals.BloodPressureGroup>
<eVitals.12 xsi:nil="true" PN="8801019"/><eVitals.16 ETCO2Type="3340005">4.7</eVitals.16>
<eVitals.TemperatureGroup><eVitals.24>36.6</eVitals.24></eVitals.TemperatureGroup></eVitals.VitalGroup></eVitals>"""
PATIENT = """<ePatient><ePatient.05 StreetAddress2="m. 2">ul. Polna 1</ePatient.05><ePatient.AgeGroup>
<ePatient.15 PN="8801029">45</ePatient.15></ePatient.AgeGroup><ePatient.17>1981-02-03</ePatient.17></ePatient>"""
MEDICATION = """<eMedications><eMedications.MedicationGroup><eMedications.03 CodeType="9924003" PN="8801007">1191
</eMedications.03><eMedications.DosageGroup><eMedications.05>0.50</eMedications.05></eMedications.DosageGroup>
</eMedications.MedicationGroup></eMedications>"""
COMPLETE = replace(SUPPLIED, values={each.nemsis: NEEDED[each.key] for each in ELEMENTS if each.key in NEEDED})
WHOLE = document(*WITH_VEHICLE, VITALS, PATIENT, MEDICATION)


def content_of(report: ReadReport) -> set[tuple[str, str | None, str | None, str | None]]:
    """Return the statements without those that an export adds, which are "not recorded"."""
    found = {(each.key, each.value, each.negative, each.not_recorded) for each in report.statements}
    return {each for each in found if each[3] != "not_recorded"}


def rearranged(random: Random) -> bytes:
    """Return the document with some elements and attributes changed, repeated, moved, removed or renamed."""
    root = etree.fromstring(WHOLE)
    for _ in range(random.randint(1, 6)):
        elements = [each for each in root.iter() if each.getparent() is not None]
        if not elements:
            break
        one, other = random.choice(elements), random.choice(elements)
        match random.randint(0, 6):
            case 0:
                one.text = random.choice(WORDS)
            case 1:
                one.getparent().append(etree.fromstring(etree.tostring(one)))
            case 2:
                one.getparent().remove(one)
            case 3:
                one.tag = other.tag
            case 4:
                name = random.choice(("PN", "NV", "{http://www.w3.org/2001/XMLSchema-instance}nil", "ETCO2Type", "x"))
                one.set(name, random.choice(("true", "7701003", "8801005", "3340003", "?")))
            case 5:
                one.attrib.clear()
            case 6 if one not in other.iterancestors() and one is not other:
                other.append(one)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def test_documents_with_mutated_bytes_are_read_or_refused() -> None:
    print(f"\nfuzz: {COUNT} documents, seed {SEED}")
    read = 0
    for number in range(COUNT):
        try:
            reports = read_reports(mutated(WHOLE, seeded("nemsis bytes", number)))
        except DocumentRefused:
            continue
        read += 1
        for report in reports:
            record_of(report)
    assert 0 < read < COUNT


def test_rearranged_documents_are_read_and_exported_with_the_same_statements() -> None:
    exported = 0
    for number in range(COUNT):
        try:
            reports = read_reports(rearranged(seeded("nemsis tree", number)))
        except DocumentRefused:
            continue
        for report in reports:
            again = export_record(record_of(report), COMPLETE)
            if again.problems:
                continue
            exported += 1
            (second,) = read_reports(again.document)
            assert second.omissions == (), number
            if not again.omissions:
                assert content_of(second) >= content_of(report), number
    assert exported > 0
