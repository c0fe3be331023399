"""Statements of the crew about a hand-over: share links, their revocation, and the expected arrival.

Each statement is an annotation in the log of the care record, which the cloud receives in the signed `epcr` lane. After
the signature it is an addendum, so that the seal covers it as well.

The token of a link is in memory only: the log has its hash. After a restart of the gateway the crew makes another link.

A link opens the encounter of a call from dispatch. One that was made in a report which the crew opened before opens
nothing until the cloud has the statements that join the report to its call.
"""

import secrets
import uuid
from dataclasses import dataclass, replace
from enum import Enum, auto

from gateway.buffer import Buffer
from gateway.epcr.draft_log import Draft
from gateway.epcr.drafts import Drafts
from gateway.transports.clock import Clock
from protocols.bounded_map import BoundedMap
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.mission import joined_mission, joined_report, stored_mission
from protocols.epcr.sharing import LINKS_MAX, TOKEN_BYTES, open_links, token_hash
from protocols.observation_record import utc_text
from protocols.uplink.lanes import Lane

SHOWN_MAX = 16
"""Encounters whose link can be shown again: those of a day."""
ARRIVAL_MIN_MAX = 600
"""Longest time to an arrival, in minutes: a transfer through the night."""
_MINUTE_US = 60_000_000


class LinkState(Enum):
    """State of a link, as far as the vehicle knows: whether it opens something."""

    PENDING = auto()
    """Nothing: the cloud has not acknowledged the link, or the join of its report."""
    WITHOUT_CALL = auto()
    """Nothing: the cloud has the link, but its report belongs to no call from dispatch yet."""
    OPEN = auto()


class EncounterUnknown(Exception):
    """The gateway has no care record of this encounter."""


class TooManyLinks(Exception):
    """The encounter has had as many links as the cloud accepts."""


@dataclass(frozen=True, slots=True)
class SharedLink:
    """A link that this gateway made. `stored_in`: epoch of the store, and the number of the batch of the `epcr` lane
    with which the cloud has the link, and the call that it opens. `has_call`: a call is known."""

    id: str
    token: str
    stored_in: tuple[str, int]
    has_call: bool


class HandoverStatements:
    """Stores statements about hand-overs. `docs_url` is the address of the cloud's docs host; None: no links are made,
    since nothing could open them."""

    def __init__(self, drafts: Drafts, buffer: Buffer, clock: Clock, *, docs_url: str | None) -> None:
        self._drafts = drafts
        self._buffer = buffer
        self._clock = clock
        self.docs_url = docs_url
        self._shown: BoundedMap[str, SharedLink] = BoundedMap(SHOWN_MAX)

    async def share(self, encounter: str, *, author: str, reason: str) -> SharedLink:
        """Make a link, in addition to those that are open; return it when it is durable. `reason` is that of the
        addendum to a signed record. Raises `EncounterUnknown`, `TooManyLinks`, `ChangesRefused`, StoreFull."""
        draft = await self._drafts.load(encounter)
        if draft is not None and sum(_adds(change) for change in draft.changes) >= LINKS_MAX:
            raise TooManyLinks
        token, link_id = secrets.token_urlsafe(TOKEN_BYTES), f"share-{uuid.uuid4().hex[:16]}"
        await self._state(encounter, author, reason, (Annotation.SHARE, Action.SET, link_id, token_hash(token)))
        draft = self._drafts.find(encounter)
        has_call = draft is not None and self._has_call(draft)
        link = self._shown[encounter] = SharedLink(link_id, token, self._last_stored(), has_call)
        return link

    async def revoke(self, encounter: str, *, author: str, reason: str) -> int:
        """Revoke all links of an encounter; return their number when that is durable. Raises as `share` does."""
        draft = await self._drafts.load(encounter)
        if draft is None:
            raise EncounterUnknown
        links = open_links(draft.changes)
        if links:
            removals = ((Annotation.SHARE, Action.REMOVE, link_id, None) for link_id in links)
            await self._state(encounter, author, reason, *removals)
        self._shown.pop(encounter, None)
        return len(links)

    async def expect_arrival(self, encounter: str, minutes: int, *, author: str, reason: str) -> None:
        """Store that the crew expects to arrive in some minutes. Raises as `share` does."""
        at = utc_text(self._clock.wall_us() + minutes * _MINUTE_US)
        entry = f"arrival-{uuid.uuid4().hex[:16]}"
        await self._state(encounter, author, reason, (Annotation.ARRIVAL, Action.SET, entry, at))

    def find(self, encounter: str) -> SharedLink | None:
        """Return the link that was made last and is open, if this process made it."""
        link, draft = self._shown.get(encounter), self._drafts.find(encounter)
        return link if link is not None and draft is not None and link.id in open_links(draft.changes) else None

    def has_open_links(self, encounter: str) -> bool:
        """Return whether an encounter has links, also those that cannot be shown again."""
        draft = self._drafts.find(encounter)
        return draft is not None and bool(open_links(draft.changes))

    def link_state(self, encounter: str) -> LinkState:
        """Return the state of the link that `find` returns."""
        link, draft = self.find(encounter), self._drafts.find(encounter)
        if link is None or draft is None:
            return LinkState.PENDING
        if not link.has_call and self._has_call(draft):
            # The statements of the join are in the store, at the latest in its last batch.
            link = self._shown[encounter] = replace(link, stored_in=self._last_stored(), has_call=True)
        (epoch, sequence), marks = link.stored_in, self._buffer.marks()[Lane.EPCR]
        # Another store has the log of the draft with numbers of its own.
        if marks.acked < (sequence if epoch == self._buffer.epoch else marks.last):
            return LinkState.PENDING
        return LinkState.OPEN if link.has_call else LinkState.WITHOUT_CALL

    def _has_call(self, draft: Draft) -> bool:
        """Return whether a report is that of a call, or both logs state that it was joined to one."""
        if stored_mission(draft.record) is not None:
            return True
        joined = joined_mission(draft.record)
        call = None if joined is None else self._drafts.find(joined)
        return joined is not None and (call is None or joined_report(call.record) == draft.encounter)

    def _last_stored(self) -> tuple[str, int]:
        """Return the place of the last batch of the `epcr` lane."""
        return self._buffer.epoch, self._buffer.marks()[Lane.EPCR].last

    async def _state(
        self, encounter: str, author: str, reason: str, *statements: tuple[Annotation, Action, str, str | None]
    ) -> None:
        draft = await self._drafts.load(encounter)
        if draft is None:
            raise EncounterUnknown
        now_us = self._clock.wall_us()

        def change(key: Annotation, action: Action, entry: str, value: str | None) -> FieldChange:
            return FieldChange(
                id=str(uuid.uuid4()),
                encounter=encounter,
                key=key,
                author=author,
                gateway_time_us=now_us,
                action=action,
                entry=entry,
                value=value,
            )

        changes = [change(*each) for each in statements]
        if draft.sealed:
            addendum = change(Annotation.ADDENDUM, Action.SET, f"handover-{uuid.uuid4().hex[:16]}", reason)
            changes.insert(0, addendum)
        await self._drafts.append_changes(changes)


def _adds(change: FieldChange) -> bool:
    return change.key == Annotation.SHARE and change.action is Action.SET
