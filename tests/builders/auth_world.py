"""A cloud that issues tokens: the tenant `tnt_north`, an app with its secret, and signing keys. Each key is generated
once in a test session.
"""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from cloud.access.apps import PLATFORM_ADMIN, App, Apps, Governance, Wanted
from cloud.access.identity import Passwords, Role, User, Users
from cloud.access.identity.sign_in import SecondFactorPolicy
from cloud.access.oauth import TokenSurface, token_surface
from cloud.access.tokens import Names, SigningKeys
from cloud.access.tokens.jws import sign
from cloud.access.tokens.signing_key import SECOND_US, SigningKey, generate
from cloud.foundation.db import Database
from cloud.foundation.http.host import Host
from cloud.foundation.ids import UlidIds
from cloud.foundation.master_key import MasterKey
from tests.builders.cloud_people import NOON_US, HandClock, Household, household

BASES = {host: f"https://{host.value}.argus.example" for host in Host}
ISSUER, API = BASES[Host.AUTH], BASES[Host.API]
MASTER = MasterKey(bytes(range(32)))
MINUTE_US = 60 * SECOND_US
NOON_S = NOON_US // SECOND_US
DEVICES = "argus:devices:write"
WEBHOOKS = "webhooks:write"
GENERATED_MAX = 4
SEALED_FOR = "signing keys"


@cache
def key_pair(number: int) -> SigningKey:
    """Return the signing key with this number.

    Keys are cached for the test session, since generating one takes a quarter of a second. Keys above `GENERATED_MAX`
    have an id of their own, but the RSA key of one of the first.
    """
    if number <= GENERATED_MAX:
        return generate(number, MASTER, NOON_US)
    first = key_pair(1 + number % GENERATED_MAX)
    kid = f"{first.kid[:-4]}{number:04}"
    private = MASTER.open(SEALED_FOR, first.kid, first.private_key_sealed)
    return replace(first, number=number, kid=kid, private_key_sealed=MASTER.seal(SEALED_FOR, kid, private))


@cache
def private_of(number: int) -> RSAPrivateKey:
    """Return the private half of the key with this number. The result is cached, since decoding a key includes a slow
    check."""
    return key_pair(number).private(MASTER)


def kept_key(number: int, master: MasterKey, now_us: int) -> SigningKey:
    """Return the cached key with this number, with `now_us` as its time of publication. This function replaces the slow
    key generator of `SigningKeys`."""
    return replace(key_pair(number), published_at_us=now_us)


@dataclass(frozen=True)
class AuthWorld:
    """A cloud that issues tokens. `surface` is the token service of one process; `another_process` returns a second one
    on the same database."""

    database: Database
    clock: HandClock
    ids: UlidIds
    home: Household
    surface: TokenSurface
    keys: SigningKeys
    apps: Apps
    app: App
    secret: str

    def another_process(self, second_factor: SecondFactorPolicy = SecondFactorPolicy.OPTIONAL) -> TokenSurface:
        """Return the token service of a second process on the same database, with its own policy for second factors."""
        return token_surface(self.database, self.clock, self.ids, BASES, lambda: MASTER, second_factor)

    async def token(self, *scopes: str) -> str:
        """Issue an access token of `app` with these scopes, and return it as text."""
        return (await self.surface.mint.access_token(self.app, scopes)).token

    async def register(self, name: str, *scopes: str, **more: Any) -> tuple[App, str | None]:
        """Register the app `app_{name}` in the organisation of `home`. Return the app and its secret (None: the app has
        no secret)."""
        given = {"organization_id": self.home.organization.id, "client_id": f"app_{name}", **more}
        wanted = Wanted(name=name, scopes=scopes or (DEVICES,), **given)
        made = await self.apps.register(self.home.operator, wanted, by_operator=True)
        return made.app, made.secret

    async def person(
        self, username: str = "ada@example.org", role: Role = Role.ADMINISTRATOR, *, tenant: str = "north"
    ) -> User:
        """Create a synthetic user of the tenant `tnt_{tenant}`. Any tenant other than `tnt_north` is created by this
        call."""
        home = self.home if tenant == "north" else await household(self.database, self.clock, name=tenant)
        return await self._with_users(
            lambda users: users.add(home.operator, username, "correct horse battery", roles=[role])
        )

    async def disable(self, username: str) -> User:
        return await self._with_users(lambda users: users.set_disabled(self.home.operator, username, True))

    async def _with_users(self, work: Callable[[Users], Awaitable[User]]) -> User:
        passwords = Passwords()
        try:
            return await work(Users(self.database, self.clock, self.ids, passwords))
        finally:
            passwords.close()

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Return the claims of a valid token of `app`, with `changed` applied; a value of None leaves the claim out."""
        now_s = self.clock.now_us() // SECOND_US
        payload = {
            "iss": ISSUER,
            "sub": self.app.client_id,
            "aud": [API],
            "exp": now_s + 3600,
            "iat": now_s,
            "nbf": now_s,
            "jti": "tok_of_a_test",
            "client_id": self.app.client_id,
            "scope": DEVICES,
            "tenant_id": self.app.tenant_id,
            "organization_id": self.app.organization_id,
            "secrecy_level": "standard",
            "token_use": "access",
            **changed,
        }
        return {name: value for name, value in payload.items() if value is not None}

    def signed(self, payload: Any, *, number: int = 1) -> str:
        """Return a JWS of this payload with a valid signature of the key with this number."""
        data = payload if isinstance(payload, bytes) else orjson.dumps(payload)
        return sign(private_of(number), key_pair(number).kid, data)

    def pass_time(self, *, minutes: float = 0, seconds: float = 0) -> None:
        self.clock.advance(us=round(minutes * MINUTE_US + seconds * SECOND_US))


async def auth_world(database: Database, *scopes: str) -> AuthWorld:
    """Create the tenant `tnt_north`, its app `app_north`, and the signing keys. The app may request `scopes`."""
    clock = HandClock()
    ids = UlidIds(clock)
    home = await household(database, clock)
    keys = SigningKeys(database, clock, lambda: MASTER, make=kept_key)
    await keys.ensure()
    apps = Apps(database, clock, ids)
    wanted = Wanted(
        name="Dispatch",
        scopes=scopes or (DEVICES, WEBHOOKS, "argus:epcr:write"),
        organization_id=home.organization.id,
        client_id="app_north",
        governance=Governance(allow_service_tokens=True),
    )
    made = await apps.register(home.operator, wanted, by_operator=PLATFORM_ADMIN in scopes)
    assert made.secret is not None
    surface = token_surface(database, clock, ids, BASES, lambda: MASTER, SecondFactorPolicy.OPTIONAL)
    await surface.start()
    return AuthWorld(database, clock, ids, home, surface, keys, apps, made.app, made.secret)


def names() -> Names:
    """Return the issuer and the audience (the address of the api host) of access tokens."""
    return Names(issuer=ISSUER, api=API)


def segment(document: Any) -> str:
    """Encode a JSON document, or the given bytes, as a segment of a JWS."""
    data = document if isinstance(document, bytes) else orjson.dumps(document)
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
