"""A real `argus-cloud serve` with its settings, its database and fixed tenants and apps in a folder.

A test starts, queries, stops and kills the process. Everything is done as an operator does it: `init`, the console's
commands (in the test's process), `serve`. On SQLite the database is a copy of a migrated one. The tenants and apps are
the same for every test: two tenants, the first with two organisations and entitled to all scopes outside of the
catalogue, which its apps have. The apps `north` and `south` see one organisation of the first tenant each, `other` sees
the second tenant, and `low` sees what `north` sees, with the lowest clearance. The process writes its log to a file,
which `log_text()` reads. The module is synchronous, so that one cloud can be used by a whole session of tests.
"""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

import cloud.slices  # noqa: F401  the scopes are derived from the slices
from cloud.access.apps import ENTITLED
from simulators.demo.free_ports import free_port
from tests.builders.contract_canaries import found_in
from tests.harness.cloud_command import argus_cloud
from tests.harness.databases import migrated_file
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN

START_S_MAX = 120.0
"""Limit for a cloud that never starts. A start takes 2 s of processor time, and eight times as long beside other tests;
30 s let the load of the machine decide."""
STOP_S_MAX = 30.0
_POLL_S = 0.02
# Everything, also what only an operator can approve: the apps here stand for administrators too.
SCOPES = ("--scope", "all", "--scope", "argus:platform:admin")
_PROGRAM = str(Path(sys.executable).with_name("argus-cloud"))

HOSTS = ("auth", "api", "sandbox", "docs")


@dataclass(frozen=True, slots=True)
class App:
    """The credentials of an integration, and the tenant and organisation whose data it may read."""

    name: str
    tenant_id: str
    organization_id: str | None
    client_id: str
    client_secret: str


