"""An operator imports lists at the console, sees the problems by line, and searches the lists."""

from pathlib import Path

import pytest

from protocols.sanctions.entry import ListedName
from tests.builders.sanctions_lists import listed, ofac_csv, ofac_xml
from tests.cloud.cli.conftest import logging_as_before
from tests.cloud.tokens.test_commands import TENANT, Console, console

__all__ = ["console", "logging_as_before"]

PERSON = listed("SYN-1", "Examplo Testovich", ListedName("Owo Fakename", is_alias=True), birth_dates=["1948"])


def write(folder: Path, data: bytes, name: str = "list.xml") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def test_imported_list_is_listed_and_searched(console: Console, tmp_path: Path) -> None:
    file = write(tmp_path, ofac_xml([PERSON]))
    made = console.json("screening", "import", file, *TENANT, "--format", "ofac-xml")
    assert (made["name"], made["state"], made["entries"], made["problems"]) == ("ofac-sdn", "current", 1, 0)
    assert [one["name"] for one in console.json("screening", "lists", *TENANT)] == ["ofac-sdn"]
    (hit,) = console.json("screening", "search", "Exemplo Testowitsch", *TENANT, "--birth-date", "1948-12-10")
    assert (hit["reference"], hit["listed_name"]) == ("SYN-1", "Examplo Testovich")
    code, out, _ = console.run("screening", "search", "Exemplo Testowitsch", *TENANT)
    assert code == 0
    assert "has the same consonants as examplo" in " ".join(out.split())


def test_csv_list_is_imported_with_its_aliases(console: Console, tmp_path: Path) -> None:
    main, aliases = ofac_csv([PERSON])
    files = write(tmp_path, main, "SDN.CSV"), "--aliases", write(tmp_path, aliases, "ALT.CSV")
    console.json("screening", "import", *files, *TENANT, "--format", "ofac-csv", "--name", "mine")
    (hit,) = console.json("screening", "search", "Fakename, Owo", *TENANT)
    assert (hit["list"], hit["is_alias"]) == ("mine", True)


def test_problems_are_printed_with_their_lines(console: Console, tmp_path: Path) -> None:
    file = write(tmp_path, ofac_xml([PERSON, listed("SYN-2", "")]))
    words = ("screening", "import", file, *TENANT, "--format", "ofac-xml")
    code, out, err = console.run(*words)
    assert (code, out) == (1, "")
    assert "- line 4: The entry has no name." in err
    assert "--accept-problems" in err
    code, out, err = console.run(*words, "--accept-problems")
    assert code == 0
    assert "1 records left out" in out
    assert "- line 4: The entry has no name." in err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("import", "absent.xml", "--format", "ofac-xml"), "absent.xml cannot be read"),
        (("import", "FILE", "--format", "ofac"), "The formats are ofac-xml"),
        (("import", "FILE", "--format", "un-xml"), "is of another format"),
        (("import", "FILE", "--format", "un-xml", "--aliases", "FILE"), "--aliases belongs to the format ofac-csv"),
        (("search", "Examplo", "--birth-date", "soon"), "--birth-date is a date"),
    ],
)
def test_wrong_options_are_explained(console: Console, tmp_path: Path, words: tuple[str, ...], part: str) -> None:
    file = write(tmp_path, ofac_xml([PERSON]))
    code, out, err = console.run("screening", *(file if word == "FILE" else word for word in words), *TENANT)
    assert code != 0
    assert out == ""
    assert part in " ".join(err.replace("│", " ").split())
