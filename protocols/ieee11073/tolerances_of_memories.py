"""The texts of the rows of `tolerances` about memories: clause, sentence, action, reason, and file.

A separate file only because the table is long; `Oddity` adds the name and the outcome of each.
"""

Words = tuple[str, str, str, str, str]

# fmt: off
STORE_REFUSED: Words = (
    "20601 §7 PM-store", "PM-store {handle} does not answer {what} as asked: {reason}",
    "What it holds stays there; it is asked again in the next association.",
    "A device that cannot hand its memory over still measures.",
    "association/pm_store_steps.py",
)
STORE_SILENT: Words = (
    "20601 §9.3 PM-store", "PM-store {handle} is silent where {what} is due",
    "The memory is given up for this association; live reports go on.",
    "To end the association would lose live reports for the sake of stored ones, which the device keeps.",
    "association/pm_stores.py",
)
STORE_SEGMENTS_MANY: Words = (
    "20601 §8.7 Number-Of-Segments", "PM-store {handle} lists more than {segments_max} segments",
    "So many are fetched in one association.",
    "A list of segments is kept in memory; the next association goes on where this one stopped.",
    "association/pm_stores.py",
)
SEGMENT_UNREADABLE: Words = (
    "", "segment {segment} of PM-store {handle} cannot be read: {reason}",
    "It is neither fetched nor cleared.",
    "Without a map that we understand its entries have no meaning.",
    "association/pm_store_steps.py",
)
SEGMENT_UNASKED: Words = (
    "20601 §7 SegmentDataEvent", "entries come of a segment that was not asked for",
    "SegmentDataResult with manager-abort; nothing of it is kept.",
    "Its map was not read in this association, and asking for it brings them again.",
    "association/pm_stores.py",
)
SEGMENT_INDEX_START: Words = (
    "20601 §7 segm-evt-entry-index", "the first entry of a segment has the index {index}",
    "Entries are counted from there.",
    "The device says itself that it is the first entry.",
    "association/segment_transfer.py",
)
SEGMENT_INDEX_GAP: Words = (
    "20601 §7 segm-evt-entry-index", "entries of a segment are left out between two events",
    "SegmentDataResult without manager-confirm, so that the device repeats; after some tries with manager-abort.",
    "A confirmed gap would look like a segment that was read whole.",
    "association/pm_stores.py",
)
SEGMENT_ENTRIES_REPEATED: Words = (
    "20601 §7 segm-evt-entry-index", "entries of a segment come again",
    "What is durable is confirmed and not taken twice.",
    "A device repeats what it was not answered, and an answer can be lost.",
    "association/segment_transfer.py",
)
SEGMENT_COUNT_OTHER: Words = (
    "20601 §7 segm-evt-entry-count", "an event has {entries} entries and says {count}",
    "The whole entries are taken; the segment is never cleared.",
    "Which of the two is wrong is not known, so the device keeps its copy.",
    "association/segment_transfer.py",
)
SEGMENT_SHORT: Words = (
    "20601 §8.7 Segment-Usage-Count", "segment {segment} ends before its usage count",
    "What came is taken; the segment is not cleared and fetched again next time.",
    "The device keeps its copy until all of it was seen.",
    "association/segment_transfer.py",
)
SEGMENT_CHANGED: Words = (
    "20601 §8.7 Segment-Usage-Count", "segment {segment} changed while it was fetched",
    "It is not cleared; the next fetch brings what is new.",
    "To clear it would lose an entry that is stored nowhere else.",
    "association/segment_clearing.py",
)
SEGMENT_ENTRY_CUT: Words = (
    "20601 §7 SegmentDataEvent", "the entries of an event end inside an entry",
    "The whole entries are taken; the segment is never cleared.",
    "Half an entry is none, and the device keeps its copy.",
    "dim/segment_entries.py",
)
SEGMENT_ENTRY_UNREADABLE: Words = (
    "20601 §7 PmSegmentEntryMap", "an entry of a segment does not fit its map: {reason}",
    "It is left out, the others are taken; the segment is never cleared.",
    "Every entry has its place by its length, so the others are beyond doubt.",
    "dim/segment_entries.py",
)
SEGMENT_ATTRIBUTE_LEFT: Words = (
    "20601 §8 attributes", "entries of a segment carry attributes of handle {handle} that are no value",
    "The values are taken, the others are not kept; the segment is never cleared.",
    "An observation has no place for them, so the device keeps its copy.",
    "dim/segment_entries.py",
)
SEGMENT_ELEMENT_WITHOUT_VALUE: Words = (
    "20601 §7 PmSegmentEntryMap", "a segment's map names handle {handle} without a value",
    "Nothing is recorded for it, the other elements are taken.",
    "A name alone says nothing about the patient.",
    "dim/segment_entries.py",
)
SEGMENT_HANDLE_UNKNOWN: Words = (
    "20601 §9.4 rule 3", "a segment holds values of handle {handle}, which is not configured",
    "They are taken with the type that the map says, without a unit.",
    "A map, unlike a report, says itself what its values are.",
    "dim/segment_entries.py",
)
SEGMENT_TYPE_OTHER: Words = (
    "20601 §7 PmSegmentEntryMap", "a segment gives handle {handle} another type than its object",
    "The segment's word is taken for what it holds.",
    "A device may have been configured otherwise when it stored them.",
    "dim/segment_entries.py",
)
# fmt: on
