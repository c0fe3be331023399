"""Table of the document of one patient: its sections, groups and elements in the order that the schema demands.

It has each element of the catalogue, and each other element that the schema requires. What the schema also permits and
Argus does not record is left out.
"""

from protocols.nemsis.structure import Branch, branch, optional

AGENCY = branch("DemographicGroup", required=True).name
"""Name of the group that identifies the sending agency."""

AGENCY_ELEMENTS = ("dAgency.01", "dAgency.02", "dAgency.04")
"""Elements of the sending agency: its id in the state, its number, and the code of its state."""

REPORT = Branch(
    "PatientCareReport",
    (
        branch("eRecord", "01", branch("eRecord.SoftwareApplicationGroup", "02 03 04")),
        branch(
            "eResponse",
            branch("eResponse.AgencyGroup", "01"),
            "03 04",
            branch("eResponse.ServiceGroup", "05"),
            "07 08 09 10 11 12 13 14 23 24",
        ),
        branch("eDispatch", "01 02 05 06"),
        optional("eCrew", optional("eCrew.CrewGroup", "01 02 03", entries="crew")),
        branch("eTimes", "01 02 03 05 06 07 08 09 11 12 13 14"),
        branch(
            "ePatient",
            optional("ePatient.PatientNameGroup", "02 03"),
            "05 06 07 08 09 10 12 14",
            branch("ePatient.AgeGroup", "15 16"),
            "17 18 24 25",
        ),
        branch("ePayment", "01 50"),
        branch("eScene", "01 06 07 08 09 11 15 16 17 18 19 20 21 22"),
        branch(
            "eSituation",
            "01 02",
            optional("eSituation.PatientComplaintGroup", "03 04 05 06"),
            "07 08 09 10 11 12 13 18 20",
        ),
        branch("eInjury", "01 02 03 04 06 07 08 09"),
        branch("eArrest", "01 02 03 04 07 09 10 11 12 13 14 15 16 17 18 19 20 21 22"),
        branch(
            "eHistory",
            "01 05 06 07 08 09",
            optional("eHistory.CurrentMedsGroup", "12 13 14 15 20", entries="own_medicines"),
            "17 18 19",
        ),
        optional("eNarrative", "01"),
        branch(
            "eVitals",
            branch(
                "eVitals.VitalGroup",
                "01 02",
                branch("eVitals.CardiacRhythmGroup", "03 04 05"),
                branch("eVitals.BloodPressureGroup", "06 07 08 09"),
                branch("eVitals.HeartRateGroup", "10 11"),
                "12 13 14 15 16 17 18",
                branch("eVitals.GlasgowScoreGroup", "19 20 21 22 23"),
                optional("eVitals.TemperatureGroup", "24 25"),
                "26",
                branch("eVitals.PainScaleGroup", "27 28"),
                branch("eVitals.StrokeScaleGroup", "29 30 34"),
                "31 32 33",
                entries="vitals",
            ),
        ),
        optional(
            "eExam",
            "01 02",
            optional(
                "eExam.AssessmentGroup",
                "04 05 06 07 09",
                optional("eExam.AbdomenGroup", "10 11", entries="abdomen"),
                "12",
                optional("eExam.SpineGroup", "13 14", entries="spine"),
                optional("eExam.ExtremityGroup", "15 16", entries="limbs"),
                optional("eExam.EyeGroup", "17 18", entries="eyes"),
                optional("eExam.LungGroup", "22 23", entries="lungs"),
                optional("eExam.ChestGroup", "24 25", entries="chest"),
                "19 20",
                entries="exam",
            ),
            "21",
        ),
        branch("eProtocols", branch("eProtocols.ProtocolGroup", "01 02", entries="protocols")),
        branch(
            "eMedications",
            branch(
                "eMedications.MedicationGroup",
                "01 02 03 04",
                branch("eMedications.DosageGroup", "05 06"),
                "07 08 09 10 11",
                entries="medications",
            ),
        ),
        branch(
            "eProcedures",
            branch("eProcedures.ProcedureGroup", "01 02 03 04 05 06 07 08 09 10 13 14", entries="procedures"),
        ),
        optional(
            "eAirway",
            optional(
                "eAirway.AirwayGroup",
                "01",
                optional("eAirway.ConfirmationGroup", "02 03 04 05 06 07", entries="airway_checks"),
                "08 09 10 11",
            ),
        ),
        optional(
            "eDevice",
            optional(
                "eDevice.DeviceGroup",
                "01 02 03",
                optional("eDevice.WaveformGroup", "04 05 06"),
                "07 08",
                optional("eDevice.ShockGroup", "09 10 11 12"),
                entries="devices",
            ),
        ),
        branch(
            "eDisposition",
            branch("eDisposition.DestinationGroup", "01 02 05 06 07"),
            branch("eDisposition.IncidentDispositionGroup", "27 28 29 30 31"),
            "13 14 15 16 17 18 19 20 21 22 23",
            branch("eDisposition.HospitalTeamActivationGroup", "24 25", entries="team_alerts"),
            "32",
        ),
        branch(
            "eOutcome",
            "01 02",
            branch("eOutcome.EmergencyDepartmentProceduresGroup", "09 19"),
            "10 11",
            branch("eOutcome.HospitalProceduresGroup", "12 20"),
            "13 16 18",
        ),
        optional(
            "eOther",
            optional("eOther.EMSCrewMemberGroup", "05"),
            "08",
            optional("eOther.FileGroup", "09 10 11 22", entries="attachments"),
            optional("eOther.SignatureGroup", "12 13 14 15 16 17 18 19 20 21", entries="signatures"),
        ),
    ),
)
"""The report of one patient, below the header."""
