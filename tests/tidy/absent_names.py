"""pytest plugin that loads this tree's tests beside an older product, and writes down why each of them ends.

A test module that imports a name which the older product lacks gets a placeholder instead. So the module loads, and
those of its tests that use names of both commits run. Using a placeholder in a running test raises `AbsentName`: the
test ended for want of an interface, and shows nothing about the weakness. While a module loads, a placeholder
tolerates everything that a module's first lines do with it.

Only imports of test modules are treated so. The product's own imports and look-ups stay as they are.

A few arguments with which shared builders prepare a story say nothing about a weakness (`SET_UP`): a callable that has
no such parameter is called without them. So a story of old interfaces runs although its builder has moved on.
"""

import json
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from functools import wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from inspect import signature
from pathlib import Path
from types import FrameType, ModuleType, SimpleNamespace
from typing import Any

import pytest

RESULTS = "ARGUS_FINDINGS_RESULTS"
"""The environment variable with the path of the file of results: one JSON object a line."""

SET_UP = {
    "cloud.foundation.db.migration": ("migrate",),
    "cloud.vehicles.ingest.group": ("GroupWriter",),
    "gateway.crew.app": ("CrewApp", "CrewStatus"),
    "gateway.sessions.devices.claims": ("Claims",),
    "gateway.sessions.devices.history": ("DeviceHistories",),
    "gateway.sessions.journal": ("Journal",),
    "gateway.sync.settings": ("UplinkSettings",),
}
"""By module: callables that the builders give more than the older product takes."""


def _open_rights(cloud: str, admitted: Sequence[tuple[str, str]]) -> bytes:
    """Rights of the tests' broker that allow everything: the older product has no list of its own for the plugin."""
    kinds = ("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe")
    clients = [{"username": name, "roles": []} for name in (cloud, *(gateway for gateway, _ in admitted))]
    return json.dumps({"defaultACLAccess": dict.fromkeys(kinds, True), "clients": clients, "roles": []}).encode()


class _Unused:
    """A part that builders make and the older product does not take."""

    def __init__(self, *_: object, **__: object) -> None:
        """Takes everything and keeps nothing."""


async def _idle(*_: object) -> None:
    """A part of the product that runs beside others, where the older product has none."""


LENT: dict[str, Any] = {
    "gateway.sessions.devices.known_devices.known_devices": lambda *_: [],
    "gateway.crew.tablet.tablet_key": lambda key: key,
    "gateway.sessions.formless": SimpleNamespace(encode_block=None),
    "gateway.sync.unconfirmed.PubackSettings": _Unused,
    "cloud.vehicles.ingest.quotas.QuotaBook": _Unused,
    "cloud.vehicles.ingest.quotas.QuotaSettings": _Unused,
    "gateway.sessions.clocks.trusted_clock.kernel_error_us": lambda: None,
    "cloud.vehicles.fleet.broker_configuration.AdmittedGateway": lambda gateway, tenant: (gateway, tenant),
    "cloud.vehicles.fleet.broker_configuration.RIGHTS_FILE": "rights.json",
    "cloud.vehicles.fleet.broker_configuration.find_plugin": lambda: next(
        Path("/usr/lib").glob("*/mosquitto_dynamic_security.so")
    ),
    "cloud.vehicles.fleet.broker_rights.CloudLogin": lambda username, _: username,
    "cloud.vehicles.fleet.broker_rights.rights_file": _open_rights,
}
"""Stand-ins for names that the older product lacks: a machine whose clock no time service has set, no device known
before, and a list of rights for the tests' broker."""

MOVED = {"cloud.clinical.observations.numbering.Numbers": "cloud.clinical.observations.store.Numbers"}
"""Names that builders import from another module than the older product has them in."""

LENT_METHODS = {
    "gateway.crew.app": ("CrewApp", "close_overdue_connections"),
    "gateway.sessions.devices.roster": ("Roster", "is_verified"),
}
"""By module: a class and a method that builders start or hand on."""

_PRODUCT = ("cloud", "gateway", "protocols", "simulators")
_INTERFACE_ERRORS = (ImportError, AttributeError, TypeError, NameError)
"""Errors of a test that uses a name or a signature that the older product lacks."""

_running = False


class AbsentName(Exception):  # it names what happened
    """A test uses a name that the product in this tree has not."""


