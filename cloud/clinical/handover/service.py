"""Open a share link: check it, record the view, and make the hand-over that its reader sees.

Until the record states the arrival, the hand-over is that of now. From then on it is that of the arrival and does not
change, so that a reader sees what was handed over and not what the crew documents later for another purpose.

The tenant must be entitled to identified hand-overs (contract matrix A-097), as for the bundle that hospitals fetch.
"""

from dataclasses import dataclass
from datetime import tzinfo

from cloud.access.apps import AppStore
from cloud.access.audit import Audit
from cloud.clinical.epcr import (
    IDENTIFIED,
    CareLog,
    Encounter,
    EncounterEvidence,
    IdentifiedReads,
    PurposeOfUse,
    signing_of_lanes,
)
from cloud.clinical.handover.device_data import EncounterDeviceData
from cloud.clinical.handover.errors import ShareLinkEnded, ShareLinkUnknown
from cloud.clinical.handover.links import ShareLinks
from cloud.clinical.handover.model import LinkPeriod, ShareLink
from cloud.clinical.handover.views import LinkViews
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.trace import TraceContext
from cloud.foundation.viewer import Actor, SecrecyLevel
from protocols.epcr.change import FieldChange
from protocols.epcr.handover.arrival import ARRIVED, Arrival, arrival, arrival_words
from protocols.epcr.handover.content import handover_content
from protocols.epcr.handover.ecg import ecg_of
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order
from protocols.epcr.handover.page import ShownHandover
from protocols.epcr.handover.readings import readings_of_devices, readings_of_record
from protocols.epcr.handover.wording import Wording
from protocols.epcr.projection import treatment_record
from protocols.epcr.record import current_record, in_order
from protocols.epcr.sharing import token_hash
from protocols.epcr.signing import ReportSigning
from protocols.provenance.transcript import Operation

VIEW = "handover.link_viewed"
"""Action of the audit entries of views."""
_PSEUDONYM_KEY = b"share links show no pseudonym"


@dataclass(frozen=True, slots=True)
class SharedHandover:
    """A hand-over as its reader sees it. `arrived`: it is that of the arrival, and does not change. `expires_at_us`:
    when its link expires."""

    shown: ShownHandover
    arrived: bool
    expires_at_us: int


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """A link that may be shown: its reader as an actor, its encounter, and when it expires."""

    actor: Actor
    encounter: Encounter
    expires_at_us: int


class SharedHandovers:
    """Opens share links. `zone`: the time zone of the times that readers see."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        data: EncounterDeviceData,
        evidence: EncounterEvidence,
        *,
        period: LinkPeriod,
        zone: tzinfo,
    ) -> None:
        self._database = database
        self._clock = clock
        self._data = data
        self._evidence = evidence
        self._period = period
        self._zone = zone
        self._links = ShareLinks()
        self._apps = AppStore()
        self._log = CareLog()
        self._reads = IdentifiedReads(clock)
        self._audit = Audit(clock)
        self._views = LinkViews(clock)

    async def admit(self, token: str, *, address: str, trace: TraceContext | None) -> OpenedLink:
        """Check a link, and record its view. `address` is that of the reader. The audit entry and the record in the
        encounter's evidence are durable before anything is shown. Raises `ShareLinkUnknown`, `ShareLinkEnded`."""
        hash_ = token_hash(token)
        if hash_ is None:
            raise ShareLinkUnknown
        async with self._database.read() as tx:
            link = await self._links.find(tx, hash_)
            if link is None:
                raise ShareLinkUnknown
            if link.revoked_at_us is not None:
                raise ShareLinkEnded
            actor = Actor(
                link.tenant_id, link.organization_id, SecrecyLevel.STANDARD, subject=f"link:{link.id}", trace=trace
            )
            entitled = IDENTIFIED in await self._apps.entitled(tx, link.tenant_id)
            encounter = await self._links.encounter(tx, actor, link) if entitled else None
            if encounter is None:
                raise ShareLinkUnknown
            arrived_us = await self._log.first_stated_us(tx, encounter, keys=ARRIVED)
            end_us = self._period.end_us(link, arrived_us)
            if self._clock.now_us() >= end_us:
                raise ShareLinkEnded
        if self._views.is_new(link.id, address):
            await self._record_view(actor, link, encounter, address)
        self._views.continue_view(link.id, address)
        return OpenedLink(actor, encounter, end_us)

    async def show(self, opened: OpenedLink, *, language: Language, order: Order) -> SharedHandover:
        """Return the hand-over of a link. Raises `CareRecordTooLarge`."""
        async with self._database.read() as tx:
            lanes = await self._log.of_lanes(tx, opened.encounter)
        changes = in_order([of_lane for _, of_lane in lanes])
        arrived = arrival(changes)
        known = changes if arrived is None else changes[: arrived.changes]
        ids = {change.id for change in known}
        signing = signing_of_lanes(
            opened.encounter, [(gateway, [each for each in of_lane if each.id in ids]) for gateway, of_lane in lanes]
        )
        shown = await self._shown(opened, known, signing, arrived, language, order)
        return SharedHandover(shown, arrived is not None, opened.expires_at_us)

    async def _record_view(self, actor: Actor, link: ShareLink, encounter: Encounter, address: str) -> None:
        metadata = {"encounter": encounter.id, "address": address}
        async with self._database.transaction() as tx:
            await self._audit.record(tx, actor, VIEW, link.id, metadata=metadata)
            await self._reads.record(tx, actor, encounter.id, purpose=PurposeOfUse.TREAT, form="share_link")
            details = {"purpose_of_use": PurposeOfUse.TREAT.value, "form": "share_link"}
            await self._evidence.append(tx, actor, encounter, Operation.EXPORT, details=details)

    async def _shown(
        self,
        opened: OpenedLink,
        changes: list[FieldChange],
        signing: ReportSigning,
        arrived: Arrival | None,
        language: Language,
        order: Order,
    ) -> ShownHandover:
        encounter, until_us = opened.encounter, None if arrived is None else arrived.at_us
        wording = Wording(language, self._zone, self._clock.now_us() if until_us is None else until_us)
        record = treatment_record(current_record(changes), key=_PSEUDONYM_KEY, encounter=encounter.id)
        data = await self._data.read(opened.actor, encounter, record, until_us=until_us)
        readings = [*readings_of_record(record, wording), *readings_of_devices(data.channels)]
        readings.sort(key=lambda each: each.at_us)
        content = handover_content(
            record,
            readings,
            wording,
            order=order,
            signed=signing.signed,
            partial=signing.partial,
            arrival=arrival_words(changes, wording),
        )
        # A block that is not over yet has samples after the newest value.
        strip_us = wording.now_us if data.waveforms else 0
        ecg = ecg_of(data.waveforms, until_us=strip_us) if data.waveforms else None
        return ShownHandover(encounter=encounter.id, wording=wording, content=content, readings=readings, ecg=ecg)
