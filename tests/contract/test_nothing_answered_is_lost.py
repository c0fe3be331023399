"""No acknowledged observation is lost: not by SIGKILL, a cut connection, a database outage or SIGTERM.

The cloud is a real process on a real database; observations are posted as an integrator posts them.
"""

import itertools
import json
import random
import shutil
import signal
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.harness.bare_socket import BareConnection, request
from tests.harness.cut_wire import CutWire, wire_to
from tests.harness.eventually import until
from tests.harness.plain_http import PLAIN
from tests.harness.postgresql import PostgresqlCluster
from tests.harness.running_cloud import RunningCloud, cloud_running

SPO2 = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 98.0, "unit_code": "%"}
# Long enough for a restart of the pool on a busy machine.
RECOVERY_S_MAX = 30.0


@pytest.fixture(scope="module")
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """Run a cloud on SQLite for the tests of this file that end its process."""
    with cloud_running(tmp_path_factory.mktemp("killable")) as running:
        yield running


@dataclass(frozen=True)
class Wired:
    """A cloud on PostgreSQL, the server, and the wire between them, which a test can cut."""

    cloud: RunningCloud
    cluster: PostgresqlCluster
    wire: CutWire


@pytest.fixture(scope="module")
def wired(postgresql: PostgresqlCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    """Run a cloud on PostgreSQL for the tests of this file that end its process or its connection to the server."""
    short = Path(tempfile.mkdtemp(prefix="argus-wire-"))
    try:
        with postgresql.database() as url, wire_to(postgresql.socket_folder, short) as wire:
            through = url.replace(str(postgresql.socket_folder), str(short))
            with cloud_running(tmp_path_factory.mktemp("wired"), through) as running:
                yield Wired(running, postgresql, wire)
    finally:
        shutil.rmtree(short, ignore_errors=True)


def enrolled(cloud: RunningCloud, serial_number: str) -> str:
    with cloud.client("north") as client:
        answer = client.post(
            "/api/v1/devices/enrol",
            json={"serial_number": serial_number, "device_class": "oximeter", "manufacturer": "Synthetic"},
        )
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


def stored(cloud: RunningCloud, device_id: str) -> list[str]:
    """Return the ids of a device's observations that an operator's export contains."""
    text = cloud.console("observations", "export", "--tenant", "tnt_one", "--device", device_id, "--json")
    return [json.loads(line)["id"] for line in text.splitlines()]


class Posting:
    """Threads that post observations, each with a new idempotency key, and record the responses.

    `answered` maps keys to observation ids; `unanswered` are keys without a response.
    """

    def __init__(self, cloud: RunningCloud, device_id: str, threads: int = 4) -> None:
        self.path = f"/api/v1/devices/{device_id}/observations"
        self.answered: dict[str, str] = {}
        self.unanswered: list[str] = []
        self.statuses: set[int] = set()
        self._cloud = cloud
        self._token = cloud.token("north")
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._post, daemon=True) for _ in range(threads)]

    def __enter__(self) -> "Posting":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}

    def _post(self) -> None:
        with httpx.Client(base_url=self._cloud.urls["api"], trust_env=False, verify=PLAIN, timeout=30) as client:
            while not self._stop.is_set():
                key = str(uuid.uuid4())
                try:
                    answer = client.post(self.path, json=SPO2, headers=self.headers(key))
                except httpx.ConnectError:
                    return  # the port is closed: no request was sent
                except httpx.TransportError:
                    self.unanswered.append(key)
                    return
                self.statuses.add(answer.status_code)
                if answer.status_code == 201:
                    self.answered[key] = answer.json()["id"]

    def wait_for(self, answers: int) -> None:
        until(lambda: len(self.answered) >= answers, what=f"{answers} answers, {self.statuses}")


