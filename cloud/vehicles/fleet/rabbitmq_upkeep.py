"""Keep the users and rights in RabbitMQ consistent with the database, in the loop of `BrokerUpkeep`."""

import asyncio
from collections.abc import Sequence

import structlog

from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.vehicles.fleet.authority_store import AuthorityStore, Change
from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from cloud.vehicles.fleet.broker_directory import Refreshed
from cloud.vehicles.fleet.rabbitmq_management import RabbitmqManagement, open_management
from cloud.vehicles.fleet.settings import MqttSection, RabbitmqSection

log = structlog.get_logger()


class AdmittedGateways:
    """The gateways that may use the broker, read from the database. RabbitMQ stores their rights itself, so no file is
    written."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = AuthorityStore()

    async def change(self) -> Change:
        async with self._database.read() as tx:
            return await self._store.change(tx)

    async def refresh(self) -> Refreshed:
        async with self._database.read() as tx:
            return Refreshed((), await self._store.admitted(tx), 0)


class RabbitmqRights:
    """Keep the users and rights in RabbitMQ consistent with the gateways that may use it (a `RightsSender`)."""

    def __init__(self, mqtt: MqttSection, rabbitmq: RabbitmqSection) -> None:
        self._sections = mqtt, rabbitmq
        self._management: RabbitmqManagement | None = None
        self._applied: Sequence[AdmittedGateway] | None = None
        self._failing = False

    async def apply(self, admitted: Sequence[AdmittedGateway]) -> int:
        """Send RabbitMQ at most one chunk of the changes that make its rights match `admitted`, and return the number
        of differences that were found. After a comparison without any, compare again only when `admitted` is another
        object. A failure is logged once, and the next call tries again."""
        if self._applied is admitted:
            return 0
        try:
            if self._management is None:
                self._management = open_management(*self._sections)
            found = await self._management.converge(admitted)
            self._applied = None if found else admitted
        except DomainError as error:
            if not self._failing:
                log.error("broker.rights_not_sent", why=error.sentence)
            self._failing = True
            return 0
        self._failing = False
        return found

    async def close(self) -> None:
        if self._management is not None:
            await self._management.close()
            await asyncio.sleep(0)  # aiohttp closes its sockets in the next turn of the loop
