"""Two cloud processes on one PostgreSQL act as one auth host: a change at one process takes effect at the other.

They are two real `argus-cloud serve` processes as behind a load balancer, with one name, one database and one master
key. The tests poll until the other process has applied a change; `cloud/access/tokens/auth_state` states how long this
may take.
"""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.harness.eventually import WITHIN_S, eventually, until
from tests.harness.person_at_forms import allowed, signed_in
from tests.harness.plain_http import PLAIN
from tests.harness.postgresql import PostgresqlCluster
from tests.harness.running_cloud import RunningCloud, cloud_running, serving_beside

pytestmark = pytest.mark.pg

DEVICES, ENCOUNTERS = "/api/v1/devices", "/api/v1/epcr/encounters"
SEEN_S_MAX = 30.0
"""Timeout on a busy machine; the promise is 60 s."""
QUOTA = 120
CLIENTS = 100
PAUSE_S = 1.0
"""Pause of a client between two rounds, so that the clients leave time to the command that rotates the keys."""
VERIFIER = "v" * 43
AN_HOUR_AGO = "UPDATE signing_keys SET published_at_us = published_at_us - 3600000000"


@dataclass(frozen=True)
class Pair:
    """Two processes of one installation, and the PostgreSQL server of their database."""

    first: RunningCloud
    second: RunningCloud
    cluster: PostgresqlCluster

    def administer(self, statement: str) -> None:
        """Execute a statement on the database directly, without the cloud."""
        name = urlsplit(self.first.database_url).path.removeprefix("/")
        self.cluster.administer(statement, database=name)


