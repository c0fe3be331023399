"""The limits on the security page equal the limits in the code."""

import importlib
import re
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path

import pytest

from cloud.foundation.http.rates import Policy

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
ROWS = re.findall(r"^\| `((?:cloud|gateway|protocols)\.[\w.]+)` \| ([\d.]+) \|", PAGE.read_text(), re.MULTILINE)


def value_of(name: str) -> float:
    """Return the number with this dotted name: a constant of a module, or the default of a dataclass's field."""
    owner_name, _, attribute = name.rpartition(".")
    try:
        owner: object = importlib.import_module(owner_name)
    except ModuleNotFoundError:
        module, _, class_name = owner_name.rpartition(".")
        owner = getattr(importlib.import_module(module), class_name)
    if is_dataclass(owner):
        default = next(field.default for field in fields(owner) if field.name == attribute)
        assert default is not MISSING
        return float(default)
    value = getattr(owner, attribute)
    return float(value.quota if isinstance(value, Policy) else value)


def test_security_page_lists_the_limits_of_every_trust_boundary():
    boundaries = {part for name, _ in ROWS for part in name.split(".")[1:-1]}
    assert {"http", "egress", "ingest", "uplink", "fleet", "crew", "security", "sessions", "transports"} <= boundaries


@pytest.mark.parametrize(("name", "stated"), ROWS, ids=[name for name, _ in ROWS])
def test_limit_on_the_security_page_equals_the_limit_in_the_code(name: str, stated: str):
    assert value_of(name) == float(stated)