def killed_and_asked_again(cloud: RunningCloud, kills: int) -> None:
    """Kill and restart the cloud repeatedly while observations are posted; then repeat requests.

    Check that every acknowledged observation is stored once, and that a repeated request adds no second observation.
    """
    device_id = enrolled(cloud, "SN-KILL")
    answered: dict[str, str] = {}
    unanswered: list[str] = []
    asking = Posting(cloud, device_id, threads=0)
    path, headers = asking.path, asking.headers
    for seed in range(kills):
        with Posting(cloud, device_id) as posting:
            posting.wait_for(random.Random(seed).randint(5, 40))
            cloud.kill()
        answered |= posting.answered
        unanswered += posting.unanswered
        cloud.start()
    with cloud.client("north") as client:
        for key, observation_id in itertools.islice(answered.items(), 25):
            again = client.post(path, json=SPO2, headers=headers(key))
            assert (again.status_code, again.json()["id"]) == (200, observation_id)
            assert again.headers["Idempotency-Replayed"] == "true"
        retried = [client.post(path, json=SPO2, headers=headers(key)) for key in unanswered]
    assert all(answer.status_code in (200, 201) for answer in retried)
    found = stored(cloud, device_id)
    assert len(found) == len(set(found))
    assert set(found) == {*answered.values(), *(answer.json()["id"] for answer in retried)}


def test_every_acknowledged_observation_survives_sigkill_on_sqlite(killable: RunningCloud) -> None:
    killed_and_asked_again(killable, kills=2)


@pytest.mark.pg
def test_every_acknowledged_observation_survives_sigkill_on_postgresql(wired: Wired) -> None:
    with wired.cluster.durable():
        killed_and_asked_again(wired.cloud, kills=2)


def written(client: httpx.Client, posting: Posting, key: str) -> str | None:
    """Post an observation with this key; return its id, or None if an earlier request with the key is still in
    progress."""
    answer = client.post(posting.path, json=SPO2, headers=posting.headers(key))
    assert answer.status_code in (200, 201, 409), answer.text
    return None if answer.status_code == 409 else str(answer.json()["id"])


def test_post_retried_after_a_lost_connection_stores_no_second_observation(cloud: RunningCloud) -> None:
    device_id = enrolled(cloud, "SN-CUT")
    posting = Posting(cloud, device_id, threads=0)
    body = json.dumps(SPO2).encode()
    keys = [str(uuid.uuid4()) for _ in range(20)]
    for number, key in enumerate(keys):
        lines = [f"{name}: {value}" for name, value in posting.headers(key).items()]
        octets = request(
            "POST", posting.path, *lines, "Content-Type: application/json", f"Content-Length: {len(body)}", body=body
        )
        with closing(BareConnection(cloud.ports["api"])) as connection:
            # Cut within the head, within the body, or before the response was read.
            connection.send(octets[: (len(octets) // 2, -5, len(octets))[number % 3]])
    with cloud.client("north") as client:
        ids = set()
        for key in keys:
            for _ in range(2):
                ids.add(until(lambda key=key: written(client, posting, key)))
    assert len(ids) == len(keys)
    assert sorted(stored(cloud, device_id)) == sorted(ids)


@pytest.mark.pg
@pytest.mark.contract("S-194")
def test_requests_get_503_during_a_database_outage_and_succeed_after_it(wired: Wired) -> None:
    cloud, wire = wired.cloud, wired.wire
    device_id = enrolled(cloud, "SN-OUTAGE")
    path = f"/api/v1/devices/{device_id}/observations"
    with cloud.client("north") as client, cloud.client(host="auth") as auth:
        assert client.post(path, json=SPO2).status_code == 201
        wire.cut()
        for _ in range(3):
            refused = client.post(path, json=SPO2)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            assert refused.headers["Content-Type"] == "application/problem+json"
        assert client.get("/.well-known/openapi.json").status_code == 200
        assert auth.get("/.well-known/jwks.json").status_code == 200
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == 503
        wire.mend()
        until(lambda: client.post(path, json=SPO2).status_code == 201, within_s=RECOVERY_S_MAX)
    assert len(stored(cloud, device_id)) == 2


@pytest.mark.contract("S-195")
def test_every_request_under_load_is_completed_after_sigterm(killable: RunningCloud) -> None:
    device_id = enrolled(killable, "SN-TERM")
    with Posting(killable, device_id, threads=8) as posting:
        posting.wait_for(40)
        killable.send(signal.SIGTERM)
        assert killable.wait() == 0
    assert posting.unanswered == []
    assert posting.statuses == {201}
    assert sorted(stored(killable, device_id)) == sorted(posting.answered.values())