@pytest.fixture(scope="module")
def pair(postgresql: PostgresqlCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    limits = f"writes_per_minute = {QUOTA}\n"
    with (
        postgresql.database() as url,
        cloud_running(tmp_path_factory.mktemp("first"), url, more_limits=limits) as first,
        serving_beside(first, tmp_path_factory.mktemp("second")) as second,
    ):
        yield Pair(first, second, postgresql)
        assert first.leaks() == []
        assert second.leaks() == []


def with_token(cloud: RunningCloud, token: str, path: str = DEVICES, host: str = "api") -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(
        cloud.urls[host] + path, headers=headers, trust_env=False, verify=PLAIN, timeout=WITHIN_S
    ).status_code


@pytest.mark.contract("S-051", "A-037")
def test_token_revoked_at_one_process_is_refused_by_another_process(pair: Pair) -> None:
    token = pair.second.token("south")
    assert [with_token(one, token) for one in (pair.first, pair.second)] == [200, 200]
    south = pair.first.apps["south"]
    answer = httpx.post(
        pair.first.urls["auth"] + "/v1/oauth/revoke",
        data={"token": token},
        auth=(south.client_id, south.client_secret),
        trust_env=False,
        verify=PLAIN,
        timeout=WITHIN_S,
    )
    assert answer.status_code == 200
    both = (pair.first, pair.second)
    until(lambda: [with_token(one, token) for one in both] == [401, 401], within_s=SEEN_S_MAX)


@pytest.mark.contract("C-045", "S-028", "S-051", "A-029")
def test_service_token_forbidden_through_one_process_is_refused_by_every_host_of_both_processes(pair: Pair) -> None:
    path = f"/v1/platform/apps/{pair.first.apps['north'].client_id}"
    with pair.first.client("north", "auth") as admin:
        assert admin.patch(f"{path}/governance", json={"allow_service_tokens": True}).status_code == 200
        wanted = ["argus:devices:read", "argus:platform:read", "webhooks:read"]
        minted = admin.post(f"{path}/service-token", json={"scopes": wanted})
        token = minted.json()["token"]
        pair.first.secrets.add(token)
        places = [
            (one, path, host)
            for one in (pair.first, pair.second)
            for path, host in ((DEVICES, "api"), ("/v1/platform/scopes", "auth"), ("/v1/webhooks", "auth"))
        ]

        def everywhere(status: int) -> bool:
            return all(with_token(one, token, target, host) == status for one, target, host in places)

        until(lambda: everywhere(200), within_s=SEEN_S_MAX)
        assert admin.patch(f"{path}/governance", json={"allow_service_tokens": False}).status_code == 200
        until(lambda: everywhere(401), within_s=SEEN_S_MAX)


def paced(count: int) -> Iterator[int]:
    """Yield `count` numbers at four a second, so that requests sent at this pace use only a part of the quota.

    The quota refills by two requests a second.
    """
    began_s = time.monotonic()
    for turn in range(count):
        until(lambda due_s=began_s + turn / 4: time.monotonic() >= due_s, within_s=SEEN_S_MAX)
        yield turn


@pytest.mark.contract("S-190", "S-191", "C-018", "A-012")
def test_request_quota_exhausted_at_one_process_is_exhausted_at_another_process(pair: Pair) -> None:
    with pair.first.client("low") as first, pair.second.client("low") as second:

        def written(client: httpx.Client) -> int:
            return client.post(ENCOUNTERS, json={}).status_code

        # Several at a time: on a busy machine one after the other might not be faster than the quota refills.
        with ThreadPoolExecutor(8) as clients:
            until(
                lambda: 429 in clients.map(written, [first] * 8),
                within_s=SEEN_S_MAX,
                what="the first process refuses",
            )
        # Slowly, so that this does not use up its own quota: only the usage that the first reported can refuse it.
        slowly = (second.post(ENCOUNTERS, json={}) for _ in paced(QUOTA // 2))
        refused = next((response for response in slowly if response.status_code == 429), None)
        assert refused is not None, "the second process has a quota of its own"
        assert int(refused.headers["Retry-After"]) >= 1
    with pair.second.client("other") as other:
        assert other.post(ENCOUNTERS, json={}).status_code == 400, "another tenant's quota is untouched"


@pytest.fixture(scope="module")
def mia(pair: Pair) -> tuple[str, str]:
    """Create the user Mia; return user name and password."""
    whose = ["--tenant", "tnt_one", "--organization", "org_north", "--role", "member"]
    (made,) = pair.first.commands(["users", "add", *whose, "--username", "mia@rescue.example", "--json"])
    pair.first.secrets.add(made["password"])
    return made["username"], made["password"]


@pytest.mark.contract("S-010", "A-036")
def test_authorization_code_redeemed_concurrently_at_two_processes_returns_one_token(
    pair: Pair, mia: tuple[str, str]
) -> None:
    redirect_uri = "https://integrator.example/callback"
    whose = ["--tenant", "tnt_one", "--organization", "org_north", "--scope", "argus:devices:read", "--name", "Desk"]
    how = ["--grant", "authorization_code", "--redirect-uri", redirect_uri]
    (app,) = pair.first.commands(["apps", "add", *whose, *how, "--json"])
    pair.first.secrets.add(app["client_secret"])
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    asked = {"response_type": "code", "client_id": app["client_id"], "redirect_uri": redirect_uri}
    asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    returned = allowed(pair.second.urls["auth"], f"/v1/oauth/authorize?{urlencode(asked)}", *mia)
    (code,) = parse_qs(urlsplit(returned).query)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": VERIFIER}
    form |= {"client_id": app["client_id"], "client_secret": app["client_secret"]}

    async def redeemed() -> list[tuple[int, Any]]:
        async with aiohttp.ClientSession() as session:

            async def one(number: int) -> tuple[int, Any]:
                cloud = pair.first if number % 2 else pair.second
                async with session.post(f"{cloud.urls['auth']}/v1/oauth/token", data=form) as answer:
                    return answer.status, await answer.json()

            return await asyncio.gather(*(one(number) for number in range(20)))

    answers = asyncio.run(redeemed())
    assert sorted(status for status, _ in answers) == [200] + [400] * 19
    assert {told["error"] for status, told in answers if status == 400} == {"invalid_grant"}
    (token,) = [told["access_token"] for status, told in answers if status == 200]
    pair.first.secrets.add(token)
    both = (pair.first, pair.second)
    # A code that came twice was stolen, so its token ends.
    until(lambda: [with_token(cloud, token) for cloud in both] == [401, 401], within_s=SEEN_S_MAX)


@pytest.mark.contract("S-031")
def test_failed_sign_ins_at_two_processes_lock_the_user_out_at_both_processes(pair: Pair, mia: tuple[str, str]) -> None:
    def status(cloud: RunningCloud, password: str) -> int:
        with httpx.Client(base_url=cloud.urls["auth"], trust_env=False, verify=PLAIN, timeout=WITHIN_S) as person:
            return signed_in(person, mia[0], password).status_code

    assert status(pair.second, mia[1]) == 303
    for cloud in (pair.first, pair.second, pair.first, pair.second, pair.first):
        assert status(cloud, "a wrong password of somebody") == 422
    assert [status(one, mia[1]) for one in (pair.second, pair.first)] == [429, 429]


@dataclass
class Load:
    """Clients that get a token from one process and use it at the other, with a key set that is fetched only once."""

    pair: Pair
    keys: KeySet
    kids: set[str] = field(default_factory=set)
    refusals: list[Any] = field(default_factory=list)
    rounds: int = 0
    rotated: bool = False

    def seen_by_both(self) -> bool:
        """Return whether both processes have signed tokens with the new key."""
        return self.rotated and len(self.kids) >= 4

    async def client(self, session: aiohttp.ClientSession, number: int) -> None:
        order = (self.pair.first, self.pair.second)
        while not self.seen_by_both():
            giver, taker = order if (number + self.rounds) % 2 else order[::-1]
            await self._round(session, giver, taker)
            await asyncio.sleep(PAUSE_S)

    async def _round(self, session: aiohttp.ClientSession, giver: RunningCloud, taker: RunningCloud) -> None:
        app = giver.apps["north"]
        form = {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.client_secret}
        async with session.post(f"{giver.urls['auth']}/v1/oauth/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        kid = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))["kid"]
        # With the cached set alone: an unknown key raises here, as it would at an integrator's.
        jwt.decode(token, self.keys, algorithms=["RS256"])
        bearer = {"Authorization": f"Bearer {token}"}
        async with session.get(f"{taker.urls['api']}{DEVICES}", headers=bearer) as answer:
            if answer.status != 200:
                self.refusals.append((answer.status, await answer.text()))
        self.kids.add(f"{kid} by {'first' if giver is self.pair.first else 'second'}")
        self.rounds += 1


@pytest.mark.contract("S-055", "C-072", "A-040")
def test_key_rotation_causes_no_401_for_clients_with_a_cached_key_set(pair: Pair) -> None:
    # The next key was published an hour ago, as far as the database knows: time enough for every cache.
    pair.administer(AN_HOUR_AGO)
    with pair.second.client(host="auth") as auth:
        keys = KeySet.import_key_set(auth.get("/.well-known/jwks.json").json())
    load = Load(pair, keys)

    async def rotated() -> None:
        await asyncio.to_thread(pair.first.console, "keys", "rotate", "--json")
        load.rotated = True

    async def under_load() -> None:
        async with aiohttp.ClientSession() as session, asyncio.timeout(120), asyncio.TaskGroup() as tasks:
            for number in range(CLIENTS):
                tasks.create_task(load.client(session, number))
            await eventually(lambda: load.rounds >= CLIENTS, within_s=60)
            tasks.create_task(rotated())

    asyncio.run(under_load())
    assert load.refusals == []
    assert load.rounds > CLIENTS
    assert len({kid.partition(" ")[0] for kid in load.kids}) == 2, "old and new key, from both processes each"
