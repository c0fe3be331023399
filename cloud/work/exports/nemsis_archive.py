"""Care records as an archive of NEMSIS documents, for registries.

    reports/ORGANISATION/TIME-ENCOUNTER.xml    an EMSDataSet document: the reports of one agency, up to `ENCOUNTERS_MAX`
    index/TIME-ENCOUNTER.ndjson                a line for each encounter: its document, or why it is in none
    summary.json                               the numbers of encounters, reports and documents

Time and encounter are those of the first encounter of the file. A registry takes documents of several reports, but not
of any size: those of the archive are within the limits of our own import, and each is valid by itself. An encounter
that NEMSIS does not permit to report is in the index with what to correct, so that an archive never lacks an encounter
without a reason.

A part of the archive is some documents and their index. The parts keep no state but the entries of their members for
the directory at the end of the archive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from cloud.clinical.epcr import Encounter
from cloud.clinical.nemsis import Report
from cloud.foundation.errors import DomainError
from cloud.foundation.moments import write_moment
from cloud.foundation.objects import PART_BYTES, Download
from cloud.work.exports.zip_archive import Member, directory_of, member_of
from protocols.nemsis.export import Sender, document_of

ENCOUNTERS_MAX = 200
"""Encounters of a part. Those of usual records are fewer, since the step that reads them ends (`PART_WORK_MAX`)."""
LINES_MAX = 60_000
"""Lines of the reports of a part, at which it is full. An element has a line at least, and our import, like that of
others, limits the elements of a document (100,000), of which the largest published report has about 1,000."""
_TOTALS = ("encounters", "reports", "not_reported", "documents")


@dataclass(frozen=True, slots=True)
class Refused:
    """An encounter without a report, and the reason, which never repeats what was entered."""

    encounter: Encounter
    error: DomainError


Outcome = Report | Refused
"""The result for an encounter: a report without problems, or the reason why there is none."""


class NemsisFormat:
    """An archive of documents."""

    is_table = False
    download = Download("application/zip", "encounters.nemsis.zip")

    def part(self) -> "NemsisPart":
        return NemsisPart()

    def end(self, details: Sequence[bytes], *, at_bytes: int) -> bytes:
        parts = [orjson.loads(detail) for detail in details]
        members = [Member(**member) for part in parts for member in part["members"]]
        totals = {name: sum(part["totals"][name] for part in parts) for name in _TOTALS}
        summary, data = member_of("summary.json", orjson.dumps(totals), at_bytes)
        return data + directory_of([*members, summary], at_bytes + len(data))


class NemsisPart:
    """Documents of some encounters, with their index."""

    def __init__(self) -> None:
        self._outcomes: list[Outcome] = []
        self._size = self._lines = 0

    @property
    def is_full(self) -> bool:
        return len(self._outcomes) >= ENCOUNTERS_MAX or self._lines >= LINES_MAX or self._size >= PART_BYTES

    @property
    def is_empty(self) -> bool:
        return not self._outcomes

    def add(self, page: Outcome) -> None:
        self._outcomes.append(page)
        if isinstance(page, Report):
            self._size += len(page.exported.report)
            self._lines += page.exported.report.count(b"\n")

    def encoded(self, *, first: bool, at_bytes: int) -> tuple[bytes, bytes]:
        files: list[tuple[str, bytes]] = []
        places: dict[str, str] = {}
        for (organization_id, sender), reports in self._by_agency().items():
            name = f"reports/{quote(organization_id, safe='')}/{_name(reports[0].encounter)}.xml"
            files.append((name, document_of(sender, [each.exported.report for each in reports])))
            places |= {each.encounter.id: name for each in reports}
        count = len(self._outcomes)
        totals = dict(zip(_TOTALS, (count, len(places), count - len(places), len(files)), strict=True))
        index = b"".join(_line(each, places.get(each.encounter.id)) for each in self._outcomes)
        files.append((f"index/{_name(self._outcomes[0].encounter)}.ndjson", index))
        members: list[Member] = []
        texts: list[bytes] = []
        for name, data in files:
            member, text = member_of(name, data, at_bytes)
            members.append(member)
            texts.append(text)
            at_bytes += len(text)
        return b"".join(texts), orjson.dumps({"totals": totals, "members": members})

    def _by_agency(self) -> dict[tuple[str, Sender], list[Report]]:
        """Return the reports by organisation and its agency, which the operator may have changed meanwhile."""
        found: dict[tuple[str, Sender], list[Report]] = {}
        for each in self._outcomes:
            if isinstance(each, Report):
                found.setdefault((each.encounter.organization_id, each.exported.sender), []).append(each)
        return found


def _name(encounter: Encounter) -> str:
    """Return the name of a file that begins with an encounter: safe as a file name, and in the order of creation."""
    at = str(write_moment(encounter.created_at_us))[:19].replace("-", "").replace(":", "")
    return f"{at}Z-{quote(encounter.id, safe='')}"


def _line(outcome: Outcome, document: str | None) -> bytes:
    """Return the line of an encounter in the index."""
    encounter = outcome.encounter
    line: dict[str, Any] = {
        "encounter_id": encounter.id,
        "organization_id": encounter.organization_id,
        "document": document,
    }
    if isinstance(outcome, Refused):
        error = outcome.error
        line |= {"code": error.code, "detail": error.sentence, "errors": [each.detail for each in error.mistakes]}
    else:
        line |= {"report_id": str(outcome.exported.report_id), "omissions": outcome.exported.omitted}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
