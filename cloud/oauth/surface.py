"""Everything about tokens that a serving process needs, put together: the verifier, the mint, the rows."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from cloud.apps import Apps
from cloud.audit import Audit
from cloud.clock import Clock
from cloud.db import Database
from cloud.http.host import Bases, Host
from cloud.http.route import Route
from cloud.ids import Ids
from cloud.master_key import MasterKey, MasterKeyAbsent, MasterKeyUnfit
from cloud.oauth.handlers import OAuthHandlers
from cloud.oauth.routes import routes as oauth_routes
from cloud.oauth.service import TokenEndpoint
from cloud.settings import SettingsUnusable
from cloud.tokens import KeySetHandlers, Mint, Names, Revocation, SigningKeys, Standing, Verifier
from cloud.tokens import routes as key_set_routes

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TokenSurface:
    """`verifier` goes to the pipeline, `routes` to the auth host; `mint` to whoever issues tokens of its own."""

    standing: Standing
    verifier: Verifier
    mint: Mint
    keys: SigningKeys
    routes: tuple[Route, ...]

    async def start(self) -> None:
        """Make the first signing keys when there are none, and learn the standing of everything.

        Without a master key the process serves all the same: it verifies, and answers 503 where it would have to sign.
        """
        try:
            await self.keys.ensure()
        except (MasterKeyAbsent, MasterKeyUnfit, SettingsUnusable) as error:
            log.error("tokens.not_signable", why=error.sentence)
        await self.standing.refresh()


def token_surface(
    database: Database, clock: Clock, ids: Ids, bases: Bases, master: Callable[[], MasterKey]
) -> TokenSurface:
    """Wire it; nothing is read yet, neither from the database nor of the master key."""
    standing = Standing(database, clock)
    verifier = Verifier(standing, clock, bases)
    names = Names(issuer=bases[Host.AUTH], api=bases[Host.API])
    mint = Mint(database, clock, ids, standing, master, names)
    endpoint = TokenEndpoint(Apps(database, clock, ids), mint, verifier, Revocation(database, clock), Audit(clock))
    rows = (*oauth_routes(OAuthHandlers(endpoint)), *key_set_routes(KeySetHandlers(standing, clock)))
    return TokenSurface(standing, verifier, mint, SigningKeys(database, clock, master), rows)
