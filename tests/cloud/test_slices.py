"""A slice (a capability of the cloud) consists of a folder, a migration and one line in the list of slices.

The test adds a minimal slice to a copy of the cloud and removes it.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database
from cloud.foundation.db.revisions import known_revisions
from cloud.foundation.events import EventType
from cloud.foundation.ids import UlidIds
from cloud.foundation.jobs import Jobs
from cloud.foundation.settings import Section
from cloud.settings import MODEL
from cloud.slices import PACKAGES, SLICES
from cloud.supplies import make_process
from tests.builders.cloud_settings import HOSTS, settings_file
from tests.builders.parts import SETTINGS
from tests.tidy.sources import ROOT

FILES = {
    "__init__.py": '''
"""Greetings, the smallest slice."""

from cloud.foundation.slice import Scope, Slice

SLICE = Slice(
    package=__name__,
    events="event_types:EVENTS",
    scopes=(Scope("argus:greetings:read", "Read greetings", "Odczyt pozdrowień"),),
    tags={"Greetings": "Greetings."},
    tables="tables",
    routes=("routes:routes",),
    jobs="jobs:jobs",
    settings={"greetings": "settings:GreetingsSection"},
    commands={"greetings": "cli:greetings"},
)
''',
    "tables.py": '''
"""Greetings that were sent."""

from sqlalchemy import Column, Table, Text

from cloud.foundation.db import metadata

greetings = Table(
    "greetings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
)
''',
    "settings.py": '''
"""Settings of greetings."""

from cloud.foundation.settings import Section


class GreetingsSection(Section):
    """`[greetings]`."""

    word: str = "Hello"
    """Text of a greeting."""
''',
    "routes.py": '''
"""The address of greetings."""

from cloud.foundation.http import PUBLIC, Response, Host, Json, Parts, RateClass, Request, Route
from cloud.partners.greetings.settings import GreetingsSection


def routes(parts: Parts) -> tuple[Route, ...]:
    word = parts.settings.section(GreetingsSection).word

    async def greet(_request: Request) -> Response:
        return Json({"greeting": word})

    return (
        Route(
            method="GET",
            path="/api/v1/greetings",
            handler=greet,
            host=Host.API,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            responses={200: "The greeting."},
            summary="Greet",
            tag="Greetings",
            in_contract=False,
        ),
    )
''',
    "event_types.py": '''
"""The events of greetings."""

from cloud.foundation.events import EventType, text

EVENTS = (
    EventType(
        name="greeting.sent",
        description="A greeting was sent.",
        fields={"greeting_id": text("The greeting.")},
        sample={"greeting_id": "grt_1"},
        scope="argus:greetings:read",
    ),
)
''',
    "jobs.py": '''
"""Remove old greetings."""

from sqlalchemy import delete

from cloud.foundation.db import Transaction
from cloud.foundation.housekeeping import Chore
from cloud.foundation.events import EventType
from cloud.foundation.ids import UlidIds
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process
from cloud.partners.greetings.tables import greetings


async def sweep(tx: Transaction, _now_us: int) -> int:
    return (await tx.execute(delete(greetings))).rowcount


def jobs(_process: Process) -> Jobs:
    return Jobs(chores=[Chore("greetings", sweep)])
''',
    "cli.py": '''
"""`argus-cloud greetings`."""

import typer
from sqlalchemy import func, select

from cloud.foundation.command import Workplace, print_json, run
from cloud.partners.greetings.settings import GreetingsSection
from cloud.partners.greetings.tables import greetings as table

greetings = typer.Typer(help="Greetings.", no_args_is_help=True)


@greetings.callback()
def _group() -> None:
    """Greetings."""


@greetings.command("count")
def count(context: typer.Context) -> None:
    """Count the greetings that were sent."""

    async def work(place: Workplace) -> int:
        async with place.database.read() as tx:
            return int((await tx.execute(select(func.count()).select_from(table))).scalar())

    print_json([run(context, work), settings(context)])


def settings(context: typer.Context) -> str:
    from cloud.foundation.command import settings_of

    return settings_of(context).section(GreetingsSection).word
''',
}
MIGRATION = '''
"""Greetings."""

import sqlalchemy as sa
from alembic import op

revision = "9000"
down_revision = "{newest}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "greetings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_greetings"),
    )
'''
LINE = '    "cloud.partners.greetings",\n'


class Copy:
    """A copy of the cloud's source tree, whose console the tests run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slice = folder / "cloud" / "partners" / "greetings"
        self.list = folder / "cloud" / "slices.py"
        self.migration = folder / "cloud" / "foundation" / "db" / "migrations" / "versions" / "m9000_greetings.py"
        # With the compiled modules, which are valid in the copy too.
        shutil.copytree(ROOT / "cloud", folder / "cloud")
        for name in ("protocols", "gateway", "sdk", "simulators", "tests"):
            (folder / name).symlink_to(ROOT / name)
        shutil.copy(ROOT / "pyproject.toml", folder)

    def add(self) -> None:
        """Add the slice: its folder, its migration, and its line in the list."""
        self.slice.mkdir()
        for name, text in FILES.items():
            (self.slice / name).write_text(text.lstrip())
        self.migration.write_text(MIGRATION.lstrip().format(newest=known_revisions()[-1]))
        self.list.write_text(self.list.read_text().replace("PACKAGES = (\n", f"PACKAGES = (\n{LINE}"))

    def remove(self) -> None:
        shutil.rmtree(self.slice)
        self.migration.unlink()
        self.list.write_text(self.list.read_text().replace(LINE, ""))

    def run(self, config: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return self.python("from cloud.cli import main; main()", "--config", str(config), *words)

    def python(self, text: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", text, *words]
        return subprocess.run(
            command, cwd=self.folder, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, check=False
        )

    def batch(self, config: Path, *lines: str) -> list[Any]:
        """Run several commands in one process; return the JSON output of each."""
        commands = config.with_name("commands")
        commands.write_text("\n".join(lines))
        done = self.run(config, "batch", str(commands))
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def test_slice_is_added_by_a_folder_and_a_migration_and_one_line_in_the_list_of_slices(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "copy")
    copy.add()
    (with_slice := tmp_path / "with").mkdir()
    config = settings_file(with_slice, more=f'{HOSTS}\n[greetings]\nword = "Good day"\n')
    made, count, routes = copy.batch(config, "init --json", "greetings count", "routes --json")
    assert (made["after"], count) == ("9000", [0, "Good day"])
    assert "/api/v1/greetings" in [row["path"] for row in routes]
    catalogues = "from cloud.access.apps import NAMES; from cloud.partners.webhooks.catalogue import EVENTS; "
    catalogues = f"import cloud.slices; {catalogues}print(*NAMES, *(one.name for one in EVENTS))"
    chores = "from cloud.slices import SLICES; print(SLICES[0].load(SLICES[0].jobs)(None).chores)"
    console = "from cloud.cli import main; main()"
    names, declared, *text = copy.python(f"{catalogues}; {chores}; {console}", "--help").stdout.splitlines()
    assert "Chore(name='greetings'" in declared
    assert {"argus:greetings:read", "greeting.sent"} <= set(names.split())
    assert any("Greetings." in line for line in text)
    contracts = copy.python("from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache")
    assert contracts.returncode == 0, contracts.stdout

    copy.remove()
    (without := tmp_path / "without").mkdir()
    config = settings_file(without)
    made, routes = copy.batch(config, "init --json", "routes --json")
    assert made["after"] == known_revisions()[-1]
    assert "/api/v1/greetings" not in [row["path"] for row in routes]
    names, *text = copy.python(f"{catalogues}; {console}", "--help").stdout.splitlines()
    assert "argus:" in names
    assert "greeting" not in names
    assert any("tenants" in line for line in text)
    assert not any("greetings" in line.lower() for line in text)
    config.write_text(f"{config.read_text()}\n[greetings]\n")
    assert "greetings: there is no such setting" in copy.run(config, "tenants", "list").stderr


def test_every_package_that_declares_a_slice_is_in_the_list_of_slices() -> None:
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "cloud").glob("*/*/__init__.py")
        if "SLICE = Slice(" in path.read_text()
    }
    assert found == set(PACKAGES)


