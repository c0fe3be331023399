"""The documents name every setting, command and domain event, and name none that does not exist."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import typer
from pydantic import BaseModel

import cloud.foundation.http
import cloud.settings
import gateway.settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OPERATOR = DOCS / "operator.md"
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.glob("*.md")])


def table(heading: str) -> str:
    """Return the text between this heading of the operator's guide and the next heading."""
    found = re.search(rf"^#+ {re.escape(heading)}$\n(.*?)(?=^#|\Z)", OPERATOR.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


def section_of(annotation: object) -> tuple[type[BaseModel], bool] | None:
    """Return the settings class in an annotation such as `Section`, `Section | None` or `tuple[Section, ...]`, and
    whether the annotation is a tuple (a section that may occur repeatedly). Return None for an annotation without a
    settings class."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    inner = next((found for each in get_args(annotation) if (found := section_of(each))), None)
    return None if inner is None else (inner[0], getattr(annotation, "__origin__", None) is tuple)


def settings_of(model: type[BaseModel]) -> Iterator[str]:
    """Yield every setting as the guide writes it: `[mqtt] url`, `[[serial]] path`, `database_url`.

    The settings of the four hosts are described once, as `[hosts.NAME] …`.
    """
    for name, field in model.model_fields.items():
        found = section_of(field.annotation)
        if found is None:
            yield name
        elif found[0] is cloud.foundation.http.HostsSection:
            yield from (f"[hosts.{host}]" for host in found[0].model_fields)
            yield from (f"[hosts.NAME] {each}" for each in cloud.foundation.http.HostSection.model_fields)
        else:
            header = f"[[{name}]]" if found[1] else f"[{name}]"
            yield from (f"{header} {each}" for each in found[0].model_fields)


@pytest.mark.parametrize(
    ("heading", "model"),
    [("`/etc/argus/gateway.toml`", gateway.settings.Settings), ("`/etc/argus/cloud.toml`", cloud.settings.MODEL)],
)
def test_operators_guide_lists_exactly_the_existing_settings(heading: str, model: type[BaseModel]):
    named = [
        name
        for row in table(heading).splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    ]
    assert sorted(named) == sorted(settings_of(model))


def test_example_settings_files_contain_every_setting():
    for file, model in (("gateway.toml", gateway.settings.Settings), ("cloud.toml", cloud.settings.MODEL)):
        text = (ROOT / "systemd" / file).read_text()
        for setting in settings_of(model):
            *header, key = setting.replace("[hosts.NAME] ", "").split(" ")
            assert all(part in text for part in (*header, key)), f"{file}: {setting}"


def events() -> list[str]:
    modules = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "cloud").rglob("event_types.py"))]
    loaded = [importlib.import_module(".".join(module.parts)) for module in modules]
    return [one.name for module in loaded for one in module.EVENTS]


def test_operators_guide_lists_exactly_the_existing_domain_events():
    rows = [row.split("|")[1] for row in table("The domain events").splitlines() if row.startswith("| `")]
    assert sorted(name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)) == sorted(events())


def commands_of(program: str, app: typer.Typer) -> Iterator[str]:
    for command in app.registered_commands:
        assert command.callback is not None
        if command.hidden:  # run by another command only
            continue
        yield f"{program} {command.name or command.callback.__name__.replace('_', '-')}"
    for group in app.registered_groups:
        assert group.typer_instance is not None
        name = group.name or group.typer_instance.info.name
        yield from commands_of(f"{program} {name}", group.typer_instance)


@pytest.mark.parametrize(
    ("program", "module"),
    [("argus-gateway", "gateway.cli"), ("argus-cloud", "cloud.cli"), ("argus-sim", "simulators.cli")],
)
def test_every_command_is_named_in_a_document(program: str, module: str):
    text = " ".join(document.read_text() for document in DOCUMENTS)
    commands = list(commands_of(program, importlib.import_module(module).app))
    assert commands
    # A group's command also counts without the program's name, as in a file for `argus-cloud batch`.
    unnamed = [command for command in commands if not _is_named(command, text)]
    assert unnamed == []


def _is_named(command: str, text: str) -> bool:
    program, *words = command.split()
    if len(words) == 1:
        return bool(re.search(rf"{program}(?: --config \S+)? {words[0]}\b", text))
    return bool(re.search(rf"\b{' '.join(words)}\b", text))


def links(document: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()) if "://" not in link]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_in_a_document_has_an_existing_target(document: Path):
    for link in links(document):
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        assert target.exists(), link
        if anchor:
            assert anchor in {_anchor(heading) for heading in _headings(target)}, link


def _headings(document: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", document.read_text(), flags=re.MULTILINE)


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading: lower case, without punctuation, with hyphens for spaces."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, *sorted((DOCS / "shots").glob("*.svg"))], ids=lambda path: str(path.name)
)
def test_documents_contain_no_path_of_the_development_machine(document: Path):
    assert re.findall(r"(?<![\w.])/(?:work|root|tmp|farm|home)/\S*", document.read_text()) == []


def test_every_picture_file_is_shown_in_a_document():
    shown = {(document.parent / link).resolve() for document in DOCUMENTS for link in links(document)}
    assert {path.resolve() for path in (DOCS / "shots").iterdir()} <= shown
