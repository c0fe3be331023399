"""Register gateways, list them and show one."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from cloud.access.tenancy import OrganizationUnknown, TenancyStore, Vehicle, VehicleUnknown, checked_name
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import Ids, checked_id
from cloud.foundation.viewer import Viewer
from cloud.vehicles.fleet.authority_store import AuthorityStore, KnownCertificate
from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from cloud.vehicles.fleet.broker_rights import CLOUD_NAME
from cloud.vehicles.fleet.errors import GatewayIdReserved, GatewayTaken, GatewayUnknown, PublicKeyMalformed
from cloud.vehicles.fleet.fleet_list import ListedGateway
from cloud.vehicles.fleet.model import FormerKey, RegisteredGateway
from cloud.vehicles.fleet.silence import begin_silent
from cloud.vehicles.fleet.store import GatewayDirectory

PUBLIC_KEY_OCTETS = 32


@dataclass(frozen=True, slots=True)
class GatewayFile:
    """A gateway with its former keys, newest first, and its recorded certificates."""

    gateway: RegisteredGateway
    former_keys: Sequence[FormerKey]
    certificates: Sequence[KnownCertificate]


@dataclass(slots=True)
class Imported:
    """The result of an import: numbers of objects added, and of gateways that were registered already as listed."""

    vehicles_added: int = 0
    gateways_added: int = 0
    gateways_unchanged: int = 0


class Fleet:
    """Register gateways, list them and show one."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._directory = GatewayDirectory()
        self._tenancy = TenancyStore()

    async def register(
        self, viewer: Viewer, *, organization_id: str, vehicle_id: str, public_key: str, id: str | None = None
    ) -> RegisteredGateway:
        """Register a gateway, so that the cloud accepts its batches. `public_key` is base64; without `id` one is
        generated. Raises `OrganizationUnknown`, `VehicleUnknown` (also for a vehicle of another organisation),
        `GatewayTaken`, `GatewayIdReserved`, `PublicKeyMalformed`, `IdentifierMalformed`."""
        gateway = RegisteredGateway(
            tenant_id=viewer.tenant_id,
            id=self._ids.new("gw") if id is None else _checked_gateway_id(id),
            organization_id=organization_id,
            vehicle_id=vehicle_id,
            public_key=read_public_key(public_key),
            registered_at_us=self._clock.now_us(),
        )
        async with self._database.transaction() as tx:
            if await self._tenancy.find_organization(tx, viewer, organization_id) is None:
                raise OrganizationUnknown
            vehicle = await self._tenancy.find_vehicle(tx, viewer, vehicle_id)
            if vehicle is None or vehicle.organization_id != organization_id:
                raise VehicleUnknown
            owner = await self._directory.owner_of(tx, gateway.id)
            if owner not in (None, viewer.tenant_id):
                # The broker identifies a gateway by its id: two tenants with one id would share a login.
                raise GatewayTaken(f"(gateway {gateway.id}, by another tenant)")
            if not await self._directory.add(tx, gateway):
                raise GatewayTaken(f"(gateway {gateway.id})")
            await begin_silent(tx, gateway)
        return gateway

    async def import_list(self, viewer: Viewer, *, organization_id: str, listed: Sequence[ListedGateway]) -> Imported:
        """Register the listed gateways, and the vehicles that do not exist, in one transaction. What is registered
        already as listed stays as it is. Raises the errors of `register` with the number of the line, and
        `NameMalformed`; nothing is changed then."""
        done = Imported()
        async with self._database.transaction() as tx:
            if await self._tenancy.find_organization(tx, viewer, organization_id) is None:
                raise OrganizationUnknown
            vehicles = {one.id: one for one in await self._tenancy.list_vehicles(tx, viewer)}
            known = {one.id: one for one in await self._directory.list(tx, viewer)}
            foreign = await self._directory.ids_of_others(tx, viewer.tenant_id, {one.gateway_id for one in listed})
            for one in listed:
                try:
                    gateway = self._listed(viewer, organization_id, one)
                    if gateway.id in foreign:
                        raise GatewayTaken(f"(gateway {gateway.id}, by another tenant)")
                    await self._import_vehicle(tx, gateway, one.name, vehicles, done)
                    await self._import_gateway(tx, gateway, known, done)
                except DomainError as error:
                    raise type(error)(f"{error.detail} (line {one.line} of the list)".strip()) from None
        return done

    def _listed(self, viewer: Viewer, organization_id: str, one: ListedGateway) -> RegisteredGateway:
        return RegisteredGateway(
            tenant_id=viewer.tenant_id,
            id=_checked_gateway_id(one.gateway_id),
            organization_id=organization_id,
            vehicle_id=checked_id(one.vehicle_id),
            public_key=read_public_key(one.public_key),
            registered_at_us=self._clock.now_us(),
        )

    async def _import_vehicle(
        self, tx: Transaction, gateway: RegisteredGateway, name: str, vehicles: dict[str, Vehicle], done: Imported
    ) -> None:
        vehicle = vehicles.get(gateway.vehicle_id)
        if vehicle is None:
            vehicle = Vehicle(
                tenant_id=gateway.tenant_id,
                id=gateway.vehicle_id,
                organization_id=gateway.organization_id,
                name=checked_name(name),
                created_at_us=gateway.registered_at_us,
            )
            vehicles[vehicle.id] = vehicle
            done.vehicles_added += await self._tenancy.add_vehicle(tx, vehicle)
        elif vehicle.organization_id != gateway.organization_id:
            raise VehicleUnknown

    async def _import_gateway(
        self, tx: Transaction, gateway: RegisteredGateway, known: dict[str, RegisteredGateway], done: Imported
    ) -> None:
        before = known.get(gateway.id)
        if before is None:
            if not await self._directory.add(tx, gateway):
                raise GatewayTaken(f"(gateway {gateway.id})")
            await begin_silent(tx, gateway)
            known[gateway.id] = gateway
            done.gateways_added += 1
        elif (before.vehicle_id, before.public_key) == (gateway.vehicle_id, gateway.public_key):
            done.gateways_unchanged += 1
        else:
            raise GatewayTaken(f"(gateway {gateway.id}, with another vehicle or key)")

    async def show(self, viewer: Viewer, gateway_id: str) -> GatewayFile:
        """Return one gateway with its former keys and certificates. Raises `GatewayUnknown`."""
        async with self._database.read() as tx:
            gateway = await self._directory.find(tx, viewer.tenant_id, gateway_id)
            if gateway is None:
                raise GatewayUnknown(f"(gateway {gateway_id})")
            owner = AdmittedGateway(gateway.id, gateway.tenant_id)
            return GatewayFile(
                gateway, await self._directory.former_keys(tx, gateway), await AuthorityStore().of_gateway(tx, owner)
            )

    async def list(self, viewer: Viewer) -> Sequence[RegisteredGateway]:
        async with self._database.read() as tx:
            return await self._directory.list(tx, viewer)


def _checked_gateway_id(text: str) -> str:
    """Return the id if it can be a user name at the broker. Raises `IdentifierMalformed`, `GatewayIdReserved`."""
    if text.startswith((CLOUD_NAME, "-")):
        raise GatewayIdReserved(f"(gateway {text})")
    return checked_id(text)


def read_public_key(text: str) -> bytes:
    """Decode a 32-byte public key from strict base64. Raises `PublicKeyMalformed`."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise PublicKeyMalformed from None
    if len(key) != PUBLIC_KEY_OCTETS:
        raise PublicKeyMalformed
    return key