@dataclass
class RunningCloud:
    """One cloud process and its folder. `urls` maps the four hosts to their addresses."""

    folder: Path
    database_url: str
    more_settings: str = ""
    more_limits: str = ""
    """Further lines of the settings section `[http]`."""
    objects_dir: Path | None = None
    """Folder of the object store; None: beside the database on SQLite, none on PostgreSQL."""
    beside: "RunningCloud | None" = None
    """Another process of the same installation, with the same database, master key and public names."""
    ports: dict[str, int] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    secrets: set[str] = field(default_factory=set)
    """Every issued secret and token, none of which may appear anywhere else."""
    error_bodies: list[str] = field(default_factory=list)
    """Bodies of all refusals that clients of this harness received."""
    _tokens: dict[tuple[str, str | None], str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "cloud.toml"

    @property
    def log_file(self) -> Path:
        return self.folder / "cloud.log"

    @property
    def urls(self) -> dict[str, str]:
        return {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}

    @property
    def public_urls(self) -> dict[str, str]:
        """Return the public addresses of the installation, which all its processes have in common."""
        return self.urls if self.beside is None else self.beside.public_urls

    @property
    def metrics_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['metrics']}/metrics"

    def write_settings(self) -> None:
        """Write `cloud.toml`, with a free port for each host and for the metrics."""
        for name in (*HOSTS, "metrics"):
            self.ports.setdefault(name, free_port())
        hosts = "".join(
            f'[hosts.{name}]\nlisten = "127.0.0.1:{self.ports[name]}"\npublic_url = "{self.public_urls[name]}"\n'
            for name in HOSTS
        )
        # All tests use one address, and some test refusals.
        limits = "[http]\npublic_per_minute = 100000\ntokens_per_minute = 100000\nfailures_per_minute = 100000\n"
        limits += self.more_limits
        key_folder = self.folder if self.beside is None else self.beside.folder
        secrets = f'[secrets]\nmaster_key_file = "{key_folder / "master.key"}"\n'
        metrics = f'[metrics]\nlisten = "127.0.0.1:{self.ports["metrics"]}"\n'
        objects = "" if self.objects_dir is None else f'objects_dir = "{self.objects_dir}"\n'
        self.config.write_text(
            f'database_url = "{self.database_url}"\n{objects}{hosts}{limits}{secrets}{metrics}{self.more_settings}'
        )

    def commands(self, *lines: Sequence[str]) -> list[Any]:
        """Run several `argus-cloud` commands; return the JSON output of each."""
        return [json.loads(self.console(*line)) for line in lines]

    def console(self, *words: str) -> str:
        """Run one `argus-cloud` command, which must succeed, in the test's process; return its output."""
        return argus_cloud(self.config, *words)

    def start(self, *words: str) -> None:
        """Start `argus-cloud serve WORDS`, and return when every host responds."""
        assert self.process is None or self.process.poll() is not None
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [_PROGRAM, "--config", str(self.config), "serve", *words],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        deadline_s = time.monotonic() + START_S_MAX
        while not all(self._is_up(name) for name in HOSTS):
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                raise AssertionError(f"the cloud did not start:\n{self.log_text()[-3000:]}")
            time.sleep(_POLL_S)

    def _is_up(self, host: str) -> bool:
        try:
            url = f"{self.urls[host]}/health/live"
            return httpx.get(url, trust_env=False, verify=PLAIN, timeout=10).status_code == 200
        except httpx.HTTPError:
            return False

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the process to end; return its exit code."""
        assert self.process is not None
        return self.process.wait(STOP_S_MAX)

    def kill(self) -> None:
        """Kill the process (SIGKILL), which affects the process like a power cut, and wait for its end."""
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self) -> None:
        """Stop the process (SIGTERM) and wait. If it does not end in time, kill it and raise TimeoutExpired."""
        if self.process is None or self.process.poll() is not None:
            return
        self.send(signal.SIGTERM)
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def log_text(self) -> str:
        """Return everything that the process has logged so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def token(self, app: str, scope: str | None = None) -> str:
        """Return an access token for this app and scope; it is requested at the first call and reused by later ones."""
        known = self._tokens.get((app, scope))
        if known is not None:
            return known
        credentials = self.apps[app]
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        answer = httpx.post(
            f"{self.urls['auth']}/v1/oauth/token",
            data=form,
            auth=(credentials.client_id, credentials.client_secret),
            trust_env=False,
            verify=PLAIN,
            timeout=WITHIN_S,
        )
        assert answer.status_code == 200, answer.text
        token = str(answer.json()["access_token"])
        self.secrets.add(token)
        self._tokens[app, scope] = token
        return token

    def client(self, app: str | None = None, host: str = "api", scope: str | None = None) -> httpx.Client:
        """Return an HTTP client of one host. With `app`, it sends the access token of this app and scope."""
        headers = {"Authorization": f"Bearer {self.token(app, scope)}"} if app else {}
        return httpx.Client(
            base_url=self.urls[host],
            headers=headers,
            trust_env=False,
            verify=PLAIN,
            timeout=30,
            event_hooks={"response": [self._note_refusal]},
        )

    def _note_refusal(self, answer: httpx.Response) -> None:
        if answer.status_code >= 400:
            text = answer.read().decode(errors="replace")
            # `instance` is the address that the client itself made up.
            self.error_bodies.append(re.sub(r'"instance":"(?:[^"\\]|\\.)*"', "", text))

    def table(self, name: str) -> list[dict[str, Any]]:
        """Return every row of a database table; for SQLite only."""
        with closing(sqlite3.connect(self.folder / "cloud.db")) as database:
            cursor = database.execute(f"SELECT * FROM {name}")  # noqa: S608  a name of the test's own
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def leaks(self, **more: str) -> list[str]:
        """Return a line for each secret found where none may be: in the log, spans, audit entries or error responses,
        and in the texts of other places, `more`.

        Canaries of patient data, issued secrets and tokens count as secrets. A correct cloud has none.
        """
        places = {"log": self.log_text(), "refusals": "\n".join(self.error_bodies), **more}
        if self.database_url.startswith("sqlite:"):
            places |= {name: repr(self.table(name)) for name in ("spans", "audit_entries")}
        return [f"{what} in {place}" for place, text in places.items() for what in self._seen_in(text)]

    def _seen_in(self, text: str) -> list[str]:
        # A token's signature identifies the token, and its head is the same for all.
        seen = [f"a secret of {len(secret)} characters" for secret in self.secrets if secret.rpartition(".")[2] in text]
        return seen + found_in(text) + (["something like a JWT"] if "eyJ" in text else [])


