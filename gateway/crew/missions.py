"""Routes of the missions from the dispatch system: list them, and join one to a report that the crew opened before.

A mission has the address of a patient, so its words require a crew member; the live page only shows that there is one.
The tablet offers a mission for a report when both were opened within two hours. The crew decides, with one tap.
"""

from typing import Any

from aiohttp import web

from gateway.buffer import BufferClosed, StoreFull
from gateway.buffer.care_changes import ChangeIdReused
from gateway.crew.access import Access
from gateway.crew.request_checks import json_object
from gateway.crew.routes import CrewRoute, member_of
from gateway.epcr.drafts import ChangesRefused
from gateway.epcr.missions import JoinRefused, Missions
from gateway.transports.clock import Clock
from protocols.epcr.mission import dispatched, joined_report
from protocols.observation_record import utc_text
from protocols.uplink.topics import is_identifier

BODY_BYTES_MAX = 4 * 1024
CANDIDATES_MAX = 3
"""Missions that the tablet offers for one report."""
_WORDS = {
    "number": "call.incident_number",
    "response": "call.response_number",
    "reason": "call.reason",
    "street": "scene.street",
    "apartment": "scene.apartment",
    "postcode": "scene.postcode",
    "city": "scene.city",
    "directions": "scene.crossing",
    "position": "scene.position",
}

Json = dict[str, Any]


class MissionPages:
    """The handlers of missions."""

    def __init__(self, missions: Missions, clock: Clock) -> None:
        self._missions = missions
        self._clock = clock

    def routes(self) -> tuple[CrewRoute, ...]:
        return (
            CrewRoute("GET", "/missions", self._list, Access.READ),
            CrewRoute("POST", "/missions/{encounter}/report", self._join, Access.WRITE),
        )

    async def _list(self, request: web.Request) -> web.StreamResponse:
        """List the missions. `continued`: the report has everything of the mission, which needs no line of its own.
        `has_entries`: the crew wrote in the log of the mission."""
        continued = self._missions.continued()
        missions = [
            {
                "encounter": draft.encounter,
                "version": mission.version,
                "status": mission.status.value,
                "received_at": utc_text(mission.received_at_us),
                "report": joined_report(draft.record),
                "continued": draft.encounter in continued,
                "has_entries": self._missions.has_entries(draft.encounter),
                **{name: said for name, key in _WORDS.items() if (said := dispatched(draft.changes).get(key))},
            }
            for draft, mission in self._missions.all()
        ]
        candidates = {
            report.encounter: [each.encounter for each in found[:CANDIDATES_MAX]]
            for report, found in self._missions.candidates().items()
        }
        return web.json_response({"missions": missions, "candidates": candidates})

    async def _join(self, request: web.Request) -> web.StreamResponse:
        body = await json_object(request, self._clock, bytes_max=BODY_BYTES_MAX)
        report = body.get("report")
        if not isinstance(report, str) or not is_identifier(report):
            return _refusal(422, "report_malformed", "report is the id of a report of this vehicle.")
        try:
            await self._missions.join(request.match_info["encounter"], report, author=member_of(request).id)
        except JoinRefused as refused:
            return _refusal(404 if refused.code == "unknown" else 409, refused.code, str(refused))
        except ChangesRefused as refused:  # signed on another tablet meanwhile
            return _refusal(409, refused.fault.code, refused.fault.text)
        except ChangeIdReused as reused:
            return _refusal(409, "id_reused", str(reused))
        except (StoreFull, BufferClosed):
            return _refusal(503, "store_full", "The gateway cannot record now. Try again.")
        return web.json_response({"report": report})


def _refusal(status: int, code: str, text: str) -> web.Response:
    return web.json_response({"refused": [{"index": None, "code": code, "text": text}]}, status=status)
