"""Public text is in plain technical English, and the number of listed words in the rest of the tree does not rise."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

import cloud.app  # noqa: F401  so that every error class and event exists
from cloud.access.apps import CATALOGUE
from cloud.cli import COMMANDS
from cloud.foundation.clock import SystemClock
from cloud.foundation.http import Host
from cloud.foundation.http.problem import catalogue
from cloud.foundation.ids import UlidIds
from cloud.partners.discovery import contract_document
from cloud.partners.webhooks.catalogue import EVENTS
from cloud.settings import read_settings
from cloud.surface import rows_of
from tests.builders.cloud_settings import settings_file
from tests.tidy.plain_english import (
    CONTRACT_NUMBER,
    FRAGMENT,
    comments_with_faults,
    docstrings,
    faults,
    faults_of_markdown,
    messages,
    names,
)
from tests.tidy.sources import ROOT

GUIDES = [
    *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "deviations.md"),
    *sorted((ROOT / "cloud/partners/docs/guides/en").glob("*.md")),
]
WORD_FILES = (
    "cloud.foundation.pages.words",
    "cloud.access.identity.words",
    "cloud.access.oauth.words",
    "cloud.partners.administration.words",
    "cloud.partners.docs.words",
)
TEMPLATES = sorted((ROOT / "cloud").rglob("templates/*.html"))

CONTROL_FIELDS = frozenset({"ask", "answer", "says", "octets"})
"""Fields of the gateway's control socket and of `--json`, which are contracts."""

RATCHETS = {
    "words in docstrings": 26,
    "words in comments": 0,
    "words in names": 0,
    "docstrings that begin with a fragment": 0,
}
"""Limits of the counts. They may only fall: a change that lowers a count lowers its limit here."""


def texts_of(document: Any, key: str = "") -> Iterator[str]:
    """Yield the values of the keys summary, description and title in a JSON document, at any depth."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from texts_of(value, name)
    elif isinstance(document, list):
        for value in document:
            yield from texts_of(value, key)
    elif isinstance(document, str) and key in {"summary", "description", "title"}:
        yield document


def openapi(folder: Path) -> Iterator[str]:
    clock = SystemClock()
    rows = rows_of(read_settings(settings_file(folder)), clock, UlidIds(clock))
    bases = {host: f"https://{host.value}.example.org" for host in Host}
    yield from texts_of(contract_document(rows, bases, {scope.name: scope.description for scope in CATALOGUE}))
    # Routes that the document does not show count too: the console prints them, and extensions are described.
    for row in rows:
        yield from (row.summary, row.description, *row.responses.values())


def help_of(command: Any) -> Iterator[str]:
    """Yield the help texts of a command, its options and its subcommands."""
    yield command.help or ""
    for parameter in command.params:
        yield getattr(parameter, "help", None) or ""
    for name in getattr(command, "commands", {}):
        yield from help_of(command.commands[name])


def command_help(program: str) -> Iterator[str]:
    yield from help_of(get_command(importlib.import_module(program).app))
    if program == "cloud.cli":
        for one, part in COMMANDS.values():
            group: typer.Typer = one.load(part)
            yield from help_of(get_command(group))


def assert_plain(texts: Iterator[str]) -> None:
    found = {text: words for text in texts if (words := [*faults(text), *CONTRACT_NUMBER.findall(text)])}
    assert found == {}


def test_openapi_document_is_in_plain_english(tmp_path: Path) -> None:
    assert_plain(openapi(tmp_path))


def test_problem_descriptions_are_in_plain_english() -> None:
    assert_plain(kind.meaning for kind in catalogue())


def test_event_catalogue_is_in_plain_english() -> None:
    assert_plain(text for one in EVENTS for text in (one.description, *texts_of(one.schema())))


@pytest.mark.parametrize("program", ["gateway.cli", "cloud.cli", "simulators.cli"])
def test_command_help_is_in_plain_english(program: str) -> None:
    assert_plain(command_help(program))


def test_output_and_errors_of_the_gateway_are_in_plain_english() -> None:
    found = [(place, words) for place, text in messages("gateway", CONTROL_FIELDS) if (words := faults(text))]
    assert found == []


@pytest.mark.parametrize("document", [ROOT / "README.md", *GUIDES], ids=lambda path: str(path.name))
def test_guides_are_in_plain_english_without_contract_item_numbers(document: Path) -> None:
    assert faults_of_markdown(document) == []
    assert CONTRACT_NUMBER.findall(document.read_text()) == []


def test_unreleased_changelog_entries_are_in_plain_english(tmp_path: Path) -> None:
    unreleased = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1]
    assert unreleased.startswith("Unreleased")
    assert_plain(iter(re.sub(r"`[^`]*`", "", unreleased).splitlines()))


@pytest.mark.parametrize("module", WORD_FILES)
def test_english_page_texts_are_in_plain_english(module: str) -> None:
    assert_plain(english for english, _ in importlib.import_module(module).WORDS.values())


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.name))
def test_page_templates_are_in_plain_english(template: Path) -> None:
    text = re.sub(r"\{[{%#].*?[#%}]\}|<[^>]*>", " ", template.read_text(), flags=re.DOTALL)
    assert_plain(iter(text.splitlines()))


def test_number_of_style_faults_does_not_exceed_the_limit_of_each_kind() -> None:
    counts = {
        "words in docstrings": sum(len(faults(text)) for text in docstrings()),
        "words in comments": sum(len(faults(text)) for text in comments_with_faults()),
        "words in names": sum(len(faults(name)) for name in names()),
        "docstrings that begin with a fragment": sum(FRAGMENT.match(text) is not None for text in docstrings()),
    }
    risen = {name: (count, RATCHETS[name]) for name, count in counts.items() if count > RATCHETS[name]}
    assert risen == {}, "now, and at most"