class Absent:
    """Stands for a name that the product has not."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _use(self, *_: object, **__: object) -> Any:
        if _running:
            raise AbsentName(self._name)
        return self

    def _compare(self, *_: object) -> bool:
        self._use()
        return False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._name}.{name}")._use()

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        return ()

    def __iter__(self) -> Iterator[Any]:
        return iter([self._use()])

    def __index__(self) -> int:
        self._use()
        return 1

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"absent {self._name}"


for _operation in (
    *("call", "getitem", "neg", "len", "enter", "aenter", "await"),
    *(f"{side}{name}" for side in ("", "r") for name in ("add", "sub", "mul", "truediv", "floordiv", "mod")),
    *(f"{side}{name}" for side in ("", "r") for name in ("pow", "lshift", "rshift", "and", "or")),
):
    setattr(Absent, f"__{_operation}__", Absent._use)
# False, since a loop that counts up to an absent limit would not end.
for _operation in ("eq", "ne", "lt", "le", "gt", "ge", "contains"):
    setattr(Absent, f"__{_operation}__", Absent._compare)


def _asked_by_a_test(frame: FrameType | None) -> bool:
    """Whether the import or look-up in this frame stands in a file of the tests."""
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None and "/tests/" in frame.f_code.co_filename


class _AbsentModule(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__path__ = []
        _lend_absent_names(module)


class _Lender(Loader):
    """Loads a module of the product, and lends it the names that tests import from it and it has not."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        for name in SET_UP.get(module.__name__, ()):
            _tolerate_more_arguments(module, name)
        if module.__name__ in LENT_METHODS:
            owner, method = LENT_METHODS[module.__name__]
            if not hasattr(getattr(module, owner), method):
                setattr(getattr(module, owner), method, _idle)
        if "__getattr__" not in vars(module):
            _lend_absent_names(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _tolerate_more_arguments(module: ModuleType, name: str) -> None:
    """Let this callable be called with more arguments than it has parameters; those beyond them are left out."""
    wanted = getattr(module, name)
    called = getattr(wanted, "__init__") if isinstance(wanted, type) else wanted  # noqa: B009  # mypy calls it unsound
    parameters = signature(called).parameters
    positional = sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in parameters.values())

    @wraps(called)
    def trimmed(*values: Any, **named: Any) -> Any:
        return called(*values[:positional], **{key: each for key, each in named.items() if key in parameters})

    if isinstance(wanted, type):
        wanted.__init__ = trimmed  # type: ignore[misc]
    else:
        setattr(module, name, trimmed)


def _lend_absent_names(module: ModuleType) -> None:
    def absent(name: str) -> Any:
        if name.startswith("__") or not _asked_by_a_test(sys._getframe(1)):
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        full = f"{module.__name__}.{name}"
        if hasattr(module, "__path__") and PathFinder.find_spec(full, list(module.__path__)) is not None:
            raise AttributeError(name)  # a module beside it, which the import loads next
        if full in MOVED:
            place, _, own = MOVED[full].rpartition(".")
            return getattr(import_module(place), own)
        return LENT.get(full) or Absent(full)

    module.__getattr__ = absent  # type: ignore[method-assign]


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in _PRODUCT:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Lender(spec.loader)
            return spec
        return ModuleSpec(fullname, _AbsentModule()) if _asked_by_a_test(sys._getframe(1)) else None


# At once, since the files of fixtures are loaded before pytest is configured.
sys.meta_path.insert(0, _Finder())


def _write(result: dict[str, str]) -> None:
    with Path(os.environ[RESULTS]).open("a") as file:
        file.write(json.dumps(result) + "\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    global _running
    _running = True
    try:
        return (yield)
    finally:
        _running = False


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call" or report.outcome != "passed":
        _write({"test": item.nodeid, "end": _end_of(call, report.outcome), "why": _line_of(call.excinfo)})
    return report


def _end_of(call: pytest.CallInfo[None], outcome: str) -> str:
    if outcome != "failed":
        return outcome
    error = call.excinfo.value if call.excinfo is not None else None
    return "interface" if _is_of_interface(error) else "failed"


def _is_of_interface(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_of_interface(inner) for inner in error.exceptions)
    seen = error
    while seen is not None:
        if isinstance(seen, AbsentName):
            return True
        seen = seen.__cause__ or seen.__context__
    return isinstance(error, _INTERFACE_ERRORS) or "fixture" in type(error).__name__.lower()


def _line_of(info: pytest.ExceptionInfo[BaseException] | None) -> str:
    return "" if info is None else info.exconly().partition("\n")[0][:200]


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        lines = [line for line in str(report.longrepr).splitlines() if line.startswith("E  ")]
        _write({"test": report.nodeid, "end": "collection", "why": (lines or [""])[-1][4:200].strip()})
