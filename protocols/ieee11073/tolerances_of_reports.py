"""The texts of the rows of `tolerances` about reports: clause, sentence, action, reason, and file.

A separate file only because the table is long; `Oddity` adds the name and the outcome of each.
"""

from protocols.ieee11073.tolerances_of_memories import Words

# fmt: off
REPORT_OF_NO_OBJECT: Words = (
    "20601 §9.4 rule 3", "a report comes from handle {handle}, which the configuration lacks",
    "ROER no-such-object-instance to a confirmed report.",
    "Nothing says how its values lie.",
    "association/manager.py",
)
REPORT_TYPE: Words = (
    "20601 §9.4 rule 2", "event reports of type {event_type} are not taken",
    "RORJ unrecognized-operation to a confirmed report.",
    "Only the event types of the conformance table have a form that we know.",
    "association/manager.py",
)
REPORT_UNREADABLE: Words = (
    "", "a report cannot be read: {reason}",
    "RORJ badly-structured-apdu to a confirmed report; after too many of them ABRT.",
    "A length that contradicts its parent leaves no doubt-free value.",
    "association/manager.py",
)
REPORT_TIME_UNDECLARED: Words = (
    "20601 §5 scan report",
    "observations of handle {handle} end with a time that their map does not declare",
    "The time is taken as the time stamp.",
    "Eight bytes that read as a calendar time are one; the oximeters of a widespread agent stack do this.",
    "dim/report_plan.py",
)
REPORT_LONGER: Words = (
    "20601 §5 scan report", "observations of handle {handle} are longer than their map",
    "The declared values are taken, the rest is skipped.",
    "The declared values stand first and are unambiguous.",
    "dim/report_plan.py",
)
REPORT_SHORTER: Words = (
    "20601 §5 scan report", "observations of handle {handle} are shorter than their map",
    "The values that are whole are taken.",
    "A value that ends where the map says is the value.",
    "dim/report_plan.py",
)
REPORT_SCANS_UNKNOWN: Words = (
    "20601 §9.4 rule 3", "a scanner reports handle {handle}, which the configuration lacks",
    "Its bytes are skipped, the other observations are taken.",
    "The scanner's map says how long they are, nothing says what they mean.",
    "dim/report_plan.py",
)
GROUP_LONGER: Words = (
    "20601 §5 scan report",
    "grouped observations of scanner {handle} are longer than their map",
    "The declared values are taken, the rest is skipped.",
    "The declared values stand first and are unambiguous.",
    "dim/report_plan.py",
)
REPORT_TRAILING: Words = (
    "20601 §5 scan report", "{trailing} bytes follow the complete list of observations of a report",
    "They are skipped, the observations are taken.",
    "The list says how long it is and every observation in it is whole; what follows has no place in the form. The "
    "glucometer agent of a widespread stack does this.",
    "dim/report_plan.py",
)
REPORT_WITHOUT_VALUE: Words = (
    "20601 §5 scan report", "a report names handle {handle} without a value",
    "Nothing is recorded for it, the other observations are taken; where nothing is left to keep, RORJ "
    "badly-structured-apdu to a confirmed report.",
    "A name alone says nothing about the patient, and RORS would say that something is kept.",
    "dim/report_plan.py",
)
HANDLE_UNKNOWN: Words = (
    "20601 §9.4 rule 3",
    "a report has observations of handle {handle}, but {missing}",
    "They are skipped, the other observations are taken; where none is left the report is refused with ROER "
    "no-such-object-instance.",
    "Without an object or a map bytes have no meaning. The scale agent of a widespread stack does this.",
    "dim/report_plan.py",
)
VALUE_ABSENT: Words = (
    "20601 §8 observed value",
    "a value of handle {handle} is an empty or endless compound, or an enumeration of an unknown choice or length",
    "Its bytes flow on as an attribute by number, the other observations are taken.",
    "It is no value that we know, and the rest of the report does not depend on it.",
    "dim/value_fields.py",
)
TIME_UNREADABLE: Words = (
    "20601 §1.2 AbsoluteTime", "observations of handle {handle} carry a time that is none",
    "Its bytes are kept beside the value, which is dated by its reception.",
    "The value was measured, whatever its clock says. Reported for the first report of each layout.",
    "dim/report_plan.py",
)
TIME_STAMP_SECOND: Words = (
    "20601 §8.2 time stamps", "observations of handle {handle} carry more than one time stamp",
    "The one that says most counts: a date before a counter. The others are not kept.",
    "An observation was made at one moment; a date needs no coincident time stamp to be read.",
    "dim/value_fields.py",
)
SAMPLES_COUNT: Words = (
    "20601 §8.4 Sa-Specification",
    "handle {handle} sends {samples_found} samples where its Sa-Specification has {samples_due}",
    "All samples are taken.",
    "Each sample has its place by the sample period, however many there are.",
    "dim/report_items.py",
)
COMPOUND_LENGTH: Words = (
    "20601 §8.3 Metric-Id-List",
    "a compound value of handle {handle} has another length than its Metric-Id-List",
    "The components are kept by their position.",
    "Their numbers are right; only names are missing.",
    "dim/report_items.py",
)
SAMPLES_OF_NO_WAVEFORM: Words = (
    "20601 §8.4", "handle {handle} sends samples but is no waveform",
    "They are skipped, the other observations are taken.",
    "Without format and period they cannot be drawn.",
    "dim/report_items.py",
)
SAMPLES_CUT: Words = (
    "20601 §8.4 Sa-Specification", "the samples of handle {handle} end inside a sample",
    "The whole samples are taken.",
    "Half a sample is none.",
    "dim/report_items.py",
)
REPORT_NUMBER_REPEATED: Words = (
    "20601 §5 scan-report-no", "a report has the number of the one before it",
    "It is taken as a new report.",
    "A device that repeats says so by its time stamps; dropping a report by its number could drop a measurement.",
    "association/report_intake.py",
)
REPORT_NUMBER_START: Words = (
    "20601 §5 scan-report-no", "report numbers do not start at 0",
    "Reports are taken; numbers are followed from there.",
    "The number only finds lost reports.",
    "association/report_intake.py",
)
REPORT_NUMBER_BACKWARD: Words = (
    "20601 §5 scan-report-no", "report numbers go backward",
    "Reports are taken; numbers are followed from there.",
    "The number only finds lost reports.",
    "association/report_intake.py",
)
# fmt: on
