"""Suspend, revoke and resume gateways, and replace their signing keys.

Three barriers keep a suspended or revoked gateway out, because each alone has a gap:
- Ingest refuses the gateway's batches as soon as the change is committed, independent of the broker.
- The cloud deletes the gateway's rights in the broker, which ends its connection and denies every topic
  (`cloud/vehicles/ingest/broker_control.py`).
- The certificate revocation list refuses the gateway's next connection. Until mosquitto has read the new list, the
  cloud connects with the gateway's client id and so ends the gateway's session (`cloud/vehicles/ingest/take_over.py`).

Every action writes an audit entry and emits an event in the transaction of the change. A gateway may be suspended or
revoked again: the first reason stays, and the caller updates the barriers again.
"""

from collections.abc import Awaitable, Callable, Sequence

from cryptography import x509
from sqlalchemy import ColumnElement, select, update

from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction, insert
from cloud.foundation.events import Outbox
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKey
from cloud.foundation.settings import Settings
from cloud.foundation.supplies import Need
from cloud.foundation.viewer import Actor
from cloud.vehicles.fleet.authority import PublicKey, has_issued, issue_client
from cloud.vehicles.fleet.authority_store import AuthorityStore
from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from cloud.vehicles.fleet.errors import (
    AuthorityAbsent,
    CertificateForeign,
    GatewayNotSuspended,
    GatewayRevoked,
    GatewayShutOut,
    GatewayUnknown,
    KeyUnchanged,
    KeyUsedBefore,
)
from cloud.vehicles.fleet.event_types import GATEWAY_KEY_REPLACED, GATEWAY_RESUMED, GATEWAY_REVOKED, GATEWAY_SUSPENDED
from cloud.vehicles.fleet.model import GatewayAccess, RegisteredGateway
from cloud.vehicles.fleet.service import read_public_key
from cloud.vehicles.fleet.store import GatewayDirectory
from cloud.vehicles.fleet.tables import gateway_former_keys, gateways

END_CONNECTION: Need[Callable[[Settings, str], Awaitable[bool | None]]] = Need(
    "end the open connection of a gateway at the broker, which ingest connects to"
)


