"""Documents of NEMSIS as another agency sends them, and the care records that they make."""

from protocols.epcr.change import FieldChange
from protocols.epcr.check import find_fault
from protocols.epcr.record import CareRecord, current_record
from protocols.nemsis.reading import ReadReport

UUID_TEXT = "a1500a8d-f414-4ca3-84bc-4e0a7d0ccb15"
MANDATORY = (
    "<eRecord><eRecord.01>report-1</eRecord.01></eRecord>",
    "<eResponse><eResponse.23>2223001</eResponse.23></eResponse>",
    "<eDispatch><eDispatch.01>2301021</eDispatch.01></eDispatch>",
    "<eTimes><eTimes.03>2026-03-01T01:02:03+01:00</eTimes.03><eTimes.13>2026-03-01T02:30:00+01:00</eTimes.13></eTimes>",
    "<eDisposition><eDisposition.IncidentDispositionGroup><eDisposition.27>4227001</eDisposition.27>"
    "</eDisposition.IncidentDispositionGroup></eDisposition>",
)
"""Sections with the mandatory elements that only a record has."""
WITH_VEHICLE = (
    MANDATORY[1].replace(
        "<eResponse.23>", "<eResponse.13>AMB-42</eResponse.13><eResponse.14>S01</eResponse.14><eResponse.23>"
    ),
    *(MANDATORY[0], *MANDATORY[2:]),
)
"""The same, with the vehicle, for an encounter without one."""
NAME = "<ePatient><ePatient.PatientNameGroup><ePatient.02>{}</ePatient.02></ePatient.PatientNameGroup></ePatient>"
"""A section with a family name."""


def document(*lines: str, uuid: str = UUID_TEXT) -> bytes:
    """Return a document with one report. `lines` are its sections."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<EMSDataSet xmlns="http://www.nemsis.org" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<Header><DemographicGroup><dAgency.01>C034</dAgency.01><dAgency.02>351-C034P2</dAgency.02><dAgency.04>09</dAgency.04>
</DemographicGroup><PatientCareReport UUID="{uuid}">{"".join(lines)}</PatientCareReport></Header></EMSDataSet>
""".encode()


def record_of(report: ReadReport) -> CareRecord:
    """Return the care record that has exactly the statements of a report."""
    changes = [
        FieldChange(
            id=f"c{number}",
            encounter="enc_import",
            key=each.key,
            author="nemsis:351-C034P2",
            gateway_time_us=number,
            entry=each.entry,
            value=each.value,
            negative=each.negative,
            not_recorded=each.not_recorded,
            device_time_us=each.time_us,
        )
        for number, each in enumerate(report.statements)
    ]
    faults = {change.key: fault for change in changes if (fault := find_fault(change)) is not None}
    assert faults == {}
    return current_record(changes)
