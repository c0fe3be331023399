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
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.harness.bare_socket import BareConnection, request
from tests.harness.cut_wire import wire_to
from tests.harness.eventually import until
from tests.harness.postgresql import PostgresqlCluster
from tests.harness.running_cloud import RunningCloud, cloud_running

SPO2 = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 98.0, "unit_code": "%"}
# Long enough for a restart of the pool on a busy machine.
RECOVERY_S_MAX = 30.0


@contextmanager
def of_its_own(folder: Path, database_url: str | None = None) -> Iterator[RunningCloud]:
    """Run a cloud for one test alone, because the test kills it."""
    with cloud_running(folder, database_url) as running:
        yield running


def enrolled(cloud: RunningCloud, serial_number: str = "SN-0001") -> str:
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
        with httpx.Client(base_url=self._cloud.urls["api"], trust_env=False, timeout=30) as client:
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
        until(lambda: len(self.answered) >= answers, within_s=30, what=f"{answers} answers, {self.statuses}")


def killed_and_asked_again(cloud: RunningCloud, kills: int) -> None:
    """Kill and restart the cloud repeatedly while observations are posted; then repeat requests.

    Check that every acknowledged observation is stored once, and that a repeated request adds no second observation.
    """
    device_id = enrolled(cloud)
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


def test_every_acknowledged_observation_survives_sigkill_on_sqlite(tmp_path: Path) -> None:
    with of_its_own(tmp_path) as cloud:
        killed_and_asked_again(cloud, kills=2)


@pytest.mark.pg
def test_every_acknowledged_observation_survives_sigkill_on_postgresql(
    tmp_path: Path, postgresql: PostgresqlCluster
) -> None:
    with postgresql.durable(), postgresql.database() as url, of_its_own(tmp_path, url) as cloud:
        killed_and_asked_again(cloud, kills=2)


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
                ids.add(until(lambda key=key: written(client, posting, key), within_s=10))
    assert len(ids) == len(keys)
    assert sorted(stored(cloud, device_id)) == sorted(ids)


@pytest.mark.pg
@pytest.mark.contract("S-194")
def test_requests_get_503_during_a_database_outage_and_succeed_after_it(
    tmp_path: Path, postgresql: PostgresqlCluster
) -> None:
    short = Path(tempfile.mkdtemp(prefix="argus-wire-"))
    try:
        with postgresql.database() as url, wire_to(postgresql.socket_folder, short) as wire:
            through = url.replace(str(postgresql.socket_folder), str(short))
            with of_its_own(tmp_path, through) as cloud:
                device_id = enrolled(cloud)
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
    finally:
        shutil.rmtree(short, ignore_errors=True)


@pytest.mark.contract("S-195")
def test_every_request_under_load_is_completed_after_sigterm(tmp_path: Path) -> None:
    with of_its_own(tmp_path) as cloud:
        device_id = enrolled(cloud)
        with Posting(cloud, device_id, threads=8) as posting:
            posting.wait_for(40)
            cloud.send(signal.SIGTERM)
            assert cloud.wait() == 0
        assert posting.unanswered == []
        assert posting.statuses == {201}
        assert sorted(stored(cloud, device_id)) == sorted(posting.answered.values())
