"""The rows of certificate authorities and gateway certificates. Authority keys are sealed under the master key."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import func, select, update

from cloud.foundation.db import Transaction, insert
from cloud.foundation.master_key import MasterKey
from cloud.vehicles.fleet.authority import Authority, Revocation
from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from cloud.vehicles.fleet.model import GatewayAccess
from cloud.vehicles.fleet.tables import SEALED_FOR, authorities, gateway_certificates, gateways

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCertificate:
    """A certificate with which a gateway connects to the broker."""

    authority_id: str
    serial: int
    expires_at_us: int
    revoked_at_us: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """A fingerprint of the gateway and certificate rows. It changes when a row is added or changed."""

    gateways: int
    accesses: int
    certificates: int
    newest_us: int


class AuthorityStore:
    """SQL statements on authorities and gateway certificates."""

    async def add(self, tx: Transaction, authority: Authority, master: MasterKey, now_us: int) -> None:
        await tx.execute(
            insert(authorities).values(
                id=authority.id,
                certificate=authority.certificate.public_bytes(Encoding.DER),
                sealed_key=master.seal(SEALED_FOR, authority.id, authority.key_der),
                added_at_us=now_us,
            )
        )

    async def certificates(self, tx: Transaction) -> Sequence[tuple[str, x509.Certificate]]:
        """Return the id and certificate of each authority, oldest first; no master key is needed."""
        wanted = select(authorities.c.id, authorities.c.certificate)
        rows = await tx.execute(wanted.order_by(authorities.c.added_at_us, authorities.c.id))
        return [(row.id, x509.load_der_x509_certificate(bytes(row.certificate))) for row in rows]

    async def open(self, tx: Transaction, master: MasterKey) -> Sequence[Authority]:
        """Return the certificate authorities, oldest first, with their private keys decrypted by `master`. Raises
        `SealBroken`."""
        rows = await tx.execute(select(authorities).order_by(authorities.c.added_at_us, authorities.c.id))
        return [
            Authority.of(
                row.id,
                x509.load_der_x509_certificate(bytes(row.certificate)),
                master.open(SEALED_FOR, row.id, bytes(row.sealed_key)),
            )
            for row in rows
        ]

    async def record(
        self, tx: Transaction, authority_id: str, certificate: x509.Certificate, owner: AdmittedGateway, now_us: int
    ) -> None:
        """Record a gateway's certificate, so that it can be revoked; a certificate recorded before stays unchanged."""
        values = {
            "authority_id": authority_id,
            "serial": f"{certificate.serial_number:x}",
            "tenant_id": owner.tenant_id,
            "gateway_id": owner.gateway_id,
            "expires_at_us": int(certificate.not_valid_after_utc.timestamp()) * _SECOND_US,
            "recorded_at_us": now_us,
        }
        await tx.execute(insert(gateway_certificates).values(values).on_conflict_do_nothing())

    async def of_gateway(self, tx: Transaction, owner: AdmittedGateway) -> Sequence[KnownCertificate]:
        rows = await tx.execute(
            select(gateway_certificates).where(
                gateway_certificates.c.tenant_id == owner.tenant_id,
                gateway_certificates.c.gateway_id == owner.gateway_id,
            )
        )
        return [
            KnownCertificate(
                authority_id=row.authority_id,
                serial=int(row.serial, 16),
                expires_at_us=row.expires_at_us,
                revoked_at_us=row.revoked_at_us,
            )
            for row in rows
        ]

    async def revoke_all(self, tx: Transaction, owner: AdmittedGateway, now_us: int) -> int:
        """Revoke all recorded certificates of a gateway; return the number that were not revoked before."""
        table = gateway_certificates.c
        statement = (
            update(gateway_certificates)
            .where(
                table.tenant_id == owner.tenant_id,
                table.gateway_id == owner.gateway_id,
                table.revoked_at_us.is_(None),
            )
            .values(revoked_at_us=now_us)
        )
        return int((await tx.execute(statement)).rowcount)

    async def revocations(self, tx: Transaction, authority_id: str, now_us: int) -> Sequence[Revocation]:
        """Return the entries for an authority's revocation list: unexpired certificates that are revoked, or whose
        gateway is suspended or revoked."""
        table, shut_out = gateway_certificates.c, gateways.c
        statement = (
            select(table.serial, table.revoked_at_us, shut_out.access_at_us)
            .join(gateways, (shut_out.tenant_id == table.tenant_id) & (shut_out.id == table.gateway_id))
            .where(
                table.authority_id == authority_id,
                table.expires_at_us > now_us,
                table.revoked_at_us.is_not(None) | (shut_out.access != GatewayAccess.ACTIVE.value),
            )
        )
        return [
            Revocation(int(row.serial, 16), row.revoked_at_us or row.access_at_us or now_us, row.revoked_at_us is None)
            for row in await tx.execute(statement)
        ]

    async def admitted(self, tx: Transaction) -> Sequence[AdmittedGateway]:
        """Return the active gateways, without those whose id another tenant uses too, because both tenants would share
        one login at the broker."""
        owners = func.count(gateways.c.tenant_id)
        alone = select(gateways.c.id).group_by(gateways.c.id).having(owners == 1)
        statement = select(gateways.c.id, gateways.c.tenant_id).where(
            gateways.c.access == GatewayAccess.ACTIVE.value, gateways.c.id.in_(alone)
        )
        return [AdmittedGateway(row.id, row.tenant_id) for row in await tx.execute(statement)]

    async def ambiguous(self, tx: Transaction) -> Sequence[str]:
        """Return the ids of gateways that more than one tenant uses."""
        statement = select(gateways.c.id).group_by(gateways.c.id).having(func.count(gateways.c.tenant_id) > 1)
        return sorted(row.id for row in await tx.execute(statement))

    async def change(self, tx: Transaction) -> Change:
        """Return the fingerprint of the rows from which the broker's files are written."""
        registered = (
            await tx.execute(
                select(
                    func.count().label("total"),
                    func.count(gateways.c.access_at_us).label("accesses"),
                    func.max(gateways.c.access_at_us).label("newest"),
                ).select_from(gateways)
            )
        ).first()
        known = (
            await tx.execute(
                select(
                    func.count().label("total"), func.max(gateway_certificates.c.revoked_at_us).label("newest")
                ).select_from(gateway_certificates)
            )
        ).first()
        assert registered is not None
        assert known is not None
        return Change(
            registered.total, registered.accesses, known.total, max(registered.newest or 0, known.newest or 0)
        )
