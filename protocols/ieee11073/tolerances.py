"""Table of all known deviations of devices: the sentence that reports each, what is done about it, and why.

`Notes.add` takes a member of `Oddity`, so every reported deviation has a row here, for the device report and the device
maker's guide. Sentences are templates. They are filled with handles, counts, names and error texts of our own decoders,
never with measured values.

A tolerated deviation is accepted although it is wrong: the association continues, and every value that can be decoded
without guessing is kept. A deviation that leaves doubt about a value is never tolerated: it is refused (ROER, RORJ,
AARE), or the association ends (ABRT).
"""

from enum import Enum


class Outcome(Enum):
    """Consequence of a deviation for the device that caused it."""

    TOLERATED = "tolerated"
    """Accepted although wrong; everything that can be read is kept."""
    REFUSED = "refused"
    """Refused by ROER, RORJ, a configuration result or AARE rejected; nothing of it is kept."""
    ENDED = "ended"
    """The association ends (ABRT)."""


class Oddity(Enum):
    """A known deviation. If its clause is empty, the decoder that failed names the violated clause."""

    def __init__(self, outcome: Outcome, clause: str, sentence: str, done: str, why: str) -> None:
        self.outcome = outcome
        self.clause = clause
        self.sentence = sentence
        self.done = done
        self.why = why

    @property
    def key(self) -> str:
        """Stable name of the deviation. Records of many years are grouped by it, so it never changes."""
        return self.name.lower()

    # fmt: off
    # Associating.
    AARQ_UNREADABLE = (
        Outcome.REFUSED, "", "an association request cannot be read: {reason}",
        "AARE rejected-permanent.",
        "Without its system id and configuration id a device cannot be identified.",
    )
    SYSTEM_ID_LENGTH = (
        Outcome.REFUSED, "20601 §3 system-id", "a system id has {bytes_found} bytes, not the eight of an EUI-64",
        "AARE rejected-permanent.",
        "The record is kept under this id; a padded or cut one could be another device's.",
    )
    CONFIG_ID_RANGE = (
        Outcome.TOLERATED, "20601 §3 ConfigId", "configuration id {config_id} is outside 1 to 32767",
        "The device is asked for its configuration, which is then used.",
        "The objects say what the values mean; the number only names them.",
    )
    AARE_UNREADABLE = (
        Outcome.TOLERATED, "", "the manager's answer cannot be read: {reason}",
        "Our agent goes on with the result, which could be read.",
        "Who granted the association changes nothing that an agent sends.",
    )
    OUTSIDE_ASSOCIATION = (
        Outcome.REFUSED, "20601 §9", "outside an association came {what} (row {row})",
        "ABRT, as the row says; nothing of it is kept.",
        "What came before the association was granted belongs to no device.",
    )
    # APDUs and messages.
    STREAM_LOST = (
        Outcome.ENDED, "", "the stream of APDUs is lost: {reason}",
        "ABRT; a connection is closed, a serial line is searched for the next association request.",
        "Behind a header that cannot be true no APDU boundary is known.",
    )
    APDU_UNREADABLE = (
        Outcome.REFUSED, "", "an APDU cannot be read: {reason}",
        "RORJ where an invoke-id could be read, else ABRT.",
        "Its length was right, so the stream goes on behind it.",
    )
    MESSAGE_UNREADABLE = (
        Outcome.REFUSED, "", "a message cannot be read: {reason}",
        "RORJ badly-structured-apdu or unrecognized-apdu; after too many of them ABRT.",
        "Lengths that contradict each other leave no doubt-free value.",
    )
    ANSWER_LATE = (
        Outcome.TOLERATED, "20601 §9.3 confirmed service", "an answer came after we had given it up",
        "It is ignored.",
        "Some agents never answer anything but a Get of the MDS; waiting for it must not end their reports.",
    )
    INVOKE_ID_REUSED = (
        Outcome.TOLERATED, "20601 §4 invoke-id", "an invoke-id is used again before its answer",
        "Every report is answered under the invoke-id that it came with.",
        "The reports differ and are all kept; only the device could be confused by its own numbers.",
    )
    # Configuration.
    CONFIG_UNREADABLE = (
        Outcome.REFUSED, "", "a configuration cannot be read: {reason}",
        "RORJ badly-structured-apdu; the device may send another one.",
        "Reports cannot be read with half a configuration.",
    )
    CONFIG_REFUSED = (
        Outcome.REFUSED, "20601 §9.1 configuration", "a configuration is refused: {result}",
        "Its result is sent in the answer; the device may offer another configuration.",
        "It names a standard configuration that we cannot verify, or has no object that we can take values from.",
    )
    CONFIG_ID_OTHER = (
        Outcome.TOLERATED, "20601 §9.1 configuration",
        "a configuration comes under id {reported_id} and the association request named {requested_id}",
        "The configuration is used, and remembered under the id that it came with.",
        "The objects say what the values mean, and reports follow the configuration that was explained last.",
    )
    CONFIG_CHANGED = (
        Outcome.ENDED, "20601 §9.1 configuration",
        "reports do not fit the configuration that the device once sent under the same id",
        "ABRT once; at the next association the configuration is requested again.",
        "A firmware update that keeps the configuration id would make old meanings stand for new values.",
    )
    CONFIG_OFFERED_IN_VAIN = (
        Outcome.ENDED, "20601 §9.1 configuration", "{offered} configurations were offered and none could be used",
        "ABRT.",
        "A known agent repeats a configuration that was refused without end.",
    )
    TYPE_MISSING = (
        Outcome.TOLERATED, "20601 §8.2 Type", "the object with handle {handle} has no Type",
        "Its values flow on under type 0:0, or under their own metric id.",
        "A value without a name can be named later; a dropped one cannot be measured again.",
    )
    ATTRIBUTE_LENGTH = (
        Outcome.TOLERATED, "20601 §8", "{attribute} has {bytes_found} bytes, not {bytes_due}",
        "The attribute counts as absent.",
        "Every other attribute of the object still means what it says.",
    )
    ATTRIBUTE_UNREADABLE = (
        Outcome.TOLERATED, "", "{attribute} cannot be read: {reason}",
        "The attribute counts as absent.",
        "Every other attribute of the object still means what it says.",
    )
    SAMPLE_PERIOD_MISSING = (
        Outcome.TOLERATED, "20601 §8.4 Sample-Period", "the waveform with handle {handle} has no Sample-Period",
        "Samples are kept with period 0: their order is known, their spacing is not.",
        "A period that we made up would draw a wrong heart rate.",
    )
    SAMPLE_WIDTH = (
        Outcome.TOLERATED, "20601 §8.4 Sa-Specification",
        "the waveform with handle {handle} has samples of {bits} bits",
        "The bytes are kept as they came, without a scale.",
        "They can be read once their form is known.",
    )
    SCALE_UNUSABLE = (
        Outcome.TOLERATED, "20601 §8.4 Scale-and-Range", "the waveform with handle {handle} has no usable scale",
        "Samples are kept unscaled: slope 1, offset 0.",
        "The raw samples are right whatever the scale would have been.",
    )
    SCALE_UNREADABLE = (
        Outcome.TOLERATED, "20601 §8.4 Scale-and-Range",
        "the scale of the waveform with handle {handle} cannot be read: {reason}",
        "Samples are kept unscaled: slope 1, offset 0.",
        "The raw samples are right whatever the scale would have been.",
    )
    # The device itself.
    MDS_WITHHELD = (
        Outcome.TOLERATED, "20601 §6 Get MDS", "the device does not say what it is",
        "It is served under its system id, without a name.",
        "Its measurements do not depend on what it calls itself.",
    )
    MDS_ATTRIBUTE_UNREADABLE = (
        Outcome.TOLERATED, "20601 §8.1 MDS", "attribute {attribute} of the MDS cannot be read",
        "The attribute counts as absent, its bytes stay in the device report.",
        "One padded text must not cost the device its name.",
    )
    CLOCK_UNREADABLE = (
        Outcome.TOLERATED, "20601 §1.2 AbsoluteTime", "the clock that the device shows is no time",
        "Its clock counts as unknown; what it measures is dated by its reception until its reports show a time.",
        "A well-known agent stack shows all zeros, others write hexadecimal digits where decimal ones are due.",
    )
    # Reports.
    REPORT_OF_NO_OBJECT = (
        Outcome.REFUSED, "20601 §9.4 rule 3", "a report comes from handle {handle}, which the configuration lacks",
        "ROER no-such-object-instance to a confirmed report.",
        "Nothing says how its values lie.",
    )
    REPORT_TYPE = (
        Outcome.REFUSED, "20601 §9.4 rule 2", "event reports of type {event_type} are not taken",
        "RORJ unrecognized-operation to a confirmed report.",
        "Only the event types of the conformance table have a form that we know.",
    )
    REPORT_UNREADABLE = (
        Outcome.REFUSED, "", "a report cannot be read: {reason}",
        "RORJ badly-structured-apdu to a confirmed report; after too many of them ABRT.",
        "A length that contradicts its parent leaves no doubt-free value.",
    )
    REPORT_TIME_UNDECLARED = (
        Outcome.TOLERATED, "20601 §5 scan report",
        "observations of handle {handle} end with a time that their map does not declare",
        "The time is taken as the time stamp.",
        "Eight bytes that read as a calendar time are one; the oximeters of a widespread agent stack do this.",
    )
    REPORT_LONGER = (
        Outcome.TOLERATED, "20601 §5 scan report", "observations of handle {handle} are longer than their map",
        "The declared values are taken, the rest is skipped.",
        "The declared values stand first and are unambiguous.",
    )
    REPORT_SHORTER = (
        Outcome.TOLERATED, "20601 §5 scan report", "observations of handle {handle} are shorter than their map",
        "The values that are whole are taken.",
        "A value that ends where the map says is the value.",
    )
    REPORT_SCANS_UNKNOWN = (
        Outcome.TOLERATED, "20601 §9.4 rule 3", "a scanner reports handle {handle}, which the configuration lacks",
        "Its bytes are skipped, the other observations are taken.",
        "The scanner's map says how long they are, nothing says what they mean.",
    )
    GROUP_LONGER = (
        Outcome.TOLERATED, "20601 §5 scan report",
        "grouped observations of scanner {handle} are longer than their map",
        "The declared values are taken, the rest is skipped.",
        "The declared values stand first and are unambiguous.",
    )
    REPORT_TRAILING = (
        Outcome.TOLERATED,
        "20601 §5 scan report", "{trailing} bytes follow the complete list of observations of a report",
        "They are skipped, the observations are taken.",
        "The list says how long it is and every observation in it is whole; what follows has no place in the form. The "
        "glucometer agent of a widespread stack does this.",
    )
    REPORT_WITHOUT_VALUE = (
        Outcome.TOLERATED, "20601 §5 scan report", "a report names handle {handle} without a value",
        "Nothing is recorded for it, the other observations are taken; where nothing is left to keep, RORJ "
        "badly-structured-apdu to a confirmed report.",
        "A name alone says nothing about the patient, and RORS would say that something is kept.",
    )
    HANDLE_UNKNOWN = (
        Outcome.TOLERATED, "20601 §9.4 rule 3",
        "a report has observations of handle {handle}, but {missing}",
        "They are skipped, the other observations are taken; where none is left the report is refused with ROER "
        "no-such-object-instance.",
        "Without an object or a map bytes have no meaning. The scale agent of a widespread stack does this.",
    )
    VALUE_ABSENT = (
        Outcome.TOLERATED, "20601 §8 observed value",
        "a value of handle {handle} is an empty or endless compound, or an enumeration of an unknown choice or length",
        "Its bytes flow on as an attribute by number, the other observations are taken.",
        "It is no value that we know, and the rest of the report does not depend on it.",
    )
    TIME_UNREADABLE = (
        Outcome.TOLERATED, "20601 §1.2 AbsoluteTime", "observations of handle {handle} carry a time that is none",
        "Its bytes are kept beside the value, which is dated by its reception.",
        "The value was measured, whatever its clock says. Reported for the first report of each layout.",
    )
    TIME_STAMP_SECOND = (
        Outcome.TOLERATED, "20601 §8.2 time stamps", "observations of handle {handle} carry more than one time stamp",
        "The one that says most counts: a date before a counter. The others are not kept.",
        "An observation was made at one moment; a date needs no coincident time stamp to be read.",
    )
    SAMPLES_COUNT = (
        Outcome.TOLERATED, "20601 §8.4 Sa-Specification",
        "handle {handle} sends {samples_found} samples where its Sa-Specification has {samples_due}",
        "All samples are taken.",
        "Each sample has its place by the sample period, however many there are.",
    )
    COMPOUND_LENGTH = (
        Outcome.TOLERATED, "20601 §8.3 Metric-Id-List",
        "a compound value of handle {handle} has another length than its Metric-Id-List",
        "The components are kept by their position.",
        "Their numbers are right; only names are missing.",
    )
    SAMPLES_OF_NO_WAVEFORM = (
        Outcome.TOLERATED, "20601 §8.4", "handle {handle} sends samples but is no waveform",
        "They are skipped, the other observations are taken.",
        "Without format and period they cannot be drawn.",
    )
    SAMPLES_CUT = (
        Outcome.TOLERATED, "20601 §8.4 Sa-Specification", "the samples of handle {handle} end inside a sample",
        "The whole samples are taken.",
        "Half a sample is none.",
    )
    REPORT_NUMBER_REPEATED = (
        Outcome.TOLERATED, "20601 §5 scan-report-no", "a report has the number of the one before it",
        "It is taken as a new report.",
        "A device that repeats says so by its time stamps; dropping a report by its number could drop a measurement.",
    )
    REPORT_NUMBER_START = (
        Outcome.TOLERATED, "20601 §5 scan-report-no", "report numbers do not start at 0",
        "Reports are taken; numbers are followed from there.",
        "The number only finds lost reports.",
    )
    REPORT_NUMBER_BACKWARD = (
        Outcome.TOLERATED, "20601 §5 scan-report-no", "report numbers go backward",
        "Reports are taken; numbers are followed from there.",
        "The number only finds lost reports.",
    )
    # A manager's requests to a device.
    ATTRIBUTES_WITHHELD = (
        Outcome.TOLERATED, "20601 §6 Get", "attributes of handle {handle} are withheld: {why}",
        "It is served without them.",
        "Its measurements do not depend on what it says about itself.",
    )
    CLOCK_NOT_SET = (
        Outcome.TOLERATED, "20601 §6 Setting time",
        "the clock is not set although Mds-Time-Info says that it can be: {why}",
        "It is not asked again in this association; its times are corrected by the measured offset.",
        "A wrong clock that is known to be wrong is good enough; a device that is gone is not.",
    )
    SCANNER_NOT_SWITCHED = (
        Outcome.TOLERATED, "20601 §6 Operational-State", "scanner {handle} is not switched: {why}",
        "What it reports is taken all the same.",
        "Some scanners report without being enabled, and the MDS may report beside them.",
    )
    SCANNER_SILENT = (
        Outcome.TOLERATED, "20601 §8.6 Reporting-Interval",
        "periodic scanner {handle} is enabled and does not report every {interval_s} s",
        "It is reported; the association goes on.",
        "Other scanners of the same device may be well, and this one may come back.",
    )
    DATA_REQUEST_REFUSED = (
        Outcome.TOLERATED, "20601 §6 DataRequest", "a data request is not served: {why}",
        "What the device reports by itself is taken all the same.",
        "A device that accepts no requests may still report.",
    )
    DATA_RESPONSE_UNREADABLE = (
        Outcome.TOLERATED, "", "the answer to a data request cannot be read: {reason}",
        "Nothing of it is kept, and no flow is expected.",
        "A length that contradicts its parent leaves no doubt-free value.",
    )
    # Memories.
    STORE_REFUSED = (
        Outcome.TOLERATED, "20601 §7 PM-store", "PM-store {handle} does not answer {what} as asked: {reason}",
        "What it holds stays there; it is asked again in the next association.",
        "A device that cannot hand its memory over still measures.",
    )
    STORE_SILENT = (
        Outcome.TOLERATED, "20601 §9.3 PM-store", "PM-store {handle} is silent where {what} is due",
        "The memory is given up for this association; live reports go on.",
        "To end the association would lose live reports for the sake of stored ones, which the device keeps.",
    )
    STORE_SEGMENTS_MANY = (
        Outcome.TOLERATED, "20601 §8.7 Number-Of-Segments",
        "PM-store {handle} lists more than {segments_max} segments",
        "So many are fetched in one association.",
        "A list of segments is kept in memory; the next association goes on where this one stopped.",
    )
    SEGMENT_UNREADABLE = (
        Outcome.TOLERATED, "", "segment {segment} of PM-store {handle} cannot be read: {reason}",
        "It is neither fetched nor cleared.",
        "Without a map that we understand its entries have no meaning.",
    )
    SEGMENT_UNASKED = (
        Outcome.REFUSED, "20601 §7 SegmentDataEvent", "entries come of a segment that was not asked for",
        "SegmentDataResult with manager-abort; nothing of it is kept.",
        "Its map was not read in this association, and asking for it brings them again.",
    )
    SEGMENT_INDEX_START = (
        Outcome.TOLERATED, "20601 §7 segm-evt-entry-index", "the first entry of a segment has the index {index}",
        "Entries are counted from there.",
        "The device says itself that it is the first entry.",
    )
    SEGMENT_INDEX_GAP = (
        Outcome.REFUSED, "20601 §7 segm-evt-entry-index", "entries of a segment are left out between two events",
        "SegmentDataResult without manager-confirm, so that the device repeats; after some tries with manager-abort.",
        "A confirmed gap would look like a segment that was read whole.",
    )
    SEGMENT_ENTRIES_REPEATED = (
        Outcome.TOLERATED, "20601 §7 segm-evt-entry-index", "entries of a segment come again",
        "What is durable is confirmed and not taken twice.",
        "A device repeats what it was not answered, and an answer can be lost.",
    )
    SEGMENT_COUNT_OTHER = (
        Outcome.TOLERATED, "20601 §7 segm-evt-entry-count", "an event has {entries} entries and says {count}",
        "The whole entries are taken; the segment is never cleared.",
        "Which of the two is wrong is not known, so the device keeps its copy.",
    )
    SEGMENT_SHORT = (
        Outcome.TOLERATED, "20601 §8.7 Segment-Usage-Count", "segment {segment} ends before its usage count",
        "What came is taken; the segment is not cleared and fetched again next time.",
        "The device keeps its copy until all of it was seen.",
    )
    SEGMENT_CHANGED = (
        Outcome.TOLERATED, "20601 §8.7 Segment-Usage-Count", "segment {segment} changed while it was fetched",
        "It is not cleared; the next fetch brings what is new.",
        "To clear it would lose an entry that is stored nowhere else.",
    )
    SEGMENT_ENTRY_CUT = (
        Outcome.TOLERATED, "20601 §7 SegmentDataEvent", "the entries of an event end inside an entry",
        "The whole entries are taken; the segment is never cleared.",
        "Half an entry is none, and the device keeps its copy.",
    )
    SEGMENT_ENTRY_UNREADABLE = (
        Outcome.TOLERATED, "20601 §7 PmSegmentEntryMap", "an entry of a segment does not fit its map: {reason}",
        "It is left out, the others are taken; the segment is never cleared.",
        "Every entry has its place by its length, so the others are beyond doubt.",
    )
    SEGMENT_ATTRIBUTE_LEFT = (
        Outcome.TOLERATED,
        "20601 §8 attributes", "entries of a segment carry attributes of handle {handle} that are no value",
        "The values are taken, the others are not kept; the segment is never cleared.",
        "An observation has no place for them, so the device keeps its copy.",
    )
    SEGMENT_ELEMENT_WITHOUT_VALUE = (
        Outcome.TOLERATED, "20601 §7 PmSegmentEntryMap", "a segment's map names handle {handle} without a value",
        "Nothing is recorded for it, the other elements are taken.",
        "A name alone says nothing about the patient.",
    )
    SEGMENT_HANDLE_UNKNOWN = (
        Outcome.TOLERATED, "20601 §9.4 rule 3", "a segment holds values of handle {handle}, which is not configured",
        "They are taken with the type that the map says, without a unit.",
        "A map, unlike a report, says itself what its values are.",
    )
    SEGMENT_TYPE_OTHER = (
        Outcome.TOLERATED, "20601 §7 PmSegmentEntryMap",
        "a segment gives handle {handle} another type than its object",
        "The segment's word is taken for what it holds.",
        "A device may have been configured otherwise when it stored them.",
    )
    # Our agent's view of a manager.
    CONFIG_VERDICT_UNREADABLE = (
        Outcome.TOLERATED, "", "the verdict on a configuration cannot be read: {reason}",
        "Our agent waits for another until its time-out.",
        "It could be either verdict.",
    )
    # The list itself.
    MANY_MORE = (
        Outcome.TOLERATED, "20601", "further deviations of this association are not listed",
        "The first 64 kinds are reported.",
        "A hostile peer must not fill memory with inventive mistakes.",
    )
    # fmt: on


BY_KEY = {oddity.key: oddity for oddity in Oddity}
