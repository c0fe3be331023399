"""Memory (PM-store) of a simulated device in one small file, to which each entry and each clearing is appended durably.

The file is a `LineFile`. An entry is a line `entry <segment> <layout> <person> <hex>` (person `-`: no particular
person). A clearing is a line `clear <segment> …`. A segment holds entries of one layout and one person, and a full
segment is followed by a new one. Segment numbers increase, so that the number of a cleared segment is not reused for a
long time.

An optional witness file records each entry when it is stored and before it is cleared (`MemoryWitness`). A test
compares the file with the cloud: each stored entry must arrive there, and no cleared entry may be lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from protocols.device_time import DeviceTime, TimeKind
from protocols.ieee11073.apdu.pm_store import (
    HEADER_ABSOLUTE_TIME,
    HEADER_HIGH_RESOLUTION_TIME,
    HEADER_RELATIVE_TIME,
    SegmentEntryMap,
)
from protocols.ieee11073.association.agent_pm_store import StoredSegment
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.mder import encode
from simulators.agents.device import DeviceUnusable
from simulators.line_file import LineFile

SEGMENT_ENTRIES_MAX: Final = 32
SEGMENTS_MAX: Final = 256
"""Limit of segments. When the memory is full, the oldest segment is dropped, as in a real meter."""
_NUMBERS: Final = 0x10000
_HEADERS: Final = {
    HEADER_ABSOLUTE_TIME: (TimeKind.ABSOLUTE, 8),
    HEADER_RELATIVE_TIME: (TimeKind.RELATIVE, 4),
    HEADER_HIGH_RESOLUTION_TIME: (TimeKind.HIGH_RESOLUTION, 8),
}


def header_of(kind: TimeKind) -> int:
    """Return the PM-store entry header for times of this kind. Raises `DeviceUnusable` for a kind that has no entry
    header."""
    for header, (of, _) in _HEADERS.items():
        if of is kind:
            return header
    raise DeviceUnusable(f"a memory cannot date its entries with {kind.name.lower()} time; choose another clock")


class MemoryWitness:
    """File of the stored and cleared entries, for tests. Its lines, each forced to the disk, are `<kept|cleared>
    <system id, hex> <handle>[,<handle>…] <device time>`."""

    def __init__(self, path: Path, system_id: bytes) -> None:
        """Open the file for appending. Raises OSError where it cannot be written."""
        self._file = LineFile(path)
        self._system_id = system_id.hex()

    def write(self, what: str, layout: SegmentEntryMap, entries: Sequence[bytes]) -> None:
        """Append a durable line for each entry. `what` is `kept` or `cleared`; `layout` is the map of the entries."""
        handles = ",".join(str(element.handle) for element in layout.segm_entry_elem_list)
        lines = (f"{what} {self._system_id} {handles} {_time_of(layout, entry).text()}" for entry in entries)
        self._file.write("\n".join(lines))


def _time_of(layout: SegmentEntryMap, entry: bytes) -> DeviceTime:
    kind, octets = _HEADERS[layout.segm_entry_header]
    return DeviceTime(kind, entry[:octets])


@dataclass(slots=True)
class _Segment:
    layout: int
    person: int | None
    entries: list[bytes] = field(default_factory=list)


class MemoryFile:
    """File that implements `Memory` of `agent_pm_store`. `layouts` lists the entry maps of the segments. Their order
    must never change, since the file refers to a map by its index."""

    def __init__(self, path: Path, layouts: Sequence[SegmentEntryMap], witness: MemoryWitness | None = None) -> None:
        """Open the file and read its entries. Raises OSError where it cannot be written."""
        self._layouts = tuple(layouts)
        self._witness = witness
        self._segments: dict[int, _Segment] = {}
        self._last = 0
        self._file = LineFile(path)
        for line in self._file.lines():
            self._read(line)

    def keep(self, layout: int, entry: bytes, person: int | None = None) -> None:
        """Store one entry durably. `layout` is the index of the entry's map. If there are then too many segments, drop
        the oldest segment."""
        number = self._open_segment(layout, person)
        self._file.write(f"entry {number} {layout} {'-' if person is None else person} {entry.hex()}")
        self._take(number, layout, person, entry)
        if self._witness is not None:
            self._witness.write("kept", self._layouts[layout], [entry])
        if len(self._segments) > SEGMENTS_MAX:
            self._drop([next(iter(self._segments))])

    def segments(self) -> Sequence[StoredSegment]:
        return [self._stored(number, segment) for number, segment in self._segments.items()]

    def clear(self, numbers: Sequence[int]) -> None:
        """Clear segments, after the witness file has recorded their entries as cleared. After a power failure between
        the two steps, entries may be recorded as cleared and still stored, but never the reverse."""
        known = [number for number in numbers if number in self._segments]
        for number in known:
            segment = self._segments[number]
            if self._witness is not None:
                self._witness.write("cleared", self._layouts[segment.layout], segment.entries)
        self._drop(known)

    def close(self) -> None:
        self._file.close()

    def _stored(self, number: int, segment: _Segment) -> StoredSegment:
        entry_map, entries = self._layouts[segment.layout], segment.entries
        attributes: dict[int, bytes] = {Attribute.SEGMENT_MAP: encode(entry_map)}
        if segment.person is not None:
            attributes[Attribute.SEGMENT_PERSON_ID] = segment.person.to_bytes(2, "big")
        if entry_map.segm_entry_header & HEADER_ABSOLUTE_TIME:
            attributes[Attribute.SEGMENT_START_ABSOLUTE] = entries[0][:8]
            attributes[Attribute.SEGMENT_END_ABSOLUTE] = entries[-1][:8]
        return StoredSegment(number, tuple(entries), attributes)

    def _open_segment(self, layout: int, person: int | None) -> int:
        """Return the number of a segment with room for an entry of this layout and person, else a new number."""
        for number, segment in reversed(self._segments.items()):
            if (segment.layout, segment.person) == (layout, person) and len(segment.entries) < SEGMENT_ENTRIES_MAX:
                return number
        return self._last % (_NUMBERS - 1) + 1

    def _take(self, number: int, layout: int, person: int | None, entry: bytes) -> None:
        if number not in self._segments:
            self._last = number
            self._segments[number] = _Segment(layout, person)
        self._segments[number].entries.append(entry)

    def _drop(self, numbers: Sequence[int]) -> None:
        if numbers:
            self._file.write("clear " + " ".join(map(str, numbers)))
        for number in numbers:
            self._segments.pop(number, None)

    def _read(self, line: str) -> None:
        what, *words = line.split(" ")
        if what == "clear":
            for number in words:
                self._segments.pop(int(number), None)
            return
        number, layout, person, entry = words
        self._take(int(number), int(layout), None if person == "-" else int(person), bytes.fromhex(entry))
