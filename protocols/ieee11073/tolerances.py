"""All known deviations of devices, as rows: the sentence of the report, the action, and its reason.

One member for each oddity. `Notes.add` takes a member, so every deviation has a row, whose clause, outcome and reason
appear in the device report and the device maker's guide. Sentences are templates over handles, counts, names and the
reasons of our own decoders, never over measured values.

A tolerated oddity is accepted although it is wrong: the association continues and no value is lost that can be decoded
without guessing. A deviation that leaves doubt about a value is never tolerated: the standard's response refuses it
(ROER, RORJ, AARE), or the association ends (ABRT).
"""

from enum import Enum

from protocols.ieee11073 import tolerances_of_memories as memories
from protocols.ieee11073 import tolerances_of_reports as reports


class Outcome(Enum):
    """Consequence of an oddity for the device."""

    TOLERATED = "tolerated"
    """Accepted although wrong; everything that can be read is kept."""
    REFUSED = "refused"
    """Refused by ROER, RORJ, a configuration result or AARE rejected; nothing of it is kept."""
    ENDED = "ended"
    """The association ends (ABRT)."""


class Oddity(Enum):
    """A row: outcome, clause ("" where the decoder that failed names it), sentence, action and reason, and the file
    under `protocols/ieee11073` that does it."""

    def __init__(self, outcome: Outcome, clause: str, sentence: str, done: str, why: str, where: str) -> None:
        self.outcome = outcome
        self.clause = clause
        self.sentence = sentence
        self.done = done
        self.why = why
        self.where = where

    @property
    def key(self) -> str:
        """The stable name, by which records of many years are grouped."""
        return self.name.lower()

    # fmt: off
    # Associating.
    AARQ_UNREADABLE = (
        Outcome.REFUSED, "", "an association request cannot be read: {reason}",
        "AARE rejected-permanent.",
        "Without its system id and configuration id a device cannot be identified.",
        "association/admission.py",
    )
    SYSTEM_ID_LENGTH = (
        Outcome.REFUSED, "20601 §3 system-id", "a system id has {bytes_found} bytes, not the eight of an EUI-64",
        "AARE rejected-permanent.",
        "The record is kept under this id; a padded or cut one could be another device's.",
        "association/admission.py",
    )
    CONFIG_ID_RANGE = (
        Outcome.TOLERATED, "20601 §3 ConfigId", "configuration id {config_id} is outside 1 to 32767",
        "The device is asked for its configuration, which is then used.",
        "The objects say what the values mean; the number only names them.",
        "association/configuring.py",
    )
    AARE_UNREADABLE = (
        Outcome.TOLERATED, "", "the manager's answer cannot be read: {reason}",
        "Our agent goes on with the result, which could be read.",
        "Who granted the association changes nothing that an agent sends.",
        "association/admission.py",
    )
    OUTSIDE_ASSOCIATION = (
        Outcome.REFUSED, "20601 §9", "outside an association came {what} (row {row})",
        "ABRT, as the row says; nothing of it is kept.",
        "What came before the association was granted belongs to no device.",
        "association/machine.py",
    )
    # APDUs and messages.
    STREAM_LOST = (
        Outcome.ENDED, "", "the stream of APDUs is lost: {reason}",
        "ABRT; a connection is closed, a serial line is searched for the next association request.",
        "Behind a header that cannot be true no APDU boundary is known.",
        "association/machine.py",
    )
    APDU_UNREADABLE = (
        Outcome.REFUSED, "", "an APDU cannot be read: {reason}",
        "RORJ where an invoke-id could be read, else ABRT.",
        "Its length was right, so the stream goes on behind it.",
        "association/received.py",
    )
    MESSAGE_UNREADABLE = (
        Outcome.REFUSED, "", "a message cannot be read: {reason}",
        "RORJ badly-structured-apdu or unrecognized-apdu; after too many of them ABRT.",
        "Lengths that contradict each other leave no doubt-free value.",
        "association/received.py",
    )
    ANSWER_LATE = (
        Outcome.TOLERATED, "20601 §9.3 confirmed service", "an answer came after we had given it up",
        "It is ignored.",
        "Some agents never answer anything but a Get of the MDS; waiting for it must not end their reports.",
        "association/machine.py",
    )
    INVOKE_ID_REUSED = (
        Outcome.TOLERATED, "20601 §4 invoke-id", "an invoke-id is used again before its answer",
        "Every report is answered under the invoke-id that it came with.",
        "The reports differ and are all kept; only the device could be confused by its own numbers.",
        "association/report_intake.py",
    )
    # Configuration.
    CONFIG_UNREADABLE = (
        Outcome.REFUSED, "", "a configuration cannot be read: {reason}",
        "RORJ badly-structured-apdu; the device may send another one.",
        "Reports cannot be read with half a configuration.",
        "association/manager.py",
    )
    CONFIG_REFUSED = (
        Outcome.REFUSED, "20601 §9.1 configuration", "a configuration is refused: {result}",
        "Its result is sent in the answer; the device may offer another configuration.",
        "It names a standard configuration that we cannot verify, or has no object that we can take values from.",
        "association/configuring.py",
    )
    CONFIG_ID_OTHER = (
        Outcome.TOLERATED, "20601 §9.1 configuration",
        "a configuration comes under id {reported_id} and the association request named {requested_id}",
        "The configuration is used, and remembered under the id that it came with.",
        "The objects say what the values mean, and reports follow the configuration that was explained last.",
        "association/admission.py",
    )
    CONFIG_CHANGED = (
        Outcome.ENDED, "20601 §9.1 configuration",
        "reports do not fit the configuration that the device once sent under the same id",
        "ABRT once; at the next association the configuration is requested again.",
        "A firmware update that keeps the configuration id would make old meanings stand for new values.",
        "association/manager.py",
    )
    CONFIG_OFFERED_IN_VAIN = (
        Outcome.ENDED, "20601 §9.1 configuration", "{offered} configurations were offered and none could be used",
        "ABRT.",
        "A known agent repeats a configuration that was refused without end.",
        "association/configuring.py",
    )
    TYPE_MISSING = (
        Outcome.TOLERATED, "20601 §8.2 Type", "the object with handle {handle} has no Type",
        "Its values flow on under type 0:0, or under their own metric id.",
        "A value without a name can be named later; a dropped one cannot be measured again.",
        "dim/channels.py",
    )
    ATTRIBUTE_LENGTH = (
        Outcome.TOLERATED, "20601 §8", "{attribute} has {bytes_found} bytes, not {bytes_due}",
        "The attribute counts as absent.",
        "Every other attribute of the object still means what it says.",
        "dim/channels.py",
    )
    ATTRIBUTE_UNREADABLE = (
        Outcome.TOLERATED, "", "{attribute} cannot be read: {reason}",
        "The attribute counts as absent.",
        "Every other attribute of the object still means what it says.",
        "dim/channels.py",
    )
    SAMPLE_PERIOD_MISSING = (
        Outcome.TOLERATED, "20601 §8.4 Sample-Period", "the waveform with handle {handle} has no Sample-Period",
        "Samples are kept with period 0: their order is known, their spacing is not.",
        "A period that we made up would draw a wrong heart rate.",
        "dim/channels.py",
    )
    SAMPLE_WIDTH = (
        Outcome.TOLERATED, "20601 §8.4 Sa-Specification",
        "the waveform with handle {handle} has samples of {bits} bits",
        "The bytes are kept as they came, without a scale.",
        "They can be read once their form is known.",
        "dim/channels.py",
    )
    SCALE_UNUSABLE = (
        Outcome.TOLERATED, "20601 §8.4 Scale-and-Range", "the waveform with handle {handle} has no usable scale",
        "Samples are kept unscaled: slope 1, offset 0.",
        "The raw samples are right whatever the scale would have been.",
        "dim/channels.py",
    )
    SCALE_UNREADABLE = (
        Outcome.TOLERATED, "20601 §8.4 Scale-and-Range",
        "the scale of the waveform with handle {handle} cannot be read: {reason}",
        "Samples are kept unscaled: slope 1, offset 0.",
        "The raw samples are right whatever the scale would have been.",
        "dim/channels.py",
    )
    # The device itself.
    MDS_WITHHELD = (
        Outcome.TOLERATED, "20601 §6 Get MDS", "the device does not say what it is",
        "It is served under its system id, without a name.",
        "Its measurements do not depend on what it calls itself.",
        "association/mds_reading.py",
    )
    MDS_ATTRIBUTE_UNREADABLE = (
        Outcome.TOLERATED, "20601 §8.1 MDS", "attribute {attribute} of the MDS cannot be read",
        "The attribute counts as absent, its bytes stay in the device report.",
        "One padded text must not cost the device its name.",
        "association/mds_reading.py",
    )
    CLOCK_UNREADABLE = (
        Outcome.TOLERATED, "20601 §1.2 AbsoluteTime", "the clock that the device shows is no time",
        "Its clock counts as unknown; what it measures is dated by its reception until its reports show a time.",
        "A well-known agent stack shows all zeros, others write hexadecimal digits where decimal ones are due.",
        "association/mds_reading.py",
    )
    # Reports.
    REPORT_OF_NO_OBJECT = (Outcome.REFUSED, *reports.REPORT_OF_NO_OBJECT)
    REPORT_TYPE = (Outcome.REFUSED, *reports.REPORT_TYPE)
    REPORT_UNREADABLE = (Outcome.REFUSED, *reports.REPORT_UNREADABLE)
    REPORT_TIME_UNDECLARED = (Outcome.TOLERATED, *reports.REPORT_TIME_UNDECLARED)
    REPORT_LONGER = (Outcome.TOLERATED, *reports.REPORT_LONGER)
    REPORT_SHORTER = (Outcome.TOLERATED, *reports.REPORT_SHORTER)
    REPORT_SCANS_UNKNOWN = (Outcome.TOLERATED, *reports.REPORT_SCANS_UNKNOWN)
    GROUP_LONGER = (Outcome.TOLERATED, *reports.GROUP_LONGER)
    REPORT_TRAILING = (Outcome.TOLERATED, *reports.REPORT_TRAILING)
    REPORT_WITHOUT_VALUE = (Outcome.TOLERATED, *reports.REPORT_WITHOUT_VALUE)
    HANDLE_UNKNOWN = (Outcome.TOLERATED, *reports.HANDLE_UNKNOWN)
    VALUE_ABSENT = (Outcome.TOLERATED, *reports.VALUE_ABSENT)
    TIME_UNREADABLE = (Outcome.TOLERATED, *reports.TIME_UNREADABLE)
    TIME_STAMP_SECOND = (Outcome.TOLERATED, *reports.TIME_STAMP_SECOND)
    SAMPLES_COUNT = (Outcome.TOLERATED, *reports.SAMPLES_COUNT)
    COMPOUND_LENGTH = (Outcome.TOLERATED, *reports.COMPOUND_LENGTH)
    SAMPLES_OF_NO_WAVEFORM = (Outcome.TOLERATED, *reports.SAMPLES_OF_NO_WAVEFORM)
    SAMPLES_CUT = (Outcome.TOLERATED, *reports.SAMPLES_CUT)
    REPORT_NUMBER_REPEATED = (Outcome.TOLERATED, *reports.REPORT_NUMBER_REPEATED)
    REPORT_NUMBER_START = (Outcome.TOLERATED, *reports.REPORT_NUMBER_START)
    REPORT_NUMBER_BACKWARD = (Outcome.TOLERATED, *reports.REPORT_NUMBER_BACKWARD)
    # A manager's requests to a device.
    ATTRIBUTES_WITHHELD = (
        Outcome.TOLERATED, "20601 §6 Get", "attributes of handle {handle} are withheld: {why}",
        "It is served without them.",
        "Its measurements do not depend on what it says about itself.",
        "association/attribute_reading.py",
    )
    CLOCK_NOT_SET = (
        Outcome.TOLERATED, "20601 §6 Setting time",
        "the clock is not set although Mds-Time-Info says that it can be: {why}",
        "It is not asked again in this association; its times are corrected by the measured offset.",
        "A wrong clock that is known to be wrong is good enough; a device that is gone is not.",
        "association/clock_setting.py",
    )
    SCANNER_NOT_SWITCHED = (
        Outcome.TOLERATED, "20601 §6 Operational-State", "scanner {handle} is not switched: {why}",
        "What it reports is taken all the same.",
        "Some scanners report without being enabled, and the MDS may report beside them.",
        "association/scanners.py",
    )
    SCANNER_SILENT = (
        Outcome.TOLERATED, "20601 §8.6 Reporting-Interval",
        "periodic scanner {handle} is enabled and does not report every {interval_s} s",
        "It is reported; the association goes on.",
        "Other scanners of the same device may be well, and this one may come back.",
        "association/scanners.py",
    )
    DATA_REQUEST_REFUSED = (
        Outcome.TOLERATED, "20601 §6 DataRequest", "a data request is not served: {why}",
        "What the device reports by itself is taken all the same.",
        "A device that accepts no requests may still report.",
        "association/data_requests.py",
    )
    DATA_RESPONSE_UNREADABLE = (
        Outcome.TOLERATED, "", "the answer to a data request cannot be read: {reason}",
        "Nothing of it is kept, and no flow is expected.",
        "A length that contradicts its parent leaves no doubt-free value.",
        "association/data_requests.py",
    )
    # Memories.
    STORE_REFUSED = (Outcome.TOLERATED, *memories.STORE_REFUSED)
    STORE_SILENT = (Outcome.TOLERATED, *memories.STORE_SILENT)
    STORE_SEGMENTS_MANY = (Outcome.TOLERATED, *memories.STORE_SEGMENTS_MANY)
    SEGMENT_UNREADABLE = (Outcome.TOLERATED, *memories.SEGMENT_UNREADABLE)
    SEGMENT_UNASKED = (Outcome.REFUSED, *memories.SEGMENT_UNASKED)
    SEGMENT_INDEX_START = (Outcome.TOLERATED, *memories.SEGMENT_INDEX_START)
    SEGMENT_INDEX_GAP = (Outcome.REFUSED, *memories.SEGMENT_INDEX_GAP)
    SEGMENT_ENTRIES_REPEATED = (Outcome.TOLERATED, *memories.SEGMENT_ENTRIES_REPEATED)
    SEGMENT_COUNT_OTHER = (Outcome.TOLERATED, *memories.SEGMENT_COUNT_OTHER)
    SEGMENT_SHORT = (Outcome.TOLERATED, *memories.SEGMENT_SHORT)
    SEGMENT_CHANGED = (Outcome.TOLERATED, *memories.SEGMENT_CHANGED)
    SEGMENT_ENTRY_CUT = (Outcome.TOLERATED, *memories.SEGMENT_ENTRY_CUT)
    SEGMENT_ENTRY_UNREADABLE = (Outcome.TOLERATED, *memories.SEGMENT_ENTRY_UNREADABLE)
    SEGMENT_ATTRIBUTE_LEFT = (Outcome.TOLERATED, *memories.SEGMENT_ATTRIBUTE_LEFT)
    SEGMENT_ELEMENT_WITHOUT_VALUE = (Outcome.TOLERATED, *memories.SEGMENT_ELEMENT_WITHOUT_VALUE)
    SEGMENT_HANDLE_UNKNOWN = (Outcome.TOLERATED, *memories.SEGMENT_HANDLE_UNKNOWN)
    SEGMENT_TYPE_OTHER = (Outcome.TOLERATED, *memories.SEGMENT_TYPE_OTHER)
    # Our agent's view of a manager.
    CONFIG_VERDICT_UNREADABLE = (
        Outcome.TOLERATED, "", "the verdict on a configuration cannot be read: {reason}",
        "Our agent waits for another until its time-out.",
        "It could be either verdict.",
        "association/agent.py",
    )
    # The list itself.
    MANY_MORE = (
        Outcome.TOLERATED, "20601", "further deviations of this association are not listed",
        "The first 64 kinds are reported.",
        "A hostile peer must not fill memory with inventive mistakes.",
        "dim/notes.py",
    )
    # fmt: on


BY_KEY = {oddity.key: oddity for oddity in Oddity}
"""Oddities by the key in a record."""