@pytest.mark.parametrize("one", SLICES, ids=lambda one: one.package)
def test_every_object_that_a_slice_declares_can_be_imported(one: Any) -> None:
    assert all(issubclass(one.load(part), Section) for part in one.settings.values())
    assert all(one.load(part).info.help for part in one.commands.values())
    assert all(callable(one.load(part)) for part in one.routes)
    assert all(isinstance(event, EventType) for event in ([] if one.events is None else one.load(one.events)))
    if one.tables is not None:
        assert one.load(one.tables).__name__ == f"{one.package}.{one.tables}"
    if one.jobs is not None:
        clock = SystemClock()
        process = make_process(MODEL.model_validate(SETTINGS), cast(Database, None), clock, UlidIds(clock), roles=())
        assert isinstance(one.load(one.jobs)(process), Jobs)


def exports(package: Path) -> set[str]:
    """Return the names that a package imports from its own modules, also in an `if TYPE_CHECKING:` block."""
    body = ast.parse((package / "__init__.py").read_text()).body
    statements = [statement for one in body for statement in (one.body if isinstance(one, ast.If) else [one])]
    imports = [one for one in statements if isinstance(one, ast.ImportFrom)]
    inside = f"cloud.{package.parent.name}.{package.name}."
    return {name.name for one in imports if str(one.module).startswith(inside) for name in one.names}


@pytest.mark.parametrize("package", sorted(ROOT.glob("cloud/*/*/__init__.py")), ids=lambda path: path.parent.name)
def test_package_exports_no_name_that_equals_the_name_of_one_of_its_modules(package: Path) -> None:
    # Python sets a loaded submodule as an attribute of its package, so the export would then be the module.
    modules = {path.stem for path in package.parent.glob("*.py")}
    assert modules.isdisjoint(exports(package.parent))


def test_every_name_that_a_slice_exports_is_imported_by_another_module() -> None:
    used: dict[str, set[str]] = {}
    for path in [*(ROOT / "cloud").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        text = path.read_text()
        if "from cloud" not in text:
            continue
        nodes = list(ast.walk(ast.parse(text)))
        packages = {
            name.asname or name.name: f"{one.module}.{name.name}"
            for one in nodes
            if isinstance(one, ast.ImportFrom) and (one.module or "").startswith("cloud.")
            for name in one.names
        }
        for one in nodes:
            if isinstance(one, ast.ImportFrom):
                used.setdefault(str(one.module), set()).update(name.name for name in one.names)
            elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id in packages:
                used.setdefault(packages[one.value.id], set()).add(one.attr)
    folders = [path.parent for path in ROOT.glob("cloud/*/*/__init__.py")]
    slices = {".".join(folder.relative_to(ROOT).parts): exports(folder) for folder in folders}
    unused = {name: exported - used.get(name, set()) for name, exported in slices.items()}
    assert {name: names for name, names in unused.items() if names} == {}