@contextmanager
def serving_beside(first: RunningCloud, folder: Path, *words: str) -> Iterator[RunningCloud]:
    """Run a second cloud process of the same installation as `first`, on its own ports; stop it after the block.

    `words` are further arguments of `serve`.
    """
    second = RunningCloud(
        folder, first.database_url, first.more_settings, first.more_limits, beside=first, apps=first.apps
    )
    second.write_settings()
    second.start(*words)
    try:
        yield second
    finally:
        second.stop()


# Name, tenant, organisation, clearance of each app.
_APPS = (
    ("north", "tnt_one", "org_north", "secret"),
    ("south", "tnt_one", "org_south", "secret"),
    ("other", "tnt_two", "org_other", "secret"),
    ("low", "tnt_one", "org_north", "standard"),
)


def people() -> list[list[str]]:
    """Return the commands that create the tenants, organisations, vehicles and crew members."""
    lines = []
    for tenant, organizations in (("one", ("north", "south")), ("two", ("other",))):
        lines.append(["tenants", "add", "--id", f"tnt_{tenant}", "--name", f"Rescue {tenant}", "--json"])
        for name in organizations:
            of_tenant = ["--tenant", f"tnt_{tenant}"]
            lines.append(["organizations", "add", *of_tenant, "--id", f"org_{name}", "--name", name, "--json"])
            vehicle = ["--organization", f"org_{name}", "--id", f"veh_{name}", "--name", f"Ambulance {name}"]
            lines.append(["vehicles", "add", *of_tenant, *vehicle, "--json"])
    # The vehicle and the crew member in the contract's samples.
    of_north = ["--tenant", "tnt_one", "--organization", "org_north"]
    lines.append(["vehicles", "add", *of_north, "--id", "AMB-42", "--name", "Ambulance 42", "--json"])
    lines.append(["crew", "add", *of_north, "--id", "usr_1", "--role", "paramedic", "--json"])
    return lines


@contextmanager
def cloud_running(
    folder: Path,
    database_url: str | None = None,
    more_settings: str = "",
    more_limits: str = "",
    objects_dir: Path | None = None,
) -> Iterator[RunningCloud]:
    """Create and serve a cloud with the fixed tenants and apps; stop it after the block.

    Without `database_url` the database is a SQLite file in the folder. `more_settings` is appended to the settings
    file, `more_limits` to its section `[http]`.
    """
    url = database_url or f"sqlite:///{folder / 'cloud.db'}"
    if database_url is None:
        shutil.copy(migrated_file(), folder / "cloud.db")
    cloud = RunningCloud(folder, url, more_settings, more_limits, objects_dir)
    cloud.write_settings()
    scopes = [word for name in sorted(ENTITLED) for word in ("--scope", name)]
    entitle = ["apps", "entitle", "--tenant", "tnt_one", *scopes, "--json"]
    apps = [_app_command(*row, scopes if row[1] == "tnt_one" else []) for row in _APPS]
    made = cloud.commands(["init", "--json"], *people(), entitle, *apps)
    for (name, tenant_id, organization_id, _), document in zip(_APPS, made[-len(_APPS) :], strict=True):
        cloud.secrets.add(document["client_secret"])
        cloud.apps[name] = App(name, tenant_id, organization_id, document["client_id"], document["client_secret"])
    cloud.start()
    try:
        yield cloud
    finally:
        cloud.stop()


def _app_command(name: str, tenant_id: str, organization_id: str, clearance: str, scopes: Sequence[str]) -> list[str]:
    whose = ["--tenant", tenant_id, "--organization", organization_id, "--secrecy-level", clearance]
    return ["apps", "add", *whose, "--id", f"app_{name}", "--name", name, *SCOPES, *scopes, "--json"]
