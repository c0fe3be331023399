"""Parameters of one demo: folders, ports, names and secrets. They are created once and stored in the state folder.

A demo can be stopped and started again on the same databases. The second start must use the same gateway, tenant and
vehicle, or the data buffered earlier would have no owner. A stored port that another program uses now is replaced.

A set-up that was interrupted is discarded and started again with new names. It has no measured data yet, so its
progress need not be determined. Its rows in a database outside the state folder remain and do no harm.
"""

import json
import secrets
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from simulators.demo.free_ports import NoFreePort, free_port, is_free
from simulators.private_file import write_private

PLAN_FILE = "plan.json"
DATABASE_FILE = "cloud.sqlite"
SET_UP_BEGUN = "set-up-begun"
SET_UP_DONE = "set-up-complete"
PORTS = ("mqtt", "mqtt_cloud", "agent_tcp", "auth", "api", "sandbox", "docs", "crew")


class PlanUnusable(Exception):
    """The state folder holds something that is not a demo of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """One tenant, with the credentials of its users and apps. The cloud creates `client_secret`, `password` and
    `admin_token`; they are empty before the set-up has received them."""

    tenant_id: str
    organization_id: str
    vehicle_id: str
    admin_token: str
    client_id: str
    client_secret: str
    username: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Parameters that all starts of one demo share. `ports` maps each name in `PORTS` to a loopback port. `mission_key`
    is the public key by which the gateway verifies calls from dispatch; empty before the set-up has received it."""

    state_dir: Path
    seed: int
    gateway_id: str
    encounter_id: str
    first: Tenancy
    second: Tenancy
    gateway_mqtt_password: str
    cloud_mqtt_password: str
    ports: dict[str, int] = field(default_factory=dict)
    mission_key: str = ""

    def file(self, *parts: str) -> Path:
        return self.state_dir.joinpath(*parts)

    def url(self, port: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.ports[port]}"


def load_or_mint(state_dir: Path, *, seed: int, ports_given: dict[str, int]) -> Plan:
    """Return the plan stored in `state_dir`. If there is none, or its set-up was interrupted, store and return a new
    one. Raises `PlanUnusable`."""
    state_dir = state_dir.resolve()
    path = state_dir / PLAN_FILE
    if path.exists() and not _interrupted(state_dir):
        plan = _load(path, state_dir)
    else:
        _clear(state_dir)
        plan = _mint(state_dir, seed)
    return keep(replace(plan, ports=_usable_ports(plan.ports, ports_given)))


def _interrupted(state_dir: Path) -> bool:
    return (state_dir / SET_UP_BEGUN).exists() and not (state_dir / SET_UP_DONE).exists()


def _clear(state_dir: Path) -> None:
    """Remove the data that an interrupted set-up left in the folder, if any. No process has used this data yet."""
    shutil.rmtree(state_dir / "gateway", ignore_errors=True)
    for made in state_dir.glob(DATABASE_FILE + "*"):
        made.unlink()
    (state_dir / SET_UP_BEGUN).unlink(missing_ok=True)


def _load(path: Path, state_dir: Path) -> Plan:
    try:
        raw = json.loads(path.read_text())
        first, second = Tenancy(**raw.pop("first")), Tenancy(**raw.pop("second"))
        return Plan(**{**raw, "state_dir": state_dir, "first": first, "second": second})
    except (ValueError, TypeError, KeyError) as error:
        raise PlanUnusable(
            f"{path} is damaged or from another version; move {state_dir} away to begin a new demo"
        ) from error


def keep(plan: Plan) -> Plan:
    """Store the plan in its state folder, and return it."""
    raw = {**asdict(plan), "state_dir": str(plan.state_dir)}
    write_private(plan.file(PLAN_FILE), json.dumps(raw, indent=1))
    return plan


def _mint(state_dir: Path, seed: int) -> Plan:
    return Plan(
        state_dir=state_dir,
        seed=seed,
        gateway_id=f"gw_{secrets.token_hex(6)}",
        encounter_id=f"enc_{secrets.token_hex(6)}",
        first=_tenancy("demo", "AMB-42"),
        second=_tenancy("other", "AMB-7"),
        gateway_mqtt_password=secrets.token_urlsafe(24),
        cloud_mqtt_password=secrets.token_urlsafe(24),
    )


def _tenancy(name: str, vehicle_id: str) -> Tenancy:
    mark = secrets.token_hex(4)
    return Tenancy(
        tenant_id=f"tnt_{name}_{mark}",
        organization_id=f"org_{name}_{mark}",
        vehicle_id=vehicle_id,
        admin_token="",
        client_id=f"app_{name}_{mark}",
        client_secret="",
        username=f"{name}-{mark}@example.org",
        password="",
    )


def _usable_ports(kept: dict[str, int], given: dict[str, int]) -> dict[str, int]:
    ports: dict[str, int] = {}
    for name in PORTS:
        if name in given:
            if not is_free(given[name]):
                raise PlanUnusable(f"port {given[name]} of this machine is taken by another program; name another one")
            ports[name] = given[name]
        elif name in kept and is_free(kept[name]):
            ports[name] = kept[name]
        else:
            promised = {*ports.values(), *kept.values(), *given.values()}
            try:
                ports[name] = free_port(besides=promised)
            except NoFreePort as error:
                raise PlanUnusable(str(error)) from error
    return ports
