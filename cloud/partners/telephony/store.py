"""SQL statements on telephony providers and routes."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update

from cloud.foundation.db import Records, Transaction
from cloud.foundation.viewer import Viewer, visible
from cloud.partners.telephony.model import Provider, Route
from cloud.partners.telephony.tables import telephony_providers, telephony_routes

_PROVIDERS = Records(Provider, telephony_providers)
_ROUTES = Records(Route, telephony_routes)
_provider = telephony_providers.c
_route = telephony_routes.c


class TelephonyStore:
    """SQL statements on telephony providers and routes."""

    async def add_provider(self, tx: Transaction, provider: Provider) -> bool:
        return await _PROVIDERS.add(tx, provider)

    async def replace_provider(self, tx: Transaction, provider: Provider) -> None:
        """Write a provider that `tx` has locked."""
        values = _PROVIDERS.values(provider)
        await tx.execute(update(telephony_providers).where(_provider.id == provider.id).values(values))

    async def find_provider(
        self, tx: Transaction, viewer: Viewer, provider_id: str, *, lock: bool = False
    ) -> Provider | None:
        """Return a provider of the viewer's tenant, or None. `lock`: lock it until `tx` ends."""
        statement = _PROVIDERS.select().where(*visible(telephony_providers, viewer), _provider.id == provider_id)
        return await _PROVIDERS.first(tx, statement.with_for_update() if lock else statement)

    async def list_providers(self, tx: Transaction, viewer: Viewer, limit: int) -> Sequence[Provider]:
        """Return the providers of the viewer's tenant, in the order of their ids."""
        statement = _PROVIDERS.select().where(*visible(telephony_providers, viewer)).order_by(_provider.id)
        return await _PROVIDERS.all(tx, statement.limit(limit))

    async def clear_default(self, tx: Transaction, tenant_id: str, now_us: int) -> None:
        """Leave the tenant without a default provider."""
        mine = (_provider.tenant_id == tenant_id, _provider.is_default)
        await tx.execute(update(telephony_providers).where(*mine).values(is_default=False, updated_at_us=now_us))

    async def note_check(self, tx: Transaction, checked: Provider, outcome: str, now_us: int) -> None:
        """Store the result of a check, unless the credentials were changed since."""
        same = (_provider.id == checked.id, _provider.credentials_sealed == checked.credentials_sealed)
        await tx.execute(update(telephony_providers).where(*same).values(checked_at_us=now_us, check_outcome=outcome))

    async def count_providers(self, tx: Transaction, tenant_id: str) -> int:
        statement = select(func.count()).select_from(telephony_providers).where(_provider.tenant_id == tenant_id)
        return int((await tx.execute(statement)).scalar())

    async def count_routes(self, tx: Transaction, tenant_id: str) -> int:
        statement = select(func.count()).select_from(telephony_routes).where(_route.tenant_id == tenant_id)
        return int((await tx.execute(statement)).scalar())

    async def add_route(self, tx: Transaction, route: Route) -> bool:
        return await _ROUTES.add(tx, route)

    async def replace_route(self, tx: Transaction, route: Route) -> None:
        await tx.execute(update(telephony_routes).where(_route.id == route.id).values(_ROUTES.values(route)))

    async def remove_route(self, tx: Transaction, route_id: str) -> None:
        await tx.execute(delete(telephony_routes).where(_route.id == route_id))

    async def find_route(self, tx: Transaction, viewer: Viewer, route_id: str) -> Route | None:
        statement = _ROUTES.select().where(*visible(telephony_routes, viewer), _route.id == route_id)
        return await _ROUTES.first(tx, statement.with_for_update())

    async def active_route(self, tx: Transaction, route: Route) -> Route | None:
        """Return the active route of a provider for the same number or subaccount, or None."""
        place = _route.did == route.did if route.did is not None else _route.subaccount == route.subaccount
        statement = _ROUTES.select().where(
            _route.provider_id == route.provider_id, place, _route.disabled_at_us.is_(None)
        )
        return await _ROUTES.first(tx, statement)

    async def list_routes(
        self, tx: Transaction, viewer: Viewer, *, provider_id: str | None = None, limit: int
    ) -> Sequence[Route]:
        """Return the routes of the viewer's tenant, or of one of its providers, in the order of their ids."""
        statement = _ROUTES.select().where(*visible(telephony_routes, viewer))
        if provider_id is not None:
            statement = statement.where(_route.provider_id == provider_id)
        return await _ROUTES.all(tx, statement.order_by(_route.id).limit(limit))

    async def resolve(self, tx: Transaction, tenant_id: str, did: str) -> tuple[Route, Provider] | None:
        """Return the active route of a number and its provider, which is not disabled. If several providers have the
        number, the default provider comes first, then the one that was added first. None: there is no such route."""
        statement = (
            select(*_ROUTES.columns, *_PROVIDERS.columns)
            .join(telephony_providers, _provider.id == _route.provider_id)
            .where(
                _route.tenant_id == tenant_id,
                _route.did == did,
                _route.disabled_at_us.is_(None),
                _provider.disabled_at_us.is_(None),
            )
            .order_by(_provider.is_default.desc(), _provider.created_at_us, _provider.id)
            .limit(1)
        )
        row = (await tx.execute(statement)).first()
        if row is None:
            return None
        count = len(_ROUTES.columns)
        return _ROUTES.read(row[:count]), _PROVIDERS.read(row[count:])
