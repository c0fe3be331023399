"""Verify the chain of custody of packed batches from the objects alone, without the index in the database.

Each object of a tenant is read whole. Its SHA-256, its entries, every signature and every link are checked, also those
of erased envelopes, which have the SHA-256 of their payload. Of the database only the gateways' public keys are used.
So a copy of the object store proves what the vehicles sent, also
beside a database that is lost or not trusted. Nothing is changed; results have sequence numbers, never measurements.
"""

from dataclasses import dataclass, field

from cloud.clinical.waveforms import NUMERICS, WAVEFORMS, decode_object, erased_hash
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ListedObject, ObjectDamaged, ObjectStore
from cloud.foundation.viewer import Viewer
from cloud.vehicles.custody import Range
from cloud.vehicles.fleet import FormerKey, GatewayDirectory, RegisteredGateway
from cloud.vehicles.verification.chain_ranges import ChainRanges
from cloud.vehicles.verification.lane_audit import FINDINGS_MAX, Finding
from protocols.errors import RemoteProtocolError
from protocols.provenance.hash_chain import Link, genesis
from protocols.uplink.envelope import BatchKind, Envelope, decode_envelope, verify_hash
from protocols.uplink.gaps import decode_gap

LANES_MAX = 16_384
"""Lanes of one tenant in one check: sixteen stores of each of a thousand vehicles. It bounds the memory."""


@dataclass(slots=True, kw_only=True)
class PackedLaneReport:
    """The result for one lane of one store (epoch) of a gateway. `ranges` are the verified sequence numbers,
    `repeated` counts batches that are in several objects, and `erased` those of which the payload was erased."""

    gateway_id: str
    epoch: str
    lane: str
    batches: int = 0
    repeated: int = 0
    erased: int = 0
    ranges: list[Range] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    findings_beyond: int = 0

    @property
    def intact(self) -> bool:
        return not self.findings

    def find(self, what: str, sequence: int) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(what, sequence, sequence))
        else:
            self.findings_beyond += 1


@dataclass(slots=True, kw_only=True)
class ObjectsReport:
    """The result for one tenant. `damaged` names the objects that cannot be read, with the reason."""

    tenant_id: str
    objects: int = 0
    size_bytes: int = 0
    damaged: list[tuple[str, str]] = field(default_factory=list)
    damaged_beyond: int = 0
    lanes: list[PackedLaneReport] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        return not self.damaged and all(lane.intact for lane in self.lanes)


class ObjectAudit:
    """Check all packed objects of one tenant."""

    def __init__(self, database: Database, viewer: Viewer, objects: ObjectStore) -> None:
        self._database = database
        self._viewer = viewer
        self._objects = objects
        self._directory = GatewayDirectory()
        self._keys: dict[str, tuple[RegisteredGateway, list[FormerKey]]] = {}
        self._lanes: dict[tuple[str, str, str], tuple[PackedLaneReport, ChainRanges]] = {}

    async def run(self) -> ObjectsReport:
        """Read every object and return the report. Raises `ObjectStoreUnavailable`."""
        report = ObjectsReport(tenant_id=self._viewer.tenant_id)
        async with self._database.read() as tx:
            for gateway in await self._directory.list(tx, self._viewer):
                former = list(await self._directory.former_keys(tx, gateway))
                self._keys[gateway.id] = gateway, former
        for first in (NUMERICS, WAVEFORMS):
            async for page in self._objects.pages(f"{first}/{self._viewer.tenant_id}"):
                for listed in page:
                    await self._object(listed, report)
        for lane, chain in self._lanes.values():
            lane.repeated = chain.repeated
            lane.ranges = [(one.first, one.last) for one in chain.ranges]
        report.lanes = [lane for _, (lane, _) in sorted(self._lanes.items())]
        return report

    async def _object(self, listed: ListedObject, report: ObjectsReport) -> None:
        report.objects += 1
        report.size_bytes += listed.size_bytes
        try:
            packed = decode_object(await self._objects.read_range(listed.name, 0, listed.size_bytes))
            if packed.tenant_id != self._viewer.tenant_id:
                raise ObjectDamaged("(It is another tenant's.)")
            envelopes = [decode_envelope(one) for one in packed.envelopes]
            erased = [decode_envelope(one) for one in packed.erased]
        except (DomainError, RemoteProtocolError) as error:
            if len(report.damaged) < FINDINGS_MAX:
                why = error.sentence if isinstance(error, DomainError) else str(error)
                report.damaged.append((listed.name, why))
            else:
                report.damaged_beyond += 1
            return
        for envelope in envelopes:
            self._batch(envelope, envelope.batch.hash, packed.packed_at_us)
        for envelope in erased:
            self._batch(envelope, erased_hash(envelope.batch), packed.packed_at_us, is_erased=True)

    def _batch(self, envelope: Envelope, own: bytes, packed_at_us: int, *, is_erased: bool = False) -> None:
        """Check a batch whose chain hash is `own`."""
        batch = envelope.batch
        key = batch.gateway, batch.epoch, batch.lane.value
        if key not in self._lanes:
            if len(self._lanes) == LANES_MAX:
                raise ObjectDamaged(f"(The objects of the tenant have more than {LANES_MAX} lanes.)")
            lane = PackedLaneReport(gateway_id=batch.gateway, epoch=batch.epoch, lane=batch.lane.value)
            self._lanes[key] = lane, ChainRanges(genesis(batch.gateway, batch.epoch, batch.lane.value))
        lane, chain = self._lanes[key]
        lane.batches += 1
        lane.erased += is_erased
        # An object has no times of arrival. It is packed later, so the signed time of a batch may be the nearer one.
        if not self._is_signed(batch.gateway, own, envelope.signature, min(packed_at_us, batch.created_at_us)):
            lane.find("not signed by the registered key", batch.sequence)
        link = Link(first=batch.sequence, last=batch.sequence, previous=batch.previous_hash, after=own)
        if batch.kind is BatchKind.GAP and not is_erased:
            try:
                gap = decode_gap(batch.payload)
            except RemoteProtocolError:
                pass  # ingest stored it as an ordinary batch of one sequence number
            else:
                link = Link(
                    first=gap.from_sequence,
                    last=gap.through_sequence,
                    previous=gap.chain_before,
                    after=gap.chain_after,
                    stands_in=True,
                )
        for what, sequence in chain.add(link):
            lane.find(what, sequence)

    def _is_signed(self, gateway_id: str, chain_hash: bytes, signature: bytes, at_us: int) -> bool:
        known = self._keys.get(gateway_id)
        if known is None:
            return False
        gateway, former = known
        keys = (gateway.public_key, *(one.public_key for one in former if one.may_sign(at_us)))
        return any(verify_hash(chain_hash, signature, key) for key in keys)
