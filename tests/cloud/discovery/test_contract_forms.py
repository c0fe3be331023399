"""The JSON and YAML forms of the API document have the same content, and each has its own entity tag."""

import re

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some

from cloud.partners.discovery import make_contract, write_contract
from tests.builders.contract_rows import PRODUCTION, SCOPES, rows

# Texts that some reader parses as another type.
_TEMPTING = [
    "no",
    "on",
    "null",
    "~",
    "1e3",
    "1E+3",
    "0o17",
    "0x1f",
    "12:30:45",
    "2026-03-24",
    "2026-03-24T10:00:00Z",
    ".5",
    "5.",
    "=",
    "<<",
    "",
    "- a",
    "a: b",
    "#",
    "%",
    "‹phi› – 98 %",
    "two\nlines",
]


@pytest.mark.contract("C-254", "S-172")
def test_json_and_yaml_contract_documents_have_equal_content() -> None:
    contract = make_contract(rows(), PRODUCTION, SCOPES)
    assert yaml.safe_load(contract.yaml) == orjson.loads(contract.json)


@pytest.mark.contract("S-173")
def test_yaml_contract_document_has_no_tags_anchors_or_aliases() -> None:
    contract = make_contract(rows(), PRODUCTION, SCOPES)
    text = contract.yaml.decode()
    assert yaml.unsafe_load(text) == orjson.loads(contract.json)
    assert re.search(r"(^|\s)[&*!][A-Za-z]", re.sub(r"'[^']*'|\"[^\"]*\"", "", text)) is None


@pytest.mark.contract("C-252", "A-135")
def test_json_and_yaml_contract_documents_have_strong_etags_of_their_content() -> None:
    first = make_contract(rows(), PRODUCTION, SCOPES)
    again = make_contract(rows(), PRODUCTION, SCOPES)
    other = make_contract(rows()[1:], PRODUCTION, SCOPES)
    assert (first.json_etag, first.yaml_etag) == (again.json_etag, again.yaml_etag)
    assert len({first.json_etag, first.yaml_etag, other.json_etag, other.yaml_etag}) == 4
    assert all(re.fullmatch(r'"[0-9a-f]{32}"', tag) for tag in (first.json_etag, first.yaml_etag))


@settings(max_examples=60)
@given(some.dictionaries(some.text(), some.lists(some.text() | some.sampled_from(_TEMPTING) | some.none())))
def test_any_text_in_the_contract_is_unchanged_when_its_yaml_is_parsed(document: dict[str, list[str | None]]) -> None:
    try:
        contract = write_contract(document)
    except TypeError:
        return  # lone surrogates, which JSON cannot hold either
    assert yaml.safe_load(contract.yaml) == orjson.loads(contract.json)


@pytest.mark.parametrize("text", ["1e3", "1E+3", "0o17", "0x1f", "5.", ".5", "12"])
def test_text_that_a_yaml_parser_may_read_as_a_number_is_quoted(text: str) -> None:
    assert write_contract({"a": text}).yaml.decode().strip() in {f'a: "{text}"', f"a: '{text}'"}
