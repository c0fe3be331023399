"""Names and passwords of a fleet, made once and kept in its state folder.

A second run with the same folder continues the same stores and chains, so that nothing which an earlier run recorded is
lost. A larger fleet adds vehicles to the smaller one.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from simulators.private_file import write_private

PLAN_FILE: Final = "fleet.json"
LOCK_FILE: Final = "fleet.lock"


class FleetUnusable(Exception):
    """The fleet cannot run; the text has the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class PlannedVehicle:
    """Names of one vehicle and its gateway. `password` is for a broker without TLS."""

    vehicle_id: str
    gateway_id: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """Names of a fleet. All its vehicles belong to one organisation of a tenant of their own."""

    state_dir: Path
    tenant_id: str
    organization_id: str
    vehicles: tuple[PlannedVehicle, ...] = ()

    def folder(self, vehicle: PlannedVehicle) -> Path:
        """Return the folder with the identity and the store of a vehicle."""
        return self.state_dir / "vehicles" / vehicle.gateway_id


@contextmanager
def occupied(state_dir: Path) -> Iterator[None]:
    """Create the state folder if it is missing, and lock it during the block. Raises `FleetUnusable` where another
    fleet uses the folder, or where it has other content."""
    if state_dir.exists() and not state_dir.is_dir():
        raise FleetUnusable(f"{state_dir} is not a folder: name another one with --state")
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (state_dir / PLAN_FILE).exists() and {each.name for each in state_dir.iterdir()} - {LOCK_FILE}:
        raise FleetUnusable(f"{state_dir} is not empty and holds no fleet: name another folder with --state")
    descriptor = os.open(state_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FleetUnusable(f"a fleet runs in {state_dir} already: stop it, or name another --state") from None
        yield
    finally:
        os.close(descriptor)


def load_or_make(state_dir: Path, vehicles: int) -> FleetPlan:
    """Return the plan in `state_dir` with at least `vehicles` vehicles. Missing vehicles are added and the plan is
    stored. Raises `FleetUnusable`."""
    state_dir = state_dir.resolve()
    path = state_dir / PLAN_FILE
    mark = secrets.token_hex(4)
    fresh = FleetPlan(state_dir=state_dir, tenant_id=f"tnt_fleet_{mark}", organization_id=f"org_fleet_{mark}")
    plan = _load(path, state_dir) if path.exists() else fresh
    mark = plan.tenant_id.rpartition("_")[2]
    added = tuple(
        PlannedVehicle(f"veh_{mark}_{number}", f"gw_{mark}_{number}", secrets.token_urlsafe(24))
        for number in range(len(plan.vehicles) + 1, vehicles + 1)
    )
    if added or not path.exists():
        plan = replace(plan, vehicles=plan.vehicles + added)
        raw = {key: value for key, value in asdict(plan).items() if key != "state_dir"}
        write_private(path, json.dumps(raw, indent=1) + "\n")
    return plan


def _load(path: Path, state_dir: Path) -> FleetPlan:
    try:
        raw = json.loads(path.read_text())
        vehicles = tuple(PlannedVehicle(**each) for each in raw.pop("vehicles"))
        return FleetPlan(**raw, state_dir=state_dir, vehicles=vehicles)
    except (ValueError, TypeError, KeyError) as error:
        raise FleetUnusable(f"{path} is damaged: move {state_dir} away to begin a new fleet") from error