class GatewayAccessDesk:
    """Change the access, keys and certificates of gateways. After each change the caller runs
    `BrokerDirectory.refresh`."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._outbox = Outbox(ids)
        self._audit = Audit(clock)
        self._directory = GatewayDirectory()
        self._store = AuthorityStore()

    async def suspend(self, actor: Actor, gateway_id: str, reason: str) -> RegisteredGateway:
        """Refuse a gateway's batches and connections until an operator resumes the gateway. Raises `GatewayUnknown`,
        `GatewayRevoked`."""
        async with self._database.transaction() as tx:
            gateway = await self._found(tx, actor, gateway_id)
            if gateway.access is GatewayAccess.REVOKED:
                raise GatewayRevoked
            if gateway.access is GatewayAccess.ACTIVE:
                await self._set(tx, gateway, GatewayAccess.SUSPENDED, reason)
                await self._announce(tx, actor, gateway, "gateway.suspend", GATEWAY_SUSPENDED, reason)
            return await self._found(tx, actor, gateway_id)

    async def revoke(
        self, actor: Actor, gateway_id: str, reason: str, certificates: Sequence[x509.Certificate] = ()
    ) -> RegisteredGateway:
        """Refuse a gateway permanently, and revoke its recorded certificates and the given ones. Raises
        `GatewayUnknown`, `CertificateForeign`."""
        async with self._database.transaction() as tx:
            gateway = await self._found(tx, actor, gateway_id)
            await self._record(tx, gateway, certificates)
            revoked = await self._store.revoke_all(tx, _owner(gateway), self._clock.now_us())
            if gateway.access is not GatewayAccess.REVOKED or revoked:
                kept = gateway.access_reason if gateway.access is GatewayAccess.REVOKED else reason
                await self._set(tx, gateway, GatewayAccess.REVOKED, kept or reason)
            if gateway.access is not GatewayAccess.REVOKED:
                await self._announce(tx, actor, gateway, "gateway.revoke", GATEWAY_REVOKED, reason)
            return await self._found(tx, actor, gateway_id)

    async def resume(self, actor: Actor, gateway_id: str) -> RegisteredGateway:
        """Accept a suspended gateway again. Raises `GatewayUnknown`, `GatewayRevoked`, `GatewayNotSuspended`."""
        async with self._database.transaction() as tx:
            gateway = await self._found(tx, actor, gateway_id)
            match gateway.access:
                case GatewayAccess.REVOKED:
                    raise GatewayRevoked
                case GatewayAccess.ACTIVE:
                    raise GatewayNotSuspended
                case GatewayAccess.SUSPENDED:
                    await self._set(tx, gateway, GatewayAccess.ACTIVE, None)
                    await self._announce(tx, actor, gateway, "gateway.resume", GATEWAY_RESUMED, None)
            return await self._found(tx, actor, gateway_id)

    async def replace_key(self, actor: Actor, gateway_id: str, public_key: str, reason: str) -> RegisteredGateway:
        """Accept only batches signed with the new key (base64) from now on; batches signed before stay verifiable. A
        revoked gateway becomes active again, and needs a new certificate. Raises `GatewayUnknown`,
        `PublicKeyMalformed`, `KeyUnchanged`, `KeyUsedBefore`."""
        key = read_public_key(public_key)
        async with self._database.transaction() as tx:
            gateway = await self._found(tx, actor, gateway_id)
            if key == gateway.public_key:
                raise KeyUnchanged
            if any(former.public_key == key for former in await self._directory.former_keys(tx, gateway)):
                raise KeyUsedBefore
            now_us = self._clock.now_us()
            await tx.execute(
                insert(gateway_former_keys).values(
                    tenant_id=gateway.tenant_id,
                    gateway_id=gateway.id,
                    public_key=gateway.public_key,
                    replaced_at_us=now_us,
                    reason=reason,
                )
            )
            await tx.execute(update(gateways).where(*_row(gateway)).values(public_key=key))
            if gateway.access is GatewayAccess.REVOKED:
                await self._set(tx, gateway, GatewayAccess.ACTIVE, None)
            await self._announce(tx, actor, gateway, "gateway.replace_key", GATEWAY_KEY_REPLACED, reason)
            return await self._found(tx, actor, gateway_id)

    async def issue_certificate(
        self, actor: Actor, gateway_id: str, key: PublicKey, master: Callable[[], MasterKey], *, days: int
    ) -> x509.Certificate:
        """Issue and record a gateway's client certificate for the broker, signed by the newest authority. Raises
        `GatewayUnknown`, `GatewayShutOut`, `AuthorityAbsent`."""
        async with self._database.transaction() as tx:
            gateway = await self._found(tx, actor, gateway_id)
            if gateway.access is not GatewayAccess.ACTIVE:
                raise GatewayShutOut(f"(It is {gateway.access}.)")
            if not await self._store.certificates(tx):
                raise AuthorityAbsent
            authority = (await self._store.open(tx, master()))[-1]
            now_us = self._clock.now_us()
            made = issue_client(authority, key, gateway.id, days=days, now_us=now_us)
            await self._store.record(tx, authority.id, made, _owner(gateway), now_us)
            metadata = {"serial": f"{made.serial_number:x}"}
            await self._audit.record(tx, actor, "gateway.issue_certificate", gateway.id, metadata=metadata)
            return made

    async def _record(
        self, tx: Transaction, gateway: RegisteredGateway, certificates: Sequence[x509.Certificate]
    ) -> None:
        """Record certificates that the operator gives, so that they can be revoked. Raises `CertificateForeign` when a
        certificate is not from an authority of the cloud, or its common name is not the gateway's id. The broker
        identifies a gateway by the common name."""
        if not certificates:
            return
        known = await self._store.certificates(tx)
        for certificate in certificates:
            names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
            issuer = next((id for id, authority in known if has_issued(authority, certificate)), None)
            if issuer is None:
                raise CertificateForeign("(None of the authorities here issued it: import yours first.)")
            if [name.value for name in names] != [gateway.id]:
                raise CertificateForeign(f"(Its common name is not {gateway.id}.)")
            await self._store.record(tx, issuer, certificate, _owner(gateway), self._clock.now_us())

    async def _found(self, tx: Transaction, actor: Actor, gateway_id: str) -> RegisteredGateway:
        """Return a gateway, its row locked until the transaction ends. Raises `GatewayUnknown`."""
        await tx.execute(
            select(gateways.c.id)
            .where(gateways.c.tenant_id == actor.tenant_id, gateways.c.id == gateway_id)
            .with_for_update()
        )
        gateway = await self._directory.find(tx, actor.tenant_id, gateway_id)
        if gateway is None:
            raise GatewayUnknown(f"(gateway {gateway_id})")
        return gateway

    async def _set(
        self, tx: Transaction, gateway: RegisteredGateway, access: GatewayAccess, reason: str | None
    ) -> None:
        values = {"access": access.value, "access_reason": reason, "access_at_us": self._clock.now_us()}
        await tx.execute(update(gateways).where(*_row(gateway)).values(values))

    async def _announce(
        self,
        tx: Transaction,
        actor: Actor,
        gateway: RegisteredGateway,
        action: str,
        event_type: str,
        reason: str | None,
    ) -> None:
        details = {} if reason is None else {"reason": reason}
        await self._audit.record(tx, actor, action, gateway.id, metadata=details)
        payload = {"gateway_id": gateway.id, "vehicle_id": gateway.vehicle_id, **details}
        now_us = self._clock.now_us()
        await self._outbox.emit(tx, event_type, gateway, key=gateway.id, payload=payload, at_us=now_us)


def _owner(gateway: RegisteredGateway) -> AdmittedGateway:
    return AdmittedGateway(gateway.id, gateway.tenant_id)


def _row(gateway: RegisteredGateway) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return gateways.c.tenant_id == gateway.tenant_id, gateways.c.id == gateway.id
